import { createHash } from 'node:crypto';
import { parseStrictJson } from '../lib/strict-json.ts';
import type { Leg, Plan, SessionQuery, Way } from './list-plan.ts';

/**
 * Where a list stopped: everything newer than `at` has been read, and of what was opened at that
 * very moment, in each lane all to the row of `ids`. A lane without one has read nothing of that
 * moment.
 *
 *     lane 0   r1 r2 ─┬─ r5          at = created_at of r3, the last row that was read
 *     lane 1     r3 ──┘    r6        ids = ['', 'r3']
 */
export type Place = {
  /** The name of the leg. */
  readonly leg: string;
  /** Empty at the beginning of the leg. */
  readonly at: string;
  readonly ids: readonly string[];
};

/** A place, and the query that it is of. */
export type Token = { readonly mark: string; readonly place: Place };

/** Sixteen of the longest ids, and all the rest, stay under 2 KB in base64. */
const MAX_AT = 40;
const MAX_ID = 48;

function isShort(text: string, most: number): boolean {
  return text.length <= most && /^[\u0021-\u007e]+$/u.test(text);
}

/**
 * Whether a row's key can stand in a token. The TVM's keys have 16 and 24 characters, and
 * Sentinel's 35 at most; what is longer, or is no plain text, is nobody's session.
 */
export function isSpeakable(id: string, openedAt: string): boolean {
  return isShort(id, MAX_ID) && isShort(openedAt, MAX_AT);
}

/** A text that stands for a query and the way in which its rows are found. */
export function markOf(query: SessionQuery, way: Way): string {
  const { user, subject, profile, status, since, until } = query;
  const text = JSON.stringify([way, user, subject, profile, status, since, until]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 11);
}

export function toToken({ mark, place: { leg, at, ids } }: Token): string {
  return Buffer.from(JSON.stringify({ mark, leg, at, ids })).toString('base64url');
}

/** Reads a token; undefined for what has not its form. */
export function fromToken(token: string): Token | undefined {
  const bytes = Buffer.from(token, 'base64url');
  // Decoding passes over what does not belong there; encoding anew shows it.
  const json = bytes.toString('base64url') === token ? parseStrictJson(bytes) : undefined;
  if (json?.ok !== true || typeof json.value !== 'object' || json.value === null) return undefined;
  const { mark, leg, at, ids, ...more } = json.value as Readonly<Record<string, unknown>>;
  const isText = typeof mark === 'string' && typeof leg === 'string' && typeof at === 'string';
  if (!isText || !isTexts(ids) || Object.keys(more).length > 0) return undefined;
  return { mark, place: { leg, at, ids } };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/**
 * The leg to go on with; undefined for a place that a query cannot have stopped at. A token is no
 * secret and grants nothing: it says where in the caller's own query to go on. But what DynamoDB
 * would refuse as a start key must be refused here, or it would pass for an outage.
 */
export function resume(plan: Plan, { leg: name, at, ids }: Place): Leg | undefined {
  const found = plan.find(name);
  if (found === undefined) return undefined;
  const { leg, lowest } = found;
  if (at === '') return ids.length === 0 ? leg : undefined;
  const isPlace = isShort(at, MAX_AT) && at >= lowest && at <= leg.high && ids.length === leg.lanes.length;
  return isPlace && ids.every((id) => id === '' || isShort(id, MAX_ID)) ? leg : undefined;
}

/**
 * The text that fits in a token next to a row's `created_at`, at or below it: between the two there
 * are only rows whose own text fits in none.
 */
export function toSpeakable(openedAt: string): string {
  const plain = /^[\u0021-\u007e]*/u.exec(openedAt)?.[0] ?? '';
  const isAbovePlain = openedAt.charAt(plain.length) > '~';
  return (isAbovePlain ? plain.padEnd(MAX_AT, '~') : plain).slice(0, MAX_AT);
}
