import { SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import type { Snapshot } from './snapshot.ts';

/** How often the catalog is read anew. */
const REFRESH = 15 * SECOND;
/** An instance reads at most two pages a second on average: SSM's 40 requests a second belong to everybody. */
const PER_PAGE = 0.5 * SECOND;
/** After a failure the first retry comes soon; from then on the pause doubles up to the ordinary one. */
const FIRST_RETRY = 1 * SECOND;
/** So many pauses late, a request does not wait for the timer any longer: there may be none. */
const OVERDUE = 2;

/** What `/readyz` tells of the catalog. */
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
  readonly load: () => Promise<Snapshot>;
  readonly clock: Clock;
  /** How long the last good snapshot may serve when no newer one can be read, in milliseconds. */
  readonly maxAge: number;
  readonly onLoad: (snapshot: Snapshot, previous: Snapshot | undefined) => void;
  readonly onFault: (error: unknown) => void;
  readonly random?: () => number;
};

/** Keeps the snapshot of the documents: swapped in whole, refreshed with jitter, the last good one kept for a while. */
export const createCatalog = ({ load, clock, maxAge, onLoad, onFault, random = Math.random }: Options): Catalog => {
  let snapshot: Snapshot | undefined;
  let tried = false;
  let failures = 0;
  let lastTry = Number.NEGATIVE_INFINITY;

  const refresh = singleFlight(async () => {
    try {
      const next = await load();
      const previous = snapshot;
      snapshot = next;
      failures = 0;
      onLoad(next, previous);
    } catch (error) {
      failures += 1;
      onFault(error);
    } finally {
      tried = true;
      // Only now: whoever comes while an overdue try is under way waits for it like the one who began it.
      lastTry = clock();
    }
  });

  const ordinary = (): number => Math.max(REFRESH, (snapshot?.pages ?? 0) * PER_PAGE);
  const pause = (): number => (failures === 0 ? ordinary() : Math.min(ordinary(), FIRST_RETRY * 2 ** (failures - 1)));
  const jittered = (ms: number): number => ms * (0.9 + 0.2 * random());
  const age = (): number => (snapshot === undefined ? Number.POSITIVE_INFINITY : clock() - snapshot.readAt);
  const usable = (): boolean => age() <= maxAge;

  return {
    start: async (signal) => {
      let timer: NodeJS.Timeout | undefined;
      const again = (): void => {
        if (!signal.aborted) timer = setTimeout(() => void refresh().then(again), jittered(pause()));
      };
      signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
      await refresh();
      again();
    },
    current: async () => {
      // A process that AWS Lambda froze has had no timers: the request that thaws it brings the catalog up to date.
      // While the last good one serves, a quick retry that hangs is no reason to let requests wait.
      const due = usable() ? ordinary() : pause();
      if (clock() - lastTry > OVERDUE * due) await refresh();
      return usable() ? snapshot : undefined;
    },
    sealingKeys: () => snapshot?.sealingKeys ?? new Map(),
    state: () => ({
      tried,
      ageSeconds: snapshot === undefined ? undefined : Math.max(0, Math.floor(age() / SECOND)),
      profiles: snapshot?.profiles.size ?? 0,
      rejected: snapshot?.rejections.length ?? 0,
      findings: snapshot?.findings.length ?? 0,
      failing: failures > 0,
      usable: usable(),
    }),
  };
};
