import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSourceLimit } from '../../src/limits/source-limit.ts';

const OK = { ok: true, value: undefined };

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/**
 * Charges a source unless it has cost too much already, as the server does; says whether it was
 * charged.
 */
function cost(limit: ReturnType<typeof createSourceLimit>, address: string | undefined): boolean {
  const { ok } = limit.check(address);
  if (ok) limit.charge(address);
  return ok;
}

describe('createSourceLimit', () => {
  it('lets as many pass in a window as it may, then refuses with the seconds until the window ends', async () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 });
    expect([cost(limit, '192.0.2.1'), cost(limit, '192.0.2.1')]).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(limit.check('192.0.2.1')).toEqual({ ok: false, refusal: 8 });
    expect(limit.check('192.0.2.2')).toEqual(OK);
    await vi.advanceTimersByTimeAsync(7_499);
    expect(limit.check('192.0.2.1')).toEqual({ ok: false, refusal: 1 });
    await vi.advanceTimersByTimeAsync(2);
    expect(limit.check('192.0.2.1')).toEqual(OK);
  });

  it('charges nothing for a check', async () => {
    const limit = createSourceLimit({ points: 1, window: 10_000 });
    for (let time = 0; time < 20; time += 1) expect(limit.check('192.0.2.1')).toEqual(OK);
    limit.charge('192.0.2.1');
    for (let time = 0; time < 20; time += 1) expect(limit.check('192.0.2.1').ok).toBe(false);
    await vi.advanceTimersByTimeAsync(10_001);
    expect(limit.check('192.0.2.1')).toEqual(OK);
  });

  it('counts charges beyond the limit without extending the window', async () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 });
    for (let time = 0; time < 9; time += 1) limit.charge('192.0.2.1');
    expect(limit.check('192.0.2.1').ok).toBe(false);
    await vi.advanceTimersByTimeAsync(10_001);
    expect([cost(limit, '192.0.2.1'), cost(limit, '192.0.2.1')]).toEqual([true, true]);
    expect(limit.check('192.0.2.1').ok).toBe(false);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::2'],
    ['2001:db8::1', '2001:db8:0:0:1::'],
    ['2001:db8:0:0::', '2001:db8::ffff'],
    ['2001:0db8:0001:0002::1', '2001:db8:1:2::1'],
    ['2001:db8:1::2:3:4:5', '2001:db8:1:0:9::'],
    ['::', '::1'],
    ['::1.2.3.4', '::5.6.7.8'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    [undefined, undefined],
  ])('counts %s and %s as one source', async (one, other) => {
    const limit = createSourceLimit({ points: 1, window: 10_000 });
    expect([cost(limit, one), cost(limit, other)]).toEqual([true, false]);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['2001:db8:1::', '2001:db8:1:1::'],
    ['2001:db8::1', '2001:db8:1::'],
    ['192.0.2.1', '192.0.2.2'],
    ['192.0.2.1', undefined],
    ['::1', '1::'],
    ['1:2:3::', '1:2:3:4::'],
  ])('counts %s and %s as two sources', async (one, other) => {
    const limit = createSourceLimit({ points: 1, window: 10_000 });
    expect([cost(limit, one), cost(limit, other)]).toEqual([true, true]);
  });

  it('counts an IPv6 address by its first four groups, however it is shortened', async () => {
    const groups = fc.array(
      fc.integer({ min: 0, max: 0xffff }).map((group) => group.toString(16)),
      {
        minLength: 8,
        maxLength: 8,
      },
    );
    const property = fc.asyncProperty(groups, async (all) => {
      const limit = createSourceLimit({ points: 1, window: 10_000 });
      cost(limit, all.join(':'));
      // In the canonical form of URLs the longest run of zeros is `::`.
      const short = new URL(`http://[${all.join(':')}]`).hostname.slice(1, -1);
      expect(cost(limit, short)).toBe(false);
      expect(cost(limit, `${all.slice(0, 4).join(':')}::`)).toBe(false);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

describe('the memory of createSourceLimit', () => {
  it('forgets the source heard of longest ago when it is full, and lets no two share a count', () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 }, 3);
    for (const last of [1, 2, 3]) expect(cost(limit, `192.0.2.${last}`)).toBe(true);
    for (const last of [4, 5, 6, 7, 8]) {
      expect([cost(limit, `192.0.2.${last}`), cost(limit, `192.0.2.${last}`)], `${last}`).toEqual([
        true,
        true,
      ]);
      expect(cost(limit, `192.0.2.${last}`), `${last}`).toBe(false);
    }
    expect(limit.size()).toBe(3);
    expect(cost(limit, '192.0.2.1')).toBe(true);
  });

  it('refuses no address outside an IPv6 /48 that fills it, and none that has cost nothing', () => {
    const limit = createSourceLimit({ points: 1, window: 10_000 });
    for (let group = 0; group < 30_000; group += 1)
      cost(limit, `2001:db8:1:${group.toString(16)}::1`);
    expect(limit.size()).toBe(20_000);
    for (const address of ['192.0.2.1', '2001:db8:2::1', '2001:db8:1:ffff::1', undefined]) {
      expect(limit.check(address), address).toEqual(OK);
    }
  });

  it('keeps a source that keeps coming during a flood of others', () => {
    const limit = createSourceLimit({ points: 1, window: 10_000 }, 4);
    expect(cost(limit, '192.0.2.1')).toBe(true);
    for (let index = 0; index < 100; index += 1) {
      cost(limit, `198.51.100.${index}`);
      expect(cost(limit, '192.0.2.1')).toBe(false);
    }
  });

  it('holds no more sources than it may and no timers after 50,000 addresses, and starts over after a window', async () => {
    const limit = createSourceLimit({ points: 1, window: 1_000 });
    for (let index = 0; index < 50_000; index += 1)
      cost(limit, `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    expect([limit.size(), vi.getTimerCount()]).toEqual([20_000, 0]);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(cost(limit, '10.0.0.1')).toBe(true);
  });

  it('takes nothing from a source that was there before a flood of others', async () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 }, 4);
    expect(cost(limit, '192.0.2.1')).toBe(true);
    for (let index = 0; index < 100; index += 1) cost(limit, `198.51.100.${index}`);
    expect(cost(limit, '192.0.2.1')).toBe(true);
  });
});

describe('enter of createSourceLimit', () => {
  function weigh(limit: ReturnType<typeof createSourceLimit>, address: string | undefined): number {
    const { weight, leave } = limit.enter(address);
    leave();
    return weight;
  }

  it('weighs a source by its charges and its requests under way, and by nothing after they have ended', async () => {
    const limit = createSourceLimit({ points: 100, window: 10_000 });
    const places = [1, 2, 3].map(() => limit.enter('192.0.2.1'));
    expect(places.map(({ weight }) => weight)).toEqual([0, 1, 2]);
    limit.charge('192.0.2.1');
    expect([weigh(limit, '192.0.2.1'), weigh(limit, '192.0.2.2')]).toEqual([4, 0]);
    for (const { leave } of places) leave();
    expect(weigh(limit, '192.0.2.1')).toBe(1);
    await vi.advanceTimersByTimeAsync(10_001);
    expect(weigh(limit, '192.0.2.1')).toBe(0);
  });

  it('weighs each further address of one /48 a little more, so that a site with 65,536 of them overtakes nobody', () => {
    const limit = createSourceLimit({ points: 100, window: 10_000 });
    let last = -1;
    for (let group = 0; group < 200; group += 1) {
      const { weight } = limit.enter(`2001:db8:1:${group.toString(16)}::1`);
      expect(weight).toBeGreaterThan(last);
      last = weight;
    }
    expect(weigh(limit, '2001:db8:2::1')).toBe(0);
  });

  it('adds up to what is under way for all sources, and to nothing in the end', () => {
    const visits = fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 60 });
    const property = fc.property(visits, (all) => {
      const limit = createSourceLimit({ points: 100, window: 10_000 });
      const open = new Map<number, (() => void)[]>();
      for (const [who, comes] of all) {
        const mine = open.get(who) ?? [];
        open.set(who, mine);
        if (!comes) mine.pop()?.();
        else {
          const { weight, leave } = limit.enter(`192.0.2.${who}`);
          expect(weight).toBe(mine.length);
          mine.push(leave);
        }
      }
      for (const leave of [...open.values()].flat()) leave();
      for (let who = 0; who <= 5; who += 1) expect(weigh(limit, `192.0.2.${who}`)).toBe(0);
    });
    fc.assert(property, { numRuns: 200 });
  });
});
