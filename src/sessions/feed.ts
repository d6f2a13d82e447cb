import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import { singleFlight } from '../lib/single-flight.ts';
import type { ForeignRevocations } from './foreign.ts';
import { createRevocationBook, type Revocation, type RevocationBook, type RevocationSubject } from './revocation.ts';
import { isGenuineLift, type LogEntry, type NewEntry, type RevocationLog } from './revocation-log.ts';

/** How often the next number is asked for: often enough that a revocation made just after is known within a second. */
const PERIOD = 0.85 * SECOND;

/** What was read so long ago may be gone from the table before it was seen: then all is read anew. */
const RELOAD = 5 * MINUTE;

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
  readonly find: (n: number) => Revocation | undefined;
  /** Writes an entry and knows it at once; rejects if it cannot be written. */
  readonly append: (entry: NewEntry) => Promise<LogEntry>;
  /** Reads all that are in force from the table, consistently; rejects if it cannot. */
  readonly readAll: () => Promise<readonly Revocation[]>;
  /** Whether what is known is young enough to vend on, or the operator's grace makes up for it. In memory. */
  readonly isUsable: () => boolean;
  /** Whether decisions are made on what was known, because the operator chose availability. In memory. */
  readonly inGrace: () => boolean;
  readonly state: () => FeedState;
};

type Options = {
  readonly log: RevocationLog;
  readonly foreign: ForeignRevocations;
  readonly clock: Clock;
  /** A reading older than this, in milliseconds, is no ground to vend on. */
  readonly bound: number;
  /** How long, in milliseconds, the last reading serves beyond the bound while DynamoDB cannot be read; 0 for not at all. */
  readonly grace: number;
  readonly sealingKeys: () => SealingKeys;
  /** Told of each new revocation, whoever made it. */
  readonly onRevocation: (revocation: Revocation) => void;
  readonly onFault: (error: unknown) => void;
};

/**
 * Follows the log of revocations: everything once, then the next number about once a second, consistently, whatever the
 * load. What is known is as old as the last reading that found nothing further.
 */
