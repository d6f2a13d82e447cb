import * as v from 'valibot';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { formatInstant, type Clock } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import {
  checkNotAtHome,
  questionPrincipal,
  questionUserName,
  toKnownCallers,
  type NameSettings,
} from '../../policy/known-callers.ts';
import { checkPrincipal } from '../../policy/principals.ts';
import { checkProfile } from '../../policy/profile-name.ts';
import { checkUserName } from '../../policy/user-names.ts';
import type { Revocation, RevocationTarget } from '../../revocations/revocation.ts';
import type { Done } from '../../actions/describe-revocation.ts';
import type { Lift } from '../../actions/lift.ts';
import type { ListRevocations } from '../../actions/list-revocations.ts';
import type { Revoking, WishedTarget } from '../../actions/revoke.ts';
import type { Authenticate } from '../authenticate.ts';
import { authenticated, toOperator } from '../endpoint.ts';
import { fields, instant, invalid, readFields, readQuery, reason } from '../fields.ts';
import { readJsonBody } from '../json-body.ts';
import type { Refusal } from '../refusals.ts';

type Dependencies = {
  readonly authenticate: Authenticate;
  readonly revoke: Revoking['revoke'];
  readonly lift: Lift;
  readonly listRevocations: ListRevocations;
  readonly clock: Clock;
  readonly bareNames: NamedKind;
  /** Which callers there can be, for what is revoked but known to nobody here. */
  readonly names: NameSettings;
};

const KINDS = ['session', 'user', 'principal', 'profile', 'all'] as const;

type Kind = (typeof KINDS)[number];

const BODY = fields({
  kind: v.picklist(KINDS, `must be one of ${KINDS.join(', ')}`),
  // Its form depends on the kind; here only its size is bounded.
  value: v.optional(v.pipe(v.string('must be text'), v.maxLength(2_048, 'must be at most 2048 characters'))),
  reason,
  until: v.optional(instant),
});

/** A revocation as it is shown, with names as documents have them. */
function toRevocationBody(
  { n, target, reason: why, by, byPrincipal, createdAt, until }: Revocation,
  bareNames: NamedKind,
) {
  return {
    id: `${n}`,
    kind: target.kind,
    ...(target.kind === 'all' ? {} : { value: toShownValue(target, bareNames) }),
    ...(target.kind === 'session' ? { subject: target.subject, profile: target.profile } : {}),
    reason: why,
    by: toShownName(by, bareNames),
    by_principal: byPrincipal,
    created_at: formatInstant(createdAt),
    ...(until === undefined ? {} : { until: formatInstant(until) }),
  };
}

function toShownValue(target: Exclude<RevocationTarget, { readonly kind: 'all' }>, bareNames: NamedKind): string {
  return target.kind === 'user' ? toShownName(target.value, bareNames) : target.value;
}

/** What was done: the revocation, and for roles with hard revocation what became of their deny policies. */
export function toDoneBody({ revocation, hard }: Done, bareNames: NamedKind) {
  return {
    ...toRevocationBody(revocation, bareNames),
    ...(hard.length === 0
      ? {}
      : {
          hard_revocation: hard.map(({ roleArn, status, code, endsAt }) => ({
            role_arn: roleArn,
            status,
            code,
            ...(endsAt === undefined ? {} : { credentials_end: formatInstant(endsAt) }),
          })),
          note: 'IAM takes a moment, seldom more than some seconds, until a changed policy counts everywhere.',
        }),
  };
}

/** What the form of names depends on. */
type Names = { readonly bareNames: NamedKind; readonly ownAccount: string };

/** Whether a caller, a profile or a session could ever be called so: a revocation of nobody would look like one. */
function checkValue(kind: Exclude<Kind, 'all'>, value: string, { bareNames, ownAccount }: Names) {
  if (kind === 'user') {
    const name = checkUserName(value, { bareNames });
    return name.ok ? checkNotAtHome(value, ownAccount) : name;
  }
  if (kind === 'principal') return checkPrincipal(value);
  if (kind === 'profile') return checkProfile(value);
  return /^[0-9a-f]{16}$/u.test(value) ? ok(value) : refuse('The id of a session is sixteen hexadecimal digits');
}

