import type { Admission, OwnIdentity } from '../../src/identity/aws-identity.ts';

/** What holds where the operator has configured nothing: callers of the TVM's own account, no session name trusted. */
export const ADMISSION: Admission = {
  allowedAccounts: undefined,
  ssoAccounts: [],
  ssoRoles: [],
  trustedSessionRoles: [],
  bareNames: 'key',
};

/** A TVM of this account, which vends no role. */
export function ownIdentity(account: string): OwnIdentity {
  return { account, neverCallers: new Set() };
}
