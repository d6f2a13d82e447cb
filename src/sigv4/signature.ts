import { createHmac, timingSafeEqual } from 'node:crypto';
import { sha256Hex } from './canonical.ts';

/** The algorithm's name, in the Authorization header and in the string to sign. */
export const ALGORITHM = 'AWS4-HMAC-SHA256';

/** What a signing key is derived for: `YYYYMMDD/region/service/aws4_request`. */
export type CredentialScope = {
  readonly date: string;
  readonly region: string;
  readonly service: string;
};

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** The scope as written in the credential and in the string to sign. */
export function formatScope({ date, region, service }: CredentialScope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

/** The string to sign of SigV4: algorithm, time, scope, hash of the canonical request. */
export function stringToSign(amzDate: string, scope: CredentialScope, canonical: string): string {
  return [ALGORITHM, amzDate, formatScope(scope), sha256Hex(canonical)].join('\n');
}

/**
 * Derives the signing key from a secret access key: HMAC over date, region, service and terminator.
 */
export function signingKey(secret: string, { date, region, service }: CredentialScope): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request');
}

/** The signature: 64 lower-case hexadecimal digits. */
export function signature(key: Uint8Array, text: string): string {
  return hmac(key, text).toString('hex');
}

/** Compares two signatures in constant time; `false` if their lengths differ. */
export function equalSignatures(a: string, b: string): boolean {
  const left = Buffer.from(a, 'latin1');
  const right = Buffer.from(b, 'latin1');
  return left.length === right.length && timingSafeEqual(left, right);
}
