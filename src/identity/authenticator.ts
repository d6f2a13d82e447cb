import { refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { WireHead, WireRequest } from '../sigv4/request.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { Caller } from './caller.ts';
import type { KeySource } from './minted-key.ts';
import type { KeyRing } from './key-ring.ts';

/**
 * Why a caller is not known: refused, or nobody can tell just now. It carries facts, which
 * `http/refusals` puts into words, but for `not-authentic`: the words of a failed verification stand
 * beside the check that failed, as AWS's do, because they say what in the request was wrong.
 */
export type IdentityRefusal =
  | {
      readonly kind: 'not-authentic';
      readonly refusal: SigV4Refusal;
      /** The error code of STS, where it was STS that refused. */
      readonly upstreamCode?: string;
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

/** A caller that proved who it is. */
export type AuthenticCaller = {
  readonly caller: Caller;
  /**
   * What the replay guard is to remember before a secret leaves or a state changes; undefined where the mechanism itself
   * lets nothing pass twice.
   */
  readonly replay?: ReplayClaim;
  /** What a key can be minted from; undefined for callers who may not have one minted. */
  readonly source?: KeySource;
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
  readonly lambdaContext?: string;
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

/** The refusal of an identity under one of AWS's error names; `upstreamCode` where STS refused, by its own name. */
export function notAuthentic(error: SigV4Refusal['error'], message: string, upstreamCode?: string): IdentityRefusal {
  return {
    kind: 'not-authentic',
    refusal: { error, message },
    ...(upstreamCode === undefined ? {} : { upstreamCode }),
  };
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
