import { createHash } from 'node:crypto';
import type { TrustPolicy } from './trust-policy.ts';

/** The one account and the one region of the embedded AWS; nothing else exists in it. */
export const EMBEDDED_ACCOUNT = '000000000000';
export const EMBEDDED_REGION = 'us-east-1';

/** A long-lived access key of the embedded AWS: no secret, and refused by every AWS that is not local. */
export type StaticKey = { readonly accessKeyId: string; readonly secretAccessKey: string };

/** The key of the TVM's own role session. AWS would add a session token; leaving it out keeps commands short. */
export const DEMO_TVM_KEY: StaticKey = {
  accessKeyId: 'AKIADEMOTVM00000',
  secretAccessKey: 'demo-tvm-not-a-secret',
};

/** The key of the IAM user dana. */
export const DEMO_DANA_KEY: StaticKey = {
  accessKeyId: 'AKIADEMODANA0000',
  secretAccessKey: 'demo-dana-not-a-secret',
};

/** A role: its name without path, who may assume it, and for how many seconds at most. */
export type Role = {
  readonly name: string;
  readonly trustPolicy: TrustPolicy;
  readonly maxSessionDuration: number;
};

/** Who signed a request: an IAM user, or a session of a role. */
export type Principal = {
  /** As GetCallerIdentity prints it; for a session its `assumed-role` ARN. */
  readonly arn: string;
  /** The user or role that policies name. */
  readonly principalArn: string;
  /** `AIDA…` of a user, `AROA…:session-name` of a session. */
  readonly userId: string;
  /** The role's name, for sessions only. */
  readonly roleName?: string;
  readonly sourceIdentity?: string;
  /** Session tags that later sessions inherit. */
  readonly transitiveTags: ReadonlyMap<string, string>;
  /** All tags of the session. */
  readonly tags?: ReadonlyMap<string, string>;
  /** When the session's credentials were issued, epoch milliseconds. */
  readonly issuedAt?: number;
  /** What narrows the session further: its inline policy, and the ARNs of managed ones. */
  readonly sessionPolicy?: string;
  readonly managedPolicies?: readonly string[];
};

function iam(resource: string): string {
  return `arn:aws:iam::${EMBEDDED_ACCOUNT}:${resource}`;
}

/** The ARN of a role without path. */
export function roleArn(name: string): string {
  return iam(`role/${name}`);
}

/** A unique id in IAM's form, the same for the same name in every run. */
function uniqueId(prefix: 'AROA' | 'AIDA', name: string): string {
  const digest = createHash('sha256').update(`${prefix}/${name}`).digest();
  const letters = [...digest.subarray(0, 17)].map((byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32]);
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
  carried: Partial<
    Pick<Principal, 'sourceIdentity' | 'transitiveTags' | 'tags' | 'issuedAt' | 'sessionPolicy' | 'managedPolicies'>
  > = {},
): Principal {
  return {
    arn: `arn:aws:sts::${EMBEDDED_ACCOUNT}:assumed-role/${role}/${sessionName}`,
    principalArn: roleArn(role),
    userId: `${roleId(role)}:${sessionName}`,
    roleName: role,
    ...carried,
    transitiveTags: carried.transitiveTags ?? new Map(),
  };
}

/** The role that the TVM runs as: the only principal that may use SSM and DynamoDB. */
export const TVM_ROLE = 'sentinel-tvm';

/** The role that may write the deny policies of the protected roles. */
export const REVOKER_ROLE = 'sentinel-revoker';

const DANA: Principal = {
  arn: iam('user/eng/dana'),
  principalArn: iam('user/eng/dana'),
  userId: uniqueId('AIDA', 'dana'),
  transitiveTags: new Map(),
};

/** Session tags that the protected roles admit: the TVM's own five, and three that a profile may add. */
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

/** TagSession stands apart, for a request for it carries no `sts:SourceIdentity`. */
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

/** The account's roles. Nobody can assume the TVM's own: its session exists from the start. */
export const ROLES: readonly Role[] = [
  { name: TVM_ROLE, trustPolicy: { Version: '2012-10-17', Statement: [] }, maxSessionDuration: 3_600 },
  { name: 'SentinelProtected-dev', trustPolicy: PROTECTED_TRUST, maxSessionDuration: 3_600 },
  { name: 'SentinelProtected-prod', trustPolicy: PROTECTED_TRUST, maxSessionDuration: 3_600 },
  { name: 'SentinelProtected-vault', trustPolicy: PROTECTED_TRUST, maxSessionDuration: 3_600 },
  { name: REVOKER_ROLE, trustPolicy: trusting(roleArn(TVM_ROLE)), maxSessionDuration: 3_600 },
  { name: 'deploy', trustPolicy: trusting(DANA.principalArn), maxSessionDuration: 43_200 },
];

/** Who holds the static keys. */
export const STATIC_KEYS: readonly (StaticKey & { readonly principal: Principal })[] = [
  { ...DEMO_TVM_KEY, principal: sessionOf(TVM_ROLE, 'local') },
  { ...DEMO_DANA_KEY, principal: DANA },
];
