import { parseRoleArn } from '../lib/arn.ts';
import { splitAccount } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard, matchesPattern } from './arn-pattern.ts';
import { accountOfPattern, keyOfPattern } from './principals.ts';
import { quote } from './reading/problem.ts';
import { parseUserName, type UserName } from './user-names.ts';
import { SHORTENED_LENGTH, type KnownCallers } from './known-callers.ts';

/**
 * Says why a valid name matches no known caller, or perhaps another one than intended; undefined if
 * there is no reason to doubt it. IAM users and people of Identity Center are not known here, so
 * nothing is said about whether they exist.
 *
 * @param denies whether the name is in a deny, where a wrong name would let somebody in
 */
export function questionUserName(
  text: string,
  known: KnownCallers,
  denies = false,
): string | undefined {
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
 * Says why no caller can have a valid name, which makes a `deny` of it a load error. Undefined if
 * somebody could.
 */
export function impossibleInDeny(text: string, known: KnownCallers): string | undefined {
  const parsed = parseUserName(text, known);
  if (!parsed.ok) return undefined;
  const impossible = impossibleName(text, known);
  if (impossible !== undefined) return impossible;
  const problem = unknownBareName(text, parsed.value, known);
  return problem === undefined ? undefined : `${quote(text)} ${problem}`;
}

/**
 * Says why a pattern of principals matches no known caller; undefined if there is no reason to
 * doubt it.
 */
export function questionPrincipal(pattern: string, known: KnownCallers): string | undefined {
  const key = keyOfPattern(pattern);
  const account = accountOfPattern(pattern) ?? known.ownAccount;
  if (key !== undefined && !isKnownKey(key, known))
    return `${quote(pattern)} matches no registered key`;
  if (known.neverCallers.has(pattern)) return `${quote(pattern)} ${VENDED}`;
  const allowed = allowedOf(known);
  if (
    hasWildcard(account)
      ? allowed.some((one) => matchesPattern(account, one))
      : allowed.includes(account)
  ) {
    return undefined;
  }
  return `${quote(pattern)} ${notAllowed(account)}`;
}

function isKnownKey(pattern: string, { keyIds }: KnownCallers): boolean {
  return hasWildcard(pattern)
    ? [...keyIds].some((id) => matchesPattern(pattern, id))
    : keyIds.has(pattern);
}

/** Says why no caller of an account can exist; undefined if the account is allowed. */
export function questionAccount(account: string, known: KnownCallers): string | undefined {
  return allowedOf(known).includes(account)
    ? undefined
    : `${quote(account)} ${notAllowed(account)}`;
}

function allowedOf({ allowedAccounts, ownAccount }: KnownCallers): readonly string[] {
  return allowedAccounts ?? [ownAccount];
}

/**
 * The message for a vended role. Whoever writes it mostly means the callers that hold its
 * credentials.
 */
const VENDED =
  "is a role that the TVM vends, or the TVM's own, whose sessions are never callers; " +
  'name the callers that the role is vended to, or its profile';

function notAllowed(account: string): string {
  return `is of account ${account}, whose callers SENTINEL_ALLOWED_ACCOUNTS does not let in`;
}

function questionPlace(account: string, known: KnownCallers): string | undefined {
  return allowedOf(known).includes(account) ? undefined : notAllowed(account);
}

/**
 * Checks that a name does not begin with the TVM's own account, since only names of other accounts'
 * callers have one. Refuses with a sentence, or gives the name back.
 */
export function checkNotAtHome(text: string, ownAccount: string): Result<string, string> {
  const [account, rest] = splitAccount(text);
  if (account !== `${ownAccount}:`) return ok(text);
  return refuse(
    `${quote(text)} begins with the TVM's own account, whose callers' names have none; write ${rest}`,
  );
}

function impossibleName(text: string, { ownAccount }: KnownCallers): string | undefined {
  const checked = checkNotAtHome(text, ownAccount);
  return checked.ok ? undefined : checked.refusal;
}

/** A bare name means one kind of caller. The likeliest mistake is that another kind was meant. */
function unknownBareName(
  text: string,
  { kind, bare }: UserName,
  known: KnownCallers,
): string | undefined {
  const isBare = kind === known.bareNames && text === bare;
  if (!isBare || kind !== 'key' || known.keyNames.has(bare)) return undefined;
  return (
    `is the name of no registered key, so it denies nobody; write user/${bare} for an IAM user` +
    `${bare.length < 2 ? '' : `, sso/${bare} for a person of Identity Center`}${shortenedFrom(bare, known)}`
  );
}

function questionKind(name: UserName, known: KnownCallers): string | undefined {
  const { kind, bare, session } = name;
  if (kind === 'key')
    return known.keyNames.has(bare)
      ? undefined
      : `is the name of no registered key${shortenedFrom(bare, known)}`;
  if (kind === 'role') return questionVended(name, known) ?? questionRole(bare, session, known);
  if (kind === 'sso' && !hasIdentityCenter(name, known)) {
    return 'is a person of Identity Center, whom neither SENTINEL_SSO_ACCOUNTS nor SENTINEL_TRUSTED_SESSION_ROLES lets in';
  }
  const isMistakable =
    kind === known.bareNames && name.account === undefined && known.keyNames.has(bare);
  return isMistakable
    ? `is not the registered key of that name, which is key/${bare} here`
    : undefined;
}

function hasIdentityCenter({ account }: UserName, known: KnownCallers): boolean {
  const place = account ?? known.ownAccount;
  return (
    known.ssoAccounts.includes(place) ||
    known.trustedSessionRoles.some(
      ({ arn, kind }) => kind === 'sso' && accountOfPattern(arn) === place,
    )
  );
}

function questionVended(
  { account, bare }: UserName,
  { neverNamed, ownAccount }: KnownCallers,
): string | undefined {
  return neverNamed.has(`${account ?? ownAccount}:role/${bare}`) ? VENDED : undefined;
}

function questionRole(
  role: string,
  session: string | undefined,
  known: KnownCallers,
): string | undefined {
  const isTrusted = known.trustedSessionRoles.some(
    ({ arn, kind }) => kind === 'role' && nameOfRole(arn) === role,
  );
  if (session !== undefined && !isTrusted) {
    return `is a session of role ${role}, which SENTINEL_TRUSTED_SESSION_ROLES does not list; if ${role} is a path, write role/${session}`;
  }
  if (session !== undefined || !isTrusted) return undefined;
  return `is nobody's name, because SENTINEL_TRUSTED_SESSION_ROLES lists ${role}: its sessions are role/${role}/<session>`;
}

function nameOfRole(arn: string): string | undefined {
  const role = parseRoleArn(arn);
  return role.ok ? role.value.roleName : undefined;
}

function shortenedFrom(bare: string, { shortened }: KnownCallers): string {
  const whole = shortened.get(bare);
  return whole === undefined
    ? ''
    : `; Sentinel shortens ${whole} to it, but the TVM does not shorten names`;
}

/** Matches the end of an e-mail address without its punctuation. */
const LIKE_AN_ADDRESS =
  /^[a-z0-9]{6,}(?:com|org|net|edu|gov|example|io|co|eu|de|uk|fr|nl|jp|au|ca|in)$/iu;

/**
 * Questions a name that Sentinel may have shortened: nobody has it here, so a deny taken over from
 * Sentinel is empty.
 */
function questionShortened({ bare }: UserName, known: KnownCallers): string | undefined {
  const looksShort =
    /^[A-Za-z0-9]{1,20}$/u.test(bare) &&
    (bare.length === SHORTENED_LENGTH || LIKE_AN_ADDRESS.test(bare));
  const whole = shortenedFrom(bare, known);
  if (!looksShort && whole === '') return undefined;
  return `looks like a name that Sentinel shortened, as mallorycorpexample for mallory@corp.example; write the whole name${whole}`;
}
