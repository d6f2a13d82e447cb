import type { Common, UnavailableCause, Who } from './common.ts';

/**
 * A decision on a request for credentials, and what came of it.
 *
 * Three ids, each of something else:
 * - `http_request_id` is the HTTP request's, the answer's `x-request-id`.
 * - `vend_id` is this vend's own. `source_identity` carries it.
 * - `request_id` is the id of the request for an approval that the vend rests on, or that it made;
 *   `break_glass_event_id` is that of a break-glass event.
 *
 * For readers of Sentinel's own log: it logs as `request_id` what is `vend_id` here, so read this
 * field in its place. The session tag keeps Sentinel's name, `SentinelRequestID`. It carries the id
 * of the approval or of the break-glass event that a vend rests on, and where there is neither, the
 * `vend_id`.
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
    /** The break-glass event on which this vend rests: Sentinel's name. */
    readonly break_glass_event_id?: string | undefined;
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
