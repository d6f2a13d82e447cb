import * as v from 'valibot';
import { crossCheck, dictionary, type CrossFinding, type Schema } from '../reading/schema.ts';
import { quote } from '../reading/problem.ts';

/** STS takes 50 session tags; five are the TVM's own. */
const MAX_TAGS = 45;

/**
 * STS packs all session tags into a form whose size it limits and does not tell beforehand
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, "PackedPolicySize"). Nine tags of 2 + 250
 * characters took 498 % of it (https://github.com/aws-actions/configure-aws-credentials/issues/1898), and tags add up
 * (https://github.com/aws/containers-roadmap/issues/2413), so 455 characters of keys and values fill it.
 */
const PACKED_CHARACTERS = 455;

/** The keys of the TVM's five tags, a session's and a request's id, and the shortest caller and profile there can be. */
const OWN_KEYS = ['SentinelSessionID', 'SentinelUser', 'SentinelPrincipal', 'SentinelProfile', 'SentinelRequestID'];
const IDS = 16 + 16;
const OWN_WITHOUT_NAMES = OWN_KEYS.join('').length + IDS;
const SHORTEST_NAMES = 'key/a'.length + 'sentinel:key/A'.length + 'p'.length;

/** What no caller at all leaves room for. */
const MAX_CHARACTERS = PACKED_CHARACTERS - OWN_WITHOUT_NAMES - SHORTEST_NAMES;

/** The longest names of a role's session: of the role, and its principal. */
const LONGEST_ROLE = `role/${'R'.repeat(64)}`;
const LONGEST_NAMES = LONGEST_ROLE.length + `arn:aws:iam::111122223333:${LONGEST_ROLE}`.length;

function sizeOf(tags: Iterable<readonly [key: string, value: string]>): number {
  return [...tags].reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}

/**
 * Whether a profile's tags leave room for those of every role that asks for it. Where they do not, STS refuses callers with
 * long names.
 */
export function leaveRoomForRoles(profileName: string, tags: Iterable<readonly [key: string, value: string]>): boolean {
  return sizeOf(tags) + OWN_WITHOUT_NAMES + LONGEST_NAMES + profileName.length <= PACKED_CHARACTERS;
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html */
const KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/** Keys that differ only in case are one key to IAM; letters with several cases (ſ, K) are folded too. */
function fold(key: string): string {
  return key.toLowerCase().toUpperCase();
}

const RESERVED = ['SENTINEL', 'AWS:'] as const;

function checkKey(key: string, keys: readonly string[]): string | undefined {
  if (!KEY.test(key)) return `the tag's key must be 1 to 128 letters, digits, spaces and _.:/=+-@`;
  if (RESERVED.some((prefix) => fold(key).startsWith(prefix))) return 'tags must not begin with sentinel or aws:';
  const twin = keys.find((other) => other !== key && fold(other) === fold(key));
  return twin === undefined ? undefined : `differs from ${quote(twin)} only in case`;
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
    `take ${size} characters of keys and values, and STS packs at most about ${MAX_CHARACTERS} beside the TVM's own tags; ` +
    'write shorter or fewer ones'
  );
}

/** A profile's own session tags: what STS accepts, and no name that could pass for one of the TVM's. */
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
