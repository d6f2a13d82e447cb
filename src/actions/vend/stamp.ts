import { createHash } from 'node:crypto';
import type { Caller } from '../../identity/caller.ts';

/**
 * The names that stamp a session. STS takes `[\w+=,.@-]` for SourceIdentity and RoleSessionName,
 * 2-64 characters (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html), and a
 * wider class for tags. A name that had to be changed or cut ends in `.` and ten hexadecimal digits
 * of the subject's SHA-256, so that no two subjects share a stamp.
 */
const NAME_LENGTH = 64;
const SHORTEST_NAME = 2;
const TAG_VALUE_LENGTH = 256;
const NOT_IN_NAMES = /[^\w+=,.@-]/gu;
const NOT_IN_TAGS = /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu;

/** What a vend rests on: d for policy alone, a for an approval, b for break-glass. */
export type VendKind = 'd' | 'a' | 'b';

/** A name that ends as if it had been changed is changed too, or it could pass for one that was. */
const LOOKS_CHANGED = /\.[0-9a-f]{10}$/u;

/** The first half of a character that a cut has parted. */
const HALF = /[\ud800-\udbff]$/u;

/** What AWS takes for one kind of name. */
type Form = { readonly refused: RegExp; readonly longest: number; readonly shortest: number };

const ROLE_SESSION_NAME: Form = {
  refused: NOT_IN_NAMES,
  longest: NAME_LENGTH,
  shortest: SHORTEST_NAME,
};
const TAG_VALUE: Form = { refused: NOT_IN_TAGS, longest: TAG_VALUE_LENGTH, shortest: 0 };

/** The text itself where AWS takes it, or changed and marked with the subject's digest. */
function fit(text: string, subject: string, { refused, longest, shortest }: Form): string {
  const legal = text.replace(refused, '_');
  const fits = text.length <= longest && text.length >= shortest && !LOOKS_CHANGED.test(text);
  if (legal === text && fits) return text;
  const suffix = `.${createHash('sha256').update(subject).digest('hex').slice(0, 10)}`;
  return `${legal.slice(0, longest - suffix.length).replace(HALF, '')}${suffix}`;
}

/**
 * `sentinel=<kind>=<16 hex>=<user>`. The user comes last, so that it parses whatever the name
 * holds.
 */
export function toSourceIdentity(kind: VendKind, id: string, { name, subject }: Caller): string {
  const prefix = `sentinel=${kind}=${id}=`;
  const form = { refused: NOT_IN_NAMES, longest: NAME_LENGTH - prefix.length, shortest: 0 };
  return `${prefix}${fit(name, subject, form)}`;
}

/**
 * The name of the session in the protected role, as CloudTrail shows it: the caller's, in STS's
 * characters.
 */
export function toRoleSessionName({ name, subject }: Caller): string {
  return fit(name, subject, ROLE_SESSION_NAME);
}

function tagValue(text: string, subject: string): string {
  return fit(text, subject, TAG_VALUE);
}

/** The patterns that match the tag `SentinelUser` of everybody with this stored name. */
function ofName(name: string): readonly string[] {
  const legal = name.replace(NOT_IN_TAGS, '_');
  const cut = legal.slice(0, TAG_VALUE_LENGTH - 11).replace(HALF, '');
  // The name itself, or cut and followed by ten digits of whichever subject it was.
  return [
    ...(legal === name && name.length <= TAG_VALUE_LENGTH ? [name] : []),
    `${cut}.??????????`,
  ];
}

/**
 * The patterns that match the tag `SentinelPrincipal` of everybody behind this principal. The
 * subject is the principal itself; behind a role whose session names are trusted, the role and a
 * name.
 */
function ofPrincipal(principal: string): readonly string[] {
  const own = tagValue(principal, principal);
  return ROLE.test(principal) ? [own, `${principal}/*`] : [own];
}

/** How policies that deny the revoked find sessions by their tags. */
export const tagNames = { ofName, ofPrincipal };

const ROLE = /^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@-]{1,64}$/u;

/** A session tag as AssumeRole takes it. */
export type SessionTag = { readonly Key: string; readonly Value: string };

type Tagged = {
  readonly sessionId: string;
  /** The id of the approval that the vend rests on, or its own. */
  readonly requestId: string;
  readonly caller: Caller;
  readonly profile: string;
};

/**
 * The five tags of every vended session, then the profile's own. `SentinelRequestID` is Sentinel's
 * name for the id of the approval that the vend rests on, or else of the vend; `VendRecord` tells
 * of it.
 */
export function toSessionTags(
  { sessionId, requestId, caller, profile }: Tagged,
  own: readonly (readonly [key: string, value: string])[],
): SessionTag[] {
  function value(text: string): string {
    return tagValue(text, caller.subject);
  }
  return [
    { Key: 'SentinelSessionID', Value: sessionId },
    { Key: 'SentinelUser', Value: value(caller.storedName) },
    { Key: 'SentinelPrincipal', Value: value(caller.subject) },
    { Key: 'SentinelProfile', Value: value(profile) },
    { Key: 'SentinelRequestID', Value: requestId },
    ...own.map(([Key, Value]) => ({ Key, Value })),
  ];
}
