import { formatInstant, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { headerValues, type WireHead, type WireRequest } from '../sigv4/request.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import { readClaim, toReplayClaim, verifyClaim, type SignatureClaim } from '../sigv4/verify.ts';
import { toAwsCaller, type Admission } from './aws-identity.ts';
import {
  fromSigV4,
  type Arriving,
  type AuthenticCaller,
  type Authenticator,
  type IdentityRefusal,
  type Prove,
} from './authenticator.ts';
import type { CallerIdentity } from './caller.ts';
import { hasSecret, openKey, type OpenedKey } from './minted-key.ts';
import type { KeyRing } from './key-ring.ts';
import {
  authenticateKey,
  isUsable,
  NO_SECRET,
  toKeyCaller,
  UNKNOWN_KEY,
  unknownKey,
  type Judgement,
} from './registered-key.ts';

type Options = {
  readonly clock: Clock;
  readonly region: string;
  readonly service: string;
  /** ± milliseconds around now in which a signature is good. */
  readonly window: number;
  readonly serverId: string | undefined;
  readonly admission: Admission;
};

/**
 * `AWS4-HMAC-SHA256`, verified here: with a security token the key is one that the TVM minted, without one it is
 * registered.
 */
export function createSignedRequestAuthenticator(options: Options): Authenticator {
  const { clock, region, service, window, serverId, admission } = options;
  function begin({ head }: Arriving): Result<Prove, IdentityRefusal> {
    const claim = readClaim(head, { region, service, now: clock(), window });
    if (!claim.ok) return refuse(fromSigV4(claim.refusal));
    return ok((request, { ring }) => {
      const judgement = { now: clock(), window, admission };
      const known =
        claim.value.securityToken === undefined
          ? authenticateKey(claim.value, request, ring, judgement)
          : authenticateMintedKey(claim.value, request, ring, { ...judgement, serverId });
      if (known.ok) return Promise.resolve(known);
      const isUnknown = known.refusal === UNKNOWN_KEY;
      const refusal = isUnknown ? unknownKey(claim.value.accessKeyId, serverId !== undefined) : known.refusal;
      return Promise.resolve(refuse(fromSigV4(refusal)));
    });
  }

  return { begin, claimedKey };
}

/** In the form of AWS's ids only: whoever swaps id and secret must not find the secret in the audit log. */
function claimedKey({ headers }: WireHead): string | undefined {
  return /\bCredential=([A-Z0-9_]{4,40})\//u.exec(headerValues(headers, 'authorization')[0] ?? '')?.[1];
}

/**
 * Verifies a claim that came with a security token: opened, signed with the secret that belongs to it, not beyond its
 * end, and what it came from still counts. Whoever the source is by now, by today's configuration, the caller is.
 */
function authenticateMintedKey(
  claim: SignatureClaim,
  request: WireRequest,
  ring: KeyRing,
  judgement: Judgement & { readonly serverId: string | undefined },
): Result<AuthenticCaller, SigV4Refusal> {
  const { accessKeyId } = claim;
  const opened = openKey(claim.securityToken ?? '', ring.sealingKeys, judgement.serverId);
  const isOurs = opened !== undefined && opened.claims.accessKeyId === accessKeyId;
  const verified = verifyClaim(claim, request, isOurs ? opened.secret : NO_SECRET);
  if (!isOurs) return refuse(UNKNOWN_KEY);
  if (!verified.ok) return verified;
  const { expiresAt, source } = opened.claims;
  if (judgement.now >= expiresAt) {
    const message = `The key in the request ended at ${formatInstant(expiresAt)}; mint another with POST /keys.`;
    return refuse({ error: 'ExpiredToken', message });
  }
  const who = toSourceCaller(opened, ring, judgement);
  if (!who.ok) return who;
  return ok({
    caller: {
      via: 'minted-key',
      ...who.value,
      accessKeyId,
      sourceAccessKeyId: source.accessKeyId,
      keyExpiresAt: expiresAt,
    },
    replay: toReplayClaim(claim, judgement.window),
    // A minted key mints no key.
    source: undefined,
  });
}

function toSourceCaller(
  { claims: { source }, sealing }: OpenedKey,
  ring: KeyRing,
  { now, admission }: Judgement,
): Result<CallerIdentity, SigV4Refusal> {
  if (source.via !== 'key') return toAwsCaller(source.identity, admission, ring);
  const key = ring.findKey(source.accessKeyId);
  const counts = key !== undefined && isUsable(key, now) && hasSecret(sealing, key.secret, source.secretTag);
  return counts ? toKeyCaller(source.accessKeyId, key, ring, admission) : refuse(UNKNOWN_KEY);
}
