import type { Admission } from '../../src/identity/aws-identity.ts';

/** What holds where the operator has configured nothing: callers of the TVM's own account, no session name trusted. */
export const ADMISSION: Admission = { allowedAccounts: undefined, ssoAccounts: [], trustedSessionRoles: [] };
