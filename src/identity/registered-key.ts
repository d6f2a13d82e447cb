import { toName, toStoredName } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { WireRequest } from '../sigv4/request.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import { toReplayClaim, verifyClaim, type SignatureClaim } from '../sigv4/verify.ts';
import { admitAccount, type Admission } from './aws-identity.ts';
import type { AuthenticCaller } from './authenticator.ts';
import type { CallerIdentity } from './caller.ts';
import type { KeyRing, RegisteredKey } from './key-ring.ts';

/**
 * By which time and rules a signature is judged: `now` in epoch milliseconds, `window` (± around
 * it) in milliseconds.
 */
export type Judgement = {
  readonly now: number;
  readonly window: number;
  readonly admission: Admission;
};

/** Used for the verification when there is no usable key, so that it takes as long as with one. */
export const NO_SECRET = 'no key of this server has this secret';

/**
 * The one answer to every unusable key, whatever the reason. {@link unknownKey} adds what to do.
 */
export const UNKNOWN_KEY: SigV4Refusal = {
  error: 'InvalidClientTokenId',
  message:
    'The access key or security token in the request is not valid here; ask your TVM operator for a key.',
};

const KNOWN_FORMS: readonly (readonly [
  form: RegExp,
  what: string,
  withLogin: string,
  without: string,
])[] = [
  [
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    /^A(?:KIA|SIA)[A-Z0-9]{12,124}$/u,
    'It looks like a key of AWS, and only AWS can verify those',
    'run "sentinel-tvm login" (or send an Authorization: Sentinel-STS token), and sign with the key that you get',
    'logging in with one is switched off here (SENTINEL_SERVER_ID is not set); ask the TVM operator for a key',
  ],
  [
    /^TVMK[A-Z2-7]{16}$/u,
    'It looks like a minted key, which needs its session token and ends with the key that it came from',
    'send the token as x-amz-security-token, or get a new key with "sentinel-tvm login" or POST /keys',
    'send the token as x-amz-security-token, or get a new key with POST /keys',
  ],
];

/**
 * {@link UNKNOWN_KEY} with advice that depends on the form of the id alone, so that it does not
 * reveal whether such a key exists.
 *
 * @param canLogIn whether forwarded STS is switched on
 */
export function unknownKey(accessKeyId: string, canLogIn: boolean): SigV4Refusal {
  const known = KNOWN_FORMS.find(([form]) => form.test(accessKeyId));
  if (known === undefined) return UNKNOWN_KEY;
  const [, what, withLogin, without] = known;
  const { error } = UNKNOWN_KEY;
  return {
    error,
    message: `The access key in the request is not valid here. ${what}: ${canLogIn ? withLogin : without}.`,
  };
}

/** Whether a registered key is usable at this moment (epoch milliseconds). */
export function isUsable(key: RegisteredKey, now: number): boolean {
  return !key.disabled && (key.expiresAtMs === undefined || now < key.expiresAtMs);
}

/**
 * The part of a caller that its registered key settles; refuses where the TVM's own account is not
 * admitted.
 */
export function toKeyCaller(
  accessKeyId: string,
  { name: bare }: RegisteredKey,
  { account }: KeyRing,
  admission: Admission,
): Result<CallerIdentity, SigV4Refusal> {
  const admitted = admitAccount(account, admission, account);
  if (!admitted.ok) return admitted;
  const principal = `sentinel:key/${accessKeyId}`;
  const name = toName('key', bare, admission.bareNames, undefined);
  const storedName = toStoredName(name, admission.bareNames);
  return ok({
    account,
    principal,
    subject: principal,
    name,
    storedName,
    sessionName: undefined,
    uniqueId: undefined,
  });
}

/**
 * Verifies a claim against the registered keys. Unknown, disabled and expired keys, and a
 * registered key with a security token, get the same `InvalidClientTokenId` after the same work.
 */
export function authenticateKey(
  claim: SignatureClaim,
  request: WireRequest,
  ring: KeyRing,
  { now, window, admission }: Judgement,
): Result<AuthenticCaller, SigV4Refusal> {
  const { accessKeyId } = claim;
  const key = ring.findKey(accessKeyId);
  const usable = key !== undefined && isUsable(key, now) && claim.securityToken === undefined;
  const verified = verifyClaim(claim, request, usable ? key.secret : NO_SECRET);
  if (!usable) return refuse(UNKNOWN_KEY);
  if (!verified.ok) return verified;
  const who = toKeyCaller(accessKeyId, key, ring, admission);
  if (!who.ok) return who;
  return ok({
    caller: {
      via: 'key',
      ...who.value,
      accessKeyId,
      sourceAccessKeyId: undefined,
      keyExpiresAt: key.expiresAtMs,
    },
    replay: toReplayClaim(claim, window),
    source: { via: 'key', accessKeyId },
  });
}
