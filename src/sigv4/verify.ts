import { ok, type Result } from '../lib/result.ts';
import { formatAmzDate, parseAmzDate } from './amz-date.ts';
import { parseAuthorization, type Authorization } from './authorization.ts';
import { canonicalQueryCandidates, canonicalRequest, sha256Hex } from './canonical.ts';
import { changedOnTheWay } from './proxy-headers.ts';
import { checkCoverage } from './coverage.ts';
import { refusal, type SigV4Refusal } from './refusal.ts';
import { headerValues, type Header, type WireHead, type WireRequest } from './request.ts';
import { equalSignatures, signature, signingKey, stringToSign } from './signature.ts';

/**
 * What a request must be signed for, and when: `now` in epoch milliseconds, `window` (± around it)
 * in milliseconds.
 */
export type Expectation = {
  readonly region: string;
  readonly service: string;
  readonly now: number;
  readonly window: number;
};

/**
 * The claim of a request: well-formed, in time and in scope, but not yet checked against a secret.
 */
export type SignatureClaim = Authorization & {
  /** X-Amz-Date as sent. */
  readonly amzDate: string;
  /** The same time in epoch milliseconds. */
  readonly signedAt: number;
  readonly securityToken: string | undefined;
};

/**
 * Makes every check that needs no secret, in the order of AWS's own services: one mechanism,
 * components, coverage of `host` and `x-amz-*`, date, window, scope. Refusals have AWS's names and,
 * where AWS has them, its words.
 */
export function readClaim(
  request: WireHead,
  expected: Expectation,
): Result<SignatureClaim, SigV4Refusal> {
  const mechanism = readMechanism(request);
  if (!mechanism.ok) return mechanism;
  const authorization = parseAuthorization(mechanism.value);
  if (!authorization.ok) return authorization;
  const covered = checkCoverage(request, authorization.value.signedHeaders);
  if (!covered.ok) return covered;
  const [amzDate = ''] = headerValues(request.headers, 'x-amz-date');
  const signedAt = parseAmzDate(amzDate);
  if (signedAt === undefined) {
    return refusal(
      'IncompleteSignature',
      'The request must carry one X-Amz-Date header like 20260102T030405Z.',
    );
  }
  const timely = checkWindow(amzDate, signedAt, expected);
  if (!timely.ok) return timely;
  const scoped = checkScope(authorization.value, amzDate, expected);
  if (!scoped.ok) return scoped;
  const [securityToken] = headerValues(request.headers, 'x-amz-security-token');
  return ok({ ...authorization.value, amzDate, signedAt, securityToken });
}

const PRESIGNED =
  /^x-amz-(?:algorithm|credential|signature|signedheaders|expires|date|security-token)$/iu;

/**
 * The value of the Authorization header. Refuses a request with none or several, and a presigned
 * one.
 */
export function readMechanism({ headers, query }: WireHead): Result<string, SigV4Refusal> {
  const values = headerValues(headers, 'authorization');
  const presigned = [...query.keys()].some((key) => PRESIGNED.test(key));
  if (values.length > 1)
    return refusal('IncompleteSignature', 'The request has more than one Authorization header.');
  const [value] = values;
  if (value !== undefined && presigned) {
    return refusal(
      'SignatureDoesNotMatch',
      'The request is signed both in its header and in its query; sign it once.',
    );
  }
  if (presigned) {
    return refusal(
      'ValidationError',
      'Presigned requests are not accepted; sign in the Authorization header.',
    );
  }
  return value === undefined
    ? refusal(
        'MissingAuthenticationToken',
        'The request is not signed; sign it with AWS Signature Version 4.',
      )
    : ok(value);
}

