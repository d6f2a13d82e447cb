import * as v from 'valibot';
import { isServiceFault, isThrottling } from '../aws/error-codes.ts';
import { isAccountId, parseArn } from '../lib/arn.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import type { AwsIdentity } from './aws-identity.ts';
import type { StsReply } from './sts-call.ts';

/** The outcome of a call to STS that gave no identity. */
export type StsRefusal =
  /** STS did not accept the signature; `code` is its error code. */
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'throttled' }
  /**
   * An answer that is not one of STS's and identifies nobody. `why` repeats nothing of its content.
   */
  | { readonly kind: 'unexpected'; readonly why: string };

const Identity = v.object({
  GetCallerIdentityResponse: v.object({
    GetCallerIdentityResult: v.object({
      Account: v.pipe(v.string(), v.check(isAccountId)),
      Arn: v.pipe(v.string(), v.maxLength(2_048)),
      UserId: v.pipe(v.string(), v.regex(/^[\u0021-\u007e]{1,256}$/u)),
    }),
  }),
});

const ErrorAnswer = v.object({
  Error: v.object({ Code: v.pipe(v.string(), v.regex(/^[A-Za-z0-9.]{1,64}$/u)) }),
});

function unexpected(why: string) {
  return refuse<StsRefusal>({ kind: 'unexpected', why });
}

/**
 * Reads an answer of STS. Only a 200 gives an identity, in uncompressed JSON without repeated keys,
 * whose account is the one in its ARN, in the partition that was asked. Everything else is a
 * refusal.
 */
export function readStsAnswer(reply: StsReply, partition: string): Result<AwsIdentity, StsRefusal> {
  if (reply.status === 429) return refuse({ kind: 'throttled' });
  if (reply.contentEncoding !== '' && reply.contentEncoding !== 'identity')
    return unexpected('it is compressed');
  if (!/^application\/(?:x-amz-)?json(?:-1\.[01])?\s*(?:;|$)/iu.test(reply.contentType))
    return unexpected('it is not JSON');
  const json = parseStrictJson(reply.body);
  if (!json.ok)
    return unexpected(json.refusal === 'not-json' ? 'it is not JSON' : 'it holds a key twice');
  if (reply.status !== 200) return readError(reply.status, json.value);
  const parsed = v.safeParse(Identity, json.value);
  if (!parsed.success) return unexpected('it is not an answer to GetCallerIdentity');
  const {
    Account: account,
    Arn: arn,
    UserId: userId,
  } = parsed.output.GetCallerIdentityResponse.GetCallerIdentityResult;
  const read = parseArn(arn);
  if (!read.ok) return unexpected('its ARN is malformed');
  if (read.value.account !== account) return unexpected('its account is not that of its ARN');
  if (read.value.partition !== partition) return unexpected('its ARN is of another partition');
  return ok({ arn, account, userId });
}

function readError(status: number, value: unknown): Result<AwsIdentity, StsRefusal> {
  const parsed = v.safeParse(ErrorAnswer, value);
  if (status < 400 || status > 499 || !parsed.success) return unexpected(`its status is ${status}`);
  const { Code: code } = parsed.output.Error;
  if (isThrottling(code)) return refuse({ kind: 'throttled' });
  // https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html: these have a status
  // below 500, but say nothing about the signature.
  return isServiceFault(code)
    ? unexpected(`its error is ${code}`)
    : refuse({ kind: 'refused', code });
}
