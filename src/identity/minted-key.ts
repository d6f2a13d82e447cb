import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import * as v from 'valibot';
import { SECOND } from '../lib/clock.ts';
import { subkey, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import type { AwsIdentity } from './aws-identity.ts';

/**
 * Keys that the TVM mints. Nothing is stored: the session token is the sealed record of the key's
 * owner, and the secret is derived from the token with a key that only the TVM has. Whoever finds a
 * token alone can neither read it nor sign with it.
 *
 *     token  = TVM1.<kid>.<salt ‖ AES-256-GCM(claims)>
 *              key, IV = HKDF(sealing key, salt, kid, server id)
 *     secret = HMAC(HKDF(sealing key), token)
 *
 * The salt gives every token its own cipher key, so a sealing key is safe for any number of tokens.
 */
const PREFIX = 'TVM1';
const TOKEN = /^TVM1\.([\w-]{1,64})\.([\w-]{64,4000})$/u;
const SALT = 16;
const IV = 12;
const TAG = 16;

/** What a key is minted from: a registered key, or an identity that AWS confirmed. */
export type KeySource =
  | { readonly via: 'key'; readonly accessKeyId: string }
  | {
      readonly via: 'sts' | 'lambda';
      readonly accessKeyId: string;
      readonly identity: AwsIdentity;
    };

/** A minted key as its owner gets it; `expiresAt` in epoch milliseconds. */
export type MintedKey = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAt: number;
};

const Claims = v.strictObject({
  accessKeyId: v.string(),
  expiresAt: v.number(),
  source: v.variant('via', [
    v.strictObject({ via: v.literal('key'), accessKeyId: v.string(), secretTag: v.string() }),
    v.strictObject({
      via: v.picklist(['sts', 'lambda']),
      accessKeyId: v.string(),
      identity: v.strictObject({ arn: v.string(), account: v.string(), userId: v.string() }),
    }),
  ]),
});

/**
 * What a token says; `expiresAt` in epoch milliseconds. The caller's names are not in it: each use
 * derives them again, by the configuration of that moment.
 */
export type MintedClaims = v.InferOutput<typeof Claims>;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** `TVMK` and 80 random bits, in the characters of AWS's own access key ids. */
function newAccessKeyId(): string {
  return `TVMK${[...randomBytes(16)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('')}`;
}

/**
 * What a token is bound to besides its content: a TVM with another id cannot open it, even with the
 * same sealing key.
 */
function bindingOf(kid: string, serverId: string | undefined): string {
  return `sentinel-tvm minted key\n${kid}\n${serverId ?? ''}`;
}

function cipherKey({ key }: SealingKey, salt: Uint8Array, binding: string) {
  const derived = Buffer.from(hkdfSync('sha256', key, salt, binding, 32 + IV));
  return { key: derived.subarray(0, 32), iv: derived.subarray(32) };
}

function deriveSecret(sealing: SealingKey, token: string): string {
  return createHmac('sha256', subkey(sealing, 'minted secret')).update(token).digest('base64url');
}

/**
 * A digest of the source key's secret, kept in the token: once the registered key has another
 * secret, the token is refused.
 */
function secretTag(sealing: SealingKey, secret: string): string {
  return createHmac('sha256', subkey(sealing, 'source secret'))
    .update(secret)
    .digest('hex')
    .slice(0, 32);
}

/** Whether a registered key still has the secret that it had when the token was sealed. */
export function hasSecret(sealing: SealingKey, secret: string, tag: string): boolean {
  const expected = secretTag(sealing, secret);
  return expected.length === tag.length && timingSafeEqual(Buffer.from(expected), Buffer.from(tag));
}

/** A source, and for a registered key its secret, of which the token keeps only a digest. */
export type MintFrom =
  | (Extract<KeySource, { readonly via: 'key' }> & { readonly secret: string })
  | Exclude<KeySource, { readonly via: 'key' }>;

/**
 * Mints a key.
 *
 * @param options.expiresAt when it ends, in epoch milliseconds; rounded down to whole seconds
 */
export function mintKey(
  source: MintFrom,
  sealing: SealingKey,
  { serverId, expiresAt }: { readonly serverId: string | undefined; readonly expiresAt: number },
): MintedKey {
  const claims: MintedClaims = {
    accessKeyId: newAccessKeyId(),
    expiresAt: Math.floor(expiresAt / SECOND) * SECOND,
    source:
      source.via === 'key'
        ? {
            via: 'key',
            accessKeyId: source.accessKeyId,
            secretTag: secretTag(sealing, source.secret),
          }
        : { via: source.via, accessKeyId: source.accessKeyId, identity: source.identity },
  };
  const sessionToken = seal(claims, sealing, serverId);
  return {
    accessKeyId: claims.accessKeyId,
    secretAccessKey: deriveSecret(sealing, sessionToken),
    sessionToken,
    expiresAt: claims.expiresAt,
  };
}

function seal(claims: MintedClaims, sealing: SealingKey, serverId: string | undefined): string {
  const binding = bindingOf(sealing.id, serverId);
  const salt = randomBytes(SALT);
  const { key, iv } = cipherKey(sealing, salt, binding);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(binding));
  const sealed = Buffer.concat([
    salt,
    cipher.update(JSON.stringify(claims), 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return `${PREFIX}.${sealing.id}.${sealed.toString('base64url')}`;
}

/** An opened token: what it says, the secret that belongs to it, and the key that sealed it. */
export type OpenedKey = {
  readonly claims: MintedClaims;
  readonly secret: string;
  readonly sealing: SealingKey;
};

/**
 * Opens a token; undefined unless one of these keys sealed it for this server id. Does not check
 * whether the token has expired.
 */
export function openKey(
  token: string,
  keys: SealingKeys,
  serverId: string | undefined,
): OpenedKey | undefined {
  const [, kid = '', text = ''] = TOKEN.exec(token) ?? [];
  const sealing = keys.get(kid);
  if (sealing === undefined) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < SALT + TAG) return undefined;
  const binding = bindingOf(kid, serverId);
  const { key, iv } = cipherKey(sealing, bytes.subarray(0, SALT), binding);
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG })
    .setAAD(Buffer.from(binding))
    .setAuthTag(bytes.subarray(-TAG));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(SALT, -TAG)), decipher.final()]);
    const claims = v.safeParse(Claims, JSON.parse(plain.toString('utf8')));
    return claims.success
      ? { claims: claims.output, secret: deriveSecret(sealing, token), sealing }
      : undefined;
  } catch {
    return undefined;
  }
}
