import type { NamedKind } from '../lib/names.ts';

/** The settings that determine which callers can exist. */
export type NameSettings = {
  readonly bareNames: NamedKind;
  /** Accounts whose principals can be callers; undefined for the TVM's own account alone. */
  readonly allowedAccounts: readonly string[] | undefined;
  readonly ssoAccounts: readonly string[];
  readonly trustedSessionRoles: readonly { readonly arn: string; readonly kind: 'role' | 'sso' }[];
};

/**
 * What is known about callers from settings and other documents, to compare a document's names
 * with.
 */
export type KnownCallers = NameSettings & {
  /** The TVM's own account. */
  readonly ownAccount: string;
  /** Names and access key ids of registered keys, including disabled and expired ones. */
  readonly keyNames: ReadonlySet<string>;
  readonly keyIds: ReadonlySet<string>;
  /** Sentinel's shortened form of a registered key's name → the name, where the two differ. */
  readonly shortened: ReadonlyMap<string, string>;
  /**
   * Principals of the roles that the TVM vends, and of its own role: their sessions are never
   * callers.
   */
  readonly neverCallers: ReadonlySet<string>;
  /** The same as `<account>:role/<name>`, without the partition, which names do not contain. */
  readonly neverNamed: ReadonlySet<string>;
};

/**
 * Collects what is known about callers.
 *
 * @param keys registered keys by their access key ids
 * @param neverCallers principals of the roles that the TVM vends, and of its own role
 */
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
    neverNamed: new Set(
      [...neverCallers].map((principal) => principal.split(':').slice(4).join(':')),
    ),
  };
}

/** Sentinel keeps only the letters and digits of a name, and at most 20 of them. */
export const SHORTENED_LENGTH = 20;

function shorten(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/gu, '').slice(0, SHORTENED_LENGTH);
}
