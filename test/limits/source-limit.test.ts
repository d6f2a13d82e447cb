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

/** Charges a source where it may be charged, as whoever serves it does; false where it has cost too much already. */
const cost = async (limit: ReturnType<typeof createSourceLimit>, address: string | undefined): Promise<boolean> => {
  const { ok } = await limit.check(address);
  if (ok) await limit.charge(address);
  return ok;
};

describe('the limit of a source', () => {
  it('lets so many pass in a window, then says for how long there are none', async () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 });
    expect([await cost(limit, '192.0.2.1'), await cost(limit, '192.0.2.1')]).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(await limit.check('192.0.2.1')).toEqual({ ok: false, refusal: 8 });
    expect(await limit.check('192.0.2.2')).toEqual(OK);
    await vi.advanceTimersByTimeAsync(7_499);
    expect(await limit.check('192.0.2.1')).toEqual({ ok: false, refusal: 1 });
    await vi.advanceTimersByTimeAsync(2);
    expect(await limit.check('192.0.2.1')).toEqual(OK);
  });

  it('costs nothing to ask, before or after', async () => {
    const limit = createSourceLimit({ points: 1, window: 10_000 });
    for (let time = 0; time < 20; time += 1) expect(await limit.check('192.0.2.1')).toEqual(OK);
    await limit.charge('192.0.2.1');
    for (let time = 0; time < 20; time += 1) expect((await limit.check('192.0.2.1')).ok).toBe(false);
    await vi.advanceTimersByTimeAsync(10_001);
    expect(await limit.check('192.0.2.1')).toEqual(OK);
  });

  it('counts what is charged beyond the limit, and ends with the window all the same', async () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 });
    await Promise.all(Array.from({ length: 9 }, () => limit.charge('192.0.2.1')));
    expect((await limit.check('192.0.2.1')).ok).toBe(false);
    await vi.advanceTimersByTimeAsync(10_001);
    expect([await cost(limit, '192.0.2.1'), await cost(limit, '192.0.2.1')]).toEqual([true, true]);
    expect((await limit.check('192.0.2.1')).ok).toBe(false);
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
  ])('takes %s and %s for one', async (one, other) => {
    const limit = createSourceLimit({ points: 1, window: 10_000 });
    expect([await cost(limit, one), await cost(limit, other)]).toEqual([true, false]);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['2001:db8:1::', '2001:db8:1:1::'],
    ['2001:db8::1', '2001:db8:1::'],
    ['192.0.2.1', '192.0.2.2'],
    ['192.0.2.1', undefined],
    ['::1', '1::'],
    ['1:2:3::', '1:2:3:4::'],
  ])('tells %s and %s apart', async (one, other) => {
    const limit = createSourceLimit({ points: 1, window: 10_000 });
    expect([await cost(limit, one), await cost(limit, other)]).toEqual([true, true]);
  });

  it('knows one /64 by its first four groups, however an address is shortened', async () => {
    const groups = fc.array(
      fc.integer({ min: 0, max: 0xffff }).map((group) => group.toString(16)),
      {
        minLength: 8,
        maxLength: 8,
      },
    );
    const property = fc.asyncProperty(groups, async (all) => {
      const limit = createSourceLimit({ points: 1, window: 10_000 });
      await cost(limit, all.join(':'));
      // As URLs are canonicalised: the longest run of zeros as `::`.
      const short = new URL(`http://[${all.join(':')}]`).hostname.slice(1, -1);
      expect(await cost(limit, short)).toBe(false);
      expect(await cost(limit, `${all.slice(0, 4).join(':')}::`)).toBe(false);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

describe('the memory of it', () => {
  it('is bounded: beyond so many sources all the others are one', async () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 }, 3);
    for (const last of [1, 2, 3]) expect(await cost(limit, `192.0.2.${last}`)).toBe(true);
    expect(await cost(limit, '192.0.2.4')).toBe(true);
    expect(await cost(limit, '192.0.2.5')).toBe(true);
    expect(await cost(limit, '192.0.2.6')).toBe(false);
    expect(await cost(limit, '192.0.2.1')).toBe(true);
    expect(await cost(limit, '192.0.2.1')).toBe(false);
  });

  it('takes up others again when a window has passed', async () => {
    const limit = createSourceLimit({ points: 1, window: 10_000 }, 1);
    expect(await cost(limit, '192.0.2.1')).toBe(true);
    expect(await cost(limit, '192.0.2.2')).toBe(true);
    expect(await cost(limit, '192.0.2.3')).toBe(false);
    await vi.advanceTimersByTimeAsync(10_001);
    expect(await cost(limit, '192.0.2.3')).toBe(true);
    expect(await cost(limit, '192.0.2.3')).toBe(false);
  });

  it('holds nothing after a window, be it of 50,000 addresses', async () => {
    const limit = createSourceLimit({ points: 1, window: 1_000 });
    for (let index = 0; index < 50_000; index += 1)
      await cost(limit, `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(20_001);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(vi.getTimerCount()).toBe(0);
    expect(await cost(limit, '10.0.0.1')).toBe(true);
  });

  it('a flood of others takes nothing from a source that was there before', async () => {
    const limit = createSourceLimit({ points: 2, window: 10_000 }, 4);
    expect(await cost(limit, '192.0.2.1')).toBe(true);
    for (let index = 0; index < 100; index += 1) await cost(limit, `198.51.100.${index}`);
    expect(await cost(limit, '192.0.2.1')).toBe(true);
  });
});
