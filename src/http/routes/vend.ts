import { ROUTES } from '../../contract/routes.ts';
import type { Vended as VendedBody } from '../../contract/shapes.ts';
import { formatInstant } from '../../lib/clock.ts';
import { ok } from '../../lib/result.ts';
import type { Vended } from '../../actions/vend/plan.ts';
import type { Vend } from '../../actions/vend/vend.ts';
import type { Authentic, Outcome } from '../endpoint.ts';
import { invalid, readQuery } from '../fields.ts';
import { readBody } from '../json-body.ts';

type Dependencies = { readonly vend: Vend };

/** What a caller asks for; `duration` in seconds. */
type Wish = {
  readonly profile: string;
  readonly duration?: number | undefined;
  readonly session_label?: string | undefined;
  readonly justification?: string | undefined;
  readonly ticket?: string | undefined;
};

/** `GET /` and `POST /`: credentials for a profile. */
export function createVendEndpoints({ vend: vendTo }: Dependencies) {
  async function answerWish(
    { caller, replay, address, snapshot, requestId }: Authentic,
    { profile, duration, session_label: label, justification, ticket }: Wish,
  ): Promise<Outcome<'vend'>> {
    const vended = await vendTo(
      {
        caller,
        profile,
        httpRequestId: requestId,
        replay,
        label,
        duration,
        address,
        justification,
        ticket,
      },
      snapshot,
    );
    return vended.ok ? ok(toBody(vended.value)) : vended;
  }

  async function vend(authentic: Authentic): Promise<Outcome<'vend'>> {
    const { request } = authentic;
    if (request.body.length > 0)
      return invalid('GET takes its fields in the query, not in a body.');
    const wish = readQuery(request, ROUTES.vend.query);
    return wish.ok ? answerWish(authentic, wish.value) : wish;
  }

  async function vendByPost(authentic: Authentic): Promise<Outcome<'vendByPost'>> {
    const wish = readBody(authentic.request, ROUTES.vendByPost);
    return wish.ok ? answerWish(authentic, wish.value) : wish;
  }

  return { vend, vendByPost };
}

function toBody(vended: Vended): VendedBody {
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
