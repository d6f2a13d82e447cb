import type { AccessConditions, AccessRule } from './documents/access-policy.ts';
import { hasWildcard, matchesPattern } from './arn-pattern.ts';
import { minuteOfDay, WEEKDAYS, type TimeWindow } from './time-window.ts';

const MINUTES_PER_DAY = 24 * 60;

function share(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === undefined || b === undefined || a.some((item) => b.includes(item));
}

/**
 * Assumes that two patterns with wildcards overlap: a needless warning is better than a missing
 * one.
 */
function mayShareText(a: string, b: string): boolean {
  if (hasWildcard(a) && hasWildcard(b)) return true;
  return hasWildcard(a) ? matchesPattern(a, b) : matchesPattern(b, a);
}

function sharePrincipals(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): boolean {
  return (
    a === undefined ||
    b === undefined ||
    a.some((left) => b.some((right) => mayShareText(left, right)))
  );
}

/**
 * The minutes of a week that a window covers, as spans from Sunday 00:00. A span that crosses into
 * Sunday is split.
 */
function weeklySpans({
  days = WEEKDAYS,
  hours,
}: TimeWindow): readonly (readonly [number, number])[] {
  const start = hours === undefined ? 0 : minuteOfDay(hours.start);
  const end = hours === undefined ? MINUTES_PER_DAY : minuteOfDay(hours.end);
  const length = start < end ? end - start : end - start + MINUTES_PER_DAY;
  const week = WEEKDAYS.length * MINUTES_PER_DAY;
  return days.flatMap((day) => {
    const from = WEEKDAYS.indexOf(day) * MINUTES_PER_DAY + start;
    const to = from + length;
    return to <= week ? [[from, to] as const] : [[from, week] as const, [0, to - week] as const];
  });
}

/** Whether two windows have the same time zone. Windows of different zones are not compared. */
export function sameZone(a: TimeWindow, b: TimeWindow): boolean {
  return (a.timezone ?? 'UTC').toLowerCase() === (b.timezone ?? 'UTC').toLowerCase();
}

/** Whether two windows of the same zone have a minute in common. */
export function windowsOverlap(a: TimeWindow, b: TimeWindow): boolean {
  const others = weeklySpans(b);
  return weeklySpans(a).some(([from, to]) =>
    others.some(([start, end]) => from < end && start < to),
  );
}

/** Whether some request could meet both rules' conditions, apart from their times. */
export function callersOverlap(a: AccessConditions, b: AccessConditions): boolean {
  return (
    share(a.profiles, b.profiles) &&
    share(a.users, b.users) &&
    share(a.accounts, b.accounts) &&
    share(a.principal_ids, b.principal_ids) &&
    sharePrincipals(a.principals, b.principals)
  );
}

/** Whether a rule can never match on this server, whatever the request. */
export function isNeverMet({ effect, conditions: { mode, device } }: AccessRule): boolean {
  return (
    (mode !== undefined && !mode.includes('server')) || (device !== undefined && effect !== 'deny')
  );
}

const LISTS = ['profiles', 'users', 'accounts', 'principal_ids', 'principals'] as const;

/**
 * Whether an earlier rule's conditions hold whenever a later rule's do: each is absent, or a list
 * that contains the later one, or the same window. Says no in cases that would take more to prove.
 * {@link isNeverMet} looks at mode and device.
 */
export function covers(earlier: AccessConditions, later: AccessConditions): boolean {
  return (
    LISTS.every((name) => {
      const wide = earlier[name];
      return wide === undefined || (later[name]?.every((item) => wide.includes(item)) ?? false);
    }) &&
    (earlier.time === undefined ||
      (later.time !== undefined && coversTime(earlier.time, later.time)))
  );
}

function coversTime(earlier: TimeWindow, later: TimeWindow): boolean {
  return (
    sameZone(earlier, later) &&
    JSON.stringify(weeklySpans(earlier)) === JSON.stringify(weeklySpans(later))
  );
}
