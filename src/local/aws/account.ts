import { createHash } from 'node:crypto';
import type { TrustPolicy } from './trust-policy.ts';

/** The only account and the only region of the embedded AWS. */
export const EMBEDDED_ACCOUNT = '000000000000';
export const EMBEDDED_REGION = 'us-east-1';

/** A long-term access key of the embedded AWS. It is public, and every other AWS refuses it. */
export type StaticKey = { readonly accessKeyId: string; readonly secretAccessKey: string };

/**
 * The key of the TVM's own role session. AWS would require a session token; without one commands
 * are short.
 */
export const DEMO_TVM_KEY: StaticKey = {
  accessKeyId: 'AKIADEMOTVM00000',
  secretAccessKey: 'demo-tvm-not-a-secret',
};

/** The key of the IAM user dana. */
export const DEMO_DANA_KEY: StaticKey = {
  accessKeyId: 'AKIADEMODANA0000',
  secretAccessKey: 'demo-dana-not-a-secret',
};

/** A role: its name without a path, who may assume it, and for how many seconds at most. */
export type Role = {
  readonly name: string;
  readonly trustPolicy: TrustPolicy;
  readonly maxSessionDuration: number;
};

/** Who signed a request: an IAM user, or a session of a role. */
export type Principal = {
  /** As GetCallerIdentity returns it; for a session its `assumed-role` ARN. */
  readonly arn: string;
  /** The user or role that policies name. */
  readonly principalArn: string;
  /** `AIDA…` of a user, `AROA…:session-name` of a session. */
  readonly userId: string;
  /** The role's name; undefined for users. */
  readonly roleName: string | undefined;
  readonly sourceIdentity: string | undefined;
  /** Session tags that later sessions inherit. */
  readonly transitiveTags: ReadonlyMap<string, string>;
  /** All tags of the session. */
  readonly tags: ReadonlyMap<string, string>;
  /**
   * When the session's credentials were issued, in epoch milliseconds; undefined for static keys.
   */
  readonly issuedAt: number | undefined;
  /** The inline session policy, which narrows the session. */
  readonly sessionPolicy: string | undefined;
  /** ARNs of managed policies that narrow the session. */
  readonly managedPolicies: readonly string[];
};

/** What a session has beyond its role and name. */
export type Carried = Omit<Principal, 'arn' | 'principalArn' | 'userId' | 'roleName'>;

/** Nothing beyond role and name, as with static keys. */
const NOTHING_CARRIED: Carried = {
  sourceIdentity: undefined,
  transitiveTags: new Map(),
  tags: new Map(),
  issuedAt: undefined,
  sessionPolicy: undefined,
  managedPolicies: [],
};

function iam(resource: string): string {
  return `arn:aws:iam::${EMBEDDED_ACCOUNT}:${resource}`;
}

/** The ARN of a role without a path. */
export function roleArn(name: string): string {
  return iam(`role/${name}`);
}

/** A unique id in IAM's form, the same for the same name in every run. */
function uniqueId(prefix: 'AROA' | 'AIDA', name: string): string {
  const digest = createHash('sha256').update(`${prefix}/${name}`).digest();
  const letters = [...digest.subarray(0, 17)].map(
    (byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32],
  );
  return `${prefix}${letters.join('')}`;
}

/** The unique id of a role. */
export function roleId(name: string): string {
  return uniqueId('AROA', name);
}

/** The principal of a session of `role`. */
export function sessionOf(
  role: string,
  sessionName: string,
  carried: Carried = NOTHING_CARRIED,
): Principal {
  return {
    ...carried,
    arn: `arn:aws:sts::${EMBEDDED_ACCOUNT}:assumed-role/${role}/${sessionName}`,
    principalArn: roleArn(role),
    userId: `${roleId(role)}:${sessionName}`,
    roleName: role,
  };
}

/** The role that the TVM runs as: the only principal that may use SSM, DynamoDB and SNS. */
export const TVM_ROLE = 'sentinel-tvm';

/** The role that may write the deny policies of the protected roles. */
export const REVOKER_ROLE = 'sentinel-revoker';

const DANA: Principal = {
  ...NOTHING_CARRIED,
  arn: iam('user/eng/dana'),
  principalArn: iam('user/eng/dana'),
  userId: uniqueId('AIDA', 'dana'),
  roleName: undefined,
};

/**
 * Session tags that the protected roles accept: the TVM's own five, and three that a profile may
 * add.
 */
const ADMITTED_TAGS = [
  'SentinelSessionID',
  'SentinelUser',
  'SentinelPrincipal',
  'SentinelProfile',
  'SentinelRequestID',
  'team',
  'project',
  'env',
];

/** TagSession has a statement of its own, because its requests have no `sts:SourceIdentity`. */
const PROTECTED_TRUST: TrustPolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: roleArn(TVM_ROLE) },
      Action: ['sts:AssumeRole', 'sts:SetSourceIdentity'],
      Condition: { StringLike: { 'sts:SourceIdentity': 'sentinel=*' } },
    },
    {
      Effect: 'Allow',
      Principal: { AWS: roleArn(TVM_ROLE) },
      Action: 'sts:TagSession',
      Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ADMITTED_TAGS } },
    },
  ],
};

function trusting(...principals: readonly string[]): TrustPolicy {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: principals }, Action: 'sts:AssumeRole' }],
  };
}

/** The account's roles. Nobody can assume the TVM's own role; its session exists from the start. */
export const ROLES: readonly Role[] = [
  {
    name: TVM_ROLE,
    trustPolicy: { Version: '2012-10-17', Statement: [] },
    maxSessionDuration: 3_600,
  },
  { name: 'SentinelProtected-dev', trustPolicy: PROTECTED_TRUST, maxSessionDuration: 3_600 },
  { name: 'SentinelProtected-prod', trustPolicy: PROTECTED_TRUST, maxSessionDuration: 3_600 },
  { name: 'SentinelProtected-vault', trustPolicy: PROTECTED_TRUST, maxSessionDuration: 3_600 },
  { name: REVOKER_ROLE, trustPolicy: trusting(roleArn(TVM_ROLE)), maxSessionDuration: 3_600 },
  { name: 'deploy', trustPolicy: trusting(DANA.principalArn), maxSessionDuration: 43_200 },
];

/** The static keys and their principals. */
export const STATIC_KEYS: readonly (StaticKey & { readonly principal: Principal })[] = [
  { ...DEMO_TVM_KEY, principal: sessionOf(TVM_ROLE, 'local') },
  { ...DEMO_DANA_KEY, principal: DANA },
];
