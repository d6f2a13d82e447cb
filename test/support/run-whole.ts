/** Runs work that yields between its steps in one go, as nothing else waits in a test of what it gives. */
export function runWhole<Value>(work: Generator<void, Value>): Value {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
