import { createHash } from 'node:crypto';
import { parseStrictJson } from '../lib/strict-json.ts';
import type { Leg, Plan, SessionQuery, Way } from './list-plan.ts';

/**
 * Where a list stopped. Everything newer than `at` has been read; of the sessions opened at that
 * very moment, each lane has been read up to the row of its id in `ids`. A lane with an empty id
 * has read nothing of that moment.
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

/** A place, and a mark of the query that it belongs to. */
export type Token = { readonly mark: string; readonly place: Place };

/**
 * The longest texts of a token: sixteen of the longest ids, and all the rest, stay under 2 KB in
 * base64.
 */
const MAX_AT = 40;
const MAX_ID = 48;

function isShort(text: string, most: number): boolean {
  return text.length <= most && /^[\u0021-\u007e]+$/u.test(text);
}

/**
 * Whether a row's key fits in a token. The TVM's keys have 16 and 24 characters, and Sentinel's at
 * most 35: a longer one, or one with other characters than printable ASCII, is no session's.
 */
export function isSpeakable(id: string, openedAt: string): boolean {
  return isShort(id, MAX_ID) && isShort(openedAt, MAX_AT);
}

/** A short text that identifies a query and the way in which its rows are found. */
export function markOf(query: SessionQuery, way: Way): string {
  const { user, subject, profile, status, since, until } = query;
  const text = JSON.stringify([way, user, subject, profile, status, since, until]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 11);
}

/** A place as an opaque text for the caller. */
export function toToken({ mark, place: { leg, at, ids } }: Token): string {
  return Buffer.from(JSON.stringify({ mark, leg, at, ids })).toString('base64url');
}

/** Reads a token; undefined for any other text. */
export function fromToken(token: string): Token | undefined {
  const bytes = Buffer.from(token, 'base64url');
  // Decoding skips characters that do not belong there; encoding the bytes again reveals it.
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
 * The leg to continue with; undefined for a place at which the query cannot have stopped. A token
 * is no secret and grants nothing: it says where to continue in the caller's own query. But a start
 * key that DynamoDB would refuse must be refused here, or it would look like an outage.
 */
export function resume(plan: Plan, { leg: name, at, ids }: Place): Leg | undefined {
  const found = plan.find(name);
  if (found === undefined) return undefined;
  const { leg, lowest } = found;
  if (at === '') return ids.length === 0 ? leg : undefined;
  const isPlace =
    isShort(at, MAX_AT) && at >= lowest && at <= leg.high && ids.length === leg.lanes.length;
  return isPlace && ids.every((id) => id === '' || isShort(id, MAX_ID)) ? leg : undefined;
}

/**
 * The greatest text at or below a row's `created_at` that fits in a token. Between the two there
 * are only rows whose own text does not fit.
 */
export function toSpeakable(openedAt: string): string {
  const plain = /^[\u0021-\u007e]*/u.exec(openedAt)?.[0] ?? '';
  const isAbovePlain = openedAt.charAt(plain.length) > '~';
  return (isAbovePlain ? plain.padEnd(MAX_AT, '~') : plain).slice(0, MAX_AT);
}
