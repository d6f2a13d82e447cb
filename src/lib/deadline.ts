/**
 * Runs something for at most `ms` milliseconds and rejects then, whether or not the run heeds its
 * signal: an AWS SDK that has read the head of an answer may wait for its body forever.
 *
 * @param what named in the error
 */
export async function withDeadline<Value>(
  ms: number,
  what: string,
  run: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const stop = new AbortController();
  function end(reject: (error: Error) => void): void {
    const error = new Error(`${what} has not ended within ${ms} ms`);
    error.name = 'TimeoutError';
    reject(error);
    stop.abort(error);
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // A busy process comes late to this timer: after one more turn of the event loop it has seen an
    // answer that lies ready.
    timer = setTimeout(() => setImmediate(end, reject), ms);
  });
  try {
    return await Promise.race([run(stop.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
