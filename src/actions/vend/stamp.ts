import { createHash } from 'node:crypto';
import type { Caller } from '../../identity/caller.ts';

/**
 * The names that stamp a session. STS takes `[\w+=,.@-]` for SourceIdentity and RoleSessionName, 2-64 characters
 * (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html), and a wider class for tags. A name that had
 * to be changed or cut ends in `.` and ten hexadecimal digits of the subject's SHA-256: no two subjects share a stamp.
 */
const NAME_LENGTH = 64;
const SHORTEST_NAME = 2;
const TAG_VALUE_LENGTH = 256;
const NOT_IN_NAMES = /[^\w+=,.@-]/gu;
const NOT_IN_TAGS = /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu;

/** How a session came to be: directly, by an approval, by break-glass. */
export type VendKind = 'd' | 'a' | 'b';

/** A name that ends as if it had been changed is changed too, or it could pass for one that was. */
const LOOKS_CHANGED = /\.[0-9a-f]{10}$/u;

/** The first half of a character that a cut has parted. */
const HALF = /[\ud800-\udbff]$/u;

function fit(text: string, subject: string, refused: RegExp, room: number, shortest = 0): string {
  const legal = text.replace(refused, '_');
  const fits = text.length <= room && text.length >= shortest && !LOOKS_CHANGED.test(text);
  if (legal === text && fits) return text;
  const suffix = `.${createHash('sha256').update(subject).digest('hex').slice(0, 10)}`;
  return `${legal.slice(0, room - suffix.length).replace(HALF, '')}${suffix}`;
}

/** `sentinel=<kind>=<16 hex>=<user>`; the user comes last, so that it can be parsed whatever the user's name holds. */
export function toSourceIdentity(kind: VendKind, id: string, { name, subject }: Caller): string {
  const prefix = `sentinel=${kind}=${id}=`;
  return `${prefix}${fit(name, subject, NOT_IN_NAMES, NAME_LENGTH - prefix.length)}`;
}

/** The name of the session in the protected role, as CloudTrail shows it: the caller's, in STS's characters. */
export function toRoleSessionName({ name, subject }: Caller): string {
  return fit(name, subject, NOT_IN_NAMES, NAME_LENGTH, SHORTEST_NAME);
}

function tagValue(text: string, subject: string): string {
  return fit(text, subject, NOT_IN_TAGS, TAG_VALUE_LENGTH);
}

/** What the tags of sessions say of whom: for policies that deny those who are revoked. */
export const tagNames = {
  /** The name itself, or cut and followed by ten digits of whichever subject it was. */
  ofName: (name: string): readonly string[] => {
    const legal = name.replace(NOT_IN_TAGS, '_');
    const cut = legal.slice(0, TAG_VALUE_LENGTH - 11).replace(HALF, '');
    return [...(legal === name && name.length <= TAG_VALUE_LENGTH ? [name] : []), `${cut}.??????????`];
  },
  /** The subject is the principal itself; behind a role whose session names are trusted, the role and a name. */
  ofPrincipal: (principal: string): readonly string[] => {
    const own = tagValue(principal, principal);
    return ROLE.test(principal) ? [own, `${principal}/*`] : [own];
  },
};

const ROLE = /^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@-]{1,64}$/u;

/** A session tag as AssumeRole takes it. */
export type SessionTag = { readonly Key: string; readonly Value: string };

type Stamp = {
  readonly sessionId: string;
  readonly requestId: string;
  readonly caller: Caller;
  readonly profile: string;
};

/** The five tags of every vended session, then the profile's own. */
export function toSessionTags(stamp: Stamp, own: readonly (readonly [key: string, value: string])[]): SessionTag[] {
  const { sessionId, requestId, caller, profile } = stamp;
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
