import { formatInstant } from '../../lib/clock.ts';
import { ok } from '../../lib/result.ts';
import type { Authenticate } from '../authenticate.ts';
import { authenticated } from '../endpoint.ts';
import { invalid } from '../fields.ts';

type Dependencies = { readonly authenticate: Authenticate };

/** `GET /whoami`: whom the server takes the caller for, in the words that documents match on. */
export function createWhoamiHandler({ authenticate }: Dependencies) {
  return authenticated(authenticate, ({ caller, request }) => {
    if (request.rawQuery !== '' || request.body.length > 0) {
      return invalid('GET /whoami takes neither a query nor a body.');
    }
    const {
      account,
      principal,
      subject,
      name,
      sessionName,
      via,
      accessKeyId,
      sourceAccessKeyId,
      uniqueId,
      keyExpiresAt,
    } = caller;
    return ok({
      account,
      principal,
      subject,
      name,
      session_name: sessionName,
      via,
      access_key_id: accessKeyId,
      source_access_key_id: sourceAccessKeyId,
      unique_id: uniqueId,
      expiration: keyExpiresAt === undefined ? undefined : formatInstant(keyExpiresAt),
    });
  });
}
