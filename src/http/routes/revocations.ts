import type { REVOCATION_KINDS } from '../../contract/fields.ts';
import { SESSION_ID } from '../../contract/fields.ts';
import { ROUTES } from '../../contract/routes.ts';
import type { Done as DoneBody, Revocation as RevocationBody } from '../../contract/shapes.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { formatInstant, type Clock } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { toKnownCallers, type NameSettings } from '../../policy/known-callers.ts';
import {
  checkNotAtHome,
  questionPrincipal,
  questionUserName,
} from '../../policy/question-names.ts';
import { checkPrincipal } from '../../policy/principals.ts';
import { checkProfile } from '../../policy/profile-name.ts';
import { checkUserName } from '../../policy/user-names.ts';
import type { Revocation, RevocationTarget } from '../../revocations/revocation.ts';
import type { HardOutcome } from '../../actions/hard-revocation.ts';
import type { Done } from '../../actions/describe-revocation.ts';
import type { Lift } from '../../actions/lift.ts';
import type { ListRevocations } from '../../actions/list-revocations.ts';
import type { Revoking, WishedTarget } from '../../actions/revoke.ts';
import { toOperator, type Authentic, type Outcome } from '../endpoint.ts';
import { invalid, readId, readQuery } from '../fields.ts';
import { readBody } from '../json-body.ts';
import type { Refusal } from '../refusals.ts';

type Dependencies = {
  readonly revoke: Revoking['revoke'];
  readonly lift: Lift;
  readonly listRevocations: ListRevocations;
  readonly clock: Clock;
  readonly bareNames: NamedKind;
  /** Which callers there can be, for what is revoked but known to nobody here. */
  readonly names: NameSettings;
};

type Kind = (typeof REVOCATION_KINDS)[number];

function toShownValue(target: RevocationTarget, bareNames: NamedKind): string | undefined {
  if (target.kind === 'all') return undefined;
  return target.kind === 'user' ? toShownName(target.value, bareNames) : target.value;
}

/** A revocation as it is shown, with names as documents have them. */
function toRevocationBody(revocation: Revocation, bareNames: NamedKind): RevocationBody {
  const { n, target, reason, by, byPrincipal, createdAt, until } = revocation;
  const session = target.kind === 'session' ? target : undefined;
  return {
    id: `${n}`,
    kind: target.kind,
    value: toShownValue(target, bareNames),
    subject: session?.subject,
    profile: session?.profile,
    reason,
    by: toShownName(by, bareNames),
    by_principal: byPrincipal,
    created_at: formatInstant(createdAt),
    until: until === undefined ? undefined : formatInstant(until),
  };
}

function toHardBody({ roleArn, status, code, endsAt }: HardOutcome) {
  return {
    role_arn: roleArn,
    status,
    code,
    credentials_end: endsAt === undefined ? undefined : formatInstant(endsAt),
  };
}

const NOTE =
  'IAM takes a moment, seldom more than some seconds, until a changed policy counts everywhere.';

/**
 * What was done: the revocation, and for roles with hard revocation what became of their deny
 * policies.
 */
export function toDoneBody({ revocation, hard }: Done, bareNames: NamedKind): DoneBody {
  const body = toRevocationBody(revocation, bareNames);
  return hard.length === 0 ? body : { ...body, hard_revocation: hard.map(toHardBody), note: NOTE };
}

/** What the form of names depends on. */
type Names = { readonly bareNames: NamedKind; readonly ownAccount: string };

/**
 * Whether a caller, a profile or a session could ever be called so: a revocation of nobody would
 * look like one.
 */
function checkValue(kind: Exclude<Kind, 'all'>, value: string, { bareNames, ownAccount }: Names) {
  if (kind === 'user') {
    const name = checkUserName(value, { bareNames });
    return name.ok ? checkNotAtHome(value, ownAccount) : name;
  }
  if (kind === 'principal') return checkPrincipal(value);
  if (kind === 'profile') return checkProfile(value);
  return SESSION_ID.form.test(value) ? ok(value) : refuse(SESSION_ID.sentence);
}

