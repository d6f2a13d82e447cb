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
  type Facts,
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
  /** For how many milliseconds before and after its date a signature is valid. */
  readonly window: number;
  readonly serverId: string | undefined;
  readonly admission: Admission;
};

/**
 * `AWS4-HMAC-SHA256`, verified here. With a security token the key is a minted one, without it a
 * registered one.
 */
export function createSignedRequestAuthenticator(options: Options): Authenticator {
  const { clock, region, service, window, serverId, admission } = options;

  function begin({ head }: Arriving): Result<Prove, IdentityRefusal> {
    const claim = readClaim(head, { region, service, now: clock(), window });
    if (!claim.ok) return refuse(fromSigV4(claim.refusal));
    const claimed = claim.value;
    function prove(request: WireRequest, { ring }: Facts) {
      return Promise.resolve(identify(claimed, request, ring));
    }
    return ok(prove);
  }

  function identify(
    claim: SignatureClaim,
    request: WireRequest,
    ring: KeyRing,
  ): Result<AuthenticCaller, IdentityRefusal> {
    const judgement = { now: clock(), window, admission };
    const known =
      claim.securityToken === undefined
        ? authenticateKey(claim, request, ring, judgement)
        : authenticateMintedKey(claim, request, ring, { ...judgement, serverId });
    if (known.ok) return known;
    const isUnknown = known.refusal === UNKNOWN_KEY;
    const refusal = isUnknown
      ? unknownKey(claim.accessKeyId, serverId !== undefined)
      : known.refusal;
    return refuse(fromSigV4(refusal));
  }

  return { begin, claimedKey };
}

/**
 * The access key id in the credential, if it has the form of AWS's ids: a caller that swaps its id
 * and its secret must not find the secret in the audit log.
 */
function claimedKey({ headers }: WireHead): string | undefined {
  return /\bCredential=([A-Z0-9_]{4,40})\//u.exec(
    headerValues(headers, 'authorization')[0] ?? '',
  )?.[1];
}

/**
 * Verifies a claim with a security token: this server sealed the token, the request is signed with
 * the token's secret, the token has not expired, and its source is still usable. The caller is
 * whoever the source is by the configuration of this moment.
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
  const usable =
    key !== undefined && isUsable(key, now) && hasSecret(sealing, key.secret, source.secretTag);
  return usable ? toKeyCaller(source.accessKeyId, key, ring, admission) : refuse(UNKNOWN_KEY);
}
