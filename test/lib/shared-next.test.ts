import { describe, expect, it } from 'vitest';
import { sharedNext } from '../../src/lib/shared-next.ts';

describe('sharedNext', () => {
  it('gives all calls during a run the same next run, and never one that began before them', async () => {
    const ends: (() => void)[] = [];
    let begun = 0;
    const call = sharedNext(() => {
      begun += 1;
      const value = begun;
      return new Promise<number>((resolve) => ends.push(() => resolve(value)));
    });
    const first = [call(), call()];
    await expect.poll(() => begun).toBe(1);
    const second = [call(), call(), call()];
    ends.shift()?.();
    expect(await Promise.all(first)).toEqual([1, 1]);
    await expect.poll(() => begun).toBe(2);
    ends.shift()?.();
    expect(await Promise.all(second)).toEqual([2, 2, 2]);
  });

  it('starts the next run after one that failed', async () => {
    let fails = true;
    const call = sharedNext(() =>
      fails ? Promise.reject(new Error('no')) : Promise.resolve('yes'),
    );
    await expect(call()).rejects.toThrow('no');
    fails = false;
    expect(await call()).toBe('yes');
  });
});
