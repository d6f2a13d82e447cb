import { isAccountId, parseArn, parseRoleArn } from '../lib/arn.ts';
import { toName, toStoredName, type NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { Caller, CallerIdentity } from './caller.ts';

/** What AWS says of whoever signed: the answer of GetCallerIdentity, or the request context of a front that verified. */
export type AwsIdentity = {
  /** `arn:P:iam::A:user/…` or `arn:P:sts::A:assumed-role/R/S`; others are no callers. */
  readonly arn: string;
  readonly account: string;
  /** `AIDA…`, or `AROA…:session-name`. */
  readonly userId: string;
};

/** A role whose session names can be trusted; `sso` where whoever assumes it names sessions after its people. */
export type TrustedSessionRole = { readonly arn: string; readonly kind: 'role' | 'sso' };

/** Whom the operator lets in, whose session names are somebody's word, and which kind of caller owns bare names. */
export type Admission = {
  /** Accounts whose principals are callers at all; undefined for the TVM's own. */
  readonly allowedAccounts: readonly string[] | undefined;
  /** Accounts whose IAM Identity Center is the organisation's own. */
  readonly ssoAccounts: readonly string[];
  /** Unique ids (AROA…) of the only Identity Center roles that are trusted; empty for all in those accounts. */
  readonly ssoRoles: readonly string[];
  /** Roles whose sessions are named by something that can be trusted. */
  readonly trustedSessionRoles: readonly TrustedSessionRole[];
  readonly bareNames: NamedKind;
};

/** What the TVM is itself, as far as it decides who can be a caller. */
export type OwnIdentity = {
  readonly account: string;
  /** Principals of the roles that the TVM vends or has vended lately, and of its own: they are never callers. */
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

/** IAM's limits of names: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const USER = /^user\/(?:[\u0021-\u007e]{1,510}\/)?([\w+=,.@-]{1,64})$/u;
const SESSION = /^assumed-role\/([\w+=,.@-]{1,64})\/([\w+=,.@-]{2,64})$/u;

/** Roles that IAM Identity Center makes; it names their sessions after its users. */
const SSO_ROLE = /^AWSReservedSSO_.+_[0-9a-f]{16}$/u;

const UNIQUE_ID = /^[A-Z0-9]{16,128}$/u;

/** A session of a role, as its ARN and its unique id tell it. */
type RoleSession = {
  readonly partition: string;
  readonly account: string;
  readonly role: string;
  readonly sessionName: string;
  /** `AROA…` */
  readonly roleId: string;
};

/**
 * Turns what AWS says into a caller. A session's name is chosen by whoever assumes the role, so it names nobody, with two
 * exceptions that the operator lists: sessions of Identity Center, and of roles that something trusted assumes; there each
 * session name is a subject of its own. What comes from another account carries that account in its name. Root, federated
 * users, EC2's own role identities, whatever is not known here, and what the TVM itself vends are refused.
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
  const user = service === 'iam' && region === '' ? USER.exec(resource)?.[1] : undefined;
  if (user !== undefined) {
    const names = nameOf('user', user, account, admission, own);
    const uniqueId = toUniqueId(userId);
    return ok({ account, principal: arn, subject: arn, ...names, sessionName: undefined, uniqueId });
  }
  const [, role, sessionName] = (service === 'sts' && region === '' ? SESSION.exec(resource) : undefined) ?? [];
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

/** A caller's name in documents, and as it is stored. */
function nameOf(
  kind: NamedKind,
  bare: string,
  account: string,
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
    const names = nameOf('sso', sessionName, account, admission, own);
    return ok({ ...caller, subject, ...names });
  }
  const name = qualified(`role/${role}/${sessionName}`, account, own);
  return ok({ ...caller, subject, name, storedName: name });
}

function qualified(name: string, account: string, own: OwnIdentity): string {
  return account === own.account ? name : `${account}:${name}`;
}

/** Whose word a session's name is: of Identity Center, of a listed role, or, undefined, of nobody but the caller. */
function trustOf(
  session: RoleSession,
  { ssoAccounts, ssoRoles, trustedSessionRoles }: Admission,
): TrustedSessionRole['kind'] | undefined {
  const isPinned = ssoRoles.length === 0 || ssoRoles.includes(session.roleId);
  if (SSO_ROLE.test(session.role) && ssoAccounts.includes(session.account) && isPinned) return 'sso';
  return trustedSessionRoles.find(({ arn }) => isRole(arn, session))?.kind;
}

/** The ARN of a session has lost its role's path, and role names are unique in an account without it. */
function isRole(listed: string, { role, partition, account }: RoleSession): boolean {
  const arn = parseRoleArn(listed);
  return arn.ok && arn.value.roleName === role && arn.value.account === account && arn.value.partition === partition;
}
