/**
 * Makes concurrent calls share one run: while a run is under way, every further call gets that
 * run's promise. A run that fails rejects for all who share it and leaves nothing behind, so that
 * the next call tries again.
 */
export function singleFlight<Value>(run: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<Value> | undefined;
  return function joinRun() {
    underWay ??= run().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}
