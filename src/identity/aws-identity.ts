import { isAccountId, parseArn, parseRoleArn } from '../lib/arn.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { Caller } from './caller.ts';

/** What AWS says of whoever signed: the answer of GetCallerIdentity, or the request context of a front that verified. */
export type AwsIdentity = {
  /** `arn:P:iam::A:user/…` or `arn:P:sts::A:assumed-role/R/S`; others are no callers. */
  readonly arn: string;
  readonly account: string;
  /** `AIDA…`, or `AROA…:session-name`. */
  readonly userId: string;
};

/** Whom the operator lets in, and whose session names are somebody's word. */
export type Admission = {
  /** Accounts whose principals are callers at all; undefined for the TVM's own. */
  readonly allowedAccounts: readonly string[] | undefined;
  /** Accounts whose IAM Identity Center is the organisation's own. */
  readonly ssoAccounts: readonly string[];
  /** ARNs of roles whose sessions are named by something that can be trusted. */
  readonly trustedSessionRoles: readonly string[];
};

/** The part of a caller that its AWS identity settles. */
export type AwsCaller = Pick<Caller, 'account' | 'principal' | 'name' | 'sessionName' | 'uniqueId'>;

const denied = (message: string) => refuse<SigV4Refusal>({ error: 'AccessDenied', message });

/** Refuses callers of accounts that are not admitted. */
export const admitAccount = (
  account: string,
  { allowedAccounts }: Pick<Admission, 'allowedAccounts'>,
  ownAccount: string,
): Result<undefined, SigV4Refusal> =>
  (allowedAccounts ?? [ownAccount]).includes(account)
    ? ok(undefined)
    : denied(`Callers of account ${account} are not admitted here.`);

/** IAM's limits of names: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const USER = /^user\/(?:[\u0021-\u007e]{1,510}\/)?([\w+=,.@-]{1,64})$/u;
const SESSION = /^assumed-role\/([\w+=,.@-]{1,64})\/([\w+=,.@-]{2,64})$/u;

/** Roles that IAM Identity Center makes; it names their sessions after its users. */
const SSO_ROLE = /^AWSReservedSSO_.+_[0-9a-f]{16}$/u;

const UNIQUE_ID = /^[A-Z0-9]{16,128}$/u;

type Part = { readonly partition: string; readonly account: string };

/**
 * Turns what AWS says into a caller. A session's name is chosen by whoever assumes the role, so it names nobody, with two
 * exceptions that the operator lists: sessions of Identity Center, and of roles that something trusted assumes. What
 * comes from another account carries that account in its name. Root, federated users, EC2's own role identities and
 * whatever is not known here are refused.
 *
 * @param ownAccount the TVM's own account
 */
export const toAwsCaller = (
  { arn, account, userId }: AwsIdentity,
  admission: Admission,
  ownAccount: string,
): Result<AwsCaller, SigV4Refusal> => {
  const parsed = parseArn(arn);
  if (!parsed.ok || parsed.value.account !== account || !isAccountId(account)) {
    return denied('AWS named an identity that this server cannot read.');
  }
  const admitted = admitAccount(account, admission, ownAccount);
  if (!admitted.ok) return admitted;
  const { partition, service, region, resource } = parsed.value;
  const part = { partition, account };
  const user = service === 'iam' && region === '' ? USER.exec(resource)?.[1] : undefined;
  if (user !== undefined) {
    return withUniqueId(userId, { account, principal: arn, name: qualified(user, account, ownAccount) });
  }
  const [, role, sessionName] = (service === 'sts' && region === '' ? SESSION.exec(resource) : undefined) ?? [];
  if (role === undefined || sessionName === undefined) return denied(NOT_A_CALLER);
  const [id, ofSession] = splitFirst(userId, ':');
  if (ofSession !== sessionName) return denied('AWS named a session and the id of another.');
  const name = toSessionCallerName(role, sessionName, part, admission, ownAccount);
  return withUniqueId(id, { account, principal: `arn:${partition}:iam::${account}:role/${role}`, name, sessionName });
};

const NOT_A_CALLER =
  'Only IAM users and sessions of IAM roles are callers here: root, federated users and EC2 instance identities are not.';

const splitFirst = (text: string, separator: string): readonly [string, string?] => {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
};

const qualified = (name: string, account: string, ownAccount: string): string =>
  account === ownAccount ? name : `${account}:${name}`;

const withUniqueId = (id: string, caller: AwsCaller): Result<AwsCaller, SigV4Refusal> =>
  ok(UNIQUE_ID.test(id) ? { ...caller, uniqueId: id } : caller);

const toSessionCallerName = (
  role: string,
  sessionName: string,
  part: Part,
  admission: Admission,
  ownAccount: string,
): string => {
  if (SSO_ROLE.test(role) && admission.ssoAccounts.includes(part.account)) return sessionName;
  const trusted = admission.trustedSessionRoles.some((listed) => isRole(listed, role, part));
  return qualified(trusted ? sessionName : `role/${role}`, part.account, ownAccount);
};

/** The ARN of a session has lost its role's path, and role names are unique in an account without it. */
const isRole = (listed: string, role: string, { partition, account }: Part): boolean => {
  const arn = parseRoleArn(listed);
  return arn.ok && arn.value.roleName === role && arn.value.account === account && arn.value.partition === partition;
};
