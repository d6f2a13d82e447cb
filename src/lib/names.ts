/**
 * The names that policies have for callers. Three kinds of caller have names of their own:
 * registered keys, IAM users, and people of IAM Identity Center. One kind owns bare names
 * (`alice`); names of the others begin with their kind (`user/alice`), so that whoever may create
 * names of one kind cannot pose as another. A caller from another account has that account in its
 * name:
 *
 *     alice · key/alice · user/alice · sso/alice · role/R · role/R/S · 111122223333:user/alice
 */
export const NAMED_KINDS = ['key', 'user', 'sso'] as const;

/** A kind of caller that has names of its own. */
export type NamedKind = (typeof NAMED_KINDS)[number];

/** Printable ASCII without `/`, `:` and `*`, and without blanks at its ends. */
const BARE = /^(?! )(?:(?![/:*])[\u0020-\u007e])+(?<! )$/u;

const ACCOUNT = /^(\d{12}:)?(.*)$/su;

/** Whether a text can be the bare part of a name. */
export function isBareName(text: string): boolean {
  return BARE.test(text);
}

/** Splits a name into its account, `111122223333:` or empty, and the rest. */
export function splitAccount(name: string): readonly [account: string, rest: string] {
  const [, account = '', rest = ''] = ACCOUNT.exec(name) ?? [];
  return [account, rest];
}

/**
 * A name as documents write it.
 *
 * @param account the caller's account where it is not the TVM's own; undefined at home
 */
export function toName(
  kind: NamedKind,
  bare: string,
  owner: NamedKind,
  account: string | undefined,
): string {
  const local = kind === owner ? bare : `${kind}/${bare}`;
  return account === undefined ? local : `${account}:${local}`;
}

/**
 * A name as tables and tags hold it: always with its kind, so that it keeps its meaning whichever
 * kind owns bare names. The inverse of {@link toShownName}.
 */
export function toStoredName(name: string, owner: NamedKind): string {
  const [account, rest] = splitAccount(name);
  return isBareName(rest) ? `${account}${owner}/${rest}` : name;
}

/** A stored name as documents write it. */
export function toShownName(stored: string, owner: NamedKind): string {
  const [account, rest] = splitAccount(stored);
  return rest.startsWith(`${owner}/`) ? `${account}${rest.slice(owner.length + 1)}` : stored;
}

/**
 * Whether two stored names are of one person: the same name, or the same person of Identity Center
 * in two accounts.
 */
export function isSamePerson(a: string, b: string): boolean {
  const [[, left], [, right]] = [splitAccount(a), splitAccount(b)];
  return a === b || (left === right && left.startsWith('sso/'));
}