function minutes(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1_000} s`;
}

/**
 * Refuses a signature outside the window. `signedAt` is `amzDate`, which the refusal repeats, in
 * milliseconds.
 */
export function checkWindow(
  amzDate: string,
  signedAt: number,
  { now, window }: Pick<Expectation, 'now' | 'window'>,
): Result<undefined, SigV4Refusal> {
  const here = formatAmzDate(now);
  if (now - signedAt > window) {
    const limit = formatAmzDate(now - window);
    return refusal(
      'SignatureDoesNotMatch',
      `Signature expired: ${amzDate} is now earlier than ${limit} (${here} - ${minutes(window)}.)`,
    );
  }
  if (signedAt - now > window) {
    const limit = formatAmzDate(now + window);
    return refusal(
      'SignatureDoesNotMatch',
      `Signature not yet current: ${amzDate} is still later than ${limit} (${here} + ${minutes(window)}.)`,
    );
  }
  return ok(undefined);
}

function mismatch(message: string) {
  return refusal('SignatureDoesNotMatch', message);
}

function checkScope(
  { scope, terminator }: Authorization,
  amzDate: string,
  { region, service }: Expectation,
): Result<undefined, SigV4Refusal> {
  const day = amzDate.slice(0, 8);
  if (scope.date !== day) {
    return mismatch(
      `Date in Credential scope does not match X-Amz-Date: '${scope.date}' != '${day}'.`,
    );
  }
  if (scope.region !== region)
    return mismatch(`Credential should be scoped to the region '${region}'.`);
  if (scope.service !== service)
    return mismatch(`Credential should be scoped to the service '${service}'.`);
  if (terminator !== 'aws4_request')
    return mismatch("Credential should be scoped with the terminator 'aws4_request'.");
  return ok(undefined);
}

/**
 * Checks a claim against a secret: the declared payload hash, then the signature over each
 * canonical query that clients sign, in constant time. The received body is always hashed; a
 * declared hash never replaces that.
 */
export function verifyClaim(
  claim: SignatureClaim,
  request: WireRequest,
  secret: string,
): Result<undefined, SigV4Refusal> {
  const payloadHash = sha256Hex(request.body);
  const declared = checkDeclaredHash(request.headers, payloadHash);
  if (!declared.ok) return declared;
  const key = signingKey(secret, claim.scope);
  let matches = false;
  for (const query of canonicalQueryCandidates(request.rawQuery, request.query)) {
    const canonical = canonicalRequest(request, query, claim.signedHeaders, payloadHash);
    const expected = signature(key, stringToSign(claim.amzDate, claim.scope, canonical));
    matches = equalSignatures(expected, claim.signature) || matches;
  }
  return matches
    ? ok(undefined)
    : refusal('SignatureDoesNotMatch', `${MISMATCH}${changedOnTheWay(claim.signedHeaders)}`);
}

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your secret access key and ' +
  'signing method, and that nothing changed the request on its way.';

function checkDeclaredHash(
  headers: readonly Header[],
  payloadHash: string,
): Result<undefined, SigV4Refusal> {
  const [declared] = headerValues(headers, 'x-amz-content-sha256');
  if (declared === undefined || declared === payloadHash) return ok(undefined);
  if (declared === 'UNSIGNED-PAYLOAD' || declared.startsWith('STREAMING-')) {
    return refusal(
      'ValidationError',
      'The payload must be signed: x-amz-content-sha256 must be the hash of the body.',
    );
  }
  return refusal(
    'XAmzContentSHA256Mismatch',
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  );
}

/** What a replay guard remembers of a signed request; times in epoch milliseconds. */
export type ReplayClaim = {
  /** The same for all copies of one request, even if a proxy changed their white space. */
  readonly key: string;
  readonly signedAt: number;
  /** From then on no verifier accepts the signature, so a guard may forget it. */
  readonly forgetAt: number;
};

/** What a guard must remember of a verified claim; `window` is the verifier's, in milliseconds. */
export function toReplayClaim(claim: SignatureClaim, window: number): ReplayClaim {
  return {
    key: sha256Hex(`${claim.accessKeyId}\n${claim.signature}`),
    signedAt: claim.signedAt,
    forgetAt: claim.signedAt + 2 * window,
  };
}
