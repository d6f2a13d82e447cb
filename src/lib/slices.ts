import { setImmediate as nextTurn } from 'node:timers/promises';

/** A slice ends with the step that passes this many milliseconds, so that no slice holds the event loop for 20. */
const SLICE = 5;

/**
 * Runs work that yields after each small step, and lets the event loop have a turn between slices: what else the
 * process does goes on meanwhile.
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
