import { MINUTE } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { parseAmzDate } from '../sigv4/amz-date.ts';
import { parseAuthorization } from '../sigv4/authorization.ts';
import { canonicalQuery, sha256Hex } from '../sigv4/canonical.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import { headerValues, type WireRequest } from '../sigv4/request.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';

/**
 * How long AWS may take a signature for at most, before and after its date: five minutes with most services, fifteen with
 * some. Forgotten too early, a request could be used again; too late costs an item in the table for half an hour.
 */
const WINDOW = 15 * MINUTE;

const SIGNATURE = /signature\s*=/iu;

/** Whether a header can be what AWS verified; one without a signature, or with another key than AWS named, cannot. */
function canBeVerified(value: string, accessKeyId: string): boolean {
  return SIGNATURE.test(value) && value.includes(accessKeyId);
}

function notVerified(header: string) {
  return refuse<SigV4Refusal>({
    error: 'IncompleteSignature',
    message: `The header "${header}" cannot be what AWS verified; sign the request once, in its headers.`,
  });
}

/**
 * What tells the copies of a request that a front of AWS Lambda verified.
 *
 * HTTP APIs hand the Authorization header over, and the Lambda Web Adapter passes it on: the claim is the signature, as
 * where the TVM verifies it itself. REST APIs and Function URLs keep it; there the claim is what no two different
 * signatures can cover alike: key, time, method, path, query and body. A header beside these (a nonce) may or may not have
 * been signed, which nobody can tell there: whoever captured the request could change it.
 *
 * HTTP API: an event as it arrives, with `authorization`,
 * https://github.com/awslabs/swift-aws-lambda-events (Tests/AWSLambdaEventsTests/APIGateway+V2IAMTests.swift).
 * REST API: drops a header that is a signature,
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
 * Function URL: an event as it arrives, with `x-amz-date` and without `authorization`,
 * https://github.com/awslabs/swift-aws-lambda-runtime (Examples/Streaming/README.md).
 *
 * @returns undefined where the request has neither a signature nor `x-amz-date`, so that its copies cannot be told; refuses
 * headers that cannot be those that AWS verified, for a copy could hide behind them
 */
export function toFrontClaim(
  request: WireRequest,
  accessKeyId: string,
  now: number,
): Result<ReplayClaim | undefined, SigV4Refusal> {
  const { method, path, query, headers, body } = request;
  const dates = headerValues(headers, 'x-amz-date');
  const [amzDate = ''] = dates;
  const signedAt = parseAmzDate(amzDate);
  if (dates.length > 1 || (dates.length === 1 && signedAt === undefined)) return notVerified('x-amz-date');
  // In an outage that is bridged, what may be older than the process is refused: so is what has no time.
  const times = { signedAt: signedAt ?? 0, forgetAt: now + 2 * WINDOW };
  const [signature, ...more] = headerValues(headers, 'authorization').filter((value) =>
    canBeVerified(value, accessKeyId),
  );
  if (signature !== undefined) {
    const parsed = parseAuthorization(signature);
    const isItsOwn = more.length === 0 && parsed.ok && parsed.value.accessKeyId === accessKeyId;
    if (!isItsOwn) return notVerified('authorization');
    return ok({ key: sha256Hex(`${accessKeyId}\n${parsed.value.signature}`), ...times });
  }
  if (signedAt === undefined) return ok(undefined);
  const signed = [accessKeyId, amzDate, method, path, canonicalQuery(query), sha256Hex(body)].join('\n');
  return ok({ key: sha256Hex(`front\n${signed}`), ...times });
}
