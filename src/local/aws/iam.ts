import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { roleArn, roleId, type Principal, type Role } from './account.ts';
import { isAllowed, type InlinePolicies } from './permissions.ts';
import { hasKnownOperators } from './policy-evaluation.ts';
import { errorAnswer, queryAnswer, type Answer, type AwsError, type XmlTree } from './responses.ts';
import { isPolicyDocument } from './session-policy.ts';

/** One authentic call of IAM. */
export type IamCall = {
  readonly principal: Principal;
  readonly form: ReadonlyMap<string, string>;
  /** Where it came from. */
  readonly peer: string;
};

type Options = {
  readonly roles: readonly Role[];
  readonly clock: Clock;
  /** How long a changed policy takes to count, in milliseconds: IAM is eventually consistent. */
  readonly delay: number;
};

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: of all inline policies of a role together. */
const MAX_POLICY_CHARACTERS = 10_240;

const VERSION = '2010-05-08';
const NAME = /^[\w+=,.@-]{1,128}$/u;

type Stored = { readonly document: string; readonly since: number };

const error = (code: string, status: number, message: string) => refuse<AwsError>({ code, status, message });

/** When all roles of the account came into being. */
const CREATED = '2026-01-01T00:00:00Z';

/** GetRole, and the inline policies of roles: PutRolePolicy, GetRolePolicy, DeleteRolePolicy. */
export const createIam = ({ roles, clock, delay }: Options) => {
  const names = new Set(roles.map(({ name }) => name));
  /** What is asked for, and what counts yet, by role and policy. */
  const asked = new Map<string, Map<string, Stored>>();
  const counting = new Map<string, Map<string, string>>();

  const settle = (role: string): ReadonlyMap<string, string> => {
    const now = clock();
    const counts = counting.get(role) ?? new Map<string, string>();
    for (const [name, { document, since }] of asked.get(role) ?? []) {
      if (now < since) continue;
      if (document === '') counts.delete(name);
      else counts.set(name, document);
    }
    counting.set(role, counts);
    return counts;
  };

  const store = (role: string, name: string, document: string): void => {
    settle(role);
    const policies = asked.get(role) ?? new Map<string, Stored>();
    asked.set(role, policies.set(name, { document, since: clock() + delay }));
  };

  const there = (role: string): readonly (readonly [string, string])[] =>
    [...(asked.get(role) ?? [])]
      .filter(([, { document }]) => document !== '')
      .map(([name, { document }]) => [name, document]);

  const inline: InlinePolicies = { of: (role) => [...settle(role).values()] };

  const put = (role: string, name: string, document: string): Result<XmlTree, AwsError> => {
    if (!isPolicyDocument(document) || !hasKnownOperators(document)) {
      return error('MalformedPolicyDocument', 400, 'The policy is not a document that the embedded IAM can evaluate.');
    }
    const others = there(role).filter(([other]) => other !== name);
    const size = [...others.map(([, text]) => text), document].join('').replace(/\s/gu, '').length;
    if (size > MAX_POLICY_CHARACTERS) {
      return error(
        'LimitExceeded',
        409,
        `Maximum policy size of ${MAX_POLICY_CHARACTERS} bytes exceeded for role ${role}`,
      );
    }
    store(role, name, document);
    return ok({});
  };

  const act = (action: string, role: string, name: string, document: string): Result<XmlTree, AwsError> => {
    if (action === 'GetRole')
      return ok({ Role: { Path: '/', RoleName: role, RoleId: roleId(role), Arn: roleArn(role), CreateDate: CREATED } });
    const found = there(role).find(([other]) => other === name)?.[1];
    if (action === 'PutRolePolicy') return put(role, name, document);
    if (found === undefined) return error('NoSuchEntity', 404, `The role policy with name ${name} cannot be found.`);
    if (action === 'DeleteRolePolicy') store(role, name, '');
    return ok(
      action === 'DeleteRolePolicy'
        ? {}
        : { RoleName: role, PolicyName: name, PolicyDocument: encodeURIComponent(found) },
    );
  };

  const answer = ({ principal, form, peer }: IamCall): Result<readonly [string, XmlTree], AwsError> => {
    const [action = '', role = '', name = ''] = ['Action', 'RoleName', 'PolicyName'].map((key) => form.get(key));
    if (form.get('Version') !== VERSION || !/^(?:(?:Put|Get|Delete)RolePolicy|GetRole)$/u.test(action)) {
      return error('InvalidAction', 400, `Could not find operation ${action} for version ${form.get('Version') ?? ''}`);
    }
    if (!NAME.test(role) || (action !== 'GetRole' && !NAME.test(name)))
      return error('ValidationError', 400, 'A name is out of form.');
    const resource = roleArn(role);
    if (!isAllowed(principal, { action: `iam:${action}`, resource }, { inline, peer, now: clock() })) {
      return error(
        'AccessDenied',
        403,
        `User: ${principal.arn} is not authorized to perform: iam:${action} on resource: ${resource}`,
      );
    }
    if (!names.has(role)) return error('NoSuchEntity', 404, `The role with name ${role} cannot be found.`);
    const done = act(action, role, name, form.get('PolicyDocument') ?? '');
    return done.ok ? ok([action, done.value]) : done;
  };

  return {
    inline,
    call: (call: IamCall): Answer => {
      const outcome = answer(call);
      return outcome.ok ? queryAnswer(...outcome.value, 'iam') : errorAnswer('iam', outcome.refusal);
    },
  };
};
