import { SECOND } from '../lib/clock.ts';
import { createGate, type GateLimits } from '../lib/gate.ts';

/**
 * How many requests of authenticated callers are worked on at once. With 20 ms for STS fewer
 * saturate one core, so that each further one only waits for the processor, until the feed of
 * revocations falls behind and credentials are made that may not be handed out.
 */
const RUNNING = 96;
/** How many more may wait, and for how long, so that a short burst is not refused. */
const WAITING = 96;
const PATIENCE = 0.5 * SECOND;

export const WORK_LIMITS: GateLimits = { running: RUNNING, waiting: WAITING, patience: PATIENCE };

/** Bounds the requests that are worked on; only authenticated callers take a place. */
export type WorkGate = ReturnType<typeof createWorkGate>;

/** Makes the gate of one server. */
export function createWorkGate(limits: GateLimits) {
  const places = limits.running + limits.waiting;
  const run = createGate(limits);
  let inside = 0;

  /** Whether the next request would be refused, so that it need not be read at all. */
  function isFull(): boolean {
    return inside >= places;
  }

  async function hold(done: Promise<void>, tell: (admitted: boolean) => void): Promise<void> {
    inside += 1;
    const held = await run(() => {
      tell(true);
      return done;
    });
    inside -= 1;
    if (!held.ok) tell(false);
  }

  /**
   * Takes a place, after a wait if need be.
   *
   * @param done settles when the request is over: the place is free then
   * @returns false if no place became free in time
   */
  function enter(done: Promise<void>): Promise<boolean> {
    return new Promise((resolve) => void hold(done, resolve));
  }

  return { isFull, enter };
}
