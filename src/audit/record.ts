import type { Counted } from '../telemetry/meter.ts';

/**
 * The audit records. Fields that Sentinel (the Go project) logs keep its names, with the one
 * exception that `VendRecord` tells of, so that what reads its decision log reads this one; what it
 * lacks is added. No record ever holds a secret key or a session token.
 *
 * Members that are `undefined` are left out of the line.
 */

type Common = {
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
  readonly source_access_key_id?: string | undefined;
  /** The name of the caller's own session, which the caller may have chosen. */
  readonly caller_session_name?: string | undefined;
};

/**
 * A decision on a request for credentials, and what came of it.
 *
 * Three ids, each of something else:
 * - `http_request_id` is the HTTP request's, the answer's `x-request-id`.
 * - `vend_id` is this vend's own. `source_identity` carries it.
 * - `request_id` is left for the id of a request for an approval, and stands in no record yet.
 *
 * For readers of Sentinel's own log: it logs as `request_id` what is `vend_id` here, so read this
 * field in its place. The session tag keeps Sentinel's name, `SentinelRequestID`. It carries the id
 * of the approval or of the break-glass event that a vend rests on, and where there is neither, as
 * in every vend today, the `vend_id`.
 */
export type VendRecord = Common &
  Who & {
    readonly event: 'vend';
    readonly profile: string;
    readonly effect: 'allow' | 'deny' | 'require_approval';
    /** The rule that decided; empty with index -1 for the default deny. */
    readonly rule: string;
    readonly rule_index: number;
    /** The SHA-256 of the rule's canonical JSON, its first sixteen hexadecimal digits. */
    readonly rule_hash?: string | undefined;
    /** Which documents it was decided by: the same digits of the SHA-256 of all of them. */
    readonly catalog_version?: string | undefined;
    readonly reason: string;
    readonly policy_path: string;
    /** `failed`: allowed, but no credentials left; `error` says why. */
    readonly outcome: 'vended' | 'denied' | 'failed';
    readonly error?: string | undefined;
    readonly cause?: UnavailableCause | undefined;
    /** The error code of the AWS service that refused. */
    readonly upstream_code?: string | undefined;
    /** The id of this vend, which its SourceIdentity carries. */
    readonly vend_id?: string | undefined;
    /**
     * The id of the request that was approved, on which this vend rests, or that a vend without an
     * approval made.
     */
    readonly request_id?: string | undefined;
    /** Who approved it, by their stored names. */
    readonly approvers?: readonly string[] | undefined;
    /** Sentinel's name for `request_id` of a vend that rests on it. */
    readonly approved_request_id?: string | undefined;
    /** IAM's unique id of the caller, where it is known. */
    readonly unique_id?: string | undefined;
    /** How long was asked for, in seconds. */
    readonly asked_duration_seconds?: number | undefined;
    readonly session_id?: string | undefined;
    /** `degraded`: the session could not be written to its table. */
    readonly tracking?: 'tracked' | 'degraded' | undefined;
    /**
     * `grace`: DynamoDB could not be read, and the operator's SENTINEL_OUTAGE_GRACE let the vend go
     * on.
     */
    readonly revocations?: 'grace' | undefined;
    readonly source_identity?: string | undefined;
    readonly role_session_name?: string | undefined;
    readonly role_arn?: string | undefined;
    readonly session_duration_seconds?: number | undefined;
    /** The access key that was vended: where an investigation begins. */
    readonly vended_access_key_id?: string | undefined;
    readonly expiration?: string | undefined;
  };

/** A revocation made or lifted, or the attempt. */
export type RevocationRecord = Common &
  Who & {
    readonly event: 'revocation';
    readonly action: 'revoked' | 'lifted';
    readonly effect: 'allow' | 'deny';
    readonly revocation_id?: string | undefined;
    readonly kind?: string | undefined;
    readonly value?: string | undefined;
    readonly revocation_reason?: string | undefined;
    readonly until?: string | undefined;
    /** What became of the deny policies, by role. */
    readonly hard?: readonly string[] | undefined;
    readonly error?: string | undefined;
    readonly cause?: UnavailableCause | undefined;
  };

