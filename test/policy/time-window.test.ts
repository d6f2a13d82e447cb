import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileTimeWindow,
  isZone,
  momentAt,
  WEEKDAYS,
  type TimeWindow,
  type Weekday,
} from '../../src/policy/time-window.ts';
import { windows } from './support.ts';

const ZONES = [
  'UTC',
  'America/New_York',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Europe/Berlin',
];

/**
 * Local time, computed in another way than the code does: from the text of a locale that writes
 * dates as ISO does.
 */
function wallClock(now: number, zone: string): { readonly day: Weekday; readonly time: string } {
  const [date = '', time = ''] = new Date(now)
    .toLocaleString('sv-SE', { timeZone: zone })
    .split(' ');
  const day = WEEKDAYS[new Date(`${date}T00:00:00Z`).getUTCDay()];
  if (day === undefined) throw new Error(`no weekday for ${date}`);
  return { day, time: time.slice(0, 5) };
}

function two(value: number) {
  return String(value).padStart(2, '0');
}

/**
 * Every minute of the week that a window covers, found by counting minutes from each start to the
 * end.
 */
function coveredMinutes({ days = WEEKDAYS, hours }: TimeWindow): ReadonlySet<string> {
  const covered = new Set<string>();
  for (const startDay of days) {
    let [hour = 0, minute = 0] = (hours?.start ?? '00:00').split(':').map(Number);
    let day = WEEKDAYS.indexOf(startDay);
    do {
      covered.add(`${WEEKDAYS[day]} ${two(hour)}:${two(minute)}`);
      minute += 1;
      if (minute === 60) [hour, minute] = [hour + 1, 0];
      if (hour === 24) [hour, day] = [0, (day + 1) % 7];
    } while (`${two(hour)}:${two(minute)}` !== (hours?.end ?? '00:00'));
  }
  return covered;
}

function covers(window: TimeWindow, now: number): boolean {
  return compileTimeWindow(window)(momentAt(now));
}

/** Instants near clock changes and a change of the date line, where arithmetic may go wrong. */
const EDGES = [
  '2026-03-08T07:00:00Z', // New York: 02:00 becomes 03:00
  '2026-11-01T06:00:00Z', // New York: 02:00 becomes 01:00
  '2026-04-04T15:00:00Z', // Lord Howe: 02:00 becomes 01:30
  '2026-10-03T15:30:00Z', // Lord Howe: 02:00 becomes 02:30
  '2011-12-30T10:00:00Z', // Apia: 30 December does not happen
  '2026-01-05T18:15:00Z', // Kathmandu: midnight
  '2026-01-04T00:00:00Z', // UTC: Saturday becomes Sunday
].map((instant) => Date.parse(instant));

const instants = fc.oneof(
  fc
    .tuple(fc.constantFrom(...EDGES), fc.integer({ min: -172_800_000, max: 172_800_000 }))
    .map(([edge, off]) => edge + off),
  fc
    .tuple(fc.constantFrom(...EDGES), fc.constantFrom(-60_000, -1, 0, 1, 59_999, 60_000))
    .map(([edge, off]) => edge + off),
  fc.integer({ min: 0, max: Date.parse('2040-01-01T00:00:00Z') }),
);

describe('compileTimeWindow and momentAt', () => {
  it('agree with a naive implementation in every zone, at any instant, over clock changes', () => {
    fc.assert(
      fc.property(windows, instants, (window, now) => {
        const { day, time } = wallClock(now, window.timezone ?? 'UTC');
        expect(covers(window, now)).toBe(coveredMinutes(window).has(`${day} ${time}`));
      }),
      { numRuns: 500 },
    );
  });

  it('give the local time of every zone at one moment', () => {
    fc.assert(
      fc.property(instants, (now) => {
        const moment = momentAt(now);
        for (const zone of [...ZONES, ...ZONES]) {
          const { day, time } = wallClock(now, zone);
          const [hour = 0, minute = 0] = time.split(':').map(Number);
          expect(moment.local(zone)).toEqual({
            weekday: WEEKDAYS.indexOf(day),
            minute: hour * 60 + minute,
          });
        }
        expect(moment.local(undefined)).toEqual(moment.local('UTC'));
      }),
    );
  });

  it('compute the local time of a zone once for each moment', () => {
    const moment = momentAt(EDGES[0] ?? 0);
    expect(moment.local('Asia/Kathmandu')).toBe(moment.local('Asia/Kathmandu'));
    expect(moment.local(undefined)).toBe(moment.local(undefined));
  });
});

