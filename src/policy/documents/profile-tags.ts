import * as v from 'valibot';
import { dictionary, type Schema } from '../reading/schema.ts';
import { crossCheck, type CrossFinding } from '../reading/cross-check.ts';
import { quote } from '../reading/problem.ts';

/** STS accepts 50 session tags, five of which are the TVM's own. */
const MAX_TAGS = 45;

/**
 * STS packs all session tags into a format whose size is limited, and cannot be known in advance
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, "PackedPolicySize").
 * Nine tags of 2 + 250 characters took 498 % of it
 * (https://github.com/aws-actions/configure-aws-credentials/issues/1898), and tags add up
 * (https://github.com/aws/containers-roadmap/issues/2413), so 455 characters of keys and values
 * fill it.
 */
const PACKED_CHARACTERS = 455;

/**
 * The TVM's own five tags: their keys, the ids of a session and a request, and the shortest
 * possible names.
 */
const OWN_KEYS = [
  'SentinelSessionID',
  'SentinelUser',
  'SentinelPrincipal',
  'SentinelProfile',
  'SentinelRequestID',
];
const IDS = 16 + 16;
const OWN_WITHOUT_NAMES = OWN_KEYS.join('').length + IDS;
const SHORTEST_NAMES = 'key/a'.length + 'sentinel:key/A'.length + 'p'.length;

/** Characters of a profile's tags, beyond which not even the caller with the shortest name fits. */
const MAX_CHARACTERS = PACKED_CHARACTERS - OWN_WITHOUT_NAMES - SHORTEST_NAMES;

/** The longest names that a session of a role can have: the caller's name, and its principal. */
const LONGEST_ROLE = `role/${'R'.repeat(64)}`;
const LONGEST_NAMES = LONGEST_ROLE.length + `arn:aws:iam::111122223333:${LONGEST_ROLE}`.length;

function sizeOf(tags: Iterable<readonly [key: string, value: string]>): number {
  return [...tags].reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}

/**
 * Whether a profile's tags leave room for the TVM's own tags of every role that may ask for it. If
 * not, STS refuses callers with long names.
 */
export function leaveRoomForRoles(
  profileName: string,
  tags: Iterable<readonly [key: string, value: string]>,
): boolean {
  return sizeOf(tags) + OWN_WITHOUT_NAMES + LONGEST_NAMES + profileName.length <= PACKED_CHARACTERS;
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html */
const KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/**
 * Folds case as IAM does, for which keys that differ only in case are the same. Also folds letters
 * like ſ and K.
 */
function fold(key: string): string {
  return key.toLowerCase().toUpperCase();
}

const RESERVED = ['SENTINEL', 'AWS:'] as const;

function checkKey(key: string, keys: readonly string[]): string | undefined {
  if (!KEY.test(key)) return `the tag's key must be 1 to 128 letters, digits, spaces and _.:/=+-@`;
  if (RESERVED.some((prefix) => fold(key).startsWith(prefix)))
    return "the tag's key must not begin with sentinel or aws:";
  const twin = keys.find((other) => other !== key && fold(other) === fold(key));
  return twin === undefined
    ? undefined
    : `differs from ${quote(twin)} only in case, and is the same key for IAM`;
}

function checkTags(tags: Readonly<Record<string, string>>): readonly CrossFinding[] {
  const keys = Object.keys(tags);
  return keys.flatMap((key) => {
    const message = checkKey(key, keys);
    return message === undefined ? [] : [{ key, message }];
  });
}

const value: Schema<string> = v.pipe(
  v.string('must be text; put it in quotes'),
  v.regex(VALUE, 'must be at most 256 letters, digits, spaces and _.:/=+-@'),
);

function tooLong(size: number): string {
  return (
    `take ${size} characters of keys and values; STS accepts at most about ${MAX_CHARACTERS} beside the TVM's own tags; ` +
    'write shorter or fewer tags'
  );
}

/**
 * A profile's own session tags: those that STS accepts, and whose keys nobody can mistake for the
 * TVM's.
 */
export const profileTags: Schema<Record<string, string>> = v.pipe(
  dictionary(value),
  v.check((tags) => Object.keys(tags).length <= MAX_TAGS, `must be at most ${MAX_TAGS} tags`),
  v.check(
    (tags) => sizeOf(Object.entries(tags)) <= MAX_CHARACTERS,
    ({ input }) => tooLong(sizeOf(Object.entries(input))),
  ),
  crossCheck(checkTags),
  v.description(
    'Keys are 1 to 128 letters, digits, spaces and _.:/=+-@, differ in more than case, and do not begin with ' +
      'sentinel or aws:.',
  ),
);
