import type { Caller } from '../identity/caller.ts';

/** The caller as audit records name it. */
export function describeCaller(caller: Caller) {
  return {
    user: caller.name,
    principal: caller.principal,
    subject: caller.subject,
    account: caller.account,
    via: caller.via,
    access_key_id: caller.accessKeyId,
    ...(caller.sourceAccessKeyId === undefined ? {} : { source_access_key_id: caller.sourceAccessKeyId }),
    ...(caller.sessionName === undefined ? {} : { caller_session_name: caller.sessionName }),
  };
}
