import { refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { WireHead, WireRequest } from '../sigv4/request.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { Caller } from './caller.ts';
import type { KeySource } from './minted-key.ts';
import type { KeyRing } from './key-ring.ts';

/**
 * Why a caller is not known: refused, or nobody can tell just now. It carries facts, which
 * `http/refusals` puts into words, but for `not-authentic`: the words of a failed verification
 * stand beside the check that failed, as AWS's do, because they say what in the request was wrong.
 */
export type IdentityRefusal =
  | {
      readonly kind: 'not-authentic';
      readonly refusal: SigV4Refusal;
      /** The error code of STS, where STS refused. */
      readonly upstreamCode: string | undefined;
    }
  | { readonly kind: 'replayed' }
  | RateRefusal
  /** STS does not confirm anybody, or what was used or asked for before cannot be looked up. */
  | { readonly kind: 'unavailable'; readonly cause: 'sts_identity' | 'guard' | 'rate_limit' };

/** Too much was asked for. */
export type RateRefusal =
  | {
      /** The caller has used up a quota of so many requests. */
      readonly kind: 'rate-limited';
      readonly limit: 'caller';
      readonly name: string;
      readonly requests: number;
      readonly windowSeconds: number;
      readonly retryAfterSeconds: number;
    }
  | {
      readonly kind: 'rate-limited';
      /**
       * - `strangers`: too many requests from this address proved nobody, or were copies.
       * - `refused-by-sts`: STS refused too many tokens from this address.
       * - `waiting-for-sts`: too many callers wait to be confirmed by STS.
       * - `throttled-by-sts`: STS throttles those who confirm callers.
       */
      readonly limit: 'strangers' | 'refused-by-sts' | 'waiting-for-sts' | 'throttled-by-sts';
      readonly retryAfterSeconds: number;
    };

/** A caller that has proved who it is. */
export type AuthenticCaller = {
  readonly caller: Caller;
  /**
   * What the replay guard must remember before a secret leaves or a state changes; undefined where
   * the mechanism itself accepts nothing twice.
   */
  readonly replay: ReplayClaim | undefined;
  /** What a key can be minted from; undefined for callers who may not mint one. */
  readonly source: KeySource | undefined;
};

/** What a proof needs besides the request. */
export type Facts = {
  /** The keys of the snapshot by which the whole request is decided. */
  readonly ring: KeyRing;
  /** Where the request comes from; undefined if the address is unknown. */
  readonly address: string | undefined;
  /** Refuses a caller that has used up its quota, as far as this instance knows; counts nothing. */
  readonly checkQuota: (caller: Caller) => Promise<Result<undefined, IdentityRefusal>>;
};

/** The second half of an authentication: what needs the body, the documents, or the network. */
export type Prove = (
  request: WireRequest,
  facts: Facts,
) => Promise<Result<AuthenticCaller, IdentityRefusal>>;

/** What is known of a request before its body is read. */
export type Arriving = {
  readonly head: WireHead;
  /**
   * The request context from the Lambda Web Adapter; undefined unless a front of AWS Lambda
   * verifies the callers.
   */
  readonly lambdaContext: string | undefined;
};

/**
 * One way of proving who calls. `begin` makes every check that needs only the request's head, so
 * that a request which cannot be authentic costs neither the reading of its body nor a call.
 */
export type Authenticator = {
  readonly begin: (arriving: Arriving) => Result<Prove, IdentityRefusal>;
  /** The access key that the request claims, for the audit record of a refusal; never trusted. */
  readonly claimedKey: (head: WireHead) => string | undefined;
};

/**
 * Refuses an identity under one of AWS's error names.
 *
 * @param upstreamCode the error code of STS, where STS refused
 */
export function notAuthentic(
  error: SigV4Refusal['error'],
  message: string,
  upstreamCode?: string,
): IdentityRefusal {
  return { kind: 'not-authentic', refusal: { error, message }, upstreamCode };
}

/** The refusal of an identity for a reason that the protocol gives. */
export function fromSigV4(refusal: SigV4Refusal): IdentityRefusal {
  return { kind: 'not-authentic', refusal, upstreamCode: undefined };
}

/** Stands in for a way of authenticating that is switched off, and says so to whoever tries it. */
export function switchedOff(message: string): Authenticator {
  function begin() {
    return refuse(notAuthentic('AccessDenied', message));
  }

  return { begin, claimedKey: claimsNoKey };
}

/** The `claimedKey` of a mechanism that finds no access key in the head. */
export function claimsNoKey(): undefined {
  return undefined;
}
