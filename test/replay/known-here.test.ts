import { describe, expect, it } from 'vitest';
import { refuse } from '../../src/lib/result.ts';
import type { ReplayGuard, Reservation } from '../../src/replay/guard.ts';
import { createKnownHereGuard } from '../../src/replay/known-here.ts';
import { createMemoryGuard } from '../../src/replay/memory.ts';

const NOW = Date.parse('2026-01-05T12:00:00Z');

let count = 0;
function claim() {
  return { key: `k${(count += 1)}`, signedAt: NOW, forgetAt: NOW + 600_000 };
}

const REPLAYED = { ok: false, refusal: 'replayed' };

/** A table that several instances share, and that counts the questions. */
function tableOf() {
  const memory = createMemoryGuard(0);
  const state = { asked: 0, works: true };
  const shared: ReplayGuard = {
    reserve: (request, now) => {
      state.asked += 1;
      return state.works ? memory.reserve(request, now) : Promise.resolve(refuse('unavailable'));
    },
  };
  return { state, shared };
}

function held(reserved: Awaited<ReturnType<ReplayGuard['reserve']>>): Reservation {
  if (!reserved.ok) throw new Error(reserved.refusal);
  return reserved.value;
}

describe('createKnownHereGuard', () => {
  it('refuses copies of a request that was used here without asking the table', async () => {
    const { state, shared } = tableOf();
    const guard = createKnownHereGuard(shared);
    const request = claim();
    held(await guard.reserve(request, NOW));
    for (let time = 0; time < 10; time += 1)
      expect(await guard.reserve({ ...request }, NOW)).toEqual(REPLAYED);
    expect(state.asked).toBe(1);
  });

  it('asks once about a request that another instance used', async () => {
    const { state, shared } = tableOf();
    const [one, other] = [createKnownHereGuard(shared), createKnownHereGuard(shared)];
    const request = claim();
    held(await one.reserve(request, NOW));
    for (let time = 0; time < 10; time += 1)
      expect(await other.reserve(request, NOW)).toEqual(REPLAYED);
    expect(state.asked).toBe(2);
  });

  it('lets one of many simultaneous copies through', async () => {
    const { state, shared } = tableOf();
    const guard = createKnownHereGuard(shared);
    const request = claim();
    const all = await Promise.all(Array.from({ length: 10 }, () => guard.reserve(request, NOW)));
    expect(all.filter(({ ok }) => ok)).toHaveLength(1);
    expect(state.asked).toBe(1);
  });

  it('tells simultaneous copies what the table could not decide, and asks again later', async () => {
    const { state, shared } = tableOf();
    const guard = createKnownHereGuard(shared);
    const request = claim();
    state.works = false;
    const all = await Promise.all(Array.from({ length: 10 }, () => guard.reserve(request, NOW)));
    expect(new Set(all.map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify({ ok: false, refusal: 'unavailable' })]),
    );
    expect(state.asked).toBe(1);
    state.works = true;
    held(await guard.reserve(request, NOW));
    expect(state.asked).toBe(2);
  });

  it('asks again after a question that failed', async () => {
    const { shared } = tableOf();
    let fails = true;
    const guard = createKnownHereGuard({
      reserve: (request, now) =>
        fails ? Promise.reject(new Error('broken')) : shared.reserve(request, now),
    });
    const request = claim();
    await expect(guard.reserve(request, NOW)).rejects.toThrow('broken');
    fails = false;
    held(await guard.reserve(request, NOW));
  });

  it('lets a released request through again, once, and does not release another’s hold', async () => {
    const guard = createKnownHereGuard(tableOf().shared);
    const request = claim();
    const first = held(await guard.reserve(request, NOW));
    await first.release();
    held(await guard.reserve(request, NOW));
    await first.release();
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('asks again about a request that could not be decided', async () => {
    const { state, shared } = tableOf();
    const guard = createKnownHereGuard(shared);
    const request = claim();
    state.works = false;
    expect(await guard.reserve(request, NOW)).toEqual({ ok: false, refusal: 'unavailable' });
    state.works = true;
    held(await guard.reserve(request, NOW));
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('asks the table about requests that had to make room', async () => {
    const { state, shared } = tableOf();
    const guard = createKnownHereGuard(shared, 2);
    const requests = [claim(), claim(), claim()];
    for (const request of requests) held(await guard.reserve(request, NOW));
    for (const request of requests) expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
    expect(state.asked).toBeGreaterThan(3);
  });
});
