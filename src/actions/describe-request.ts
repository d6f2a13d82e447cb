import type { Caller } from '../identity/caller.ts';

/** A request whose caller is known, as far as its audit record names it. */
export type KnownRequest = {
  readonly caller: Caller;
  /** The answer's `x-request-id`. */
  readonly httpRequestId: string;
  /** The caller's address; undefined if it is unknown. */
  readonly address: string | undefined;
};

/** What every audit record of an action begins with: the request, and who sent it. */
export function describeRequest({ caller, httpRequestId, address }: KnownRequest) {
  return {
    http_request_id: httpRequestId,
    source_ip: address,
    user: caller.name,
    principal: caller.principal,
    subject: caller.subject,
    account: caller.account,
    via: caller.via,
    access_key_id: caller.accessKeyId,
    source_access_key_id: caller.sourceAccessKeyId,
    caller_session_name: caller.sessionName,
  };
}
