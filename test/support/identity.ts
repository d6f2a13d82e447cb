import type { Admission, OwnIdentity } from '../../src/identity/aws-identity.ts';
import type { Caller } from '../../src/identity/caller.ts';
import type { KeyRing, RegisteredKey } from '../../src/identity/key-ring.ts';

/**
 * The default configuration: callers of the TVM's own account only, and no trusted session names.
 */
export const ADMISSION: Admission = {
  allowedAccounts: undefined,
  ssoAccounts: [],
  ssoRoles: [],
  trustedSessionRoles: [],
  bareNames: 'key',
};

/** The identity of a TVM in this account that vends no role. */
export function ownIdentity(account: string): OwnIdentity {
  return { account, neverCallers: new Set() };
}

/** A caller with the registered key TVMALICE, or what `change` makes of it. */
export function callerWith(change: Partial<Caller> = {}): Caller {
  return {
    via: 'key',
    account: '111122223333',
    principal: 'sentinel:key/TVMALICE',
    subject: 'sentinel:key/TVMALICE',
    name: 'alice',
    storedName: 'key/alice',
    sessionName: undefined,
    accessKeyId: 'TVMALICE',
    sourceAccessKeyId: undefined,
    uniqueId: undefined,
    keyExpiresAt: undefined,
    ...change,
  };
}

/** The registered key of the demo caller Alice, or what `change` makes of it. */
export function registeredKey(change: Partial<RegisteredKey> = {}): RegisteredKey {
  return {
    secret: 'demo-alice-not-a-secret',
    name: 'alice',
    expiresAtMs: undefined,
    disabled: false,
    ...change,
  };
}

/** The keys of a TVM of this account, which vends no role and seals no key. */
export function keyRing(account: string, findKey: KeyRing['findKey']): KeyRing {
  return { ...ownIdentity(account), findKey, sealingKeys: new Map() };
}
