import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { GuardRefusal, ReplayGuard, Reservation } from './guard.ts';
import { createMemoryGuard } from './memory.ts';

/**
 * The shared guard, with this instance's memory in its place while an outage is bridged (`SENTINEL_OUTAGE_GRACE`). The memory
 * knows all that came through this instance before; what was signed before the process started it refuses.
 *
 * @param inGrace whether the operator's grace is being used
 * @param startedAt when the process started, epoch milliseconds
 */
export function createGraceGuard(shared: ReplayGuard, inGrace: () => boolean, startedAt: number): ReplayGuard {
  const memory = createMemoryGuard(0);
  async function reserve(request: ReplayClaim, now: number): Promise<Result<Reservation, GuardRefusal>> {
    const here = await memory.reserve(request, now);
    if (!here.ok && here.refusal === 'replayed') return here;
    const everywhere = inGrace() ? refuse('unavailable' as const) : await shared.reserve(request, now);
    // A memory that is full knows less; as long as the shared guard decides, nothing depends on it.
    if (everywhere.ok && !here.ok) return everywhere;
    if (everywhere.ok && here.ok) {
      const [there, local] = [everywhere.value, here.value];
      return ok({
        release: async () => {
          await there.release();
          await local.release();
        },
      });
    }
    if (!everywhere.ok && everywhere.refusal === 'unavailable' && inGrace()) {
      return here.ok && request.signedAt < startedAt ? refuse('replayed') : here;
    }
    // What the shared guard could not record may have been recorded all the same: it is not released.
    return everywhere;
  }

  return { reserve };
}
