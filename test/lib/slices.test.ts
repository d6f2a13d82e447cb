import { describe, expect, it } from 'vitest';
import { runInSlices } from '../../src/lib/slices.ts';

/** Keeps the processor busy, and returns for how long. */
function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('runInSlices', () => {
  it('returns what the work returns, and throws what it throws', async () => {
    function* work(fails: boolean): Generator<void, string> {
      for (let step = 0; step < 10; step += 1) yield;
      if (fails) throw new Error('broken');
      return 'done';
    }
    expect(await runInSlices(work(false))).toBe('done');
    await expect(runInSlices(work(true))).rejects.toThrow('broken');
  });

  it('gives the event loop a turn after each slice', async () => {
    let turns = 0;
    let running = true;
    function count(): void {
      turns += 1;
      if (running) setImmediate(count);
    }
    setImmediate(count);
    function* work(): Generator<void, void> {
      for (let step = 0; step < 60; step += 1) {
        burn(2);
        yield;
      }
    }
    await runInSlices(work());
    running = false;
    // 120 ms of work, in slices that end with the step that passes 5 ms: at most three steps each.
    expect(turns).toBeGreaterThanOrEqual(19);
  });

  it('does not yield during work that is short', async () => {
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    function* work(): Generator<void, void> {
      yield;
    }
    await runInSlices(work());
    expect(turned).toBe(false);
  });
});
