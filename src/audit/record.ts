import type { BreakGlassRecord } from './break-glass-record.ts';
import type { Common, UnavailableCause, Who } from './common.ts';
import type { VendRecord } from './vend-record.ts';

/**
 * The audit records. Fields that Sentinel (the Go project) logs keep its names, with the one
 * exception that `VendRecord` tells of, so that what reads its decision log reads this one; what it
 * lacks is added. No record ever holds a secret key or a session token.
 *
 * Members that are `undefined` are left out of the line.
 */

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
    /** The id of the request that it extends. */
    readonly extends?: string | undefined;
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
  | BreakGlassRecord
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
export type BreakGlassEntry = Entry<BreakGlassRecord>;

/** What a caller of the audit log fills in; type and time are the log's own. */
export type AuditEntry =
  | VendEntry
  | KeyEntry
  | RevocationEntry
  | ApprovalEntry
  | BreakGlassEntry
  | RefusalEntry
  | Entry<CountedRefusalsRecord>
  | Entry<AuditLostRecord>;
