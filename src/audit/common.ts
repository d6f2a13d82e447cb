import type { Counted } from '../telemetry/meter.ts';

/** What every record has. */
export type Common = {
  readonly type: 'audit';
  /** `2026-01-02T03:04:05.678Z`. */
  readonly timestamp: string;
  /** The same as the answer's `x-request-id`. */
  readonly http_request_id: string;
  readonly source_ip?: string | undefined;
  /** The trace that the request names: W3C's, and AWS X-Ray's. The sender chose it. */
  readonly trace_id?: string | undefined;
  readonly xray_trace_id?: string | undefined;
};

/** What kept the server from answering, where it answered 503. */
export type UnavailableCause = Counted['unavailable'];

/** Who asked. */
export type Who = {
  readonly user: string;
  readonly principal: string;
  /** The one person or workload behind the principal. */
  readonly subject: string;
  readonly account: string;
  readonly via: string;
  /** The access key that signed the request. */
  readonly access_key_id: string;
  /** The access key that a minted key came from. */
  readonly source_access_key_id?: string | undefined;
  /** The name of the caller's own session, which the caller may have chosen. */
  readonly caller_session_name?: string | undefined;
};
