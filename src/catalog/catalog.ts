import { SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import type { LoadCatalog } from './load.ts';
import { refreshInterval } from './pace.ts';
import type { Snapshot } from './snapshot.ts';

/** Between the end of one reading and the next there is always a pause. */
const SHORTEST_PAUSE = 1 * SECOND;
/** From the beginning of one reading to the end of the next, at most this share of a snapshot's life passes. */
const ROUND_SHARE = 0.8;
/** After a failure the first retry comes soon; from then on the pause doubles up to the ordinary one. */
const FIRST_RETRY = 1 * SECOND;
/**
 * So many intervals after the last try, a request brings the catalog up to date itself. Where timers run, that is when one
 * failed to; in a process that is frozen between requests, it keeps a change within the 15 s of the others.
 */
const OVERDUE = 2;
const OVERDUE_FROZEN = 1.25;
/** How long a reading may be under way before requests wait for it no longer, while the last good one may serve. */
const WAIT = 2 * SECOND;
/** The same while nothing may serve; in a process that is frozen between requests nobody else brings it to its end. */
const PATIENCE = 5 * SECOND;
const PATIENCE_FROZEN = 20 * SECOND;
/** A reading is told to end at its deadline; one that has not ended so long after it is stuck. */
const STUCK = 15 * SECOND;

/** What `/readyz` and `/healthz` tell of the catalog. */
export type CatalogState = {
  /** Whether the first try is over, whatever came of it. */
  readonly tried: boolean;
  readonly ageSeconds: number | undefined;
  readonly profiles: number;
  readonly rejected: number;
  /** How much is sound but hardly meant. */
  readonly findings: number;
  /** Whether the last try failed, so that what serves is the last good one. */
  readonly failing: boolean;
  /** Whether there is a snapshot young enough to decide by. */
  readonly usable: boolean;
  /** Whether a reading neither ended nor failed by its deadline: a bug, which only another process mends. */
  readonly stuck: boolean;
};

export type Catalog = {
  /** Loads for the first time and keeps loading until the signal ends it. Never rejects. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /** The snapshot to decide by; undefined when there is none, or only one that is too old. */
  readonly current: () => Promise<Snapshot | undefined>;
  readonly state: () => CatalogState;
  /** The sealing keys of the last good snapshot, whatever its age: they recognise, they decide nothing. */
  readonly sealingKeys: () => Snapshot['sealingKeys'];
};

type Options = {
  readonly load: LoadCatalog;
  /** The monotonic clock: no change of the machine's time makes a snapshot young, or puts the readings to sleep. */
  readonly clock: Clock;
  /** How long the last good snapshot may serve when no newer one can be read, in milliseconds. */
  readonly maxAge: number;
  /** Whether the process is frozen between requests, as on AWS Lambda: then there are no timers to rely on. */
  readonly frozen: boolean;
  readonly onLoad: (snapshot: Snapshot, previous: Snapshot | undefined) => void;
  readonly onFault: (error: unknown) => void;
  readonly random?: () => number;
};

/** Keeps the snapshot of the documents: swapped in whole, refreshed with jitter, the last good one kept for a while. */
export function createCatalog(options: Options): Catalog {
  const { load, clock, maxAge, frozen, onLoad, onFault, random = Math.random } = options;
  let snapshot: Snapshot | undefined;
  let tried = false;
  let failures = 0;
  /** When the try under way began; undefined between two. */
  let begun: number | undefined;
  let lastTry = { began: Number.NEGATIVE_INFINITY, ended: Number.NEGATIVE_INFINITY };

  /** One reading. At its deadline, when what it has read first would be too old to serve, it is told to end. */
  const refresh = singleFlight(async () => {
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
      // Only now: whoever comes while an overdue try is under way waits for it like the one who began it.
      lastTry = { began, ended: clock() };
    }
  });

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

  /** From the end of a try to the beginning of the next. */
  function pause(): number {
    if (failures > 0) return jittered(retry());
    const took = lastTry.ended - lastTry.began;
    const round = Math.min(jittered(ordinary()), maxAge * ROUND_SHARE - took);
    return Math.max(SHORTEST_PAUSE, round - took);
  }

  /**
   * A process that AWS Lambda froze has had no timers: the request that thaws it brings the catalog up to date. While
   * the last good one serves, a quick retry that hangs is no reason to let requests wait.
   */
  function isOverdue(): boolean {
    const due = usable() || failures === 0 ? ordinary() : retry();
    return clock() - lastTry.ended > (frozen ? OVERDUE_FROZEN : OVERDUE) * due;
  }

  /** Joins the reading under way, or begins one, and waits for its end, but not for a reading that takes too long. */
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

  async function current() {
    if (isOverdue()) await waitForRefresh();
    return usable() ? snapshot : undefined;
  }

  function sealingKeys() {
    return snapshot?.sealingKeys ?? new Map();
  }

  function state() {
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

  return { start, current, sealingKeys, state };
}
