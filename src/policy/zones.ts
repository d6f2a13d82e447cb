import { nearest } from '../lib/nearest.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { quote } from './reading/problem.ts';
import { canonicalZone, isZone } from './time-window.ts';

/**
 * Abbreviations, with the zone that people most likely mean by them. Computers often take them for
 * another one: BST is Dhaka's, CST and IST are used by several countries, and EST has no summer
 * time.
 */
const LIKELY: Readonly<Record<string, string>> = {
  acst: 'Australia/Darwin',
  act: 'Australia/Darwin',
  adt: 'America/Halifax',
  aest: 'Australia/Sydney',
  aet: 'Australia/Sydney',
  agt: 'America/Argentina/Buenos_Aires',
  akst: 'America/Anchorage',
  ast: 'America/Halifax',
  awst: 'Australia/Perth',
  bst: 'Europe/London',
  cat: 'Africa/Maputo',
  cdt: 'America/Chicago',
  cest: 'Europe/Berlin',
  cet: 'Europe/Berlin',
  cnt: 'America/St_Johns',
  cst: 'America/Chicago',
  cst6cdt: 'America/Chicago',
  eat: 'Africa/Nairobi',
  ect: 'America/Guayaquil',
  edt: 'America/New_York',
  eest: 'Europe/Athens',
  eet: 'Europe/Athens',
  est: 'America/New_York',
  est5edt: 'America/New_York',
  gmt: 'UTC or Europe/London',
  hkt: 'Asia/Hong_Kong',
  hst: 'Pacific/Honolulu',
  iet: 'America/Indiana/Indianapolis',
  ist: 'Asia/Kolkata',
  jst: 'Asia/Tokyo',
  kst: 'Asia/Seoul',
  mdt: 'America/Denver',
  met: 'Europe/Berlin',
  msk: 'Europe/Moscow',
  mst: 'America/Denver',
  mst7mdt: 'America/Denver',
  net: 'Asia/Yerevan',
  nst: 'America/St_Johns',
  nzst: 'Pacific/Auckland',
  pdt: 'America/Los_Angeles',
  pnt: 'America/Phoenix',
  prt: 'America/Puerto_Rico',
  pst: 'America/Los_Angeles',
  pst8pdt: 'America/Los_Angeles',
  sast: 'Africa/Johannesburg',
  sgt: 'Asia/Singapore',
  sst: 'Pacific/Pago_Pago',
  vst: 'Asia/Ho_Chi_Minh',
  wat: 'Africa/Lagos',
  west: 'Europe/Lisbon',
  wet: 'Europe/Lisbon',
  z: 'UTC',
};

/** Other names for UTC. */
const UTC = /^(?:etc\/)?(?:gmt[+-]?0?|greenwich|uct|universal|zulu)$/iu;

/**
 * Zones by the last part of their names in lower case. Made when a document first has a wrong zone,
 * and kept for the life of the process; bounded by the some 420 zones that exist.
 */
let places: ReadonlyMap<string, string> | undefined;

function placeOf(zone: string): string {
  return zone.slice(zone.lastIndexOf('/') + 1).toLowerCase();
}

function zoneOfPlace(place: string): string | undefined {
  places ??= new Map(Intl.supportedValuesOf('timeZone').map((zone) => [placeOf(zone), zone]));
  return places.get(place);
}

/**
 * Checks that a text of `timezone` is `Area/Location` of the IANA database, or UTC. Refuses other
 * texts with a sentence that suggests the likely zone: abbreviations are ambiguous, and offsets
 * have no summer time. Gives the text back.
 */
export function checkZone(text: string): Result<string, string> {
  if (isZone(text)) return ok(text);
  const likely = likelyZone(text);
  const hint = likely === undefined ? '' : `; write ${likely}`;
  return refuse(`${quote(text)} is neither an IANA time zone like Europe/Berlin nor UTC${hint}`);
}

function likelyZone(text: string): string | undefined {
  const key = text.trim().toLowerCase();
  const known = Object.hasOwn(LIKELY, key) ? LIKELY[key] : undefined;
  if (known !== undefined) return known;
  if (UTC.test(key)) return 'UTC';
  if (/^(?:(?:etc\/)?(?:gmt|utc))?[+-]\d/u.test(key))
    return 'the zone of the place whose clock you mean';
  const place = zoneOfPlace(placeOf(key).replaceAll(' ', '_'));
  if (place !== undefined) return place;
  const canonical = canonicalZone(key);
  return canonical !== undefined && isZone(canonical) ? canonical : nearestZone(key);
}

/**
 * The nearest zone of the same area. Comparing a text with all zones would take too long for a
 * hundred such texts.
 */
function nearestZone(key: string): string | undefined {
  const area = /^[a-z]+\//u.exec(key)?.[0];
  if (area === undefined || key.length > 40) return undefined;
  const candidates = Intl.supportedValuesOf('timeZone').filter((zone) =>
    zone.toLowerCase().startsWith(area),
  );
  const near = nearest(
    key,
    candidates.map((zone) => zone.toLowerCase()),
  );
  return candidates.find((zone) => zone.toLowerCase() === near);
}