export const createRevocations = (options: Options): Revocations => {
  const { log, foreign, clock, bound, grace, sealingKeys, onRevocation, onFault } = options;
  let book: RevocationBook = createRevocationBook();
  let next = 0;
  let knownAt = Number.NEGATIVE_INFINITY;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let foreignAt = Number.NEGATIVE_INFINITY;
  let failing = false;
  let foreignFailing = false;
  /** What was written here since the last reading of everything began. */
  let ownMeanwhile: LogEntry[] = [];
  let tried = false;

  const apply = (entry: LogEntry, to: RevocationBook, isNew: boolean): void => {
    if (entry.what === 'revoke') {
      to.add(entry);
      if (isNew) onRevocation(entry);
    } else if (isGenuineLift(entry, sealingKeys())) to.lift(entry.lifts);
    else
      onFault(
        new Error(`entry ${entry.n} lifts revocation ${entry.lifts}, but this TVM did not sign it; it is ignored`),
      );
  };

  /** From the head as it was before the scan on, numbers are read one by one: a scan may miss what comes while it runs. */
  /** Everything in force, as the table has it now. */
  const readAll = async (): Promise<readonly Revocation[]> => {
    const fresh = createRevocationBook();
    for (const entry of (await log.readAll()).toSorted((a, b) => a.n - b.n)) apply(entry, fresh, false);
    return fresh.list(clock());
  };

  const load = async (): Promise<void> => {
    ownMeanwhile = [];
    const head = await log.readHead();
    const entries = (await log.readAll()).toSorted((a, b) => a.n - b.n);
    const fresh = createRevocationBook();
    const known = new Set(book.list(clock()).map(({ n }) => n));
    for (const entry of entries) apply(entry, fresh, !known.has(entry.n));
    // What this instance wrote while it read stands in the old book only.
    for (const entry of ownMeanwhile) apply(entry, fresh, false);
    book = fresh;
    // Not behind the highest number that stands there: what others put far ahead must not hide what comes next.
    next = (head ?? entries.at(-1)?.n ?? 0) + 1;
    loadedAt = clock();
  };

  const follow = async (): Promise<void> => {
    const begun = next;
    for (;;) {
      const entry = await log.read(next);
      if (entry === undefined) break;
      if (entry !== null) apply(entry, book, true);
      next += 1;
    }
    if (next > begun) await log.raiseHead(next - 1);
  };

  const readForeign = singleFlight(async (): Promise<void> => {
    const begun = clock();
    try {
      await foreign.read(begun);
      foreignAt = begun;
      foreignFailing = false;
    } catch (error) {
      if (!foreignFailing) onFault(error);
      foreignFailing = true;
    }
  });

  const readLog = async (begun: number): Promise<void> => {
    try {
      if (elapsed(loadedAt) > RELOAD) await load();
      await follow();
      knownAt = begun;
      failing = false;
    } catch (error) {
      // Once for each outage: it may last, and this is tried about every second.
      if (!failing) onFault(error);
      failing = true;
    }
  };

  /** Milliseconds since an instant; without end if the clock was set back behind it, for then nobody knows. */
  const elapsed = (since: number): number => {
    const passed = clock() - since;
    return passed < 0 ? Number.POSITIVE_INFINITY : passed;
  };

  const refresh = singleFlight(async () => {
    if (elapsed(knownAt) === Number.POSITIVE_INFINITY) knownAt = Number.NEGATIVE_INFINITY;
    const reading = elapsed(foreignAt) < FOREIGN_PERIOD ? undefined : readForeign();
    await readLog(clock());
    // Sentinel's rows may be late; the log is not kept waiting for them.
    if (elapsed(foreignAt) > FOREIGN_BOUND) await reading;
    tried = true;
  });

  const age = (): number => Math.max(elapsed(knownAt), elapsed(foreignAt) - FOREIGN_BOUND + bound);

  /** Also before the bound is reached: as soon as DynamoDB fails, all that depends on it has to go on without. */
  const inGrace = (): boolean => {
    const isBlind = failing || (foreignFailing && elapsed(foreignAt) > FOREIGN_BOUND);
    return grace > 0 && isBlind && age() <= bound + grace;
  };
  const isUsable = (): boolean => age() <= bound || inGrace();

  return {
    start: async (signal) => {
      let timer: NodeJS.Timeout | undefined;
      const again = (begun: number): void => {
        if (signal.aborted) return;
        const pause = Math.max(0, PERIOD - (clock() - begun));
        timer = setTimeout(() => {
          const now = clock();
          void refresh().then(() => again(now));
        }, pause);
      };
      signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
      const begun = clock();
      await refresh();
      again(begun);
    },
    ensure: async () => {
      // Twice, for the first may be a try that began long ago and hangs.
      for (let attempt = 0; attempt < 2 && age() > bound && !inGrace(); attempt += 1) await refresh();
      if (inGrace()) return ok('grace');
      return age() <= bound ? ok('fresh') : refuse('unavailable');
    },
    ofCaller: (subject) => book.ofCaller(subject, clock()),
    ofVend: (subject, profile) => book.ofVend(subject, profile, clock()) ?? foreign.ofVend(subject, profile, clock()),
    frozen: () => book.frozen(clock()),
    list: () => book.list(clock()),
    find: (n) => book.find(n, clock()),
    append: async (entry) => {
      const written = await log.append(entry);
      ownMeanwhile.push(written);
      apply(written, book, true);
      return written;
    },
    readAll,
    inGrace,
    isUsable,
    state: () => ({
      tried,
      ageMs: Number.isFinite(elapsed(knownAt)) ? elapsed(knownAt) : undefined,
      live: book.list(clock()).length,
      usable: isUsable(),
      failing: failing || foreignFailing,
      inGrace: inGrace(),
    }),
  };
};
