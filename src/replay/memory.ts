import { MINUTE, SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { GuardRefusal, ReplayGuard, Reservation } from './guard.ts';

/**
 * So many requests are remembered; beyond, 503: forgetting one early would let it be used twice.
 */
const MAX_REQUESTS = 500_000;

/**
 * How far a signature's date may be off where each instance guards for itself: what it must
 * remember is bounded by this.
 */
const INSTANCE_WINDOW = 1 * MINUTE;

/**
 * How long, in milliseconds, a signature is good on either side of its date.
 *
 * @param skew the clock skew that is accepted at most, in milliseconds
 */
export function guardWindow(store: 'shared' | 'instance', skew: number): number {
  return store === 'instance' ? Math.min(skew, INSTANCE_WINDOW) : skew;
}

/**
 * Signatures have a resolution of one second, so the second in which the process started counts as
 * before it.
 */
function toSecond(ms: number): number {
  return Math.ceil(ms / SECOND) * SECOND;
}

/**
 * The guard of one instance, in memory. It refuses what was signed before the process started,
 * because it cannot know what an earlier process saw, and what it has no room for. Other instances
 * do not share it: with `SENTINEL_REPLAY_GUARD=instance` a vend saves one write to DynamoDB and is
 * guarded by each instance for itself.
 *
 * @param startedAt when the process started, epoch milliseconds
 * @param capacity how many requests are remembered at most
 */
export function createMemoryGuard(startedAt: number, capacity = MAX_REQUESTS): ReplayGuard {
  /** Cache: signed request → when it may be forgotten, which is when its signature expires. */
  const seen = new Map<string, { readonly forgetAt: number }>();
  const earliest = toSecond(startedAt);

  function forgetOld(now: number): void {
    for (const [key, { forgetAt }] of seen) {
      if (forgetAt >= now) break;
      seen.delete(key);
    }
  }

  function reserve(request: ReplayClaim, now: number): Promise<Result<Reservation, GuardRefusal>> {
    forgetOld(now);
    if (request.signedAt < earliest || seen.has(request.key))
      return Promise.resolve(refuse('replayed'));
    if (seen.size >= capacity) return Promise.resolve(refuse('unavailable'));
    const held = { forgetAt: request.forgetAt };
    function release(): Promise<void> {
      if (seen.get(request.key) === held) seen.delete(request.key);
      return Promise.resolve();
    }
    seen.set(request.key, held);
    return Promise.resolve(ok({ release }));
  }

  return { reserve };
}
