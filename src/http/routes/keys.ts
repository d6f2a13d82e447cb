import * as v from 'valibot';
import type { MintedKey } from '../../identity/minted-key.ts';
import { formatInstant } from '../../lib/clock.ts';
import { ok } from '../../lib/result.ts';
import { KEY_SECONDS, type Mint } from '../../actions/mint-key.ts';
import type { Authenticate } from '../authenticate.ts';
import { authenticated } from '../endpoint.ts';
import { fields, readFields, seconds } from '../fields.ts';
import { readJsonBody } from '../json-body.ts';

type Dependencies = { readonly authenticate: Authenticate; readonly mint: Mint };

const BODY = fields({ duration: v.optional(seconds(KEY_SECONDS.shortest, KEY_SECONDS.longest)) });

/** `POST /keys`: a key of the TVM for whoever signed, to sign ordinary SigV4 requests to it with. */
export function createKeysHandler({ authenticate, mint }: Dependencies) {
  return authenticated(authenticate, async ({ request, snapshot, caller, source, replay, address, requestId }) => {
    const body = readJsonBody(request, '{"duration":900}, or {}');
    if (!body.ok) return body;
    const wish = readFields(BODY, body.value, 'field');
    if (!wish.ok) return wish;
    const { duration } = wish.value;
    const minted = await mint(
      {
        caller,
        httpRequestId: requestId,
        source,
        replay,
        duration,
        address,
      },
      snapshot,
    );
    return minted.ok ? ok(toBody(minted.value)) : minted;
  });
}

/** The shape of temporary AWS credentials, so that whatever takes those takes a minted key. */
function toBody({ accessKeyId, secretAccessKey, sessionToken, expiresAt }: MintedKey) {
  return {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Token: sessionToken,
    Expiration: formatInstant(expiresAt),
  };
}
