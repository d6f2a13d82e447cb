import { createLru } from '../lib/lru.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { GuardRefusal, ReplayGuard, Reservation } from './guard.ts';

/**
 * How many used requests are known without asking the table. Beyond that the oldest makes room, and
 * a copy of it costs a write.
 */
const MAX_REQUESTS = 100_000;

/**
 * A shared guard with this instance's memory before it. A copy of a request that was used here, or
 * that was found used, is refused without a write, so that whoever captured one cannot make the TVM
 * write. Copies that come meanwhile wait for the answer, so a thousand at once cost one write. A
 * request that the shared guard could not decide is asked about again.
 */
export function createKnownHereGuard(shared: ReplayGuard, capacity = MAX_REQUESTS): ReplayGuard {
  /** Cache: signed request → its hold, or that another instance used it; until it makes room. */
  const used = createLru<string, Reservation | 'elsewhere'>(capacity);
  /** Cache: signed request → the question about it; until the shared guard answers. */
  const asking = new Map<string, Promise<Result<Reservation, GuardRefusal>>>();

  async function ask(
    request: ReplayClaim,
    now: number,
  ): Promise<Result<Reservation, GuardRefusal>> {
    const { key } = request;
    const reserved = await shared.reserve(request, now);
    if (!reserved.ok) {
      if (reserved.refusal === 'replayed' && used.peek(key) === undefined)
        used.set(key, 'elsewhere');
      return reserved;
    }
    const there = reserved.value;
    const held: Reservation = { release };
    async function release(): Promise<void> {
      await there.release();
      if (used.peek(key) === held) used.delete(key);
    }
    used.set(key, held);
    return ok(held);
  }

  async function reserve(
    request: ReplayClaim,
    now: number,
  ): Promise<Result<Reservation, GuardRefusal>> {
    const { key } = request;
    if (used.get(key) !== undefined) return refuse('replayed');
    const first = asking.get(key);
    if (first !== undefined) {
      const asked = await first;
      return asked.ok ? refuse('replayed') : asked;
    }
    const question = ask(request, now);
    asking.set(key, question);
    try {
      return await question;
    } finally {
      asking.delete(key);
    }
  }

  return { reserve };
}
