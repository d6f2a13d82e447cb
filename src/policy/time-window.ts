/** Sentinel's names of the days, Sunday first as in JavaScript. */
export const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;

export type Weekday = (typeof WEEKDAYS)[number];

/** When a rule applies, as the documents say it. Without `days` every day; without `hours` the whole day; no zone is UTC. */
export type TimeWindow = {
  readonly days?: readonly Weekday[];
  /** `HH:MM`, the start inclusive and the end exclusive; an end before the start lies on the next day. */
  readonly hours?: { readonly start: string; readonly end: string };
  /** A name of the IANA time zone database. */
  readonly timezone?: string;
};

/** What a clock on a wall shows: the weekday (0 is Sunday) and the minute of the day. */
type LocalTime = { readonly weekday: number; readonly minute: number };

/** One instant, with what each zone's clock shows then: converted when first asked for, once per zone. */
export type Moment = { readonly local: (zone: string | undefined) => LocalTime };

const MINUTES_PER_HOUR = 60;

/** Names that mean the host's own zone, or none, where a library knows them at all. */
const NOT_A_ZONE = /^(?:local|localtime|posixrules|factory|etc\/unknown)$/iu;

const ZONE_NAME = /^[A-Za-z][\w+-]*(?:\/[\w+-]+)*$/u;

/** Making a formatter costs far more than using one. Keyed in lower case: there are some 600 names and no more. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: string): Intl.DateTimeFormat {
  const key = zone.toLowerCase();
  const known = formatters.get(key);
  if (known !== undefined) return known;
  const options = { timeZone: zone, hourCycle: 'h23', weekday: 'long', hour: '2-digit', minute: '2-digit' } as const;
  const formatter = new Intl.DateTimeFormat('en-US', options);
  formatters.set(key, formatter);
  return formatter;
}

/**
 * Areas that name no place: offsets turned round (`Etc/GMT+5` is five hours behind UTC) and rules of their own. All that is
 * left of them is `Etc/UTC`.
 */
const NO_PLACE = /^(?:etc|systemv)\//iu;

const IS_UTC = /^(?:etc\/)?utc$/iu;

/**
 * Whether a text names a zone as documents may: `Area/Location` of the IANA database, or UTC. Nothing of one word, which
 * would be another country's zone as like as not (`BST` is Asia/Dhaka), no offsets, nothing that depends on the host.
 */
export function isZone(zone: string): boolean {
  if (IS_UTC.test(zone)) return true;
  return zone.includes('/') && !NO_PLACE.test(zone) && canonicalZone(zone) !== undefined;
}

/** What the library takes a text for, by its own name for that zone; undefined if it knows none. */
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
    return { weekday: date.getUTCDay(), minute: date.getUTCHours() * MINUTES_PER_HOUR + date.getUTCMinutes() };
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

/** The moment at epoch milliseconds. Throws a RangeError for what is no instant, as a window must not silently fail. */
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

/** `HH:MM` as the minute of the day. */
export function minuteOfDay(time: string): number {
  return Number(time.slice(0, 2)) * MINUTES_PER_HOUR + Number(time.slice(3, 5));
}

/**
 * Turns a window that the schema let through into a test of moments, to the minute of the zone's wall clock. An overnight
 * window belongs to the day on which it starts: Friday 22:00-06:00 reaches into Saturday.
 */
export function compileTimeWindow({ days, hours, timezone }: TimeWindow): (moment: Moment) => boolean {
  const onDay = new Set(days === undefined ? WEEKDAYS.keys() : days.map((day) => WEEKDAYS.indexOf(day)));
  function startsOn(weekday: number): boolean {
    return onDay.has((weekday + WEEKDAYS.length) % WEEKDAYS.length);
  }
  if (timezone !== undefined) formatterOf(timezone);
  if (hours === undefined) return (moment) => startsOn(moment.local(timezone).weekday);
  const start = minuteOfDay(hours.start);
  const end = minuteOfDay(hours.end);
  return (moment) => {
    const { weekday, minute } = moment.local(timezone);
    if (start < end) return startsOn(weekday) && start <= minute && minute < end;
    return (startsOn(weekday) && start <= minute) || (startsOn(weekday - 1) && minute < end);
  };
}
