import { ok, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';

/** Why a request was not reserved: it was seen before, or the guard cannot know whether it was. */
export type GuardRefusal = 'replayed' | 'unavailable';

/**
 * The hold on one request. Only its holder can release it, and only if the request cannot have led
 * to credentials.
 */
export type Reservation = { readonly release: () => Promise<void> };

/**
 * Lets each signed request through once. Implementations decide atomically: of two concurrent
 * copies exactly one gets a reservation. A request that cannot be recorded is refused.
 */
export type ReplayGuard = {
  readonly reserve: (
    request: ReplayClaim,
    now: number,
  ) => Promise<Result<Reservation, GuardRefusal>>;
};

/**
 * Reserves the claim that the proof of a caller's identity left, if it left one. A proof that
 * guards itself against replay leaves none, and then there is nothing to hold.
 */
export function reserveClaim(
  guard: ReplayGuard,
  claim: ReplayClaim | undefined,
  now: number,
): Promise<Result<Reservation, GuardRefusal>> {
  return claim === undefined
    ? Promise.resolve(ok({ release: () => Promise.resolve() }))
    : guard.reserve(claim, now);
}
