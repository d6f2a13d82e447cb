import { SECOND } from '../lib/clock.ts';
import { siteOf, sourceOf } from '../lib/ip.ts';
import { createLru } from '../lib/lru.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** What an address may cost: `points` in each window of so many milliseconds. */
export type SourceQuota = { readonly points: number; readonly window: number };

/**
 * How many sources are remembered, so that a flood of addresses costs no memory. Beyond that the
 * source heard of longest ago is forgotten and its count starts over, which harms nobody; no source
 * ever shares another's count. The cost that somebody with more addresses can cause is bounded
 * elsewhere: verifying a signature takes microseconds, and the queue for STS prefers sources that
 * have cost least.
 */
const MAX_SOURCES = 20_000;

/**
 * How many requests of one IPv6 /48 weigh as much as one request of a source: a site may have as
 * many people.
 */
const SITE_SHARE = 16;

/**
 * An office or a whole VPC may be behind one address: it may ask so many times what one caller may,
 * without proving who asks.
 */
export const CALLERS_PER_SOURCE = 10;

/**
 * What a source or a site has cost in its window, and when the window ends on the monotonic clock.
 */
type Count = { readonly points: number; readonly endsAt: number };

/**
 * Cache: source or site → its count, until its window ends, which begins with its first point;
 * `capacity` at most.
 */
function createCounts(window: number, capacity: number) {
  const counts = createLru<string, Count>(capacity);

  function find(key: string, now: number): Count | undefined {
    const count = counts.get(key);
    return count !== undefined && count.endsAt > now ? count : undefined;
  }

  function add(key: string, now: number): void {
    const { points, endsAt } = find(key, now) ?? { points: 0, endsAt: now + window };
    counts.set(key, { points: points + 1, endsAt });
  }

  return { find, add, size: counts.size };
}

/** How many requests of each source or site are under way; one with none has no entry. */
function createTally() {
  const underWay = new Map<string, number>();

  function get(key: string): number {
    return underWay.get(key) ?? 0;
  }

  function add(key: string): void {
    underWay.set(key, get(key) + 1);
  }

  function remove(key: string): void {
    if (get(key) > 1) underWay.set(key, get(key) - 1);
    else underWay.delete(key);
  }

  return { get, add, remove };
}

/**
 * Counts what each source costs, in this instance's memory: IPv4 by address, IPv6 by /64, and all
 * requests whose address is unknown as one source.
 */
export function createSourceLimit({ points, window }: SourceQuota, maxSources = MAX_SOURCES) {
  const sources = createCounts(window, maxSources);
  const sites = createCounts(window, maxSources);
  const running = createTally();

  function weigh(source: string, site: string | undefined): number {
    const now = performance.now();
    const own = (sources.find(source, now)?.points ?? 0) + running.get(source);
    if (site === undefined) return own;
    return own + ((sites.find(site, now)?.points ?? 0) + running.get(site)) / SITE_SHARE;
  }

  /** Whether the source may cost more; refuses with the whole seconds until it may. */
  function check(address: string | undefined): Result<undefined, number> {
    const now = performance.now();
    const used = sources.find(sourceOf(address), now);
    if (used === undefined || used.points < points) return ok(undefined);
    return refuse(Math.max(1, Math.ceil((used.endsAt - now) / SECOND)));
  }

  /** Counts one point against the source, and against its site. */
  function charge(address: string | undefined): void {
    const [now, site] = [performance.now(), siteOf(address)];
    sources.add(sourceOf(address), now);
    if (site !== undefined) sites.add(site, now);
  }

  /**
   * Begins a request of the source and gives its weight, so that the next place goes to the source
   * that has had least: the points of the source, its requests under way, and for IPv6 a share of
   * both for its /48. `leave` ends the request.
   */
  function enter(address: string | undefined): {
    readonly weight: number;
    readonly leave: () => void;
  } {
    const [source, site] = [sourceOf(address), siteOf(address)];
    const keys = site === undefined ? [source] : [source, site];
    const weight = weigh(source, site);
    keys.forEach(running.add);
    function leave(): void {
      keys.forEach(running.remove);
    }

    return { weight, leave };
  }

  // `size` is how many sources are remembered, for tests of the bound.
  return { check, charge, enter, size: sources.size };
}

/** Counts what sources cost. */
export type SourceLimit = ReturnType<typeof createSourceLimit>;
