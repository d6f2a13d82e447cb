import { describe, expect, it } from 'vitest';
import { ok, refuse } from '../../src/lib/result.ts';
import { createGraceGuard } from '../../src/replay/grace.ts';
import type { ReplayGuard, Reservation } from '../../src/replay/guard.ts';
import { createMemoryGuard } from '../../src/replay/memory.ts';

/**
 * The shared guard with a memory behind it: no request passes twice, whatever fails at whichever
 * moment.
 */
const START = Date.parse('2026-01-05T12:00:00.500Z');
const NOW = START + 60_000;

let count = 0;
function claim(signedAt = NOW - 500) {
  return { key: `k${(count += 1)}`, signedAt, forgetAt: signedAt + 600_000 };
}

const REPLAYED = { ok: false, refusal: 'replayed' };
const UNAVAILABLE = { ok: false, refusal: 'unavailable' };

/** A shared guard that can be made to fail, and the guard under test in front of it. */
function guards() {
  const table = createMemoryGuard(0);
  const state = { works: true, inGrace: false, asked: 0 };
  const shared: ReplayGuard = {
    reserve: (request, now) => {
      state.asked += 1;
      return state.works ? table.reserve(request, now) : Promise.resolve(refuse('unavailable'));
    },
  };
  return { state, table, guard: createGraceGuard(shared, () => state.inGrace, START) };
}

function held(reserved: Awaited<ReturnType<ReplayGuard['reserve']>>): Reservation {
  if (!reserved.ok) throw new Error(reserved.refusal);
  return reserved.value;
}

describe('createGraceGuard without an outage', () => {
  it('decides as the shared guard does, and lets each request through once', async () => {
    const { guard, table, state } = guards();
    const elsewhere = claim();
    await table.reserve(elsewhere, NOW);
    expect(await guard.reserve(elsewhere, NOW)).toEqual(REPLAYED);
    const request = claim();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
    expect(state.asked).toBe(2);
  });

  it('accepts what was signed before this process started, because the shared guard knows about it', async () => {
    expect((await guards().guard.reserve(claim(START - 100_000), NOW)).ok).toBe(true);
  });

  it('releases the hold in both places', async () => {
    const { guard, table } = guards();
    const request = claim();
    await held(await guard.reserve(request, NOW)).release();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
    expect(await table.reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('refuses when the shared guard fails without grace, and keeps the request as used', async () => {
    const { guard, state } = guards();
    state.works = false;
    const request = claim();
    expect(await guard.reserve(request, NOW)).toEqual(UNAVAILABLE);
    state.works = true;
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('remembers a request as long as its signature lives, and no longer', async () => {
    const { guard, state } = guards();
    const request = claim();
    await guard.reserve(request, NOW);
    state.inGrace = true;
    expect(await guard.reserve(request, request.forgetAt)).toEqual(REPLAYED);
  });

  it('lets the shared guard decide when the memory is full', { timeout: 20_000 }, async () => {
    const always: ReplayGuard = {
      reserve: () => Promise.resolve(ok({ release: () => Promise.resolve() })),
    };
    const guard = createGraceGuard(always, () => false, START);
    const forgetAt = NOW + 600_000;
    for (let key = 0; key < 500_000; key += 1)
      void guard.reserve({ key: `${key}`, signedAt: NOW, forgetAt }, NOW);
    expect((await guard.reserve(claim(), NOW)).ok, '833 requests a second for ten minutes').toBe(
      true,
    );
  });
});

describe('createGraceGuard in the grace', () => {
  it('refuses what this instance saw before the outage, and lets a new request through once', async () => {
    const { guard, state } = guards();
    const seen = claim();
    await guard.reserve(seen, NOW);
    Object.assign(state, { works: false, inGrace: true });
    expect(await guard.reserve(seen, NOW)).toEqual(REPLAYED);
    const fresh = claim();
    expect((await guard.reserve(fresh, NOW)).ok).toBe(true);
    expect(await guard.reserve(fresh, NOW)).toEqual(REPLAYED);
  });

  it('lets one of two copies at the same time through', async () => {
    const { guard, state } = guards();
    Object.assign(state, { works: false, inGrace: true });
    const request = claim();
    const both = await Promise.all([guard.reserve(request, NOW), guard.reserve(request, NOW)]);
    expect(both.filter((one) => one.ok)).toHaveLength(1);
  });

  it.each([
    [START - 100_000, false],
    [START - 500, false],
    [START, true],
    [START + 500, true],
  ])(
    'passes what was signed at %i: %s, because an earlier process may have seen what is older',
    async (signedAt, passes) => {
      const { guard, state } = guards();
      Object.assign(state, { works: false, inGrace: true });
      expect((await guard.reserve(claim(signedAt), NOW)).ok).toBe(passes);
    },
  );

  it('does not ask the shared guard', async () => {
    const { guard, state } = guards();
    state.inGrace = true;
    expect((await guard.reserve(claim(), NOW)).ok).toBe(true);
    expect(state.asked).toBe(0);
  });

  it('decides by memory about a request during which the grace begins', async () => {
    const { state } = guards();
    const late: ReplayGuard = {
      reserve: () => {
        state.inGrace = true;
        return Promise.resolve(refuse('unavailable'));
      },
    };
    const guard = createGraceGuard(late, () => state.inGrace, START);
    const request = claim();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('releases its hold', async () => {
    const { guard, state } = guards();
    state.inGrace = true;
    const request = claim();
    await held(await guard.reserve(request, NOW)).release();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
  });

  it('still refuses here afterwards what passed in the grace', async () => {
    const { guard, state } = guards();
    Object.assign(state, { works: false, inGrace: true });
    const request = claim();
    await guard.reserve(request, NOW);
    Object.assign(state, { works: true, inGrace: false });
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
  });
});
