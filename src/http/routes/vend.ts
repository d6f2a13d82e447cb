import { formatInstant } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { WireRequest } from '../../sigv4/request.ts';
import type { Vended } from '../../actions/vend/plan.ts';
import type { Vend } from '../../actions/vend/vend.ts';
import type { Authenticate } from '../authenticate.ts';
import { authenticated } from '../endpoint.ts';
import { readJsonBody } from '../json-body.ts';
import type { Refusal } from '../refusals.ts';
import { readVendBody, readVendQuery, type VendWish } from '../vend-request.ts';

type Dependencies = { readonly authenticate: Authenticate; readonly vend: Vend };

/** `GET /` and `POST /`: credentials for a profile. */
export function createVendHandler({ authenticate, vend }: Dependencies) {
  return authenticated(authenticate, async ({ caller, replay, address, snapshot, request, requestId }) => {
    const wish = readWish(request);
    if (!wish.ok) return wish;
    const { profile, duration, session_label: label } = wish.value;
    const vended = await vend(
      {
        caller,
        profile,
        httpRequestId: requestId,
        replay,
        label,
        duration,
        address,
      },
      snapshot,
    );
    return vended.ok ? ok(toBody(vended.value)) : vended;
  });
}

function readWish(request: WireRequest): Result<VendWish, Refusal> {
  if (request.method === 'POST') {
    const body = readJsonBody(request, '{"profile":"dev"}');
    return body.ok ? readVendBody(body.value) : body;
  }
  if (request.body.length > 0)
    return refuse({ kind: 'invalid', message: 'GET takes its fields in the query, not in a body.' });
  return readVendQuery(request.query);
}

/**
 * One shape for `credential_process` (Version, SessionToken), the SDKs' container credentials (Token) and people.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
function toBody(vended: Vended) {
  return {
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
  };
}
