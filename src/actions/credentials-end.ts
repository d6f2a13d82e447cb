import { VEND_SECONDS } from '../contract/bounds.ts';
import { SECOND } from '../lib/clock.ts';

/** What somebody ended before its time, and what was vended under it. Epoch milliseconds. */
export type EndedAccess = {
  readonly endedAt: number;
  /** When it would have ended by itself. */
  readonly end: number;
  /** Whether its profile has hard revocation, which ends issued credentials as well. */
  readonly isHard: boolean;
};

/**
 * Until when credentials that were issued before may still work; undefined where none does. They
 * live as long as the longest vend at most, and never beyond what they rest on, whose end their
 * session policy has.
 */
export function credentialsEndOf(
  { endedAt, end, isHard }: EndedAccess,
  now: number,
): number | undefined {
  const last = Math.min(end, endedAt + VEND_SECONDS.longest * SECOND);
  return isHard || now >= last ? undefined : last;
}
