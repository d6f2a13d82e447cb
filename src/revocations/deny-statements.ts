import { MINUTE } from '../lib/clock.ts';
import type { Revocation } from './revocation.ts';

/** A statement of the deny policy. */
export type Statement = {
  readonly Sid: string;
  readonly Effect: 'Deny';
  readonly Action: '*';
  readonly Resource: '*';
  readonly Condition: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >;
};

/**
 * Patterns for the tags of revoked sessions, in the characters that STS accepts; see the names of
 * vended sessions.
 */
export type TagNames = {
  /** Patterns for a tag that holds this name of a user or a profile. */
  readonly ofName: (name: string) => readonly string[];
  /**
   * Patterns for `SentinelPrincipal`, which holds the subject: the principal itself, and for a role
   * all people behind it.
   */
  readonly ofPrincipal: (principal: string) => readonly string[];
};

/** What the policy of a role depends on besides the revocations. */
export type HardContext = {
  /** The profiles that vend the role. */
  readonly profiles: readonly string[];
  readonly tags: TagNames;
  /** Epoch milliseconds. */
  readonly now: number;
  /** How far, in milliseconds, the clock of the instance that revoked may be off AWS's. */
  readonly skew: number;
};

/**
 * How long after a revocation credentials may have been issued and still be denied: it takes a
 * moment to be known.
 */
export const MARGIN = 1 * MINUTE;

/** The one profile that a revocation concerns; undefined if it may concern any. */
export function profileOf(target: Revocation['target']): string | undefined {
  if (target.kind === 'session' || target.kind === 'grant') return target.profile;
  return target.kind === 'profile' ? target.value : undefined;
}

/**
 * IAM's own precision:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
function instant(ms: number): string {
  return `${new Date(Math.ceil(ms / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}

/**
 * A condition that credentials fulfil which were issued by the time that a revocation was known.
 */
export function issuedBefore(createdAt: number, skew: number) {
  return {
    DateLessThan: { 'aws:TokenIssueTime': instant(createdAt + MARGIN + skew) },
  };
}

/** A statement that denies everything under a condition. */
export function deny(Sid: string, Condition: Statement['Condition']): Statement {
  return {
    Sid,
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition,
  };
}

/**
 * A single value is compared literally, because what others wrote into the log may hold wildcards.
 */
function principalIs(values: readonly string[]): Statement['Condition'] {
  const [only, ...patterns] = values;
  const key = 'aws:PrincipalTag/SentinelPrincipal';
  return patterns.length === 0
    ? { StringEquals: { [key]: only ?? '' } }
    : { StringLike: { [key]: values } };
}

const USER = 'aws:PrincipalTag/SentinelUser';
const PROFILE = 'aws:PrincipalTag/SentinelProfile';
/** The tag that holds the id of a session. */
export const SESSION = 'aws:PrincipalTag/SentinelSessionID';
const REQUEST = 'aws:PrincipalTag/SentinelRequestID';

/** The statement of one revocation by an operator. */
export function statementOf(revocation: Revocation, { tags, skew }: HardContext): Statement {
  const { n, target, createdAt } = revocation;
  const sid = `Revocation${n}`;
  const time = issuedBefore(createdAt, skew);
  switch (target.kind) {
    case 'all':
      return deny(sid, time);
    case 'user':
      return deny(sid, { ...time, StringLike: { [USER]: tags.ofName(target.value) } });
    case 'principal':
      return deny(sid, { ...time, ...principalIs(tags.ofPrincipal(target.value)) });
    case 'profile':
      return deny(sid, { ...time, StringLike: { [PROFILE]: tags.ofName(target.value) } });
    case 'session':
      return deny(sid, { StringEquals: { [SESSION]: target.value } });
    case 'grant':
      return deny(sid, { StringEquals: { [REQUEST]: target.value } });
  }
}

/** The sessions that one subject revoked of its own, in one statement that reaches nobody else. */
export function ownStatement(
  mine: readonly Revocation[],
  { profiles, tags, skew }: HardContext,
): Statement | undefined {
  const [first] = mine;
  if (first?.target.kind !== 'session') return undefined;
  const { subject, user } = first.target;
  // The first pattern is the subject itself; the others are the people behind a role.
  const [tag = ''] = tags.ofPrincipal(subject);
  const who =
    subject === ''
      ? { StringLike: { [USER]: tags.ofName(user) } }
      : { StringEquals: { 'aws:PrincipalTag/SentinelPrincipal': tag } };
  const named = [...new Set(mine.map(({ target }) => profileOf(target) ?? ''))];
  const isWholeRole = profiles.every((profile) => named.includes(profile));
  const what = isWholeRole ? {} : { [PROFILE]: named.flatMap((profile) => tags.ofName(profile)) };
  const time = issuedBefore(Math.max(...mine.map(({ createdAt }) => createdAt)), skew);
  const like = { ...('StringLike' in who ? who.StringLike : {}), ...what };
  return deny(`Own${first.n}`, {
    ...time,
    ...('StringEquals' in who ? { StringEquals: who.StringEquals } : {}),
    ...(Object.keys(like).length === 0 ? {} : { StringLike: like }),
  });
}