/** A request for a key of the TVM, and what came of it. */
export type KeyRecord = Common &
  Who & {
    readonly event: 'key';
    readonly effect: 'allow' | 'deny';
    readonly outcome: 'minted' | 'denied' | 'failed';
    readonly error?: string | undefined;
    readonly cause?: UnavailableCause | undefined;
    readonly minted_access_key_id?: string | undefined;
    readonly expiration?: string | undefined;
  };

/**
 * What somebody did about a request for an approval, or tried to. Sentinel's names of fields, and
 * more of ours.
 */
export type ApprovalRecord = Common &
  Who & {
    readonly event: 'approval';
    readonly action: 'requested' | 'approved' | 'denied' | 'cancelled' | 'ended' | 'listed';
    readonly effect: 'allow' | 'deny';
    /** The id of the request. */
    readonly request_id?: string | undefined;
    /** Who did it, by the name that documents use. */
    readonly actor: string;
    readonly requester?: string | undefined;
    readonly profile?: string | undefined;
    /** The state of the request after it. */
    readonly status?: string | undefined;
    readonly justification?: string | undefined;
    readonly ticket?: string | undefined;
    readonly duration_seconds?: number | undefined;
    readonly digest?: string | undefined;
    /** Those who approved it so far. */
    readonly approver?: string | undefined;
    readonly approver_comment?: string | undefined;
    readonly auto_approved?: boolean | undefined;
    /** Why it was ended or denied. */
    readonly reason?: string | undefined;
    readonly error?: string | undefined;
    readonly cause?: UnavailableCause | undefined;
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
  readonly claimed_access_key_id?: string | undefined;
  /** The error code of STS, where STS refused. */
  readonly upstream_code?: string | undefined;
  /** Who it was, where that is known and they are revoked. */
  readonly user?: string | undefined;
  readonly principal?: string | undefined;
  readonly subject?: string | undefined;
};

/**
 * Refusals of one kind and from one address that have no lines of their own: it stands for `count`
 * lines.
 */
export type CountedRefusalsRecord = Pick<Common, 'type' | 'timestamp'> & {
  readonly event: 'identity_refused' | 'unavailable';
  readonly effect: 'deny';
  readonly error: string;
  /** The reason of the first of them. */
  readonly reason: string;
  readonly cause?: UnavailableCause | undefined;
  /**
   * An IPv4 address or an IPv6 /64; missing where there were more addresses than are told apart.
   */
  readonly source_ip?: string | undefined;
  readonly count: number;
  /** When the first and the last of them came, as `timestamp` is written. */
  readonly first: string;
  readonly last: string;
};

/** A request that got 503, where no other record says so. */
export type UnavailableRecord = Common &
  Partial<Who> & {
    readonly event: 'unavailable';
    readonly effect: 'deny';
    readonly error: string;
    readonly cause: UnavailableCause;
    readonly reason: string;
    readonly method?: string | undefined;
    readonly path?: string | undefined;
    readonly claimed_access_key_id?: string | undefined;
  };

/** Lines that were lost. It is written as soon as the log takes lines again. */
export type AuditLostRecord = Pick<Common, 'type' | 'timestamp'> & {
  readonly event: 'audit_lost';
  readonly lines: number;
  /** When the first and the last of them were lost. */
  readonly first: string;
  readonly last: string;
};

export type AuditRecord =
  | VendRecord
  | KeyRecord
  | RevocationRecord
  | ApprovalRecord
  | IdentityRefusedRecord
  | UnavailableRecord
  | CountedRefusalsRecord
  | AuditLostRecord;

type Entry<Record> = Omit<Record, 'type' | 'timestamp'>;

/** A refusal of somebody who has not proved who they are, before it is a line. */
export type RefusalEntry = Entry<IdentityRefusedRecord> | Entry<UnavailableRecord>;

/** A refusal as far as one that is only counted is kept. */
export type CountableRefusal = Omit<
  Entry<CountedRefusalsRecord>,
  'effect' | 'count' | 'first' | 'last'
>;

export type VendEntry = Entry<VendRecord>;
export type KeyEntry = Entry<KeyRecord>;
export type RevocationEntry = Entry<RevocationRecord>;
export type ApprovalEntry = Entry<ApprovalRecord>;

/** What a caller of the audit log fills in; type and time are the log's own. */
export type AuditEntry =
  | VendEntry
  | KeyEntry
  | RevocationEntry
  | ApprovalEntry
  | RefusalEntry
  | Entry<CountedRefusalsRecord>
  | Entry<AuditLostRecord>;