function toTarget(
  kind: Kind,
  value: string | undefined,
  names: Names,
): Result<WishedTarget, Refusal> {
  if (kind === 'all') {
    return value === undefined
      ? ok({ kind })
      : invalid('The kind "all" takes no value: it means everything.', 'value');
  }
  if (value === undefined)
    return invalid(`The field "value" is missing: which ${kind} is it?`, 'value');
  const checked = checkValue(kind, value, names);
  return checked.ok ? ok({ kind, value }) : invalid(`${checked.refusal}.`, 'value');
}

/**
 * Refuses an end that is past, and one for a session, which stays revoked until it would have
 * ended.
 */
function checkUntil(
  kind: Kind,
  until: number | undefined,
  now: number,
): Result<undefined, Refusal> {
  if (until === undefined) return ok(undefined);
  if (until <= now) return invalid('The field "until" must be in the future.', 'until');
  if (kind !== 'session') return ok(undefined);
  return invalid(
    'A revoked session stays so until it would have ended; leave "until" out.',
    'until',
  );
}

/**
 * Why nobody here is known by what was revoked, though there could be somebody: the likeliest
 * reason is a typo.
 */
function questionTarget(
  target: WishedTarget,
  { account, clients, profiles, neverCallers }: Snapshot,
  names: NameSettings,
): string | undefined {
  switch (target.kind) {
    case 'user':
      return questionUserName(
        target.value,
        toKnownCallers(names, account, clients, neverCallers),
        true,
      );
    case 'principal':
      return questionPrincipal(target.value, toKnownCallers(names, account, clients, neverCallers));
    case 'profile':
      return profiles.has(target.value)
        ? undefined
        : `"${target.value}" is no profile that can be vended`;
    case 'all':
    case 'session':
      return undefined;
  }
}

/** `/revocations`: who and what gets nothing more. */
export function createRevocationEndpoints({ clock, bareNames, names, ...actions }: Dependencies) {
  /**
   * `POST /revocations`: a user, a principal, a profile, a session or everything gets nothing more.
   */
  async function revoke(authentic: Authentic): Promise<Outcome<'revoke'>> {
    const { request, snapshot } = authentic;
    const wish = readBody(request, ROUTES.revoke);
    if (!wish.ok) return wish;
    const { kind, value, reason, until } = wish.value;
    const target = toTarget(kind, value, { bareNames, ownAccount: snapshot.account });
    if (!target.ok) return target;
    const inTime = checkUntil(kind, until, clock());
    if (!inTime.ok) return inTime;
    const revoked = await actions.revoke(toOperator(authentic), target.value, reason, until);
    if (!revoked.ok) return revoked;
    const doubt = questionTarget(target.value, snapshot, names);
    const warning = doubt === undefined ? undefined : `${doubt}. It is revoked all the same.`;
    return ok({ ...toDoneBody(revoked.value, bareNames), warning });
  }

  /** `GET /revocations`: those in force. */
  function listRevocations(authentic: Authentic): Outcome<'listRevocations'> {
    const query = readQuery(authentic.request, ROUTES.listRevocations.query);
    if (!query.ok) return query;
    const listed = actions.listRevocations(toOperator(authentic));
    return listed.ok
      ? ok({ revocations: listed.value.map((one) => toRevocationBody(one, bareNames)) })
      : listed;
  }

  /** `DELETE /revocations/{id}`: lifts one. */
  async function lift(authentic: Authentic): Promise<Outcome<'lift'>> {
    const query = readQuery(authentic.request, ROUTES.lift.query);
    if (!query.ok) return query;
    const id = readId(authentic.request, ROUTES.lift);
    if (!id.ok) return id;
    const lifted = await actions.lift(toOperator(authentic), Number(id.value));
    return lifted.ok ? ok({ ...toDoneBody(lifted.value, bareNames), lifted: true }) : lifted;
  }

  return { revoke, listRevocations, lift };
}
