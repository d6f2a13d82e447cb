/**
 * AWS's names for errors of authentication, each with its status
 * (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html; XAmzContentSHA256Mismatch
 * is Amazon S3's).
 */
export const AUTHENTICATION_STATUS = {
  AccessDenied: 403,
  ExpiredToken: 403,
  IncompleteSignature: 400,
  InvalidClientTokenId: 403,
  MissingAuthenticationToken: 403,
  SignatureDoesNotMatch: 403,
  ValidationError: 400,
  XAmzContentSHA256Mismatch: 400,
} as const;

/** The TVM's own error names, each with the statuses that it comes with. */
export const OWN_ERRORS = {
  PolicyDenied: [403],
  PolicyRequiresApproval: [403],
  NotPermitted: [403],
  RequestReplayed: [403],
  SessionRevoked: [403],
  ValidationError: [400, 404, 405, 413, 431],
  Conflict: [409],
  RequestChanged: [409],
  RateLimited: [429],
  QuotaExceeded: [429],
  UpstreamThrottled: [503],
  ServiceUnavailable: [503],
  ProfileMisconfigured: [500],
  InternalFailure: [500],
} as const;

/** Every name that an error can have: a closed list, on which clients may switch. */
export type ErrorName = keyof typeof AUTHENTICATION_STATUS | keyof typeof OWN_ERRORS;

/** Every status that a refusal can have. */
export type ErrorStatus =
  | (typeof AUTHENTICATION_STATUS)[keyof typeof AUTHENTICATION_STATUS]
  | (typeof OWN_ERRORS)[keyof typeof OWN_ERRORS][number];
