import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callGap, createTurns, refreshInterval } from '../../src/catalog/pace.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('refreshInterval', () => {
  it('leaves time for jitter and a reading within 15 seconds, up to 1,000 parameters', () => {
    fc.assert(
      fc.property(
        fc.nat(1_000),
        fc.nat(120),
        fc.integer({ min: 30, max: 3_600 }),
        (parameters, pages, age) => {
          const interval = refreshInterval({ parameters, pages }, age * SECOND);
          expect(interval * 1.1).toBeLessThanOrEqual(12.2 * SECOND);
          expect(callGap({ parameters, pages }, age * SECOND)).toBe(0);
        },
      ),
    );
  });

  it('ends, with a paced reading, within three quarters of a snapshot’s life at any size', () => {
    fc.assert(
      fc.property(
        fc.nat(200_000),
        fc.nat(20_000),
        fc.integer({ min: 30, max: 3_600 }),
        (parameters, pages, age) => {
          const size = { parameters, pages };
          const maxAge = age * SECOND;
          const reading = pages * callGap(size, maxAge);
          expect(refreshInterval(size, maxAge) * 1.1 + reading).toBeLessThan(0.75 * maxAge);
        },
      ),
    );
  });

  it('lists 20,000 parameters every 100 seconds at eight pages a second', () => {
    const size = { parameters: 20_000, pages: 400 };
    expect(refreshInterval(size, 5 * MINUTE)).toBe(100 * SECOND);
    expect(callGap(size, 5 * MINUTE)).toBe(SECOND / 8);
  });
});

describe('createTurns', () => {
  function steered(gap: number) {
    const time = { now: 5_000, slept: 0 };
    const turn = createTurns(
      gap,
      () => time.now,
      (ms) => {
        time.slept += ms;
        time.now += ms;
        return Promise.resolve();
      },
    );
    return { time, turn };
  }

  it('lets 30 calls go at once, then one in each gap', async () => {
    const { time, turn } = steered(100);
    for (let index = 0; index < 30; index += 1) await turn();
    expect(time.slept).toBe(0);
    for (let index = 0; index < 10; index += 1) await turn();
    expect(time.slept).toBe(1_000);
  });

  it('does not delay calls that are slower than the gap', async () => {
    const { time, turn } = steered(100);
    for (let index = 0; index < 100; index += 1) {
      await turn();
      time.now += 150;
    }
    expect(time.slept).toBe(0);
  });

  it('never waits when the gap is 0', async () => {
    const { time, turn } = steered(0);
    for (let index = 0; index < 1_000; index += 1) await turn();
    expect(time.slept).toBe(0);
  });
});
