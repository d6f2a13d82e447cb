import { formatInstant, type Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import {
  EMBEDDED_ACCOUNT,
  roleArn,
  sessionOf,
  type Carried,
  type Principal,
  type Role,
} from './account.ts';
import type { Keyring } from './keyring.ts';
import { refusalMessage, whyDenied, type InlinePolicies } from './permissions.ts';
import {
  errorAnswer,
  queryAnswer,
  queryJsonAnswer,
  type Answer,
  type AwsError,
} from './responses.ts';
import { DURATION } from './sts-constraints.ts';
import { readAssumeRole, type AssumeRoleRequest } from './sts-parameters.ts';
import { trustAllows } from './trust-policy.ts';

/**
 * One authentic call of STS: the decoded parameters of query and form, and whether the client
 * accepts JSON.
 */
export type StsCall = {
  readonly principal: Principal;
  readonly form: ReadonlyMap<string, string>;
  readonly acceptsJson: boolean;
  /** The caller's address. */
  readonly peer: string;
};

const VERSION = '2011-06-15';

/** AssumeRole and GetCallerIdentity with the account's roles. */
export function createSts({
  roles,
  keyring,
  clock,
  inline,
}: {
  readonly roles: readonly Role[];
  readonly keyring: Keyring;
  readonly clock: Clock;
  /** Inline policies of roles, which may deny. */
  readonly inline: InlinePolicies;
}): (call: StsCall) => Answer {
  const byArn = new Map(roles.map((role) => [roleArn(role.name), role]));

  function answer(call: StsCall): Answer {
    const { form, principal, acceptsJson } = call;
    const action = form.get('Action') ?? '';
    const version = form.get('Version') ?? '';
    if (version === VERSION && action === 'GetCallerIdentity') {
      const result = { Arn: principal.arn, UserId: principal.userId, Account: EMBEDDED_ACCOUNT };
      return acceptsJson ? queryJsonAnswer(action, result) : queryAnswer(action, result);
    }
    if (version === VERSION && action === 'AssumeRole') {
      const assumed = assumeRole(call, { byArn, keyring, clock, inline });
      return assumed.ok ? assumed.value : errorAnswer('sts', assumed.refusal, acceptsJson);
    }
    const unknown: AwsError =
      action === ''
        ? {
            code: 'MissingAction',
            status: 400,
            message: 'The request must contain the parameter Action.',
          }
        : {
            code: 'InvalidAction',
            status: 400,
            message: `Could not find operation ${action} for version ${version}`,
          };
    return errorAnswer('sts', unknown, acceptsJson);
  }

  return answer;
}

type World = {
  readonly byArn: ReadonlyMap<string, Role>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly inline: InlinePolicies;
};

function denied(principal: Principal, action: string, resource: string): AwsError {
  return {
    code: 'AccessDenied',
    status: 403,
    message: `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource}`,
  };
}

function invalid(message: string): AwsError {
  return { code: 'ValidationError', status: 400, message };
}

/** What the new session gets from its caller and its request together. */
type Combined = Pick<Carried, 'sourceIdentity' | 'transitiveTags'>;

function assumeRole(call: StsCall, world: World): Result<Answer, AwsError> {
  const request = readAssumeRole(call.form);
  if (!request.ok) return request;
  const asked = request.value;
  const combined = combine(call.principal, asked);
  if (!combined.ok) return combined;
  const role = world.byArn.get(asked.roleArn);
  if (role === undefined) return refuse(denied(call.principal, 'sts:AssumeRole', asked.roleArn));
  const why = whyNotAllowed(call, { asked, role, combined: combined.value }, world);
  if (why !== undefined) return refuse(why);
  const session = sessionOf(role.name, asked.sessionName, {
    ...combined.value,
    tags: new Map([...combined.value.transitiveTags, ...asked.tags]),
    issuedAt: world.clock(),
    managedPolicies: asked.managedPolicies,
    sessionPolicy: asked.policy,
  });
  const key = world.keyring.issue(session, asked.seconds);
  return ok(
    queryAnswer('AssumeRole', {
      SourceIdentity: session.sourceIdentity,
      AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
      Credentials: {
        AccessKeyId: key.accessKeyId,
        SecretAccessKey: key.secretAccessKey,
        SessionToken: key.sessionToken,
        Expiration: formatInstant(key.expiresAt),
      },
      PackedPolicySize: asked.packedPolicySize,
    }),
  );
}

/**
 * Why the caller may not assume the role as asked: its own policies, the role's trust policy, or
 * the duration.
 */
function whyNotAllowed(
  { principal, peer }: StsCall,
  {
    asked,
    role,
    combined,
  }: { readonly asked: AssumeRoleRequest; readonly role: Role; readonly combined: Combined },
  { inline, clock }: World,
): AwsError | undefined {
  const keys = keysOf(asked, combined.sourceIdentity);
  const question = { action: 'sts:AssumeRole', resource: asked.roleArn, keys };
  const why = whyDenied(principal, question, { inline, peer, now: clock() });
  if (why !== undefined) {
    return { code: 'AccessDenied', status: 403, message: refusalMessage(principal, question, why) };
  }
  const untrusted = firstUntrusted(role, principal, asked, combined);
  if (untrusted !== undefined) return denied(principal, untrusted, asked.roleArn);
  return checkDuration(role, principal, asked.seconds);
}

/**
 * A source identity and transitive tags stay once they are set, and a request may not change them.
 */
function combine(principal: Principal, asked: AssumeRoleRequest): Result<Combined, AwsError> {
  const kept = principal.sourceIdentity;
  if (kept !== undefined && asked.sourceIdentity !== undefined && asked.sourceIdentity !== kept) {
    return refuse(denied(principal, 'sts:SetSourceIdentity', asked.roleArn));
  }
  const inherited = new Set([...principal.transitiveTags.keys()].map((key) => key.toLowerCase()));
  if ([...asked.tags.keys()].some((key) => inherited.has(key.toLowerCase()))) {
    const message =
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the " +
      'calling session.';
    return refuse({ code: 'InvalidParameterValue', status: 400, message });
  }
  const named = new Set(asked.transitiveTagKeys.map((key) => key.toLowerCase()));
  const added = [...asked.tags].filter(([key]) => named.has(key.toLowerCase()));
  const sourceIdentity = kept ?? asked.sourceIdentity;
  const transitiveTags = new Map([...principal.transitiveTags, ...added]);
  return ok({ transitiveTags, sourceIdentity });
}

function present(entries: readonly (readonly [string, readonly string[] | undefined])[]) {
  return new Map(
    entries.flatMap(([key, values]) => (values === undefined ? [] : [[key, values] as const])),
  );
}

/** The condition keys that only AssumeRole has. */
function keysOf(
  asked: AssumeRoleRequest,
  sourceIdentity: string | undefined,
): ReadonlyMap<string, readonly string[]> {
  return present([
    ['sts:sourceidentity', sourceIdentity === undefined ? undefined : [sourceIdentity]],
    ['sts:externalid', asked.externalId === undefined ? undefined : [asked.externalId]],
    ['sts:rolesessionname', [asked.sessionName]],
  ]);
}

/**
 * The first action that this request needs and the role's trust policy does not allow. Setting a
 * source identity and passing tags are actions of their own, with condition keys of their own, even
 * if a chained session only keeps them.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
 */
function firstUntrusted(
  { trustPolicy }: Role,
  principal: Principal,
  asked: AssumeRoleRequest,
  { sourceIdentity, transitiveTags }: Combined,
): string | undefined {
  const identity = sourceIdentity === undefined ? undefined : [sourceIdentity];
  const tagKeys = [...new Set([...asked.tags.keys(), ...transitiveTags.keys()])];
  const assume = new Map([
    ...keysOf(asked, sourceIdentity),
    ...present([['aws:tagkeys', tagKeys.length === 0 ? undefined : tagKeys]]),
  ]);
  const needed = [
    { action: 'sts:AssumeRole', context: assume },
    ...(identity === undefined
      ? []
      : [
          { action: 'sts:SetSourceIdentity', context: new Map([['sts:sourceidentity', identity]]) },
        ]),
    ...(tagKeys.length === 0
      ? []
      : [{ action: 'sts:TagSession', context: new Map([['aws:tagkeys', tagKeys]]) }]),
  ];
  const callers = [principal.principalArn, principal.arn];
  return needed.find(
    ({ action, context }) => !trustAllows(trustPolicy, { action, callers, context }),
  )?.action;
}

function checkDuration(role: Role, principal: Principal, seconds: number): AwsError | undefined {
  if (principal.roleName !== undefined && seconds > DURATION.chained) {
    return invalid(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  return seconds > role.maxSessionDuration
    ? invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.')
    : undefined;
}
