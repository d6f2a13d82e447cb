import { notAuthentic, type IdentityRefusal } from './authenticator.ts';
import type { StsRefusal } from './sts-answer.ts';

/** When to try again after STS throttled, in seconds: throttling passes quickly. */
const RETRY_SECONDS = 2;

/** STS gave no answer, or none that makes sense. */
export const NO_ANSWER: IdentityRefusal = { kind: 'unavailable', cause: 'sts_identity' };

/** The refusal of a login whose nonce the replay guard does not take. */
export function toGuardRefusal(refusal: 'replayed' | 'unavailable'): IdentityRefusal {
  return refusal === 'replayed' ? { kind: 'replayed' } : { kind: 'unavailable', cause: 'guard' };
}

/** The refusal of a login that STS did not confirm. */
export function toIdentityRefusal(refusal: StsRefusal): IdentityRefusal {
  switch (refusal.kind) {
    case 'refused':
      return notAuthentic('AccessDenied', refusedMessage(refusal.code), refusal.code);
    case 'throttled':
      return { kind: 'rate-limited', limit: 'throttled-by-sts', retryAfterSeconds: RETRY_SECONDS };
    case 'unexpected':
      return NO_ANSWER;
  }
}

function refusedMessage(code: string): string {
  return `AWS STS did not confirm who signed (${code}). ${ADVICE.get(code) ?? ADVICE_OF_ALL}`;
}

const ADVICE_OF_ALL =
  "Sign with credentials that are valid now, for this server's id, and for exactly this request.";

/** What to do, by STS's error code. A `Map`, because the code is text from outside. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['ExpiredToken', 'Your AWS credentials have ended; get new ones and sign anew.'],
  ['ExpiredTokenException', 'Your AWS credentials have ended; get new ones and sign anew.'],
  [
    'InvalidClientTokenId',
    'AWS does not know the access key: it is deleted, inactive, or lacks its session token.',
  ],
  [
    'RegionDisabledException',
    'Your account has STS switched off in the region that you signed for; sign for another (--sts-region of sentinel-tvm).',
  ],
]);
