import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitPatiently, withPatience } from '../../src/lib/patience.ts';

const WAIT = 200;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** One wait, and the turn of the event loop after it. */
async function passWait(): Promise<void> {
  await vi.advanceTimersByTimeAsync(WAIT + 1);
}

/** A clock that says after each of its waits how long that wait took, whatever the timers say. */
function clockOf(...tookOfRounds: readonly number[]) {
  const times = tookOfRounds.flatMap((took, round) => [round * 10_000, round * 10_000 + took]);
  return () => times.shift() ?? Number.NaN;
}

/** How many waits pass before `giveUp` is called, where each takes as long as given. */
async function roundsUntilGivenUp(...tookOfRounds: readonly number[]): Promise<number> {
  const giveUp = vi.fn<() => void>();
  waitPatiently(WAIT, giveUp, clockOf(...tookOfRounds));
  let rounds = 0;
  while (giveUp.mock.calls.length === 0 && rounds < 10) {
    await passWait();
    rounds += 1;
  }
  expect(vi.getTimerCount()).toBe(0);
  expect(giveUp).toHaveBeenCalledTimes(1);
  return rounds;
}

describe('waitPatiently', () => {
  it('gives up after one wait when the timer is on time', async () => {
    expect(await roundsUntilGivenUp(WAIT)).toBe(1);
  });

  it('gives up after one wait when the timer is late by a quarter', async () => {
    expect(await roundsUntilGivenUp(WAIT * 1.25)).toBe(1);
  });

  it('waits again when the timer is later than that', async () => {
    expect(await roundsUntilGivenUp(WAIT * 1.25 + 1, WAIT)).toBe(2);
  });

  it('waits three times at most', async () => {
    expect(await roundsUntilGivenUp(WAIT * 2, WAIT * 2, WAIT * 2, WAIT * 2)).toBe(3);
  });

  it('lets the event loop turn once before it gives up', async () => {
    const order: string[] = [];
    setTimeout(() => setImmediate(() => order.push('answer')), WAIT);
    waitPatiently(WAIT, () => order.push('given up'), clockOf(WAIT));
    await passWait();
    expect(order).toEqual(['answer', 'given up']);
  });

  it('does not give up once it is stopped', async () => {
    const giveUp = vi.fn<() => void>();
    const stop = waitPatiently(WAIT, giveUp, clockOf(WAIT));
    await vi.advanceTimersByTimeAsync(WAIT - 1);
    stop();
    await vi.advanceTimersByTimeAsync(10 * WAIT);
    expect(giveUp).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not give up once it is stopped in the last turn of the event loop', async () => {
    const giveUp = vi.fn<() => void>();
    // Set first, so that it runs between the timer and the decision.
    setTimeout(() => setImmediate(() => stop()), WAIT);
    const stop = waitPatiently(WAIT, giveUp, clockOf(WAIT));
    await vi.advanceTimersByTimeAsync(10 * WAIT);
    expect(giveUp).not.toHaveBeenCalled();
  });
});

describe('withPatience', () => {
  it('gives the value of a promise that is in time, and leaves no timer behind', async () => {
    expect(await withPatience(Promise.resolve('value'), WAIT)).toBe('value');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives undefined for a promise that is late', async () => {
    const late = withPatience(new Promise(() => undefined), WAIT, clockOf(WAIT));
    await passWait();
    expect(await late).toBeUndefined();
  });

  it('gives the value of a promise that is settled during the second wait of a busy process', async () => {
    const slow = new Promise((resolve) => {
      setTimeout(resolve, WAIT * 1.5, 'value');
    });
    const value = withPatience(slow, WAIT, clockOf(WAIT * 2, WAIT));
    await passWait();
    await passWait();
    expect(await value).toBe('value');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('rejects as the promise does, and leaves no timer behind', async () => {
    await expect(withPatience(Promise.reject(new Error('broken')), WAIT)).rejects.toThrow('broken');
    expect(vi.getTimerCount()).toBe(0);
  });
});
