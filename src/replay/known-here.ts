import { createLru } from '../lib/lru.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { GuardRefusal, ReplayGuard, Reservation } from './guard.ts';

/**
 * So many used requests are known here without asking the table, until they make room for later ones; then the table says
 * it, for the price of a write.
 */
const MAX_REQUESTS = 100_000;

/**
 * A shared guard with this instance's memory before it: a copy of a request that was used here, or found used, is refused
 * without a write, so that whoever captured one cannot make the TVM write. What nobody could tell is asked anew.
 */
export function createKnownHereGuard(shared: ReplayGuard, capacity = MAX_REQUESTS): ReplayGuard {
  const used = createLru<string, Reservation | 'elsewhere'>(capacity);

  async function reserve(request: ReplayClaim, now: number): Promise<Result<Reservation, GuardRefusal>> {
    const { key } = request;
    if (used.get(key) !== undefined) return refuse('replayed');
    const reserved = await shared.reserve(request, now);
    if (!reserved.ok) {
      if (reserved.refusal === 'replayed' && used.peek(key) === undefined) used.set(key, 'elsewhere');
      return reserved;
    }
    const held: Reservation = {
      release: async () => {
        await reserved.value.release();
        if (used.peek(key) === held) used.delete(key);
      },
    };
    used.set(key, held);
    return ok(held);
  }

  return { reserve };
}