function at(timezone: string, start: string, end: string): TimeWindow {
  return { timezone, hours: { start, end } };
}

describe('compileTimeWindow', () => {
  it.each<[what: string, window: TimeWindow, instant: string, expected: boolean]>([
    [
      'the hour that New York skips',
      at('America/New_York', '02:00', '03:00'),
      '2026-03-08T07:00:00Z',
      false,
    ],
    [
      'the hour after the one that New York skips',
      at('America/New_York', '03:00', '04:00'),
      '2026-03-08T07:00:00Z',
      true,
    ],
    [
      'the hour that New York repeats, the first time',
      at('America/New_York', '01:00', '02:00'),
      '2026-11-01T05:30:00Z',
      true,
    ],
    [
      'the hour that New York repeats, the second time',
      at('America/New_York', '01:00', '02:00'),
      '2026-11-01T06:30:00Z',
      true,
    ],
    [
      'a minute in Kathmandu, which is 5:45 hours from UTC',
      at('Asia/Kathmandu', '17:45', '17:46'),
      '2026-01-05T12:00:00Z',
      true,
    ],
    [
      'a minute in summer on Lord Howe, where clocks change by half an hour',
      at('Australia/Lord_Howe', '02:30', '02:31'),
      '2026-10-03T15:30:00Z',
      true,
    ],
    [
      'the half hour that Lord Howe skips',
      at('Australia/Lord_Howe', '02:00', '02:30'),
      '2026-10-03T15:30:00Z',
      false,
    ],
    [
      'the Saturday after the Friday that Apia skipped',
      { days: ['saturday'], timezone: 'Pacific/Apia' },
      '2011-12-30T10:00:00Z',
      true,
    ],
    [
      'the Thursday before the Friday that Apia skipped',
      { days: ['thursday'], timezone: 'Pacific/Apia' },
      '2011-12-30T09:59:59Z',
      true,
    ],
    [
      'midnight as minute zero',
      at('Europe/Berlin', '00:00', '00:01'),
      '2026-01-04T23:00:00Z',
      true,
    ],
    [
      'the last minute of a window over Saturday night',
      { days: ['saturday'], hours: { start: '22:00', end: '06:00' } },
      '2026-01-04T05:59:59Z',
      true,
    ],
    [
      'the minute that an overnight window leaves out',
      { hours: { start: '12:01', end: '12:00' } },
      '2026-01-05T12:00:30Z',
      false,
    ],
  ])('covers, or does not cover, %s', (_what, window, instant, expected) => {
    expect(covers(window, Date.parse(instant))).toBe(expected);
  });
});

describe('isZone', () => {
  it.each([
    ...ZONES,
    'America/Argentina/Buenos_Aires',
    'US/Pacific',
    'utc',
    'Etc/UTC',
    'Asia/Calcutta',
  ])('accepts %s', (zone) => {
    expect(isZone(zone)).toBe(true);
  });

  it.each([
    '',
    'Local',
    'LOCALTIME',
    'posixrules',
    'Factory',
    'Etc/Unknown',
    '+05:00',
    '-05',
    '05:00',
    'GMT+5',
    'UTC ',
    '../etc',
    'America/',
    'Nowhere',
    'Etc/GMT+5',
    'EST5EDT',
    'BST',
    'EST',
    'GMT',
    'Japan',
    'SystemV/EST5',
  ])('refuses %j', (zone) => {
    expect(isZone(zone)).toBe(false);
  });
});
