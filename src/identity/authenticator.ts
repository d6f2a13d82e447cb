import { refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { WireHead, WireRequest } from '../sigv4/request.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { Counted } from '../telemetry/meter.ts';
import type { Caller } from './caller.ts';
import type { KeySource } from './minted-key.ts';
import type { KeyRing } from './key-ring.ts';

/** Why a caller is not known: refused, or nobody can tell just now. Tagged as HTTP refusals are. */
export type IdentityRefusal =
  | {
      readonly kind: 'not-authentic';
      readonly refusal: SigV4Refusal;
      /** The error code of STS, where it was STS that refused. */
      readonly upstreamCode: string | undefined;
    }
  | { readonly kind: 'replayed' }
  | {
      readonly kind: 'rate-limited';
      readonly what: string;
      readonly retryAfterSeconds: number;
      readonly headers: Readonly<Record<string, string>> | undefined;
    }
  | { readonly kind: 'unavailable'; readonly what: string; readonly cause: Counted['unavailable'] };

/** A caller that proved who it is. */
export type AuthenticCaller = {
  readonly caller: Caller;
  /**
   * What the replay guard is to remember before a secret leaves or a state changes; undefined where the mechanism itself
   * lets nothing pass twice.
   */
  readonly replay: ReplayClaim | undefined;
  /** What a key can be minted from; undefined for callers who may not have one minted. */
  readonly source: KeySource | undefined;
};

/** What a proof needs besides the request. */
export type Facts = {
  /** The keys of the snapshot that the whole request is decided by. */
  readonly ring: KeyRing;
  /** Where the request comes from; undefined if that cannot be told. */
  readonly address: string | undefined;
  /** Refuses a caller that is known here to have used up its quota; counts nothing. */
  readonly checkQuota: (caller: Caller) => Promise<Result<undefined, IdentityRefusal>>;
};

/** The second half of an authentication: what needs the body, the documents, or the network. */
export type Prove = (request: WireRequest, facts: Facts) => Promise<Result<AuthenticCaller, IdentityRefusal>>;

/** What is known of a request before its body is read. */
export type Arriving = {
  readonly head: WireHead;
  /** The request context that the Lambda Web Adapter hands over; undefined unless the server stands behind such a front. */
  readonly lambdaContext: string | undefined;
};

/**
 * One way of proving who calls. `begin` makes every check that the request's head allows, so that nothing is read, and
 * nobody asked, for a request that cannot be good.
 */
export type Authenticator = {
  readonly begin: (arriving: Arriving) => Result<Prove, IdentityRefusal>;
  /** Where the caller says what it signs with, for the audit record of a refusal; never trusted. */
  readonly claimedKey: (head: WireHead) => string | undefined;
};

/** Refuses an identity under one of AWS's error names; `upstreamCode` is the error code of STS, where STS refused. */
export function notAuthentic(error: SigV4Refusal['error'], message: string, upstreamCode?: string): IdentityRefusal {
  return { kind: 'not-authentic', refusal: { error, message }, upstreamCode };
}

/** Refuses an identity for what SigV4 refuses. */
export function fromSigV4(refusal: SigV4Refusal): IdentityRefusal {
  return { kind: 'not-authentic', refusal, upstreamCode: undefined };
}

/** Stands for a way of authenticating that is switched off: says so to whoever tries it. */
export function switchedOff(message: string): Authenticator {
  function begin() {
    return refuse(notAuthentic('AccessDenied', message));
  }

  return { begin, claimedKey: claimsNoKey };
}

/** Where a mechanism reads no access key out of the head. */
export function claimsNoKey(): undefined {
  return undefined;
}
