/**
 * Makes calls share runs without ever taking part in one that began before them: who calls while a run is under way gets
 * the next one, together with all who call until that begins. So any number of callers wait for two runs at most.
 */
export function sharedNext<Value>(run: () => Promise<Value>): () => Promise<Value> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<Value> | undefined;
  return () => {
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
