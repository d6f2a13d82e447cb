import { HOUR, MINUTE } from '../lib/clock.ts';
import { dayOf, LONGEST_SESSION, OLDEST_ROW, shardsOf } from './session.ts';

/** What a list is asked for. Times in epoch milliseconds. */
export type SessionQuery = {
  /** By the name as it is stored. */
  readonly user?: string | undefined;
  readonly subject?: string | undefined;
  readonly profile?: string | undefined;
  /** By what is shown of a session, whatever stands in its row. */
  readonly status?: 'active' | 'revoked' | 'expired' | undefined;
  /** Opened at or after, and before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
};

/** By which attribute rows are found. The index of each is `gsi-<way>`. */
export type Way = 'user' | 'profile' | 'shard' | 'status';

/**
 * The ways to find the rows of a query, the best first. `status` is for a kept table of Sentinel's
 * that has no `gsi-shard`.
 */
export function waysOf({ user, profile }: SessionQuery): readonly [Way, ...Way[]] {
  if (user !== undefined) return ['user'];
  return profile === undefined ? ['shard', 'status'] : ['profile'];
}

/** Rows that are read side by side and merged. */
export type Leg = {
  readonly name: string;
  /** The values of the index's key. */
  readonly lanes: readonly string[];
  /**
   * The bounds of `created_at`, both included; the first may lie behind the second, where there can
   * be no row.
   */
  readonly low: string;
  readonly high: string;
};

/** What is read for a query: legs one after the other, the newest rows first. */
export type Plan = {
  readonly way: Way;
  readonly first: Leg;
  readonly after: (leg: Leg) => Leg | undefined;
  /**
   * The leg of a name, and the lowest `created_at` that the query allows; undefined if it has no
   * such leg.
   */
  readonly find: (name: string) => { readonly leg: Leg; readonly lowest: string } | undefined;
};

/** Rows have four digits of a year, as text that sorts like time. */
const EARLIEST = '0000-01-01T00:00:00.000Z';
const LATEST = '9999-12-31T23:59:59.999Z';

/** How far the clocks of other instances may be ahead: the first day to look at. */
const AHEAD = 15 * MINUTE;
const DAY = 24 * HOUR;

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
function later(a: string, b: string): string {
  return a > b ? a : b;
}
function earlier(a: string, b: string): string {
  return a < b ? a : b;
}

/** How old a row of a query can be: below that nothing is looked for. */
function oldestOf({ status }: SessionQuery, way: Way, now: number): string {
  if (status === 'active') return isoOf(now - LONGEST_SESSION);
  return way === 'shard' ? isoOf(now - OLDEST_ROW) : EARLIEST;
}

/** The states that a row may have in the table for a session that is shown as this. */
function statesOf(status: SessionQuery['status']): readonly string[] {
  if (status === 'active') return ['active'];
  return status === 'expired' ? ['active', 'expired'] : ['active', 'expired', 'revoked'];
}

/**
 * Plans a list.
 *
 * @param now epoch milliseconds
 */
export function planList(query: SessionQuery, way: Way, now: number): Plan {
  const lowest = query.since === undefined ? EARLIEST : isoOf(query.since);
  const highest = query.until === undefined ? LATEST : isoOf(query.until - 1);
  const low = later(lowest, oldestOf(query, way, now));
  if (way === 'shard') return planDays({ lowest, low, highest, now });
  const lanes = way === 'status' ? statesOf(query.status) : [query[way] ?? ''];
  const first = { name: '', lanes, low, high: highest };
  function find(name: string): ReturnType<Plan['find']> {
    return name === '' ? { leg: first, lowest } : undefined;
  }

  return { way, first, after: () => undefined, find };
}

type Bounds = {
  readonly lowest: string;
  readonly low: string;
  readonly highest: string;
  readonly now: number;
};

/** One leg a day, from the newest that can have rows to the oldest. */
function planDays({ lowest, low, highest, now }: Bounds): Plan {
  function legOf(day: string): Leg {
    return {
      name: day,
      lanes: shardsOf(day),
      low: later(low, `${day}T00:00:00.000Z`),
      high: earlier(highest, `${day}T23:59:59.999Z`),
    };
  }
  function newest(ms: number): string {
    return earlier(highest.slice(0, 10), dayOf(ms));
  }
  return {
    way: 'shard',
    first: legOf(newest(now + AHEAD)),
    after: ({ name }) => {
      const before = dayOf(Date.parse(name) - DAY);
      // In the year 0 the day before has more digits.
      return name > low.slice(0, 10) && before.length === name.length ? legOf(before) : undefined;
    },
    find: (name) => {
      // An instance whose clock is ahead begins a day earlier than this one.
      const isDay = isDate(name) && name <= newest(now + AHEAD + DAY);
      return isDay ? { leg: legOf(name), lowest: later(lowest, `${name}T00:00:00.000Z`) } : undefined;
    },
  };
}

function isDate(text: string): boolean {
  const ms = /^\d{4}-\d{2}-\d{2}$/u.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && dayOf(ms) === text;
}
