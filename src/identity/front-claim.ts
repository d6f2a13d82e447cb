import { MINUTE } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { parseAmzDate } from '../sigv4/amz-date.ts';
import { parseAuthorization } from '../sigv4/authorization.ts';
import { canonicalQuery, sha256Hex } from '../sigv4/canonical.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import { headerValues, type WireRequest } from '../sigv4/request.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';

/**
 * How long before and after its date AWS accepts a signature at most: five minutes for most
 * services, fifteen for some. If a claim were forgotten too early, its request could be used again;
 * one that is kept too long costs an item in the table for half an hour.
 */
const WINDOW = 15 * MINUTE;

const SIGNATURE = /signature\s*=/iu;

/**
 * Whether AWS can have verified this header: it holds a signature and the access key that AWS
 * named.
 */
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
 * What identifies the copies of a request whose signature a front of AWS Lambda verified.
 *
 * HTTP APIs pass the Authorization header to the function, and the Lambda Web Adapter passes it on:
 * the claim is the signature, as where the TVM verifies requests itself. REST APIs and Function
 * URLs withhold it. There the claim is made of what every signature covers: key, time, method,
 * path, query and body. Other headers (a nonce) do not count: it is unknown whether they were
 * signed, so whoever captured the request might change them.
 *
 * An event of an HTTP API has `authorization`
 * (Tests/AWSLambdaEventsTests/APIGateway+V2IAMTests.swift):
 * https://github.com/awslabs/swift-aws-lambda-events A REST API drops a header that is a signature:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html An
 * event of a Function URL has `x-amz-date`, but no `authorization` (Examples/Streaming/README.md):
 * https://github.com/awslabs/swift-aws-lambda-runtime
 *
 * @returns undefined where the request has neither a signature nor `x-amz-date`, so that copies of
 *   it cannot be recognised; refuses headers that AWS cannot have verified, because a copy could
 *   hide behind them
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
  if (dates.length > 1 || (dates.length === 1 && signedAt === undefined))
    return notVerified('x-amz-date');
  // While an outage of the guard is bridged, requests that may be older than the process are
  // refused. A request without a time may be, so it gets the earliest.
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
  const signed = [accessKeyId, amzDate, method, path, canonicalQuery(query), sha256Hex(body)].join(
    '\n',
  );
  return ok({ key: sha256Hex(`front\n${signed}`), ...times });
}
