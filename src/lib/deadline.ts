/**
 * Runs something that must have ended within `ms` milliseconds, and rejects then, whether the run heeds its signal or
 * not: an AWS SDK that has read the head of an answer may wait for its body for ever.
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
    // A process that was itself too busy looks once at what has come meanwhile.
    timer = setTimeout(() => setImmediate(end, reject), ms);
  });
  try {
    return await Promise.race([run(stop.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