function toTarget(kind: Kind, value: string | undefined, names: Names): Result<WishedTarget, Refusal> {
  if (kind === 'all') {
    return value === undefined ? ok({ kind }) : invalid('The kind "all" takes no value: it means everything.', 'value');
  }
  if (value === undefined) return invalid(`The field "value" is missing: which ${kind} is it?`, 'value');
  const checked = checkValue(kind, value, names);
  if (!checked.ok) return invalid(`${checked.refusal}.`, 'value');
  return ok({ kind, value });
}

/** `POST /revocations`: a user, a principal, a profile, a session or everything gets nothing more. */
export function createRevokeHandler({ authenticate, revoke, clock, bareNames, names }: Dependencies) {
  return authenticated(
    authenticate,
    async (authentic) => {
      const body = readJsonBody(authentic.request, '{"kind":"user","value":"alice","reason":"laptop stolen"}');
      if (!body.ok) return body;
      const wish = readFields(BODY, body.value, 'field');
      if (!wish.ok) return wish;
      const { kind, value, reason: why, until } = wish.value;
      const target = toTarget(kind, value, { bareNames, ownAccount: authentic.snapshot.account });
      if (!target.ok) return target;
      if (until !== undefined && until <= clock()) return invalid('The field "until" must be in the future.', 'until');
      if (until !== undefined && kind === 'session') {
        return invalid('A revoked session stays so until it would have ended; leave "until" out.', 'until');
      }
      const revoked = await revoke(toOperator(authentic), target.value, why, until);
      if (!revoked.ok) return revoked;
      const doubt = questionTarget(target.value, authentic.snapshot, names);
      const warning = doubt === undefined ? undefined : `${doubt}. It is revoked all the same.`;
      return ok({ ...toDoneBody(revoked.value, bareNames), warning });
    },
    201,
  );
}

/** Why what was revoked is known to nobody here, though it could exist: the likeliest reason is a slip of the pen. */
function questionTarget(
  target: WishedTarget,
  { account, clients, profiles, neverCallers }: Snapshot,
  names: NameSettings,
): string | undefined {
  switch (target.kind) {
    case 'user':
      return questionUserName(target.value, toKnownCallers(names, account, clients, neverCallers), true);
    case 'principal':
      return questionPrincipal(target.value, toKnownCallers(names, account, clients, neverCallers));
    case 'profile':
      return profiles.has(target.value) ? undefined : `"${target.value}" is no profile that can be vended`;
    case 'all':
    case 'session':
      return undefined;
  }
}

/** `GET /revocations`: those in force. */
export function createRevocationsHandler({ authenticate, listRevocations, bareNames }: Dependencies) {
  return authenticated(authenticate, (authentic) => {
    const query = readQuery(authentic.request, []);
    if (!query.ok) return query;
    const listed = listRevocations(toOperator(authentic));
    return listed.ok ? ok({ revocations: listed.value.map((one) => toRevocationBody(one, bareNames)) }) : listed;
  });
}

/** `DELETE /revocations/{id}`: lifts one. */
export function createLiftHandler({ authenticate, lift, bareNames }: Dependencies) {
  return authenticated(authenticate, async (authentic) => {
    const query = readQuery(authentic.request, []);
    if (!query.ok) return query;
    const id = /^\/revocations\/([1-9]\d{0,14})$/u.exec(authentic.request.path)?.[1];
    if (id === undefined) return invalid('The id of a revocation is a number.', 'id');
    const lifted = await lift(toOperator(authentic), Number(id));
    return lifted.ok ? ok({ ...toDoneBody(lifted.value, bareNames), lifted: true }) : lifted;
  });
}
