import { VEND_SECONDS } from '../../contract/bounds.ts';
import type { Caller } from '../../identity/caller.ts';
import { SECOND } from '../../lib/clock.ts';

/** The shortest life of credentials that STS gives, in seconds. */
export const STS_MINIMUM_SECONDS = 900;

/**
 * Whole seconds until the registered key that signed ends, which nothing that is vended to it
 * outlives; undefined where it has no end. The end of a minted key is no cap: credentials that are
 * vended to it live by policy and session, as they would for the caller that it was minted for.
 *
 * @param now epoch milliseconds
 */
export function keySecondsLeft({ via, keyExpiresAt }: Caller, now: number): number | undefined {
  return via === 'key' && keyExpiresAt !== undefined
    ? Math.max(0, Math.floor((keyExpiresAt - now) / SECOND))
    : undefined;
}

/**
 * The life of the credentials in seconds: what is asked (15 minutes if nothing is), cut by every
 * cap. Caps may go below STS's minimum; a session policy then ends the credentials early.
 */
export function effectiveSeconds(
  asked: number | undefined,
  caps: readonly (number | undefined)[],
): number {
  return Math.floor(
    caps.reduce<number>(
      (least, cap) => Math.min(least, cap ?? VEND_SECONDS.longest),
      Math.min(asked ?? VEND_SECONDS.usual, VEND_SECONDS.longest),
    ),
  );
}
