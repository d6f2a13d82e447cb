import { isAccountId, parseArn, parseRoleArn } from '../lib/arn.ts';
import { toName, toStoredName, type NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { Caller, CallerIdentity } from './caller.ts';

/**
 * What AWS says about the signer: the answer to GetCallerIdentity, or the request context of a
 * front that verified the signature.
 */
export type AwsIdentity = {
  /** `arn:P:iam::A:user/…` or `arn:P:sts::A:assumed-role/R/S`; any other is not a caller. */
  readonly arn: string;
  readonly account: string;
  /** `AIDA…`, or `AROA…:session-name`. */
  readonly userId: string;
};

/**
 * A role whose session names can be trusted: `sso` where they are names of Identity Center's users.
 */
export type TrustedSessionRole = { readonly arn: string; readonly kind: 'role' | 'sso' };

/** Which callers the operator admits, whose session names are trusted, and who owns bare names. */
export type Admission = {
  /** Accounts whose principals are admitted; undefined for the TVM's own account alone. */
  readonly allowedAccounts: readonly string[] | undefined;
  /** Accounts whose IAM Identity Center is the organisation's own. */
  readonly ssoAccounts: readonly string[];
  /**
   * Unique ids (AROA…) of the Identity Center roles that are trusted; empty for all in those
   * accounts.
   */
  readonly ssoRoles: readonly string[];
  /** Other roles whose session names are trusted, because only a trusted party assumes them. */
  readonly trustedSessionRoles: readonly TrustedSessionRole[];
  /** The kind of caller that documents call by a bare name. */
  readonly bareNames: NamedKind;
};

/** The TVM's own account and roles, as far as they decide who can be a caller. */
export type OwnIdentity = {
  readonly account: string;
  /**
   * Principals that are never callers: the roles that the TVM vends or vended lately, and its own.
   */
  readonly neverCallers: ReadonlySet<string>;
};

function denied(message: string) {
  return refuse<SigV4Refusal>({ error: 'AccessDenied', message });
}

/** Refuses callers of accounts that are not admitted. */
export function admitAccount(
  account: string,
  { allowedAccounts }: Pick<Admission, 'allowedAccounts'>,
  ownAccount: string,
): Result<undefined, SigV4Refusal> {
  return (allowedAccounts ?? [ownAccount]).includes(account)
    ? ok(undefined)
    : denied(`Callers of account ${account} are not admitted here.`);
}

/**
 * IAM's limits on names: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
const USER = /^user\/(?:[\u0021-\u007e]{1,510}\/)?([\w+=,.@-]{1,64})$/u;
const SESSION = /^assumed-role\/([\w+=,.@-]{1,64})\/([\w+=,.@-]{2,64})$/u;

/** Roles that IAM Identity Center creates; it names their sessions after its users. */
const SSO_ROLE = /^AWSReservedSSO_.+_[0-9a-f]{16}$/u;

const UNIQUE_ID = /^[A-Z0-9]{16,128}$/u;

/** A session of a role, as its ARN and its unique id describe it. */
type RoleSession = {
  readonly partition: string;
  readonly account: string;
  readonly role: string;
  readonly sessionName: string;
  /** `AROA…` */
  readonly roleId: string;
};

/**
 * Turns what AWS says about the signer into a caller.
 *
 * Whoever assumes a role chooses the session's name, so that name identifies nobody. There are two
 * exceptions, which the operator lists: sessions of Identity Center, and sessions of roles that
 * only a trusted party assumes. There each session name is a subject of its own. The name of a
 * caller from another account carries that account. Root, federated users, EC2's own role
 * identities, unknown forms of ARN, and the roles that the TVM itself vends are refused.
 */
export function toAwsCaller(
  { arn, account, userId }: AwsIdentity,
  admission: Admission,
  own: OwnIdentity,
): Result<CallerIdentity, SigV4Refusal> {
  const parsed = parseArn(arn);
  if (!parsed.ok || parsed.value.account !== account || !isAccountId(account)) {
    return denied('AWS named an identity that this server cannot read.');
  }
  const admitted = admitAccount(account, admission, own.account);
  if (!admitted.ok) return admitted;
  const { partition, service, region, resource } = parsed.value;

  // An IAM user is named by its ARN.
  const user = service === 'iam' && region === '' ? USER.exec(resource)?.[1] : undefined;
  if (user !== undefined) {
    const names = namesOf({ kind: 'user', bare: user, account }, admission, own);
    const uniqueId = toUniqueId(userId);
    return ok({
      account,
      principal: arn,
      subject: arn,
      ...names,
      sessionName: undefined,
      uniqueId,
    });
  }
  // Anybody else must be a session of a role, whose ARN and id agree.
  const [, role, sessionName] =
    (service === 'sts' && region === '' ? SESSION.exec(resource) : undefined) ?? [];
  if (role === undefined || sessionName === undefined) return denied(NOT_A_CALLER);
  const [roleId, ofSession] = splitFirst(userId, ':');
  if (ofSession !== sessionName) return denied('AWS named a session and the id of another.');
  return toSessionCaller({ partition, account, role, sessionName, roleId }, admission, own);
}

const NOT_A_CALLER =
  'Only IAM users and sessions of IAM roles are callers here: root, federated users and EC2 instance identities are not.';

function splitFirst(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function toUniqueId(id: string): string | undefined {
  return UNIQUE_ID.test(id) ? id : undefined;
}

/** The name of a caller in documents, and as it is stored. */
function namesOf(
  {
    kind,
    bare,
    account,
  }: { readonly kind: NamedKind; readonly bare: string; readonly account: string },
  { bareNames }: Admission,
  own: OwnIdentity,
): Pick<Caller, 'name' | 'storedName'> {
  const name = toName(kind, bare, bareNames, account === own.account ? undefined : account);
  return { name, storedName: toStoredName(name, bareNames) };
}

function toSessionCaller(
  session: RoleSession,
  admission: Admission,
  own: OwnIdentity,
): Result<CallerIdentity, SigV4Refusal> {
  const { partition, account, role, sessionName, roleId } = session;
  const principal = `arn:${partition}:iam::${account}:role/${role}`;
  if (own.neverCallers.has(principal)) {
    return denied(
      `Sessions of role ${role} are what this server vends, or its own, and are no callers; sign with the credentials ` +
        'that you had before.',
    );
  }
  const trusted = trustOf(session, admission);
  const caller = { account, principal, sessionName, uniqueId: toUniqueId(roleId) };
  if (trusted === undefined) {
    const name = qualified(`role/${role}`, account, own);
    return ok({ ...caller, subject: principal, name, storedName: name });
  }
  const subject = `${principal}/${sessionName}`;
  if (trusted === 'sso') {
    const names = namesOf({ kind: 'sso', bare: sessionName, account }, admission, own);
    return ok({ ...caller, subject, ...names });
  }
  const name = qualified(`role/${role}/${sessionName}`, account, own);
  return ok({ ...caller, subject, name, storedName: name });
}

function qualified(name: string, account: string, own: OwnIdentity): string {
  return account === own.account ? name : `${account}:${name}`;
}

/**
 * Who vouches for the session's name: `sso` for Identity Center, `role` for a listed role;
 * undefined where the caller chose it.
 */
function trustOf(
  session: RoleSession,
  { ssoAccounts, ssoRoles, trustedSessionRoles }: Admission,
): TrustedSessionRole['kind'] | undefined {
  const isPinned = ssoRoles.length === 0 || ssoRoles.includes(session.roleId);
  if (SSO_ROLE.test(session.role) && ssoAccounts.includes(session.account) && isPinned)
    return 'sso';
  return trustedSessionRoles.find(({ arn }) => isRole(arn, session))?.kind;
}

/**
 * Whether a listed ARN is the session's role. Paths are not compared: the ARN of a session has
 * none, and role names are unique within an account anyway.
 */
function isRole(listed: string, { role, partition, account }: RoleSession): boolean {
  const arn = parseRoleArn(listed);
  return (
    arn.ok &&
    arn.value.roleName === role &&
    arn.value.account === account &&
    arn.value.partition === partition
  );
}
