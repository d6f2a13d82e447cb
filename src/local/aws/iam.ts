import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { roleArn, roleId, type Principal, type Role } from './account.ts';
import { createRolePolicies, type RolePolicies } from './iam-policies.ts';
import { NO_KEYS, refusalMessage, whyRefused, type InlinePolicies } from './permissions.ts';
import { errorAnswer, queryAnswer, type Answer, type AwsError, type XmlTree } from './responses.ts';
import { violations } from './sts-constraints.ts';

/** One authentic call of IAM. */
export type IamCall = {
  readonly principal: Principal;
  readonly form: ReadonlyMap<string, string>;
  /** The caller's address. */
  readonly peer: string;
};

type Options = {
  readonly roles: readonly Role[];
  readonly clock: Clock;
  /** How long a changed policy takes to come into effect, in milliseconds. */
  readonly delay: number;
};

const VERSION = '2010-05-08';

const NAME = String.raw`[\w+=,.@-]+`;

/**
 * The constraints of the parameters, as in the service's own model; a test compares them with the
 * model in botocore.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
 */
export const IAM_CONSTRAINTS = {
  RoleName: { min: 1, max: 64, pattern: NAME },
  PolicyName: { min: 1, max: 128, pattern: NAME },
  PolicyDocument: { min: 1, max: 131_072, pattern: String.raw`[\u0009\u000A\u000D\u0020-\u00FF]+` },
} as const;

type Parameter = keyof typeof IAM_CONSTRAINTS;

type World = { readonly policies: RolePolicies; readonly roles: ReadonlyMap<string, Role> };

/** The result of an action; an answer without a result has no element for it. */
type Outcome = Result<XmlTree | undefined, AwsError>;

type Given = Readonly<Record<Parameter, string>>;

type Operation = {
  readonly takes: readonly Parameter[];
  readonly run: (given: Given, world: World, form: IamCall['form']) => Outcome;
};

function error(code: string, status: number, message: string) {
  return refuse<AwsError>({ code, status, message });
}

/** When all roles of the account were created. */
const CREATED = '2026-01-01T00:00:00Z';

/** IAM escapes documents as in RFC 3986. */
function escapeDocument(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/gu,
    (sign) => `%${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase()}`,
  );
}

function noPolicy(name: string) {
  return error('NoSuchEntity', 404, `The role policy with name ${name} cannot be found.`);
}

/** A page of names; the marker is the last name of the page before. */
function listRolePolicies(
  { RoleName }: Given,
  { policies }: World,
  form: IamCall['form'],
): Outcome {
  const [items = '100', marker = ''] = [form.get('MaxItems'), form.get('Marker')];
  if (!/^\d{1,4}$/u.test(items) || Number(items) < 1 || Number(items) > 1_000) {
    return error('ValidationError', 400, 'MaxItems must be an integer from 1 to 1000.');
  }
  const rest = policies.list(RoleName).filter((name) => name > marker);
  const page = rest.slice(0, Number(items));
  const more = rest.length > page.length;
  return ok({ IsTruncated: `${more}`, PolicyNames: page, Marker: more ? page.at(-1) : undefined });
}

function getRole({ RoleName }: Given, { roles }: World): Outcome {
  const role = roles.get(RoleName);
  const document =
    role === undefined ? undefined : escapeDocument(JSON.stringify(role.trustPolicy));
  const about = {
    Path: '/',
    RoleName,
    RoleId: roleId(RoleName),
    Arn: roleArn(RoleName),
    CreateDate: CREATED,
  };
  const more = { AssumeRolePolicyDocument: document, MaxSessionDuration: role?.maxSessionDuration };
  return ok({ Role: { ...about, ...more } });
}

function getRolePolicy({ RoleName, PolicyName }: Given, { policies }: World): Outcome {
  const text = policies.get(RoleName, PolicyName);
  if (text === undefined) return noPolicy(PolicyName);
  return ok({ RoleName, PolicyName, PolicyDocument: escapeDocument(text) });
}

function putRolePolicy(
  { RoleName, PolicyName, PolicyDocument }: Given,
  { policies }: World,
): Outcome {
  return policies.put(RoleName, PolicyName, PolicyDocument);
}

function deleteRolePolicy({ RoleName, PolicyName }: Given, { policies }: World): Outcome {
  if (policies.get(RoleName, PolicyName) === undefined) return noPolicy(PolicyName);
  policies.remove(RoleName, PolicyName);
  return ok(undefined);
}

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['GetRole', { takes: ['RoleName'], run: getRole }],
  ['ListRolePolicies', { takes: ['RoleName'], run: listRolePolicies }],
  ['GetRolePolicy', { takes: ['RoleName', 'PolicyName'], run: getRolePolicy }],
  ['PutRolePolicy', { takes: ['RoleName', 'PolicyName', 'PolicyDocument'], run: putRolePolicy }],
  ['DeleteRolePolicy', { takes: ['RoleName', 'PolicyName'], run: deleteRolePolicy }],
]);

/**
 * Reads which operation is called, and checks its parameters; others are ignored, as STS ignores
 * them.
 */
function readCall(
  form: IamCall['form'],
): Result<{ readonly action: string; readonly found: Operation }, AwsError> {
  const action = form.get('Action') ?? '';
  const version = form.get('Version') ?? '';
  if (action === '')
    return error('MissingAction', 400, 'The request must contain the parameter Action.');
  const found = version === VERSION ? OPERATIONS.get(action) : undefined;
  if (found === undefined) {
    return error('InvalidAction', 400, `Could not find operation ${action} for version ${version}`);
  }
  const broken = found.takes.flatMap((name) => {
    const at = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
    return violations(form.get(name), at, IAM_CONSTRAINTS[name], true);
  });
  if (broken.length === 0) return ok({ action, found });
  const count = `${broken.length} validation error${broken.length === 1 ? '' : 's'} detected`;
  return error('ValidationError', 400, `${count}: ${broken.join('; ')}`);
}

/**
 * GetRole, and the inline policies of roles: PutRolePolicy, GetRolePolicy, ListRolePolicies,
 * DeleteRolePolicy. Answers in XML, even to clients that accept JSON.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
 */
export function createIam({ roles, clock, delay }: Options) {
  const policies = createRolePolicies({ clock, delay });
  const world: World = { policies, roles: new Map(roles.map((role) => [role.name, role])) };

  function answer({ principal, form, peer }: IamCall): Result<Answer, AwsError> {
    const read = readCall(form);
    if (!read.ok) return read;
    const { action, found } = read.value;
    function given(name: Parameter): string {
      return form.get(name) ?? '';
    }
    const RoleName = given('RoleName');
    const asked = { action: `iam:${action}`, resource: roleArn(RoleName), keys: NO_KEYS };
    const why = whyRefused(principal, asked, { inline: policies, peer, now: clock() });
    if (why !== undefined) return error('AccessDenied', 403, refusalMessage(principal, asked, why));
    if (!world.roles.has(RoleName)) {
      return error('NoSuchEntity', 404, `The role with name ${RoleName} cannot be found.`);
    }
    const names = {
      RoleName,
      PolicyName: given('PolicyName'),
      PolicyDocument: given('PolicyDocument'),
    };
    const done = found.run(names, world, form);
    return done.ok ? ok(queryAnswer(action, done.value, 'iam')) : done;
  }

  function call(given: IamCall): Answer {
    const outcome = answer(given);
    return outcome.ok ? outcome.value : errorAnswer('iam', outcome.refusal);
  }

  const inline: InlinePolicies = policies;
  return { inline, call };
}
