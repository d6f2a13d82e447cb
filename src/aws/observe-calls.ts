import type { AwsCall } from '../telemetry/meter.ts';
import { isThrottling } from './error-codes.ts';

/** The observer is the outermost middleware, so that it measures what callers wait for. */
export const OUTERMOST = { step: 'initialize', name: 'observeCalls', priority: 'high' } as const;

/**
 * A middleware of AWS's SDK that reports how each call of a client ended and how long it took, all
 * tries together. It looks at neither input nor output.
 */
export function observeCalls(service: AwsCall['service'], called: (call: AwsCall) => void) {
  return function observe<Args, Answer>(
    next: (args: Args) => Promise<Answer>,
    { commandName = 'Unknown' }: { readonly commandName?: string },
  ): (args: Args) => Promise<Answer> {
    const operation = commandName.replace(/Command$/u, '');
    return async function observed(args) {
      const begun = performance.now();
      let outcome: AwsCall['outcome'] = 'ok';
      try {
        return await next(args);
      } catch (error) {
        outcome = outcomeOf(error);
        throw error;
      } finally {
        called({ service, operation, outcome, milliseconds: performance.now() - begun });
      }
    };
  };
}

/** How a call that threw ended, by the names of AWS's errors and of Node's own. */
function outcomeOf(error: unknown): AwsCall['outcome'] {
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'ConditionalCheckFailedException') return 'refused';
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'late';
  return isThrottling(error.name) ? 'throttled' : 'failed';
}
