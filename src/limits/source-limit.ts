import { SECOND } from '../lib/clock.ts';
import { siteOf, sourceOf } from '../lib/ip.ts';
import { createLru } from '../lib/lru.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** What an address may cost: `points` in each window of so many milliseconds. */
export type SourceQuota = { readonly points: number; readonly window: number };

/**
 * So many sources are remembered, so that a flood of addresses costs no memory. Beyond it the one that was heard of
 * longest ago is forgotten: its count begins anew, which harms nobody, and no source ever shares the count of another.
 * What somebody with more addresses than that can cost is bounded where it is spent: verifying a signature takes
 * microseconds, and the line to STS has places, given to whoever has cost least.
 */
const MAX_SOURCES = 20_000;

/** So many requests of one IPv6 /48 weigh as much as one of a single source: a site may have as many people. */
const SITE_SHARE = 16;

/** An office or a whole VPC may be behind one address: it may ask so many times what one caller may, without proving who asks. */
export const CALLERS_PER_SOURCE = 10;

type Count = { readonly points: number; readonly endsAt: number };

/** Counts in windows that begin with the first point, on the monotonic clock. */
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

/** How many of each are under way; holds none that are not. */
function createTally() {
  const under = new Map<string, number>();
  function get(key: string): number {
    return under.get(key) ?? 0;
  }
  function remove(key: string): void {
    return void (get(key) > 1 ? under.set(key, get(key) - 1) : under.delete(key));
  }

  return { get, add: (key: string): void => void under.set(key, get(key) + 1), remove };
}

/**
 * Counts what each source costs, in this instance's memory: IPv4 by address, IPv6 by /64, and all whose address is unknown
 * as one.
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

  /** Whether the source may cost more; refuses with the whole seconds until it may again. */
  function check(address: string | undefined): Result<undefined, number> {
    const now = performance.now();
    const used = sources.find(sourceOf(address), now);
    if (used === undefined || used.points < points) return ok(undefined);
    return refuse(Math.max(1, Math.ceil((used.endsAt - now) / SECOND)));
  }

  /** Counts one against the source. */
  function charge(address: string | undefined): void {
    const [now, site] = [performance.now(), siteOf(address)];
    sources.add(sourceOf(address), now);
    if (site !== undefined) sites.add(site, now);
  }

  /**
   * Begins something for the source. Says how much it weighs: what was counted against it and what is under way for it,
   * and for IPv6 a part of that for its /48; so that the next place goes to whoever has had least. `leave` ends it.
   */
  function enter(address: string | undefined): { readonly weight: number; readonly leave: () => void } {
    const [source, site] = [sourceOf(address), siteOf(address)];
    const keys = site === undefined ? [source] : [source, site];
    const weight = weigh(source, site);
    keys.forEach(running.add);
    function leave() {
      return keys.forEach(running.remove);
    }

    return { weight, leave };
  }

  return { check, charge, enter /** How many sources are remembered, for tests of the bound. */, size: sources.size };
}

/** What is counted against addresses; whoever gets one over sees only what it needs. */
export type SourceLimit = ReturnType<typeof createSourceLimit>;
