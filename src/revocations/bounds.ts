import { SECOND } from '../lib/clock.ts';

/** A reading of the revocations that is older than this is no ground to vend on. */
const STALENESS_BOUND = 3 * SECOND;

/** The same on AWS Lambda, where no timer brings it up to date, so that requests do. */
const LAMBDA_BOUND = 1 * SECOND;

/** How old, in milliseconds, what is known of revocations may be when something is vended. */
export function stalenessBound(onLambda: boolean): number {
  return onLambda ? LAMBDA_BOUND : STALENESS_BOUND;
}
