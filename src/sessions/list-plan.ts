import { HOUR, MINUTE } from '../lib/clock.ts';
import { dayOf, LONGEST_SESSION, OLDEST_ROW, shardsOf } from './session.ts';

/** Which sessions a list has. Times in epoch milliseconds. */
export type SessionQuery = {
  /** The user's name as tables hold it. */
  readonly user: string | undefined;
  readonly subject: string | undefined;
  readonly profile: string | undefined;
  /** By the status that is shown of a session, whatever stands in its row. */
  readonly status: 'active' | 'revoked' | 'expired' | undefined;
  /** Opened at or after `since`, and before `until`. */
  readonly since: number | undefined;
  readonly until: number | undefined;
};

/** The query of a list of all sessions. */
export const ALL_SESSIONS: SessionQuery = {
  user: undefined,
  subject: undefined,
  profile: undefined,
  status: undefined,
  since: undefined,
  until: undefined,
};

/** The attribute by which rows are found; its index is `gsi-<way>`. */
export type Way = 'user' | 'profile' | 'shard' | 'status';

/**
 * The ways to find the rows of a query, the best first. `status` is for a table of Sentinel's
 * without `gsi-shard`.
 */
export function waysOf({ user, profile }: SessionQuery): readonly [Way, ...Way[]] {
  if (user !== undefined) return ['user'];
  return profile === undefined ? ['shard', 'status'] : ['profile'];
}

/**
 * One stretch of a list, usually a day, whose rows are read from several keys of the index and
 * merged.
 */
export type Leg = {
  readonly name: string;
  /** The values of the index's key. */
  readonly lanes: readonly string[];
  /** The bounds of `created_at`, both included; if `low` is above `high` there can be no row. */
  readonly low: string;
  readonly high: string;
};

/** How the rows of a query are read: leg after leg, the newest rows first. */
export type Plan = {
  readonly way: Way;
  readonly first: Leg;
  readonly after: (leg: Leg) => Leg | undefined;
  /**
   * The leg of a name, and the lowest `created_at` that the query allows; undefined if there is no
   * such leg.
   */
  readonly find: (name: string) => { readonly leg: Leg; readonly lowest: string } | undefined;
};

/** The bounds of all times with a year of four digits, as texts that sort like time. */
const EARLIEST = '0000-01-01T00:00:00.000Z';
const LATEST = '9999-12-31T23:59:59.999Z';

/**
 * How far the clocks of other instances may be ahead: a list begins with the day of that moment.
 */
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

/**
 * The earliest moment at which a row of a query can have been opened; older rows are not looked
 * for.
 */
function oldestOf({ status }: SessionQuery, way: Way, now: number): string {
  if (status === 'active') return isoOf(now - LONGEST_SESSION);
  return way === 'shard' ? isoOf(now - OLDEST_ROW) : EARLIEST;
}

/** The states that a row may have in the table if its session is shown with this status. */
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

  return { way, first, after: noLeg, find };
}

/** What comes after the only leg of a plan. */
function noLeg(): undefined {
  return undefined;
}

type Bounds = {
  readonly lowest: string;
  readonly low: string;
  readonly highest: string;
  readonly now: number;
};

/** Plans one leg a day, from the newest day that can have rows to the oldest. */
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

  function after({ name }: Leg): Leg | undefined {
    const before = dayOf(Date.parse(name) - DAY);
    // The day before the first of the year 0 has a longer name.
    return name > low.slice(0, 10) && before.length === name.length ? legOf(before) : undefined;
  }

  function find(name: string): ReturnType<Plan['find']> {
    // An instance whose clock is ahead of this one's may have begun with the next day.
    const isDay = isDate(name) && name <= newest(now + AHEAD + DAY);
    return isDay ? { leg: legOf(name), lowest: later(lowest, `${name}T00:00:00.000Z`) } : undefined;
  }

  return { way: 'shard', first: legOf(newest(now + AHEAD)), after, find };
}

function isDate(text: string): boolean {
  const ms = /^\d{4}-\d{2}-\d{2}$/u.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && dayOf(ms) === text;
}
