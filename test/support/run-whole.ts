/**
 * Runs a generator to its end and gives its value. The server would let other work run at each
 * `yield`.
 */
export function runWhole<Value>(work: Generator<void, Value>): Value {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
