import { ok, refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { WireRequest } from '../sigv4/request.ts';
import { toReplayClaim, verifyClaim, type ReplayClaim, type SignatureClaim } from '../sigv4/verify.ts';
import type { Caller } from './caller.ts';

/** A key registered for a caller that has no AWS identity, as the catalog holds it. */
export type RegisteredKey = {
  readonly secret: string;
  readonly name: string;
  /** Epoch milliseconds. */
  readonly expiresAtMs?: number;
  readonly disabled: boolean;
};

/** What the verifier needs to know of the world: the keys and the TVM's own account. */
export type KeyRing = {
  readonly account: string;
  readonly findKey: (accessKeyId: string) => RegisteredKey | undefined;
};

/** A caller, and what the replay guard remembers of the request that proved it. */
export type AuthenticCaller = { readonly caller: Caller; readonly replay: ReplayClaim };

/** Verified against when there is no usable key, so that an unknown key costs what a known one costs. */
const NO_SECRET = 'no key of this server has this secret';

/**
 * Verifies a claim against the registered keys. Unknown, disabled and expired keys, and a registered key that comes with
 * a security token, get the same `InvalidClientTokenId` after the same work.
 *
 * @param now epoch milliseconds
 * @param window the verifier's ± in milliseconds
 */
export const authenticateKey = (
  claim: SignatureClaim,
  request: WireRequest,
  ring: KeyRing,
  now: number,
  window: number,
): Result<AuthenticCaller, SigV4Refusal> => {
  const key = ring.findKey(claim.accessKeyId);
  const usable = key !== undefined && isUsable(key, now) && claim.securityToken === undefined;
  const verified = verifyClaim(claim, request, usable ? key.secret : NO_SECRET);
  if (!usable) {
    return refuse({
      error: 'InvalidClientTokenId',
      message: 'The access key or security token in the request is not valid here; ask your TVM operator for a key.',
    });
  }
  if (!verified.ok) return verified;
  return ok({
    caller: {
      via: 'key',
      account: ring.account,
      principal: `sentinel:key/${claim.accessKeyId}`,
      name: key.name,
      accessKeyId: claim.accessKeyId,
    },
    replay: toReplayClaim(claim, window),
  });
};

const isUsable = (key: RegisteredKey, now: number): boolean =>
  !key.disabled && (key.expiresAtMs === undefined || now < key.expiresAtMs);
