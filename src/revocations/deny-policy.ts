import { HOUR, MINUTE } from '../lib/clock.ts';
import type { Revocation } from './revocation.ts';

/** A statement of the deny policy. */
type Statement = {
  readonly Sid: string;
  readonly Effect: 'Deny';
  readonly Action: '*';
  readonly Resource: '*';
  readonly Condition: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >;
};

/**
 * The inline policy of a protected role that denies everything to credentials that were issued and
 * then revoked.
 */
export type HardPolicy = {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
};

/** The name of the policy: one for each role, rebuilt whole. */
export const HARD_POLICY_NAME = 'SentinelRevocations';

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

/**
 * How long after a revocation credentials may have been issued and still be denied: it takes a
 * moment to be known.
 */
const MARGIN = 1 * MINUTE;

/** The longest life of credentials of the TVM. */
export const LONGEST_CREDENTIALS = 1 * HOUR;

/** How many sessions a policy names; beyond that it denies everything that was issued until now. */
const MAX_SESSIONS = 100;

/**
 * How many characters a policy may have, of the 10,240 that IAM allows a role for all its policies;
 * beyond, the same.
 */
const MAX_CHARACTERS = 6_000;

/**
 * How many characters callers' revocations of their own sessions may add; what operators revoke
 * comes first.
 */
const MAX_OWN = 3_000;

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
 * The policy, undefined if there is nothing to deny, and the revocations for which it has no room
 * yet.
 */
export type HardPlan = {
  readonly policy: HardPolicy | undefined;
  readonly waiting: readonly Revocation[];
};

/**
 * IAM's own precision:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
function instant(ms: number): string {
  return `${new Date(Math.ceil(ms / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}

function issuedBefore(createdAt: number, skew: number) {
  return {
    DateLessThan: { 'aws:TokenIssueTime': instant(createdAt + MARGIN + skew) },
  };
}

function deny(Sid: string, Condition: Statement['Condition']): Statement {
  return {
    Sid,
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition,
  };
}

/**
 * Whether a revocation concerns credentials for a profile, and some of those can still be alive.
 */
export function isInForce(
  { target, createdAt }: Revocation,
  profile: string,
  { now, skew }: Pick<HardContext, 'now' | 'skew'>,
): boolean {
  const only = profileOf(target);
  return (
    (only === undefined || only === profile) &&
    now < createdAt + MARGIN + skew + LONGEST_CREDENTIALS
  );
}

function profileOf(target: Revocation['target']): string | undefined {
  if (target.kind === 'session' || target.kind === 'grant') return target.profile;
  return target.kind === 'profile' ? target.value : undefined;
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
const SESSION = 'aws:PrincipalTag/SentinelSessionID';
const REQUEST = 'aws:PrincipalTag/SentinelRequestID';

function statementOf(revocation: Revocation, { tags, skew }: HardContext): Statement {
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

/**
 * The owner of a revocation of one's own, as the tags of sessions distinguish subjects; undefined
 * for any other.
 */
function ownerOf({ target, own }: Revocation): string | undefined {
  if (!own || target.kind !== 'session') return undefined;
  return target.subject === '' ? `user ${target.user}` : `subject ${target.subject}`;
}

/** The sessions that one subject revoked of its own, in one statement that reaches nobody else. */
function ownStatement(
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

function lengthOf(statements: readonly Statement[]): number {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements }).length;
}

/**
 * The revocations by operators: each by name, or everything issued until now if there are too many
 * to name.
 */
function operatorStatements(
  live: readonly Revocation[],
  context: HardContext,
): readonly Statement[] {
  if (live.length === 0) return [];
  const single = live.flatMap(({ target }) => (target.kind === 'session' ? [target.value] : []));
  const named = live
    .filter(({ target }) => target.kind !== 'session')
    .map((one) => statementOf(one, context));
  const sessions =
    single.length === 0 ? [] : [deny('RevokedSessions', { StringEquals: { [SESSION]: single } })];
  const statements = [...named, ...sessions];
  if (single.length <= MAX_SESSIONS && lengthOf(statements) <= MAX_CHARACTERS) return statements;
  // Callers who are not revoked get new credentials when they ask again; those who are revoked do
  // not.
  const latest = Math.max(...live.map(({ createdAt }) => createdAt));
  return [deny('TooManyToName', issuedBefore(latest, context.skew))];
}

/**
 * The deny policy of a role. What is revoked by name is denied up to a time, so that credentials
 * vended after lifting work; single sessions that operators revoked are denied by their tag; what a
 * caller revoked of its own is one statement, which never reaches others. Of the callers those who
 * came first are taken first, and the newest wait while there is no room. Revocations whose
 * credentials have all expired are left out.
 */
export function toHardPolicy(revocations: readonly Revocation[], context: HardContext): HardPlan {
  const live = revocations.filter((one) =>
    context.profiles.some((profile) => isInForce(one, profile, context)),
  );
  const statements = [
    ...operatorStatements(
      live.filter((one) => ownerOf(one) === undefined),
      context,
    ),
  ];
  const room = Math.min(MAX_CHARACTERS, lengthOf(statements) + MAX_OWN);
  const owners = new Map<string, Revocation[]>();
  for (const one of live.toSorted((a, b) => a.createdAt - b.createdAt || a.n - b.n)) {
    const owner = ownerOf(one);
    if (owner !== undefined) owners.set(owner, [...(owners.get(owner) ?? []), one]);
  }
  const waiting: Revocation[] = [];
  for (const mine of owners.values()) {
    const statement = ownStatement(mine, context);
    const fits =
      waiting.length === 0 &&
      statement !== undefined &&
      lengthOf([...statements, statement]) <= room;
    if (fits) statements.push(statement);
    else waiting.push(...mine);
  }
  return {
    policy: statements.length === 0 ? undefined : { Version: '2012-10-17', Statement: statements },
    waiting,
  };
}
