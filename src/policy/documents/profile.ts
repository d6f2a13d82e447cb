import * as v from 'valibot';
import { parseArn, parseRoleArn, type Arn } from '../../lib/arn.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { readDocument } from '../reading/document.ts';
import { quote, type DocumentProblem } from '../reading/problem.ts';
import {
  described,
  duration,
  flag,
  list,
  mapping,
  parsed,
  text,
  textLike,
} from '../reading/schema.ts';
import { crossCheck, type CrossFinding } from '../reading/cross-check.ts';
import { minify, sessionPolicy, type SessionPolicy } from './session-policy.ts';
import { profileTags } from './profile-tags.ts';

/** What a profile vends: the role, and everything that narrows or marks its sessions. */
export type Profile = {
  readonly roleArn: string;
  /** The role's account and partition. */
  readonly account: string;
  readonly partition: string;
  readonly description: string | undefined;
  /** The longest that this profile's credentials may live, in seconds. */
  readonly maxDurationSeconds: number | undefined;
  readonly sessionPolicy: SessionPolicy | undefined;
  readonly managedPolicies: readonly string[];
  /** The profile's own session tags, in the document's order. */
  readonly tags: readonly (readonly [key: string, value: string])[];
  readonly externalId: string | undefined;
  /** Whether credentials work only from the caller's own address. */
  readonly bindSourceIp: boolean;
  /** The VPC that credentials of callers with private addresses are bound to. */
  readonly sourceVpc: string | undefined;
  /** Whether issued credentials can be revoked, through `revokerRoleArn`. */
  readonly hardRevoke: boolean;
  readonly revokerRoleArn: string | undefined;
  /**
   * Whether sessions may take credentials that outlive them, by which role chaining works: then
   * neither an approval's end nor a revocation reaches what they took.
   */
  readonly chaining: boolean;
};

/**
 * STS issues credentials for at least 900 seconds; the session policy ends them earlier if a
 * profile says so.
 */
const MIN_SECONDS = 60;

/**
 * The limits and patterns here and below:
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
const STS_POLICY_CHARACTERS = 2_048;
const MAX_MANAGED_POLICIES = 10;

/**
 * Room for the TVM's own statements: the end, the source address, and the deny of role chaining.
 */
const OWN_CHARACTERS = 500;
const PROFILE_CHARACTERS = STS_POLICY_CHARACTERS - OWN_CHARACTERS;

const MANAGED_POLICY = /^policy\/(?:[\u0021-\u007e]{1,510}\/)?[\w+=,.@-]{1,128}$/u;

const EXAMPLE_ROLE = 'arn:aws:iam::111122223333:role/Name';

type NamedArn = Arn & { readonly arn: string };

const roleArn = described(
  parsed((arn): Result<NamedArn, string> => {
    const read = parseRoleArn(arn);
    return read.ok
      ? ok({ ...read.value, arn })
      : refuse(`${quote(arn)} is not the ARN of an IAM role, like ${EXAMPLE_ROLE}`);
  }),
  'The ARN of an IAM role.',
);

const managedPolicy = described(
  parsed((arn): Result<NamedArn, string> => {
    const read = parseArn(arn);
    const isPolicy =
      read.ok &&
      read.value.service === 'iam' &&
      read.value.region === '' &&
      read.value.account !== '' &&
      MANAGED_POLICY.test(read.value.resource);
    return isPolicy
      ? ok({ ...read.value, arn })
      : refuse(`${quote(arn)} is not the ARN of a managed IAM policy`);
  }),
  'The ARN of a managed IAM policy.',
);

const profile = mapping(
  {
    role_arn: roleArn,
    description: v.exactOptional(
      v.pipe(text, v.maxLength(1_000, 'must be at most 1000 characters')),
    ),
    max_duration: v.exactOptional(duration(MIN_SECONDS)),
    session_policy: v.exactOptional(sessionPolicy),
    managed_policies: v.exactOptional(list(managedPolicy)),
    tags: v.exactOptional(profileTags),
    external_id: v.exactOptional(
      textLike(/^[\w+=,.@:/-]{2,1224}$/u, 'must be 2 to 1224 letters, digits and _+=,.@:/-'),
    ),
    bind_source_ip: v.exactOptional(flag),
    source_vpc: v.exactOptional(
      textLike(/^vpc-[0-9a-f]{8,17}$/u, 'must be the id of a VPC, like vpc-0123456789abcdef0'),
    ),
    hard_revoke: v.exactOptional(flag),
    revoker_role_arn: v.exactOptional(roleArn),
    chaining: v.exactOptional(flag),
  },
  { blanks: ['description', 'tags', 'external_id', 'source_vpc', 'revoker_role_arn'] },
);

