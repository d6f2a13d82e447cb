import { ok, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';

/** Why a request was not reserved: it was seen before, or the guard cannot tell and so must say no. */
export type GuardRefusal = 'replayed' | 'unavailable';

/** The hold on one request. Only the holder can release it, and only where no credentials can have come of it. */
export type Reservation = { readonly release: () => Promise<void> };

/**
 * Lets each signed request through once. Implementations decide atomically: of two concurrent copies exactly one gets a
 * reservation. What cannot be recorded is refused.
 */
export type ReplayGuard = {
  readonly reserve: (request: ReplayClaim, now: number) => Promise<Result<Reservation, GuardRefusal>>;
};

/**
 * Reserves what a caller's way of proving itself has left to be guarded. Where it guards itself there is no claim, and
 * nothing to hold.
 */
export function reserveClaim(
  guard: ReplayGuard,
  claim: ReplayClaim | undefined,
  now: number,
): Promise<Result<Reservation, GuardRefusal>> {
  return claim === undefined ? Promise.resolve(ok({ release: () => Promise.resolve() })) : guard.reserve(claim, now);
}
