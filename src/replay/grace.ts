import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { GuardRefusal, ReplayGuard, Reservation } from './guard.ts';
import { createMemoryGuard } from './memory.ts';

/**
 * The shared guard, replaced by this instance's memory during an outage in the operator's grace
 * (`SENTINEL_OUTAGE_GRACE`). The memory knows every request that this instance saw, and refuses
 * what was signed before the process started.
 *
 * @param inGrace whether the grace is being used
 * @param startedAt when the process started, epoch milliseconds
 */
export function createGraceGuard(
  shared: ReplayGuard,
  inGrace: () => boolean,
  startedAt: number,
): ReplayGuard {
  const memory = createMemoryGuard(0);

  async function reserve(
    request: ReplayClaim,
    now: number,
  ): Promise<Result<Reservation, GuardRefusal>> {
    // The memory is always asked, so that it knows later what came before the outage.
    const here = await memory.reserve(request, now);
    if (!here.ok && here.refusal === 'replayed') return here;
    const everywhere = inGrace()
      ? refuse('unavailable' as const)
      : await shared.reserve(request, now);
    // A memory that is full does not matter as long as the shared guard decides.
    if (everywhere.ok) return here.ok ? ok(both(everywhere.value, here.value)) : everywhere;
    // In the outage the memory decides, except about what an earlier process may have seen.
    if (everywhere.refusal === 'unavailable' && inGrace()) {
      return here.ok && request.signedAt < startedAt ? refuse('replayed') : here;
    }
    // The memory keeps its hold: the shared guard may have recorded the request although it failed.
    return everywhere;
  }

  return { reserve };
}

/** One reservation of two. */
function both(there: Reservation, here: Reservation): Reservation {
  async function release(): Promise<void> {
    await there.release();
    await here.release();
  }

  return { release };
}
