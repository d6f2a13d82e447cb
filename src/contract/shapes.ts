import * as v from 'valibot';
import { instantText, REQUEST_STATUSES, REVOCATION_KINDS, SESSION_STATUSES } from './fields.ts';

/**
 * What stands in the bodies of answers. Names and order are the wire's, members that may be absent
 * are optional.
 */

/** A key to sign with, as far as every client needs it. */
export const SigningKey = v.object({
  AccessKeyId: v.string(),
  SecretAccessKey: v.string(),
  SessionToken: v.string(),
  Expiration: instantText,
});
export type SigningKey = v.InferOutput<typeof SigningKey>;

/** A minted key: the shape of temporary AWS credentials, so that whatever takes those takes it. */
export const MintedKey = v.object({
  Version: v.literal(1),
  ...SigningKey.entries,
  Token: v.string(),
});
export type MintedKey = v.InferOutput<typeof MintedKey>;

/**
 * What a vend gives: one shape for `credential_process` (Version, SessionToken), the SDKs'
 * container credentials (Token) and people.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
export const Vended = v.object({
  ...MintedKey.entries,
  AccountId: v.string(),
  RoleArn: v.string(),
  Profile: v.string(),
  SessionId: v.string(),
  SourceIdentity: v.string(),
});
export type Vended = v.InferOutput<typeof Vended>;

/** Who is calling, in the words that documents match on. */
export const Whoami = v.object({
  account: v.string(),
  principal: v.string(),
  subject: v.string(),
  name: v.string(),
  session_name: v.optional(v.string()),
  via: v.picklist(['key', 'minted-key', 'sts', 'lambda']),
  access_key_id: v.string(),
  source_access_key_id: v.optional(v.string()),
  unique_id: v.optional(v.string()),
  expiration: v.optional(instantText),
});
export type Whoami = v.InferOutput<typeof Whoami>;

/** A page of the profiles that a caller could vend or request. `max_duration` in seconds. */
export const ProfilesPage = v.object({
  profiles: v.array(
    v.object({
      name: v.string(),
      access: v.picklist(['allow', 'approval', 'break_glass']),
      description: v.optional(v.string()),
      max_duration: v.number(),
    }),
  ),
  next_token: v.optional(v.string()),
});
export type ProfilesPage = v.InferOutput<typeof ProfilesPage>;

/**
 * A session: `active` is what authorizers ask for, everything else is for people. Of one that is
 * unknown, or not the caller's to know, there is no more than the first three.
 */
export const Session = v.object({
  id: v.string(),
  active: v.boolean(),
  status: v.picklist([...SESSION_STATUSES, 'unknown']),
  user: v.optional(v.string()),
  subject: v.optional(v.string()),
  principal: v.optional(v.string()),
  profile: v.optional(v.string()),
  session_label: v.optional(v.string()),
  started_at: v.optional(instantText),
  last_access_at: v.optional(instantText),
  expires_at: v.optional(instantText),
  request_count: v.optional(v.number()),
  source_identity: v.optional(v.string()),
  revoked_by: v.optional(v.string()),
});
export type Session = v.InferOutput<typeof Session>;

/** A page of sessions; one that is not full may have a next one. */
export const SessionsPage = v.object({
  sessions: v.array(Session),
  next_token: v.optional(v.string()),
});
export type SessionsPage = v.InferOutput<typeof SessionsPage>;

/** A revocation, with names as documents have them. */
export const Revocation = v.object({
  id: v.string(),
  // A grant is ended through the request or the event that it is of, and listed among the rest.
  kind: v.picklist([...REVOCATION_KINDS, 'grant']),
  value: v.optional(v.string()),
  /** Whose session was revoked, and on which profile. */
  subject: v.optional(v.string()),
  profile: v.optional(v.string()),
  reason: v.string(),
  by: v.string(),
  by_principal: v.string(),
  created_at: instantText,
  until: v.optional(instantText),
});
export type Revocation = v.InferOutput<typeof Revocation>;

/** The revocations in force. */
export const Revocations = v.object({ revocations: v.array(Revocation) });
export type Revocations = v.InferOutput<typeof Revocations>;

