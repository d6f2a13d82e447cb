import { HOUR, SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { singleFlight } from '../lib/single-flight.ts';
import { createStopwatch, type Moment } from '../lib/stopwatch.ts';
import type { ForeignRevocations } from './sentinel-rows.ts';
import type { Revocation, RevocationSubject } from './revocation.ts';
import type { LogEntry } from './entry.ts';
import { createRevocationFollower } from './follower.ts';
import type { RevocationLog } from './log.ts';
import { BrokenLog } from './reader.ts';
import type { NewEntry } from './writer.ts';

/** How often the log is read: often enough that a revocation made just after is known within a second. */
const PERIOD = 0.85 * SECOND;

/** How often the log is put in order, and how soon where something is signed with an older key. */
const UPKEEP = 1 * HOUR;
const UPKEEP_SOON = 10 * SECOND;

/** Sessions that Sentinel's own CLI revoked. */
const FOREIGN_PERIOD = 15 * SECOND;
const FOREIGN_BOUND = 45 * SECOND;

/** How far what this instance knows can be trusted. */
export type FeedState = {
  /** Whether the first try is over, whatever came of it. */
  readonly tried: boolean;
  /** Milliseconds since everything that there was had been read; undefined before the first time. */
  readonly ageMs: number | undefined;
  readonly live: number;
  /** Whether what is known is young enough to vend on, or the operator's grace makes up for it. */
  readonly usable: boolean;
  /** Whether the last try failed. */
  readonly failing: boolean;
  /** Whether decisions are made on what was known, beyond the bound, because the operator chose availability. */
  readonly inGrace: boolean;
  /** How much of the log is signed with a key that is no longer the one that signs; 0 before that key may be deleted. */
  readonly underOldKeys: number;
  /** Whether entries of the log are missing, or were changed by others, so that nobody knows what is revoked. */
  readonly broken: boolean;
};

/** Who may be refused, as this instance knows it. */
export type Revocations = {
  /** Reads until the signal ends it. Resolves when the first try is over; never rejects. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /**
   * Brings what is known within its bound, reading only if it is older. Refuses when that cannot be done: then nothing may
   * be vended. The value tells whether it is fresh, or the grace that the operator granted is being used.
   */
  readonly ensure: () => Promise<Result<'fresh' | 'grace', 'unavailable'>>;
  /** Whether this caller is refused everything. In memory. */
  readonly ofCaller: (subject: RevocationSubject) => Revocation | undefined;
  /** Whether this caller is refused this profile. In memory. */
  readonly ofVend: (subject: RevocationSubject, profile: string) => Revocation | undefined;
  readonly frozen: () => Revocation | undefined;
  readonly list: () => readonly Revocation[];
  /** A revocation by its number, also where another instance has only just written it; rejects if nobody can tell. */
  readonly findNow: (n: number) => Promise<Revocation | undefined>;
  /** Writes an entry and knows it at once; rejects if it cannot be written. */
  readonly append: (entry: NewEntry) => Promise<LogEntry>;
  /** Reads the log up to its end as it is from now on; rejects if it cannot. */
  readonly catchUp: () => Promise<void>;
  /** Whether a number of the log is missing, or was changed by others. In memory. */
  readonly isBroken: (n: number) => boolean;
  /** Puts a broken number aside: from now on it says nothing. Rejects if that cannot be written. */
  readonly putAside: (n: number) => Promise<void>;
  /** Whether what is known is young enough to vend on, or the operator's grace makes up for it. In memory. */
  readonly isUsable: () => boolean;
  /** Whether decisions are made on what was known, because the operator chose availability. In memory. */
  readonly inGrace: () => boolean;
  readonly state: () => FeedState;
};

type Options = {
  readonly log: RevocationLog;
  readonly foreign: ForeignRevocations;
  /** Epoch milliseconds: for what ends at a time of day. */
  readonly clock: Clock;
  /** Milliseconds that no change of the machine's time moves: for ages. */
  readonly monotonic: Clock;
  /** A reading older than this, in milliseconds, is no ground to vend on. */
  readonly bound: number;
  /** How long, in milliseconds, the last reading serves beyond the bound while DynamoDB cannot be read; 0 for not at all. */
  readonly grace: number;
  /** What the sealing keys are; when that changes, all is read anew. */
  readonly keysAre: () => string;
  /** Puts the log in order; gives how much is left under old keys, undefined if it was not done. */
  readonly upkeep: () => Promise<number | undefined>;
  /** Told of each new revocation, whoever made it. */
  readonly onRevocation: (revocation: Revocation) => void;
  readonly onFault: (error: unknown) => void;
};

/**
 * Follows the log of revocations: everything once, then about once a second what is new, consistently, whatever the
 * load. What is known is as old as the beginning of the last reading that found everything up to the head.
 */
export function createRevocations(options: Options): Revocations {
  const { log, foreign, clock, monotonic, bound, grace, keysAre, upkeep, onRevocation, onFault } = options;
  const stopwatch = createStopwatch(clock, monotonic);
  const follower = createRevocationFollower({ log, clock, stopwatch, keysAre, onRevocation, onFault });
  const { book } = follower;
  let knownAt: Moment | undefined;
  let foreignAt: Moment | undefined;
  let tidiedAt: Moment | undefined;
  let failing = false;
  let foreignFailing = false;
  let lastFault = '';
  let tried = false;

  const readForeign = singleFlight(async (): Promise<void> => {
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

  const readLog = singleFlight(async (): Promise<void> => {
    const begun = stopwatch.now();
    try {
      await follower.read();
      knownAt = begun;
      failing = false;
    } catch (error) {
      // Once for each outage, and for each cause of it: it may last, and this is tried about every second.
      const message = error instanceof Error ? error.message : 'unknown';
      if (!failing || (error instanceof BrokenLog && message !== lastFault)) onFault(error);
      lastFault = message;
      failing = true;
    }
  });

  const refresh = singleFlight(async () => {
    const reading = stopwatch.since(foreignAt) < FOREIGN_PERIOD ? undefined : readForeign();
    await readLog();
    // Sentinel's rows may be late; the log is not kept waiting for them.
    if (stopwatch.since(foreignAt) > FOREIGN_BOUND) await reading;
    tried = true;
  });

  const tidy = singleFlight(async (): Promise<void> => {
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
    if (!failing && stopwatch.since(tidiedAt) > due) void tidy();
  }

  async function catchUp(): Promise<void> {
    const asked = monotonic();
    function isDone(): boolean {
      return knownAt !== undefined && knownAt.monotonic >= asked;
    }
    await readLog();
    // It may have been under way, and have read the head before this was asked.
    if (!isDone()) await readLog();
    if (!isDone()) throw new Error('the revocations cannot be read now');
  }

  function age(): number {
    return Math.max(stopwatch.since(knownAt), stopwatch.since(foreignAt) - FOREIGN_BOUND + bound);
  }

  /** Also before the bound is reached: as soon as DynamoDB fails, all that depends on it has to go on without. */
  function inGrace(): boolean {
    const isBlind = failing || (foreignFailing && stopwatch.since(foreignAt) > FOREIGN_BOUND);
    return grace > 0 && isBlind && follower.broken() === undefined && age() <= bound + grace;
  }
  function isUsable(): boolean {
    return age() <= bound || inGrace();
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
    // What this process has just read is in order, or is noticed by its signatures.
    tidiedAt = stopwatch.now();
    await refresh();
    again(begun);
  }

  async function ensure(): Promise<Result<'fresh' | 'grace', 'unavailable'>> {
    // Twice, for the first may be a try that began long ago and hangs.
    for (let attempt = 0; attempt < 2 && age() > bound && !inGrace(); attempt += 1) await refresh();
    if (inGrace()) return ok('grace');
    return age() <= bound ? ok('fresh') : refuse('unavailable');
  }

  function ofCaller(subject: RevocationSubject): Revocation | undefined {
    return book().ofCaller(subject, clock());
  }

  function ofVend(subject: RevocationSubject, profile: string): Revocation | undefined {
    return book().ofVend(subject, profile, clock()) ?? foreign.ofVend(subject, profile, clock());
  }

  function frozen() {
    return book().frozen(clock());
  }

  function list() {
    return book().list(clock());
  }

  async function findNow(n: number): Promise<Revocation | undefined> {
    if (book().find(n, clock()) === undefined) await catchUp();
    return book().find(n, clock());
  }

  async function putAside(n: number): Promise<void> {
    await follower.putAside(n);
    await readLog();
  }

  function state(): FeedState {
    return {
      tried,
      ageMs: knownAt === undefined ? undefined : stopwatch.since(knownAt),
      live: book().size(),
      usable: isUsable(),
      failing: failing || foreignFailing,
      inGrace: inGrace(),
      underOldKeys: follower.underOldKeys(),
      broken: follower.broken() !== undefined,
    };
  }

  return {
    start,
    ensure,
    ofCaller,
    ofVend,
    frozen,
    list,
    findNow,
    append: follower.append,
    catchUp,
    isBroken: follower.isBroken,
    putAside,
    inGrace,
    isUsable,
    state,
  };
}
