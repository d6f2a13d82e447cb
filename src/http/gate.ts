import { SECOND } from '../lib/clock.ts';
import { createGate, type GateLimits } from '../lib/gate.ts';

/**
 * How many requests of proven callers are worked on at once. One core has no use for more: with 20 ms
 * for STS it is saturated by fewer, and each one more only waits for the processor, until the feed of
 * revocations starves and credentials are made to be thrown away.
 */
const RUNNING = 96;
/** How many more wait, and for how long: a burst is no overload. */
const WAITING = 96;
const PATIENCE = 0.5 * SECOND;

export const WORK_LIMITS: GateLimits = { running: RUNNING, waiting: WAITING, patience: PATIENCE };

/** Bounds the requests that are worked on; whoever is not proven takes no place. */
export type WorkGate = ReturnType<typeof createWorkGate>;

/** Makes the gate of one server. */
export function createWorkGate(limits: GateLimits) {
  const places = limits.running + limits.waiting;
  const run = createGate(limits);
  let inside = 0;

  /** Whether the next one would be refused, so that it need not be read at all. */
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
   * Takes a place, if need be after a wait.
   *
   * @param done settles when the request is over: the place is free then
   * @returns false where there was no place in time
   */
  function enter(done: Promise<void>): Promise<boolean> {
    return new Promise((resolve) => void hold(done, resolve));
  }

  return { isFull, enter };
}
