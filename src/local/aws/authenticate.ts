import { MINUTE } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { parseAuthorization } from '../../sigv4/authorization.ts';
import type { SigV4Error } from '../../sigv4/refusal.ts';
import { headerValues, type Header, type WireRequest } from '../../sigv4/request.ts';
import { readClaim, verifyClaim } from '../../sigv4/verify.ts';
import { EMBEDDED_REGION, type Principal } from './account.ts';
import type { Keyring, KeyRefusal } from './keyring.ts';
import { isQueryService, type AwsError, type Service } from './responses.ts';

/** AWS accepts a signature for fifteen minutes before and after its date. */
const WINDOW = 15 * MINUTE;

const SERVICES: readonly Service[] = ['sts', 'ssm', 'dynamodb', 'iam', 'sns'];

type Code = readonly [code: string, status: number];

/**
 * The names and statuses of refusals at the services with the query protocol, and at those with
 * JSON.
 * https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
 */
const CODES: Readonly<
  Record<SigV4Error | KeyRefusal, { readonly sts: Code; readonly json: Code }>
> = {
  AccessDenied: { sts: ['AccessDenied', 403], json: ['AccessDeniedException', 400] },
  ExpiredToken: { sts: ['ExpiredToken', 403], json: ['ExpiredTokenException', 400] },
  IncompleteSignature: {
    sts: ['IncompleteSignature', 403],
    json: ['IncompleteSignatureException', 400],
  },
  InvalidClientTokenId: {
    sts: ['InvalidClientTokenId', 403],
    json: ['UnrecognizedClientException', 400],
  },
  MissingAuthenticationToken: {
    sts: ['MissingAuthenticationToken', 403],
    json: ['MissingAuthenticationTokenException', 400],
  },
  SignatureDoesNotMatch: {
    sts: ['SignatureDoesNotMatch', 403],
    json: ['InvalidSignatureException', 400],
  },
  ValidationError: { sts: ['ValidationError', 400], json: ['ValidationException', 400] },
  XAmzContentSHA256Mismatch: {
    sts: ['SignatureDoesNotMatch', 403],
    json: ['InvalidSignatureException', 400],
  },
};

const KEY_MESSAGES: Readonly<Record<KeyRefusal, string>> = {
  InvalidClientTokenId: 'The security token included in the request is invalid',
  ExpiredToken: 'The security token included in the request is expired',
};

/** A refusal of authentication, with the code and status of the service that was called. */
export function authenticationError(
  service: Service,
  error: SigV4Error | KeyRefusal,
  message: string,
): AwsError {
  const [code, status] = isQueryService(service) ? CODES[error].sts : CODES[error].json;
  return { code, status, message };
}

/**
 * The service that a request is for: the one in its credential scope, or else the one that its
 * X-Amz-Target names, or else STS. Without a known scope the request is not authentic, and the
 * service only decides the form of the error.
 */
export function serviceOf(headers: readonly Header[]): Service {
  const [authorization = ''] = headerValues(headers, 'authorization');
  const parsed = parseAuthorization(authorization);
  const scoped = parsed.ok ? parsed.value.scope.service : '';
  const known = SERVICES.find((service) => service === scoped);
  if (known !== undefined) return known;
  const [target = ''] = headerValues(headers, 'x-amz-target');
  if (target.startsWith('AmazonSSM.')) return 'ssm';
  return target.startsWith('DynamoDB_') ? 'dynamodb' : 'sts';
}

/** Verifies a request's signature, and returns who signed it; `now` in epoch milliseconds. */
export function authenticate(
  request: WireRequest,
  service: Service,
  keyring: Keyring,
  now: number,
): Result<Principal, AwsError> {
  const claim = readClaim(request, { region: EMBEDDED_REGION, service, now, window: WINDOW });
  if (!claim.ok)
    return refuse(authenticationError(service, claim.refusal.error, claim.refusal.message));
  const key = keyring.find(claim.value.accessKeyId, claim.value.securityToken);
  if (!key.ok) return refuse(authenticationError(service, key.refusal, KEY_MESSAGES[key.refusal]));
  const verified = verifyClaim(claim.value, request, key.value.secret);
  if (!verified.ok)
    return refuse(authenticationError(service, verified.refusal.error, verified.refusal.message));
  return ok(key.value.principal);
}
