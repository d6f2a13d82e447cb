import { parseRoleArn } from '../lib/arn.ts';
import { splitAccount, type NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard, matchesPattern } from './arn-pattern.ts';
import { accountOfPattern, keyOfPattern } from './principals.ts';
import { quote } from './reading/problem.ts';
import { parseUserName, type UserName } from './user-names.ts';

/** The settings that say which callers there can be. */
export type NameSettings = {
  readonly bareNames: NamedKind;
  /** Accounts whose principals are callers; undefined for the TVM's own alone. */
  readonly allowedAccounts: readonly string[] | undefined;
  readonly ssoAccounts: readonly string[];
  readonly trustedSessionRoles: readonly { readonly arn: string; readonly kind: 'role' | 'sso' }[];
};

/** What is known, beside a document, of whom there is. */
export type KnownCallers = NameSettings & {
  /** The TVM's own account. */
  readonly ownAccount: string;
  /** Names and access key ids of registered keys, whether they are usable or not. */
  readonly keyNames: ReadonlySet<string>;
  readonly keyIds: ReadonlySet<string>;
  /** Names of registered keys by what Sentinel would have made of them, where that differs. */
  readonly shortened: ReadonlyMap<string, string>;
  /** Principals of roles that the TVM vends, and of its own: their sessions are no callers. */
  readonly neverCallers: ReadonlySet<string>;
  /** The same as `<account>:role/<name>`, in whatever partition, for names tell none. */
  readonly neverNamed: ReadonlySet<string>;
};

/** Makes what is known of the settings, the registered keys by their access key ids, and the roles that are vended. */
export function toKnownCallers(
  settings: NameSettings,
  ownAccount: string,
  keys: ReadonlyMap<string, { readonly name: string }>,
  neverCallers: ReadonlySet<string>,
): KnownCallers {
  const keyNames = new Set([...keys.values()].map(({ name }) => name));
  const shortened = [...keyNames]
    .map((name) => [shorten(name), name] as const)
    .filter(([short, name]) => short !== name);
  const { bareNames, allowedAccounts, ssoAccounts, trustedSessionRoles } = settings;
  return {
    bareNames,
    allowedAccounts,
    ssoAccounts,
    trustedSessionRoles,
    ownAccount,
    keyNames,
    keyIds: new Set(keys.keys()),
    shortened: new Map(shortened),
    neverCallers,
    neverNamed: new Set([...neverCallers].map((principal) => principal.split(':').slice(4).join(':'))),
  };
}

/**
 * Why a name of a sound form matches nobody that is known, or not whom one may think; undefined if nothing speaks against
 * it. Users and people of other systems are not known here, so nothing is said of whether there is such a one.
 *
 * @param denies whether somebody is refused by this name, so that it matters most whether it is theirs
 */
export function questionUserName(text: string, known: KnownCallers, denies = false): string | undefined {
  const parsed = parseUserName(text, known);
  if (!parsed.ok) return undefined;
  const name = parsed.value;
  const impossible = impossibleName(text, known);
  if (impossible !== undefined) return impossible;
  const problem =
    questionPlace(name.account ?? known.ownAccount, known) ??
    questionKind(name, known) ??
    (denies ? questionShortened(name, known) : undefined);
  return problem === undefined ? undefined : `${quote(text)} ${problem}`;
}

/**
 * Why a name can refuse nobody, although its form is sound: what makes a `deny` a load error. Undefined if somebody could
 * have it.
 */
export function impossibleInDeny(text: string, known: KnownCallers): string | undefined {
  const parsed = parseUserName(text, known);
  if (!parsed.ok) return undefined;
  const impossible = impossibleName(text, known);
  if (impossible !== undefined) return impossible;
  const problem = unknownBareName(text, parsed.value, known);
  return problem === undefined ? undefined : `${quote(text)} ${problem}`;
}

/** Why a pattern of principals matches nobody that is known; undefined if nothing speaks against it. */
export function questionPrincipal(pattern: string, known: KnownCallers): string | undefined {
  const key = keyOfPattern(pattern);
  const account = accountOfPattern(pattern) ?? known.ownAccount;
  if (key !== undefined && !isKnownKey(key, known)) return `${quote(pattern)} is no key that is registered`;
  if (known.neverCallers.has(pattern)) return `${quote(pattern)} ${VENDED}`;
  const allowed = allowedOf(known);
  if (hasWildcard(account) ? allowed.some((one) => matchesPattern(account, one)) : allowed.includes(account)) {
    return undefined;
  }
  return `${quote(pattern)} ${notAllowed(account)}`;
}

function isKnownKey(pattern: string, { keyIds }: KnownCallers): boolean {
  return hasWildcard(pattern) ? [...keyIds].some((id) => matchesPattern(pattern, id)) : keyIds.has(pattern);
}

/** Why callers of an account are not let in; undefined if they are. */
export function questionAccount(account: string, known: KnownCallers): string | undefined {
  return allowedOf(known).includes(account) ? undefined : `${quote(account)} ${notAllowed(account)}`;
}

function allowedOf({ allowedAccounts, ownAccount }: KnownCallers): readonly string[] {
  return allowedAccounts ?? [ownAccount];
}