type ProfileDocument = v.InferOutput<typeof profile>;

function checkManaged({
  role_arn: role,
  managed_policies: policies = [],
}: ProfileDocument): readonly CrossFinding[] {
  const key = 'managed_policies';
  const arns = policies.map(({ arn }) => arn);
  function isNear({ account, partition }: Arn): boolean {
    return partition === role.partition && (account === 'aws' || account === role.account);
  }
  return [
    ...(arns.length > MAX_MANAGED_POLICIES
      ? [{ key, message: `must be at most ${MAX_MANAGED_POLICIES} policies` }]
      : []),
    ...(new Set(arns).size < arns.length ? [{ key, message: 'must not list a policy twice' }] : []),
    ...(policies.every(isNear)
      ? []
      : [{ key, message: "must be AWS's own policies, or policies of the role's account" }]),
  ];
}

function checkSize(document: ProfileDocument): readonly CrossFinding[] {
  const { session_policy: inline, managed_policies: managed = [] } = document;
  // With managed policies alone, the TVM's own Denies are the whole session policy, and need a
  // document around them.
  const json = minify(inline ?? { statements: [], id: undefined });
  if (inline === undefined && managed.length === 0) return [];
  const used = managed.reduce((sum, { arn }) => sum + arn.length, json.length);
  const key = inline === undefined ? 'managed_policies' : 'session_policy';
  return [
    ...(used > PROFILE_CHARACTERS
      ? [
          {
            key,
            message: `the policies take ${used} characters; at most ${PROFILE_CHARACTERS} fit beside the TVM's own`,
          },
        ]
      : []),
    ...(/[^\u0020-\u00ff]/u.test(json)
      ? [{ key, message: 'has a character that STS refuses (beyond U+00FF)' }]
      : []),
  ];
}

function checkRevoker(document: ProfileDocument): readonly CrossFinding[] {
  const { role_arn: role, hard_revoke: hardRevoke = false, revoker_role_arn: revoker } = document;
  const key = 'revoker_role_arn';
  if (revoker === undefined) {
    return hardRevoke
      ? [
          {
            key: 'hard_revoke',
            message: 'needs revoker_role_arn: the role that may write the deny policy',
          },
        ]
      : [];
  }
  const isNear = revoker.account === role.account && revoker.partition === role.partition;
  return [
    ...(hardRevoke ? [] : [{ key, message: 'has no effect unless hard_revoke is true' }]),
    ...(isNear ? [] : [{ key, message: 'must be in the account of role_arn' }]),
  ];
}

function compileProfile(document: ProfileDocument): Profile {
  const {
    role_arn: role,
    description,
    max_duration: maxDurationSeconds,
    external_id: externalId,
  } = document;
  const { session_policy: policy, source_vpc: sourceVpc, revoker_role_arn: revoker } = document;
  return {
    roleArn: role.arn,
    account: role.account,
    partition: role.partition,
    description,
    maxDurationSeconds,
    sessionPolicy: policy,
    managedPolicies: (document.managed_policies ?? []).map(({ arn }) => arn),
    tags: Object.entries(document.tags ?? {}),
    externalId,
    bindSourceIp: document.bind_source_ip ?? false,
    sourceVpc,
    hardRevoke: document.hard_revoke ?? false,
    chaining: document.chaining ?? false,
    revokerRoleArn: revoker?.arn,
  };
}

/** The form of the document, and how a profile is compiled from it. */
export const compiledProfile = v.pipe(
  profile,
  crossCheck<ProfileDocument>((document) => [
    ...checkManaged(document),
    ...checkSize(document),
    ...checkRevoker(document),
  ]),
  v.description(
    'hard_revoke needs revoker_role_arn, of the account of role_arn. ' +
      `There are at most ${MAX_MANAGED_POLICIES} managed_policies; with session_policy they take at most ` +
      `${PROFILE_CHARACTERS} characters.`,
  ),
  v.transform(compileProfile),
);

/**
 * Reads a profile document, YAML or JSON: the profile ready for use, or every problem with its
 * line.
 */
export function readProfile(source: string): Result<Profile, readonly DocumentProblem[]> {
  return readDocument(source, compiledProfile);
}
