import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * The milliseconds after which a slice ends with the step under way: no slice may hold the event
 * loop for 20.
 */
const SLICE = 5;

/**
 * Runs work that yields after each small step, and gives the event loop a turn between slices, so
 * that the process does its other work meanwhile.
 */
export async function runInSlices<Value>(work: Generator<void, Value>): Promise<Value> {
  let begun = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - begun < SLICE) continue;
    await nextTurn();
    begun = performance.now();
  }
}
