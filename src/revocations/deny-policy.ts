import { HOUR } from '../lib/clock.ts';
import {
  deny,
  issuedBefore,
  MARGIN,
  ownStatement,
  profileOf,
  SESSION,
  statementOf,
  type HardContext,
  type Statement,
} from './deny-statements.ts';
import type { Revocation } from './revocation.ts';

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

/**
 * The policy, undefined if there is nothing to deny, and the revocations for which it has no room
 * yet.
 */
export type HardPlan = {
  readonly policy: HardPolicy | undefined;
  readonly waiting: readonly Revocation[];
};

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

/**
 * The owner of a revocation of one's own, as the tags of sessions distinguish subjects; undefined
 * for any other.
 */
function ownerOf({ target, own }: Revocation): string | undefined {
  if (!own || target.kind !== 'session') return undefined;
  return target.subject === '' ? `user ${target.user}` : `subject ${target.subject}`;
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