/** Whoever writes this mostly means those who hold its credentials. */
const VENDED =
  'is a role that is vended here, or the TVM itself, and its sessions are no callers; name whoever gets it, or its profile';

function notAllowed(account: string): string {
  return `is of account ${account}, and SENTINEL_ALLOWED_ACCOUNTS lets no caller of it in`;
}

function questionPlace(account: string, known: KnownCallers): string | undefined {
  return allowedOf(known).includes(account) ? undefined : notAllowed(account);
}

/**
 * Checks that a name is not one of the TVM's own account with that account before it, as callers of other accounts are
 * called. Refuses with a sentence; hands back the text.
 */
export function checkNotAtHome(text: string, ownAccount: string): Result<string, string> {
  const [account, rest] = splitAccount(text);
  if (account !== `${ownAccount}:`) return ok(text);
  return refuse(`${quote(text)} names the TVM's own account, whose callers have none in their names; write ${rest}`);
}

function impossibleName(text: string, { ownAccount }: KnownCallers): string | undefined {
  const checked = checkNotAtHome(text, ownAccount);
  return checked.ok ? undefined : checked.refusal;
}

/** A bare name belongs to one kind of caller; that it was meant for another is the likeliest mistake. */
function unknownBareName(text: string, { kind, bare }: UserName, known: KnownCallers): string | undefined {
  const isBare = kind === known.bareNames && text === bare;
  if (!isBare || kind !== 'key' || known.keyNames.has(bare)) return undefined;
  return (
    `is the name of no registered key, so it refuses nobody; write user/${bare} for an IAM user` +
    `${bare.length < 2 ? '' : `, sso/${bare} for somebody of Identity Center`}${shortenedFrom(bare, known)}`
  );
}

function questionKind(name: UserName, known: KnownCallers): string | undefined {
  const { kind, bare, session } = name;
  if (kind === 'key')
    return known.keyNames.has(bare) ? undefined : `is the name of no registered key${shortenedFrom(bare, known)}`;
  if (kind === 'role') return questionVended(name, known) ?? questionRole(bare, session, known);
  if (kind === 'sso' && !hasIdentityCenter(name, known)) {
    return 'is somebody of Identity Center, and neither SENTINEL_SSO_ACCOUNTS nor SENTINEL_TRUSTED_SESSION_ROLES lets such in';
  }
  const isMistakable = kind === known.bareNames && name.account === undefined && known.keyNames.has(bare);
  return isMistakable ? `is not the registered key of that name, which is key/${bare} here` : undefined;
}

function hasIdentityCenter({ account }: UserName, known: KnownCallers): boolean {
  const place = account ?? known.ownAccount;
  return (
    known.ssoAccounts.includes(place) ||
    known.trustedSessionRoles.some(({ arn, kind }) => kind === 'sso' && accountOfPattern(arn) === place)
  );
}

function questionVended({ account, bare }: UserName, { neverNamed, ownAccount }: KnownCallers): string | undefined {
  return neverNamed.has(`${account ?? ownAccount}:role/${bare}`) ? VENDED : undefined;
}

function questionRole(role: string, session: string | undefined, known: KnownCallers): string | undefined {
  const isTrusted = known.trustedSessionRoles.some(({ arn, kind }) => kind === 'role' && nameOfRole(arn) === role);
  if (session !== undefined && !isTrusted) {
    return `is a session of role ${role}, which SENTINEL_TRUSTED_SESSION_ROLES does not list; if ${role} is a path, write role/${session}`;
  }
  if (session !== undefined || !isTrusted) return undefined;
  return `is nobody's name, since SENTINEL_TRUSTED_SESSION_ROLES lists ${role}: its sessions are role/${role}/<session>`;
}

function nameOfRole(arn: string): string | undefined {
  const role = parseRoleArn(arn);
  return role.ok ? role.value.roleName : undefined;
}

/** Sentinel keeps letters and digits of a name, 20 of them at most. */
const SHORTENED_LENGTH = 20;

function shorten(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/gu, '').slice(0, SHORTENED_LENGTH);
}

function shortenedFrom(bare: string, { shortened }: KnownCallers): string {
  const whole = shortened.get(bare);
  return whole === undefined ? '' : `; Sentinel shortens ${whole} to it, and here names are whole`;
}

/** As an e-mail address ends when its signs were taken out. */
const LIKE_AN_ADDRESS = /^[a-z0-9]{6,}(?:com|org|net|edu|gov|example|io|co|eu|de|uk|fr|nl|jp|au|ca|in)$/iu;

/** Names that Sentinel has shortened are nobody's here: whoever carries its policies over finds their denies empty. */
function questionShortened({ bare }: UserName, known: KnownCallers): string | undefined {
  const looksShort =
    /^[A-Za-z0-9]{1,20}$/u.test(bare) && (bare.length === SHORTENED_LENGTH || LIKE_AN_ADDRESS.test(bare));
  const whole = shortenedFrom(bare, known);
  if (!looksShort && whole === '') return undefined;
  return `looks like a name that Sentinel shortened, as mallorycorpexample for mallory@corp.example; here names are whole${whole}`;
}
