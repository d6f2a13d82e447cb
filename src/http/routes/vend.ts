import { formatInstant } from '../../lib/clock.ts';
import { refuse, type Result } from '../../lib/result.ts';
import type { WireRequest } from '../../sigv4/request.ts';
import type { Vended } from '../../vend/plan.ts';
import type { Vend } from '../../vend/vend.ts';
import { jsonAnswer, refusalAnswer, type Answer } from '../answer.ts';
import type { Arrival, Authenticate } from '../authenticate.ts';
import { readJsonBody } from '../json-body.ts';
import type { Refusal } from '../refusals.ts';
import { readVendBody, readVendQuery, type VendWish } from '../vend-request.ts';

type Dependencies = { readonly authenticate: Authenticate; readonly vend: Vend };

/** `GET /` and `POST /`: credentials for a profile. */
export const createVendHandler =
  ({ authenticate, vend }: Dependencies) =>
  async (arrival: Arrival): Promise<Answer> => {
    const { requestId } = arrival;
    const authentic = await authenticate(arrival);
    if (!authentic.ok) return refusalAnswer(requestId, authentic.refusal);
    const { caller, replay, address, snapshot, request } = authentic.value;
    const wish = readWish(request);
    if (!wish.ok) return refusalAnswer(requestId, wish.refusal);
    const { profile, duration } = wish.value;
    const vended = await vend(
      {
        caller,
        profile,
        httpRequestId: requestId,
        ...(replay === undefined ? {} : { replay }),
        ...(duration === undefined ? {} : { duration }),
        ...(address === undefined ? {} : { address }),
      },
      snapshot,
    );
    return vended.ok ? jsonAnswer(requestId, toBody(vended.value)) : refusalAnswer(requestId, vended.refusal);
  };

const readWish = (request: WireRequest): Result<VendWish, Refusal> => {
  if (request.method === 'POST') {
    const body = readJsonBody(request, '{"profile":"dev"}');
    return body.ok ? readVendBody(body.value) : body;
  }
  if (request.body.length > 0)
    return refuse({ kind: 'invalid', message: 'GET takes its fields in the query, not in a body.' });
  return readVendQuery(request.query);
};

/**
 * One shape for `credential_process` (Version, SessionToken), the SDKs' container credentials (Token) and people.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
const toBody = (vended: Vended) => ({
  Version: 1,
  AccessKeyId: vended.accessKeyId,
  SecretAccessKey: vended.secretAccessKey,
  SessionToken: vended.sessionToken,
  Token: vended.sessionToken,
  Expiration: formatInstant(vended.expiration),
  AccountId: vended.account,
  RoleArn: vended.roleArn,
  Profile: vended.profile,
  SessionId: vended.sessionId,
  SourceIdentity: vended.sourceIdentity,
});
