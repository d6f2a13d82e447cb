import { formatInstant } from '../../lib/clock.ts';
import {
  EMBEDDED_ACCOUNT,
  EMBEDDED_REGION,
  REVOKER_ROLE,
  roleArn,
  TVM_ROLE,
  type Principal,
} from './account.ts';
import {
  evaluatePolicy,
  readPolicy,
  type Policy,
  type PolicyQuestion,
  type Verdict,
} from './policy-evaluation.ts';

/** What a principal asks for. */
export type Asked = {
  readonly action: string;
  readonly resource: string;
  /** The condition keys of this action alone, by lower-case name. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
};

/** An action without condition keys of its own. */
export const NO_KEYS: Asked['keys'] = new Map();

/** The inline policies of roles that are in effect now. */
export type InlinePolicies = { readonly of: (role: string) => readonly Policy[] };

/**
 * The rest of a question: the policies of roles, the caller's address, and the time in epoch
 * milliseconds.
 */
export type Circumstances = {
  readonly inline: InlinePolicies;
  readonly peer: string;
  readonly now: number;
};

function allow(actions: readonly string[], resource = '*'): Policy[number] {
  return {
    sid: undefined,
    effect: 'Allow',
    actions: { not: false, patterns: actions },
    resources: { not: false, patterns: [resource] },
    conditions: [],
  };
}

const PROTECTED = 'SentinelProtected-';
const PROTECTED_ROLES = roleArn(`${PROTECTED}*`);

const OWN: ReadonlyMap<string, Policy> = new Map([
  [TVM_ROLE, [allow(['ssm:*', 'dynamodb:*', 'sns:*'])]],
  // IAM has no condition key for a policy's name, so the role may write any inline policy of the
  // protected roles.
  [
    REVOKER_ROLE,
    [
      allow(['iam:PutRolePolicy', 'iam:GetRolePolicy', 'iam:DeleteRolePolicy'], PROTECTED_ROLES),
      allow(['iam:ListRolePolicies', 'iam:GetRole'], PROTECTED_ROLES),
    ],
  ],
]);

/**
 * Something that a demo can do: read the role itself. SSM, DynamoDB and SNS are for the TVM only.
 */
const PROTECTED_OWN: Policy = [allow(['iam:GetRole'], PROTECTED_ROLES)];

/** What each role may do by its fixed policy, beside the inline ones. */
function ownPolicy(role: string): Policy {
  return OWN.get(role) ?? (role.startsWith(PROTECTED) ? PROTECTED_OWN : []);
}

const READ_ONLY: Policy = [
  allow(['*:Get*', '*:List*', '*:Describe*', '*:Query', '*:Scan', '*:BatchGet*']),
];

/** The only managed policy that is known here; any other allows nothing. */
const MANAGED: ReadonlyMap<string, Policy> = new Map([
  ['arn:aws:iam::aws:policy/ReadOnlyAccess', READ_ONLY],
]);

/** A socket for both address families writes IPv4 addresses as IPv6. */
function addressOf(peer: string): string {
  return peer.replace(/^::ffff:(?=\d+\.)/iu, '');
}

/**
 * The condition keys of a request by this principal. aws:VpcSourceIp and aws:SourceVpc are absent,
 * because there is no VPC. aws:TokenIssueTime exists for temporary credentials only, to the second.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
function contextOf(
  principal: Principal,
  asked: Asked,
  { peer, now }: Circumstances,
): PolicyQuestion['context'] {
  const { issuedAt, roleName, sourceIdentity, tags, principalArn, userId } = principal;
  return new Map<string, readonly string[]>([
    ['aws:currenttime', [new Date(now).toISOString()]],
    ['aws:sourceip', [addressOf(peer)]],
    ['aws:viaawsservice', ['false']],
    ['aws:securetransport', ['false']],
    ['aws:requestedregion', [EMBEDDED_REGION]],
    ['aws:principalarn', [principalArn]],
    ['aws:principalaccount', [EMBEDDED_ACCOUNT]],
    ['aws:userid', [userId]],
    ...(roleName === undefined
      ? [['aws:username', [principalArn.split('/').at(-1) ?? '']] as const]
      : []),
    ...(issuedAt === undefined ? [] : [['aws:tokenissuetime', [formatInstant(issuedAt)]] as const]),
    ...(sourceIdentity === undefined ? [] : [['aws:sourceidentity', [sourceIdentity]] as const]),
    ...[...tags].map(([key, value]) => [`aws:principaltag/${key.toLowerCase()}`, [value]] as const),
    ...asked.keys,
  ]);
}

function among(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('deny')) return 'deny';
  return verdicts.includes('allow') ? 'allow' : 'none';
}

/** What the session's inline and managed policies say together; undefined if it has none. */
function sessionVerdict(
  { sessionPolicy, managedPolicies }: Principal,
  question: PolicyQuestion,
): Verdict | undefined {
  if (sessionPolicy === undefined && managedPolicies.length === 0) return undefined;
  const inline = sessionPolicy === undefined ? [] : readPolicy(sessionPolicy);
  if (inline === undefined) return 'deny';
  const policies = [inline, ...managedPolicies.map((arn) => MANAGED.get(arn) ?? [])];
  return among(policies.map((policy) => evaluatePolicy(policy, question)));
}

const EXPLICIT = 'with an explicit deny in';

/**
 * Why a session policy or an inline policy denies a request, in AWS's words; undefined if none
 * does.
 */
function whyNarrowed(
  principal: Principal,
  asked: Asked,
  circumstances: Circumstances,
): string | undefined {
  const question = { ...asked, context: contextOf(principal, asked, circumstances) };
  const inline =
    principal.roleName === undefined ? [] : circumstances.inline.of(principal.roleName);
  const says = among(inline.map((policy) => evaluatePolicy(policy, question)));
  if (says === 'deny') return `${EXPLICIT} an identity-based policy`;
  const session = sessionVerdict(principal, question);
  if (session === 'deny') return `${EXPLICIT} a session policy`;
  return session === 'none'
    ? `because no session policy allows the ${asked.action} action`
    : undefined;
}

/**
 * Why a principal may not do something; undefined if it may. An explicit Deny in a policy of its
 * role or session is final. The role must allow the action, and so must the session's policies, if
 * any.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
 */
export function whyRefused(
  principal: Principal,
  asked: Asked,
  circumstances: Circumstances,
): string | undefined {
  const narrowed = whyNarrowed(principal, asked, circumstances);
  if (narrowed?.startsWith(EXPLICIT) === true) return narrowed;
  const { roleName } = principal;
  const policies =
    roleName === undefined ? [] : [ownPolicy(roleName), ...circumstances.inline.of(roleName)];
  const question = { ...asked, context: contextOf(principal, asked, circumstances) };
  const says = among(policies.map((policy) => evaluatePolicy(policy, question)));
  return says === 'allow'
    ? narrowed
    : `because no identity-based policy allows the ${asked.action} action`;
}

/** The same for AssumeRole: within an account, the role's trust policy is enough to allow it. */
export const whyDenied = whyNarrowed;

/** AWS's sentence for a refusal, with the reason. */
export function refusalMessage(
  principal: Principal,
  { action, resource }: Asked,
  why: string,
): string {
  return `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} ${why}`;
}
