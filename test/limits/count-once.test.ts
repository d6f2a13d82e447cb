import { describe, expect, it } from 'vitest';
import { createMemoryCallerLimit, type CallerLimit } from '../../src/limits/caller-limit.ts';
import { createCountOnce, type Counted } from '../../src/limits/count-once.ts';

const FRESH = { ok: true, copied: false };
const COPY = { ok: true, copied: true };

function outcome({ copied, taken }: Counted) {
  return { ok: taken.ok, copied };
}

function limitOf(requests: number): CallerLimit {
  return createMemoryCallerLimit({ requests, window: 60_000 });
}

async function leftOf(limit: CallerLimit): Promise<number> {
  const taken = await limit.take('alice');
  return taken.ok ? taken.value.left : -1;
}

describe('createCountOnce', () => {
  it('counts a request once, however many copies come, one after another or at once', async () => {
    const limit = limitOf(10);
    const { count } = createCountOnce(limit);
    expect(outcome(await count('alice', 'one'))).toEqual(FRESH);
    for (let time = 0; time < 20; time += 1)
      expect(outcome(await count('alice', 'one'))).toEqual(COPY);
    const many = await Promise.all(Array.from({ length: 20 }, () => count('alice', 'two')));
    expect(many.map(outcome).filter(({ copied }) => !copied)).toEqual([FRESH]);
    expect(await leftOf(limit)).toBe(7);
  });

  it('knows a request while it is being counted, and forgets one that was refused', async () => {
    const { count, isKnown } = createCountOnce(limitOf(1));
    expect([isKnown('one'), isKnown(undefined)]).toEqual([false, false]);
    await Promise.all([count('alice', 'one'), count('alice', 'two')]);
    expect([isKnown('one'), isKnown('two')]).toEqual([true, false]);
  });

  it('counts each request whose copies cannot be recognised', async () => {
    const limit = limitOf(10);
    const { count } = createCountOnce(limit);
    for (let time = 0; time < 4; time += 1)
      expect(outcome(await count('alice', undefined))).toEqual(FRESH);
    expect(await leftOf(limit)).toBe(5);
  });

  it('refuses a refused request when it is sent again, at once or later', async () => {
    const { count } = createCountOnce(limitOf(1));
    expect(outcome(await count('alice', 'one'))).toEqual(FRESH);
    const both = await Promise.all([count('alice', 'two'), count('alice', 'two')]);
    expect(both.map(({ taken }) => taken.ok)).toEqual([false, false]);
    expect((await count('alice', 'two')).taken.ok).toBe(false);
  });

  it('counts a refused request when it is sent again and there is quota', async () => {
    const limit = limitOf(1);
    const { count } = createCountOnce(limit);
    await count('alice', 'one');
    expect((await count('alice', 'two')).taken.ok).toBe(false);
    await limit.giveBack('alice');
    await limit.giveBack('alice');
    expect(outcome(await count('alice', 'two'))).toEqual(FRESH);
    expect(outcome(await count('alice', 'two'))).toEqual(COPY);
  });

  it('counts a copy of a request that had to make room', async () => {
    const limit = limitOf(10);
    const { count } = createCountOnce(limit, 2);
    for (const request of ['one', 'two', 'three']) await count('alice', request);
    expect(outcome(await count('alice', 'three'))).toEqual(COPY);
    expect(outcome(await count('alice', 'one'))).toEqual(FRESH);
  });
});
