import { ROUTES } from '../../contract/routes.ts';
import type { MintedKey as MintedKeyBody } from '../../contract/shapes.ts';
import type { MintedKey } from '../../identity/minted-key.ts';
import { formatInstant } from '../../lib/clock.ts';
import { ok } from '../../lib/result.ts';
import type { Mint } from '../../actions/mint-key.ts';
import type { Authentic, Outcome } from '../endpoint.ts';
import { readBody } from '../json-body.ts';

type Dependencies = { readonly mint: Mint };

/**
 * `POST /keys`: a key of the TVM for whoever signed, to sign ordinary SigV4 requests to it with.
 */
export function createKeyEndpoints({ mint }: Dependencies) {
  async function mintKey(authentic: Authentic): Promise<Outcome<'mintKey'>> {
    const { request, snapshot, caller, source, replay, address, requestId } = authentic;
    const wish = readBody(request, ROUTES.mintKey);
    if (!wish.ok) return wish;
    const { duration } = wish.value;
    const minted = await mint(
      { caller, httpRequestId: requestId, source, replay, duration, address },
      snapshot,
    );
    return minted.ok ? ok(toBody(minted.value)) : minted;
  }

  return { mintKey };
}

function toBody({
  accessKeyId,
  secretAccessKey,
  sessionToken,
  expiresAt,
}: MintedKey): MintedKeyBody {
  return {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Token: sessionToken,
    Expiration: formatInstant(expiresAt),
  };
}
