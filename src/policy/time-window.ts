/** Sentinel's names of the days. Sunday is first, as in JavaScript. */
export const WEEKDAYS = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const;

export type Weekday = (typeof WEEKDAYS)[number];

/**
 * When a rule applies, as documents write it. No `days` is every day, no `hours` is the whole day,
 * no zone is UTC.
 */
export type TimeWindow = {
  readonly days?: readonly Weekday[];
  /**
   * `HH:MM`. The start is inclusive, the end exclusive. An end before the start is on the next day.
   */
  readonly hours?: { readonly start: string; readonly end: string };
  /** A name of the IANA time zone database. */
  readonly timezone?: string;
};

/** Local time: the weekday (0 is Sunday) and the minute of the day. */
type LocalTime = { readonly weekday: number; readonly minute: number };

/**
 * One instant, with its local time in every zone, which is computed on first use and once a zone.
 */
export type Moment = { readonly local: (zone: string | undefined) => LocalTime };

const MINUTES_PER_HOUR = 60;

/** Names that mean the host's own zone or no zone in the libraries that know them. */
const NOT_A_ZONE = /^(?:local|localtime|posixrules|factory|etc\/unknown)$/iu;

const ZONE_NAME = /^[A-Za-z][\w+-]*(?:\/[\w+-]+)*$/u;

/**
 * A formatter for each zone, by its name in lower case, for the life of the process, because making
 * one costs far more than using it. Bounded by the some 600 names that exist.
 */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: string): Intl.DateTimeFormat {
  const key = zone.toLowerCase();
  const known = formatters.get(key);
  if (known !== undefined) return known;
  const options = {
    timeZone: zone,
    hourCycle: 'h23',
    weekday: 'long',
    hour: '2-digit',
    minute: '2-digit',
  } as const;
  const formatter = new Intl.DateTimeFormat('en-US', options);
  formatters.set(key, formatter);
  return formatter;
}

/**
 * Areas that are not places: `Etc` has offsets with the sign reversed (`Etc/GMT+5` is five hours
 * behind UTC), `SystemV` has rules of its own. Of these only `Etc/UTC` is accepted.
 */
const NO_PLACE = /^(?:etc|systemv)\//iu;

const IS_UTC = /^(?:etc\/)?utc$/iu;

/**
 * Whether documents may use a text as a zone: `Area/Location` of the IANA database, or UTC.
 * Abbreviations are not accepted, because they often mean another country's zone (`BST` is
 * Asia/Dhaka), nor are offsets, nor what depends on the host.
 */
export function isZone(zone: string): boolean {
  if (IS_UTC.test(zone)) return true;
  return zone.includes('/') && !NO_PLACE.test(zone) && canonicalZone(zone) !== undefined;
}

/** The name that `Intl` has for the zone that a text names; undefined if it knows no such zone. */
export function canonicalZone(zone: string): string | undefined {
  if (!ZONE_NAME.test(zone) || NOT_A_ZONE.test(zone)) return undefined;
  try {
    return formatterOf(zone).resolvedOptions().timeZone;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function localTime(now: number, zone: string | undefined): LocalTime {
  if (zone === undefined) {
    const date = new Date(now);
    return {
      weekday: date.getUTCDay(),
      minute: date.getUTCHours() * MINUTES_PER_HOUR + date.getUTCMinutes(),
    };
  }
  const parts = new Map(
    formatterOf(zone)
      .formatToParts(now)
      .map(({ type, value }) => [type, value]),
  );
  return {
    weekday: WEEKDAYS.indexOf((parts.get('weekday') ?? '').toLowerCase() as Weekday),
    minute: Number(parts.get('hour')) * MINUTES_PER_HOUR + Number(parts.get('minute')),
  };
}

/**
 * The moment at epoch milliseconds. Throws a RangeError if that is not an instant: a window must
 * not fail silently.
 */
export function momentAt(now: number): Moment {
  if (Number.isNaN(new Date(now).getTime())) throw new RangeError(`${now} is not an instant`);
  const known = new Map<string | undefined, LocalTime>();
  function local(zone: string | undefined): LocalTime {
    const time = known.get(zone) ?? localTime(now, zone);
    known.set(zone, time);
    return time;
  }
  return { local };
}

/** The minute of the day of `HH:MM`. */
export function minuteOfDay(time: string): number {
  return Number(time.slice(0, 2)) * MINUTES_PER_HOUR + Number(time.slice(3, 5));
}

/**
 * Compiles a window that the schema accepted into a test of moments, exact to the minute of local
 * time. An overnight window belongs to the day on which it starts: Friday 22:00-06:00 reaches into
 * Saturday.
 */
export function compileTimeWindow({
  days,
  hours,
  timezone,
}: TimeWindow): (moment: Moment) => boolean {
  const onDay = new Set(
    days === undefined ? WEEKDAYS.keys() : days.map((day) => WEEKDAYS.indexOf(day)),
  );
  function startsOn(weekday: number): boolean {
    return onDay.has((weekday + WEEKDAYS.length) % WEEKDAYS.length);
  }
  function coversDay(moment: Moment): boolean {
    return startsOn(moment.local(timezone).weekday);
  }
  // Make the formatter now, so that no request pays for it.
  if (timezone !== undefined) formatterOf(timezone);
  if (hours === undefined) return coversDay;
  const start = minuteOfDay(hours.start);
  const end = minuteOfDay(hours.end);
  function coversMinute(moment: Moment): boolean {
    const { weekday, minute } = moment.local(timezone);
    if (start < end) return startsOn(weekday) && start <= minute && minute < end;
    return (startsOn(weekday) && start <= minute) || (startsOn(weekday - 1) && minute < end);
  }
  return coversMinute;
}
