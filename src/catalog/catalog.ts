import { SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import type { LoadCatalog } from './load.ts';
import { refreshInterval } from './pace.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * The least pause between two readings, so that slow readings do not follow each other without end.
 */
const SHORTEST_PAUSE = 1 * SECOND;
/**
 * The share of a snapshot's life within which the next reading must end, counted from the beginning
 * of the last.
 */
const ROUND_SHARE = 0.8;
/**
 * The pause before the first retry after a failure. Then the pause doubles, up to the regular
 * interval.
 */
const FIRST_RETRY = 1 * SECOND;
/**
 * Intervals after the last try, when a request refreshes the catalog itself. Where timers run, that
 * happens only if one did not fire. In a process that is frozen between requests it is the rule,
 * and a change still takes effect within 15 s.
 */
const OVERDUE = 2;
const OVERDUE_FROZEN = 1.25;
/**
 * How long requests wait for a reading, from its beginning, while the last good snapshot is still
 * usable.
 */
const WAIT = 2 * SECOND;
/**
 * The same without a usable snapshot. Longer in a process that is frozen between requests: it reads
 * only during these.
 */
const PATIENCE = 5 * SECOND;
const PATIENCE_FROZEN = 20 * SECOND;
/** A reading is aborted at its deadline. If it has not ended so long after that, it is stuck. */
const STUCK = 15 * SECOND;

/** The state of the catalog, for `/readyz` and `/healthz`. */
export type CatalogState = {
  /** Whether the first try is over, successful or not. */
  readonly tried: boolean;
  readonly ageSeconds: number | undefined;
  readonly profiles: number;
  readonly rejected: number;
  /** How many probable mistakes there are in valid documents. */
  readonly findings: number;
  /** Whether the last try failed, so that the last good snapshot is used. */
  readonly failing: boolean;
  /** Whether there is a snapshot that is not too old to decide by. */
  readonly usable: boolean;
  /** Whether a reading has not ended although it was aborted: a bug that only a restart ends. */
  readonly stuck: boolean;
};

export type Catalog = {
  /** Loads for the first time, and again and again until the signal aborts. Never rejects. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /** The snapshot to decide by; undefined if there is none, or only one that is too old. */
  readonly current: () => Promise<Snapshot | undefined>;
  readonly state: () => CatalogState;
  /**
   * The sealing keys of the last good snapshot, whatever its age: they verify what the TVM sealed
   * or signed, and decide nothing.
   */
  readonly sealingKeys: () => Snapshot['sealingKeys'];
  /**
   * The keys of events of the last snapshot, and where these are posted; undefined without such a
   * document.
   */
  readonly webhook: () => Snapshot['webhook'];
};

type Options = {
  readonly load: LoadCatalog;
  /** A monotonic clock, so that a change of the machine's time changes neither ages nor pauses. */
  readonly clock: Clock;
  /** How long the last good snapshot may be used when no newer one can be read, in milliseconds. */
  readonly maxAge: number;
  /**
   * Whether the process is frozen between requests, as on AWS Lambda, where timers do not run then.
   */
  readonly frozen: boolean;
  readonly onLoad: (snapshot: Snapshot, previous: Snapshot | undefined) => void;
  readonly onFault: (error: unknown) => void;
  /** A number from 0 to 1, for the jitter. */
  readonly random: () => number;
};

/**
 * Keeps the snapshot of the documents: replaced as a whole, refreshed with jitter, the last good
 * one kept for a while.
 */
export function createCatalog(options: Options): Catalog {
  const { load, clock, maxAge, frozen, onLoad, onFault, random } = options;
  let snapshot: Snapshot | undefined;
  let tried = false;
  let failures = 0;
  /** When the try under way began; undefined between two tries. */
  let begun: number | undefined;
  let lastTry = { began: Number.NEGATIVE_INFINITY, ended: Number.NEGATIVE_INFINITY };

  /**
   * Reads once. The reading is aborted when what it read first would be too old to use. Callers who
   * come during a reading share it.
   */
  const refresh = singleFlight(readOnce);

  async function readOnce(): Promise<void> {
    const began = clock();
    begun = began;
    const stop = new AbortController();
    const late = new Error(`the reading of the documents has not ended within ${maxAge} ms`);
    const deadline = setTimeout(() => stop.abort(late), maxAge);
    try {
      const next = await load(stop.signal);
      const previous = snapshot;
      snapshot = next;
      failures = 0;
      onLoad(next, previous);
    } catch (error) {
      failures += 1;
      onFault(stop.signal.aborted ? late : error);
    } finally {
      clearTimeout(deadline);
      tried = true;
      begun = undefined;
      // Only now, so that requests which come during an overdue reading also wait for it.
      lastTry = { began, ended: clock() };
    }
  }

  function ordinary(): number {
    return refreshInterval(snapshot ?? { parameters: 0, pages: 0 }, maxAge);
  }
  function retry(): number {
    return Math.min(ordinary(), FIRST_RETRY * 2 ** (failures - 1));
  }
  function jittered(ms: number): number {
    return ms * (0.9 + 0.2 * random());
  }
  function age(): number {
    return snapshot === undefined ? Number.POSITIVE_INFINITY : clock() - snapshot.readAt;
  }
  function usable(): boolean {
    return age() <= maxAge;
  }

  /** The time from the end of a try to the beginning of the next. */
  function pause(): number {
    if (failures > 0) return jittered(retry());
    const took = lastTry.ended - lastTry.began;
    const round = Math.min(jittered(ordinary()), maxAge * ROUND_SHARE - took);
    return Math.max(SHORTEST_PAUSE, round - took);
  }

  /**
   * Whether the last try is so long ago that a request must refresh the catalog. The short pause
   * before a retry counts only without a usable snapshot: otherwise requests would wait for a retry
   * that hangs.
   */
  function isOverdue(): boolean {
    const due = usable() || failures === 0 ? ordinary() : retry();
    return clock() - lastTry.ended > (frozen ? OVERDUE_FROZEN : OVERDUE) * due;
  }

  /**
   * Joins the reading under way, or begins one, and waits for its end, but for no longer than the
   * limits above.
   */
  async function waitForRefresh(): Promise<void> {
    const refreshed = refresh();
    const patience = frozen ? PATIENCE_FROZEN : PATIENCE;
    const left = (usable() ? WAIT : patience) - (clock() - (begun ?? clock()));
    if (left <= 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, left);
    });
    await Promise.race([refreshed, late]);
    clearTimeout(timer);
  }

  async function start(signal: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    function again(): void {
      if (!signal.aborted) timer = setTimeout(() => void refresh().then(again), pause());
    }
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    await refresh();
    again();
  }

  async function current(): Promise<Snapshot | undefined> {
    if (isOverdue()) await waitForRefresh();
    return usable() ? snapshot : undefined;
  }

  function sealingKeys(): Snapshot['sealingKeys'] {
    return snapshot?.sealingKeys ?? new Map();
  }

  function state(): CatalogState {
    return {
      tried,
      ageSeconds: snapshot === undefined ? undefined : Math.max(0, Math.floor(age() / SECOND)),
      profiles: snapshot?.profiles.size ?? 0,
      rejected: snapshot?.rejections.length ?? 0,
      findings: snapshot?.findings.length ?? 0,
      failing: failures > 0,
      usable: usable(),
      stuck: begun !== undefined && clock() - begun > maxAge + STUCK,
    };
  }

  function webhook(): Snapshot['webhook'] {
    return snapshot?.webhook;
  }

  return { start, current, sealingKeys, webhook, state };
}
