/**
 * The audit records. Fields that Sentinel (the Go project) logs keep its names, so that what reads its decision log reads
 * this one; what it lacks is added. No record ever holds a secret key or a session token.
 */

type Common = {
  readonly type: 'audit';
  /** `2026-01-02T03:04:05.678Z`. */
  readonly timestamp: string;
  /** The same as the answer's `x-request-id`. */
  readonly http_request_id: string;
  readonly source_ip?: string;
  /** The trace that the request names: W3C's, and AWS X-Ray's. The sender chose it. */
  readonly trace_id?: string;
  readonly xray_trace_id?: string;
};

/** Who asked. */
type Who = {
  readonly user: string;
  readonly principal: string;
  /** The one person or workload behind the principal. */
  readonly subject: string;
  readonly account: string;
  readonly via: string;
  /** The access key that signed the request. */
  readonly access_key_id: string;
  /** The access key that a minted key came from. */
  readonly source_access_key_id?: string;
  /** The name of the caller's own session, which the caller may have chosen. */
  readonly caller_session_name?: string;
};

/** A decision on a request for credentials, and what came of it. */
export type VendRecord = Common &
  Who & {
    readonly event: 'vend';
    readonly profile: string;
    readonly effect: 'allow' | 'deny' | 'require_approval';
    /** The rule that decided; empty with index -1 for the default deny. */
    readonly rule: string;
    readonly rule_index: number;
    readonly reason: string;
    readonly policy_path: string;
    /** `failed`: allowed, but no credentials left; `error` says why. */
    readonly outcome: 'vended' | 'denied' | 'failed';
    readonly error?: string;
    /** The error code of the AWS service that refused. */
    readonly upstream_code?: string;
    /** The id of this vend, which its SourceIdentity carries. */
    readonly request_id?: string;
    readonly session_id?: string;
    /** `degraded`: the session could not be written to its table. */
    readonly tracking?: 'tracked' | 'degraded';
    /** `grace`: DynamoDB could not be read, and the operator's SENTINEL_OUTAGE_GRACE let the vend go on. */
    readonly revocations?: 'grace';
    readonly source_identity?: string;
    readonly role_session_name?: string;
    readonly role_arn?: string;
    readonly session_duration_seconds?: number;
    /** The key that was vended, for incidents begin there. */
    readonly vended_access_key_id?: string;
    readonly expiration?: string;
  };

/** A revocation made or lifted, or the attempt. */
export type RevocationRecord = Common &
  Who & {
    readonly event: 'revocation';
    readonly action: 'revoked' | 'lifted';
    readonly effect: 'allow' | 'deny';
    readonly revocation_id?: string;
    readonly kind?: string;
    readonly value?: string;
    readonly revocation_reason?: string;
    readonly until?: string;
    /** What became of the deny policies, by role. */
    readonly hard?: readonly string[];
    readonly error?: string;
  };

/** A request for a key of the TVM, and what came of it. */
export type KeyRecord = Common &
  Who & {
    readonly event: 'key';
    readonly effect: 'allow' | 'deny';
    readonly outcome: 'minted' | 'denied' | 'failed';
    readonly error?: string;
    readonly minted_access_key_id?: string;
    readonly expiration?: string;
  };

/** A request whose caller could not be known. */
export type IdentityRefusedRecord = Common & {
  readonly event: 'identity_refused';
  readonly effect: 'deny';
  readonly error: string;
  readonly reason: string;
  readonly method: string;
  readonly path: string;
  /** What the request claims to be signed with; nothing has verified it. */
  readonly claimed_access_key_id?: string;
  /** The error code of STS, where STS refused. */
  readonly upstream_code?: string;
  /** Who it was, where that is known and they are revoked. */
  readonly user?: string;
  readonly principal?: string;
  readonly subject?: string;
};

export type AuditRecord = VendRecord | KeyRecord | RevocationRecord | IdentityRefusedRecord;

type Entry<Record> = Omit<Record, 'type' | 'timestamp'>;

/** What a caller of the audit log fills in; type and time are the log's own. */
export type AuditEntry = Entry<VendRecord> | Entry<KeyRecord> | Entry<RevocationRecord> | Entry<IdentityRefusedRecord>;