/**
 * What was done: the revocation, and for roles with hard revocation what became of their deny
 * policies.
 */
export const Done = v.object({
  ...Revocation.entries,
  hard_revocation: v.optional(
    v.array(
      v.object({
        role_arn: v.string(),
        status: v.picklist(['written', 'removed', 'pending']),
        code: v.optional(v.string()),
        credentials_end: v.optional(instantText),
      }),
    ),
  ),
  note: v.optional(v.string()),
});
export type Done = v.InferOutput<typeof Done>;

/** The same of what an operator revoked; a warning where nobody here is called so. */
export const Revoked = v.object({ ...Done.entries, warning: v.optional(v.string()) });
export type Revoked = v.InferOutput<typeof Revoked>;

/** The same of what was lifted. */
export const Lifted = v.object({ ...Done.entries, lifted: v.literal(true) });
export type Lifted = v.InferOutput<typeof Lifted>;

/** A request for an approval, as those see it whose business it is. */
export const AccessRequest = v.object({
  request_id: v.string(),
  status: v.picklist(REQUEST_STATUSES),
  /** Where it is beyond its status: `stale` if the profile has changed since it was approved. */
  phase: v.picklist(['waiting', 'active', 'ended', 'stale', 'suspended']),
  requester: v.string(),
  profile: v.string(),
  justification: v.string(),
  ticket: v.optional(v.string()),
  /** Seconds that were asked for, or that were approved. */
  duration: v.number(),
  start: v.picklist(['approval', 'first_use']),
  created_at: instantText,
  expires_at: instantText,
  /** When what was approved ends. */
  effective_end: v.optional(instantText),
  rule: v.string(),
  needs: v.array(
    v.object({
      group: v.string(),
      have: v.number(),
      need: v.number(),
      eligible: v.array(v.string()),
    }),
  ),
  reviews: v.array(
    v.object({
      reviewer: v.string(),
      verdict: v.picklist(['approve', 'deny']),
      comment: v.optional(v.string()),
      duration: v.optional(v.number()),
      at: instantText,
    }),
  ),
  auto_approved: v.optional(v.literal(true)),
  /** Exactly what an approval allows; its digest is what is approved. */
  digest: v.string(),
  facts: v.unknown(),
  /** What is not as it was approved, or as it was when somebody last wrote the request. */
  changed: v.optional(v.array(v.string())),
  ended_by: v.optional(v.string()),
  ended_reason: v.optional(v.string()),
  /** Until when credentials that were vended before it was ended may still work. */
  credentials_end: v.optional(instantText),
});
export type AccessRequest = v.InferOutput<typeof AccessRequest>;

/** The same of a request that was asked for, with where its state is to be seen. */
export const RequestedAccess = v.object({
  ...AccessRequest.entries,
  approval_status_url: v.string(),
});
export type RequestedAccess = v.InferOutput<typeof RequestedAccess>;

/** A page of requests; one that is not full may have a next one. */
export const RequestsPage = v.object({
  requests: v.array(AccessRequest),
  next_token: v.optional(v.string()),
});
export type RequestsPage = v.InferOutput<typeof RequestsPage>;

/** Whether an instance should get requests: with 200 only if it is `ok`, else with 503. */
export const Health = v.object({
  status: v.picklist(['ok', 'starting', 'draining', 'stuck', 'audit_unwritable']),
});
export type Health = v.InferOutput<typeof Health>;

/** Whether requests can be served: with 503 if it is `unready`, else with 200. Counts, no names. */
export const Readiness = v.object({
  status: v.picklist(['ready', 'degraded', 'unready']),
  catalog: v.object({
    age_seconds: v.nullable(v.number()),
    profiles: v.number(),
    rejected: v.number(),
    findings: v.number(),
  }),
  revocations: v.object({
    age_seconds: v.nullable(v.number()),
    /** While it is not 0, the sealing key that was used before must not be deleted. */
    under_old_keys: v.number(),
    broken: v.optional(v.literal(true)),
    grace: v.optional(v.literal(true)),
  }),
  audit: v.object({ writable: v.boolean(), lost: v.number() }),
  draining: v.boolean(),
});
export type Readiness = v.InferOutput<typeof Readiness>;
