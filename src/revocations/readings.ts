import { SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import type { Moment, Stopwatch } from '../lib/stopwatch.ts';
import type { RevocationFollower } from './follower.ts';
import { BrokenLog } from './broken-log.ts';
import type { ForeignRevocations } from './sentinel-rows.ts';

/**
 * How often the rows of sessions that Sentinel's own CLI revoked are read: seldom, for they are a
 * page of a large table.
 */
const FOREIGN_PERIOD = 15 * SECOND;

/** How old that reading may be when something is vended: it may fail twice before vending stops. */
const FOREIGN_BOUND = 45 * SECOND;

type Options = {
  readonly follower: Pick<RevocationFollower, 'read' | 'broken'>;
  readonly foreign: Pick<ForeignRevocations, 'read'>;
  /** Epoch milliseconds. */
  readonly clock: Clock;
  readonly stopwatch: Stopwatch;
  /** How old, in milliseconds, what is known may be when something is vended. */
  readonly bound: number;
  /** How much older, in milliseconds, it may be while DynamoDB cannot be read; 0 for no older. */
  readonly grace: number;
  readonly onFault: (error: unknown) => void;
};

/**
 * Reads the log of revocations and Sentinel's revoked rows, and says how far what was read can be
 * trusted. What is known is as old as the beginning of the last reading that found everything up to
 * the head.
 */
export function createReadings(options: Options) {
  const { follower, foreign, clock, stopwatch, bound, grace, onFault } = options;
  let knownAt: Moment | undefined;
  let foreignAt: Moment | undefined;
  let failing = false;
  let foreignFailing = false;
  let lastFault = '';
  let tried = false;

  const readForeign = singleFlight(async function readForeignOnce(): Promise<void> {
    const begun = stopwatch.now();
    try {
      await foreign.read(clock());
      foreignAt = begun;
      foreignFailing = false;
    } catch (error) {
      if (!foreignFailing) onFault(error);
      foreignFailing = true;
    }
  });

  /** Reads the log, or joins the reading under way; never rejects. */
  const readLog = singleFlight(async function readLogOnce(): Promise<void> {
    const begun = stopwatch.now();
    try {
      await follower.read();
      knownAt = begun;
      failing = false;
    } catch (error) {
      // Told once for each outage and each cause: this is tried about every second, and an outage
      // may last.
      const message = error instanceof Error ? error.message : 'unknown';
      if (!failing || (error instanceof BrokenLog && message !== lastFault)) onFault(error);
      lastFault = message;
      failing = true;
    }
  });

  /** Reads what is due of both, or joins the reading under way; never rejects. */
  const refresh = singleFlight(async function refreshOnce(): Promise<void> {
    const reading = stopwatch.since(foreignAt) < FOREIGN_PERIOD ? undefined : readForeign();
    await readLog();
    // Sentinel's rows may be late: the log does not wait for them unless they are older than their
    // bound.
    if (stopwatch.since(foreignAt) > FOREIGN_BOUND) await reading;
    tried = true;
  });

  /** Reads the log up to its end as it is from now on; rejects if it cannot. */
  async function catchUp(): Promise<void> {
    const asked = stopwatch.now().monotonic;
    function isDone(): boolean {
      return knownAt !== undefined && knownAt.monotonic >= asked;
    }
    await readLog();
    // A reading that was under way may have read the head before this was asked.
    if (!isDone()) await readLog();
    if (!isDone()) throw new Error('the revocations cannot be read now');
  }

  /** Milliseconds since the older of the two readings, as the bound of the log counts them. */
  function age(): number {
    return Math.max(stopwatch.since(knownAt), stopwatch.since(foreignAt) - FOREIGN_BOUND + bound);
  }

  function isFresh(): boolean {
    return age() <= bound;
  }

  /**
   * Also before the bound is reached: as soon as DynamoDB fails, whatever depends on it has to go
   * on without it.
   */
  function inGrace(): boolean {
    const isBlind = failing || (foreignFailing && stopwatch.since(foreignAt) > FOREIGN_BOUND);
    return grace > 0 && isBlind && follower.broken() === undefined && age() <= bound + grace;
  }

  function isUsable(): boolean {
    return isFresh() || inGrace();
  }

  function state() {
    return {
      tried,
      ageMs: knownAt === undefined ? undefined : stopwatch.since(knownAt),
      usable: isUsable(),
      failing: failing || foreignFailing,
      inGrace: inGrace(),
    };
  }

  function isFailing(): boolean {
    return failing;
  }

  return { readLog, refresh, catchUp, isFresh, inGrace, isUsable, isFailing, state };
}
