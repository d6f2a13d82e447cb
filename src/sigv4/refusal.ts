import { refuse } from '../lib/result.ts';

/**
 * AWS's common error names that an authentication refusal may carry
 * (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html; XAmzContentSHA256Mismatch
 * is Amazon S3's).
 */
export type SigV4Error =
  | 'AccessDenied'
  | 'ExpiredToken'
  | 'IncompleteSignature'
  | 'InvalidClientTokenId'
  | 'MissingAuthenticationToken'
  | 'SignatureDoesNotMatch'
  | 'ValidationError'
  | 'XAmzContentSHA256Mismatch';

/**
 * Why a request is not authentic: the error's name in the answer, and a sentence for the signer.
 */
export type SigV4Refusal = { readonly error: SigV4Error; readonly message: string };

/** Refuses with an error of AWS's and a sentence. */
export function refusal(error: SigV4Error, message: string) {
  return refuse<SigV4Refusal>({ error, message });
}
