/**
 * Makes calls share runs, but never a run that began before the call: a call during a run gets the
 * next one, together with all calls until that begins. So any number of callers wait for two runs
 * at most.
 */
export function sharedNext<Value>(run: () => Promise<Value>): () => Promise<Value> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<Value> | undefined;
  return function joinNext() {
    next ??= running
      .catch(() => undefined)
      .then(() => {
        const begun = run();
        running = begun;
        next = undefined;
        return begun;
      });
    return next;
  };
}
