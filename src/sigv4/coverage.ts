import { ok, type Result } from '../lib/result.ts';
import { refusal, type SigV4Refusal } from './refusal.ts';
import type { WireHead } from './request.ts';

/** Headers that must not be repeated: it would be unclear which value the signer meant. */
function isSingular(name: string): boolean {
  return (
    name === 'x-amz-date' ||
    name === 'x-amz-security-token' ||
    name === 'x-amz-content-sha256' ||
    name.startsWith('x-sentinel-')
  );
}

/**
 * Headers that influence a decision, so they must be signed; the payload hash is checked by itself.
 */
function mustBeSigned(name: string): boolean {
  return (
    (name.startsWith('x-amz-') && name !== 'x-amz-content-sha256') || name.startsWith('x-sentinel-')
  );
}

/**
 * Checks that the signature covers `host` and whatever influences a decision, and that everything
 * it covers has arrived.
 */
export function checkCoverage(
  { headers }: WireHead,
  signedHeaders: readonly string[],
): Result<undefined, SigV4Refusal> {
  const signed = new Set(signedHeaders);
  if (!signed.has('host')) {
    return refusal(
      'SignatureDoesNotMatch',
      "'Host' must be a 'SignedHeader' in the AWS Authorization.",
    );
  }
  const counts = new Map<string, number>();
  for (const [name] of headers) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const [name, count] of counts) {
    if (count > 1 && isSingular(name)) {
      return refusal(
        'IncompleteSignature',
        `The header "${name}" occurs ${count} times; send it once.`,
      );
    }
    if (mustBeSigned(name) && !signed.has(name)) {
      return refusal(
        'AccessDenied',
        `The header "${name}" is present but not signed; sign it or leave it out.`,
      );
    }
  }
  const absent = signedHeaders.find((name) => !counts.has(name));
  if (absent !== undefined) {
    return refusal(
      'SignatureDoesNotMatch',
      `The signed header "${absent}" did not arrive; a proxy may have removed it. Do not sign hop-by-hop headers.`,
    );
  }
  return ok(undefined);
}
