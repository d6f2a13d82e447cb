import type { Caller } from '../../identity/caller.ts';
import { SECOND } from '../../lib/clock.ts';

/** How long credentials live when nothing is asked, in seconds: STS's minimum. */
export const DEFAULT_SECONDS = 900;
/** The shortest life that can be asked for, and that STS gives. */
export const STS_MINIMUM_SECONDS = 900;
/** The longest life: the TVM's own credentials are a role's, and AWS ends chained roles after an hour. */
export const LONGEST_SECONDS = 3_600;

/**
 * Whole seconds until the registered key that signed ends, which nothing that is vended to it outlives;
 * undefined where it has no end. The end of a minted key is no cap: credentials that are vended to it
 * live by policy and session, as they would for the caller that it was minted for.
 *
 * @param now epoch milliseconds
 */
export function keySecondsLeft({ via, keyExpiresAt }: Caller, now: number): number | undefined {
  return via === 'key' && keyExpiresAt !== undefined
    ? Math.max(0, Math.floor((keyExpiresAt - now) / SECOND))
    : undefined;
}

/**
 * The life of the credentials in seconds: what is asked (15 minutes if nothing is), cut by every cap.
 * Caps may go below STS's minimum; a session policy then ends the credentials early.
 */
export function effectiveSeconds(asked: number | undefined, caps: readonly (number | undefined)[]): number {
  return Math.floor(
    caps.reduce<number>(
      (least, cap) => Math.min(least, cap ?? LONGEST_SECONDS),
      Math.min(asked ?? DEFAULT_SECONDS, LONGEST_SECONDS),
    ),
  );
}
