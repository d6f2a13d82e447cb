import { HOUR, SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { singleFlight } from '../lib/single-flight.ts';
import { createStopwatch, type Moment } from '../lib/stopwatch.ts';
import type { ForeignRevocations } from './sentinel-rows.ts';
import type { Block, Revocation, RevocationSubject } from './revocation.ts';
import type { LogEntry } from './entry.ts';
import type { FeedState } from './feed-state.ts';
import { createRevocationFollower } from './follower.ts';
import type { RevocationLog } from './log.ts';
import { createReadings } from './readings.ts';
import type { NewEntry } from './writer.ts';

/**
 * How often the log is read: often enough that every instance knows a revocation within a second.
 */
const PERIOD = 0.85 * SECOND;

/**
 * How often the log is put in order: what has ended costs room and reading time, and nothing else.
 */
const UPKEEP = 1 * HOUR;

/** The same while something is signed with an older key: only then may that key be deleted. */
const UPKEEP_SOON = 10 * SECOND;

/** The revocations in force, as this instance knows them. */
export type Revocations = {
  /**
   * Starts reading, until the signal ends it. Resolves when the first try is over; never rejects.
   */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /**
   * Makes sure that what is known is within its bound, and reads only if it is older. Refuses if
   * that fails: then nothing may be vended. The value says whether what is known is fresh or the
   * operator's grace is being used.
   */
  readonly ensure: () => Promise<Result<'fresh' | 'grace', 'unavailable'>>;
  /** The revocation that refuses this caller everything, if there is one. In memory. */
  readonly ofCaller: (subject: RevocationSubject) => Revocation | undefined;
  /** What refuses this caller this profile, if anything does. In memory. */
  readonly ofVend: (subject: RevocationSubject, profile: string) => Block | undefined;
  /** Whether a grant was ended before its time. In memory. */
  readonly ofGrant: (id: string) => Revocation | undefined;
  /**
   * Whether a revocation of this caller came behind a number of the log, be it lifted since. In
   * memory.
   */
  readonly wasRevokedAfter: (subject: RevocationSubject, n: number) => boolean;
  /** Everything up to this number of the log is known here. */
  readonly top: () => number;
  /** The revocation of everything, if there is one. In memory. */
  readonly frozen: () => Revocation | undefined;
  /** The revocations in force, by number. In memory. */
  readonly list: () => readonly Revocation[];
  /**
   * A revocation by its number, even if another instance has only just written it; rejects if the
   * log cannot be read.
   */
  readonly findNow: (n: number) => Promise<Revocation | undefined>;
  /** Writes an entry, which counts here at once; rejects if it cannot be written. */
  readonly append: (entry: NewEntry) => Promise<LogEntry>;
  /** Reads the log up to its end as it is from now on; rejects if it cannot. */
  readonly catchUp: () => Promise<void>;
  /** Whether an entry of the log is missing or was changed by others. In memory. */
  readonly isBroken: (n: number) => boolean;
  /** Replaces a broken entry by one that says nothing. Rejects if that cannot be written. */
  readonly putAside: (n: number) => Promise<void>;
  /** `usable` of the state. In memory. */
  readonly isUsable: () => boolean;
  /** `inGrace` of the state. In memory. */
  readonly inGrace: () => boolean;
  readonly state: () => FeedState;
};

type Options = {
  readonly log: RevocationLog;
  readonly foreign: ForeignRevocations;
  /** Epoch milliseconds: for revocations that end at some time. */
  readonly clock: Clock;
  /** Milliseconds that a change of the machine's time does not move: for ages. */
  readonly monotonic: Clock;
  /** How old, in milliseconds, what is known may be when something is vended. */
  readonly bound: number;
  /** How much older, in milliseconds, it may be while DynamoDB cannot be read; 0 for no older. */
  readonly grace: number;
  /** A text that changes with the sealing keys; when it does, everything is read again. */
  readonly keysAre: () => string;
  /**
   * Puts the log in order; gives how many entries are left under old keys, undefined if it was not
   * done.
   */
  readonly upkeep: () => Promise<number | undefined>;
  /** Called with each new revocation, whoever made it. */
  readonly onRevocation: (revocation: Revocation) => void;
  readonly onFault: (error: unknown) => void;
};

/**
 * Follows the log of revocations: reads everything once, then about once a second what is new,
 * consistently, whatever the load. Lookups are in memory.
 */
export function createRevocations(options: Options): Revocations {
  const { log, foreign, clock, monotonic, bound, grace, keysAre, upkeep, onRevocation, onFault } =
    options;
  const stopwatch = createStopwatch(clock, monotonic);
  const follower = createRevocationFollower({
    log,
    clock,
    stopwatch,
    keysAre,
    onRevocation,
    onFault,
  });
  const { book } = follower;
  const readings = createReadings({ follower, foreign, clock, stopwatch, bound, grace, onFault });
  const { refresh, catchUp, isFresh, inGrace, isUsable } = readings;
  let tidiedAt: Moment | undefined;

  const tidy = singleFlight(async function tidyOnce(): Promise<void> {
    tidiedAt = stopwatch.now();
    try {
      const left = await upkeep();
      if (left !== undefined) follower.noteUnderOldKeys(left);
    } catch (error) {
      onFault(error);
    }
  });

  function tidyIfDue(): void {
    const due = follower.underOldKeys() > 0 ? UPKEEP_SOON : UPKEEP;
    if (!readings.isFailing() && stopwatch.since(tidiedAt) > due) void tidy();
  }

  async function start(signal: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    function again(begun: number): void {
      if (signal.aborted) return;
      const pause = Math.max(0, PERIOD - (monotonic() - begun));
      timer = setTimeout(() => {
        const now = monotonic();
        tidyIfDue();
        void refresh().then(() => again(now));
      }, pause);
    }
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    const begun = monotonic();
    // What this process has just read is in order, or its signatures show that it is not.
    tidiedAt = stopwatch.now();
    await refresh();
    again(begun);
  }

  async function ensure(): Promise<Result<'fresh' | 'grace', 'unavailable'>> {
    // Twice, for the first may join a reading that began long ago and hangs.
    for (let attempt = 0; attempt < 2 && !isFresh() && !inGrace(); attempt += 1) await refresh();
    if (inGrace()) return ok('grace');
    return isFresh() ? ok('fresh') : refuse('unavailable');
  }

  function ofCaller(subject: RevocationSubject): Revocation | undefined {
    return book().ofCaller(subject, clock());
  }

  function ofVend(subject: RevocationSubject, profile: string): Block | undefined {
    return book().ofVend(subject, profile, clock()) ?? foreign.ofVend(subject, profile, clock());
  }

  function ofGrant(id: string): Revocation | undefined {
    return book().ofGrant(id, clock());
  }

  function wasRevokedAfter(subject: RevocationSubject, n: number): boolean {
    return book().wasRevokedAfter(subject, n);
  }

  function frozen(): Revocation | undefined {
    return book().frozen(clock());
  }

  function list(): readonly Revocation[] {
    return book().list(clock());
  }

  async function findNow(n: number): Promise<Revocation | undefined> {
    if (book().find(n, clock()) === undefined) await catchUp();
    return book().find(n, clock());
  }

  async function putAside(n: number): Promise<void> {
    await follower.putAside(n);
    await readings.readLog();
  }

  function state(): FeedState {
    return {
      ...readings.state(),
      live: book().size(),
      underOldKeys: follower.underOldKeys(),
      broken: follower.broken() !== undefined,
    };
  }

  const { append, isBroken, top } = follower;
  return {
    start,
    ensure,
    ofCaller,
    ofVend,
    ofGrant,
    wasRevokedAfter,
    top,
    frozen,
    list,
    findNow,
    append,
    catchUp,
    isBroken,
    putAside,
    inGrace,
    isUsable,
    state,
  };
}
