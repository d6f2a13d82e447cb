import { formatInstant } from '../../lib/clock.ts';
import { ok } from '../../lib/result.ts';
import type { Authentic, Outcome } from '../endpoint.ts';
import { invalid } from '../fields.ts';

/** `GET /whoami`: the identity that authenticated, in the words that documents match on. */
export function whoami({ caller, request }: Authentic): Outcome<'whoami'> {
  if (request.rawQuery !== '' || request.body.length > 0) {
    return invalid('GET /whoami takes neither a query nor a body.');
  }
  const { account, principal, subject, name, via, accessKeyId, keyExpiresAt } = caller;
  return ok({
    account,
    principal,
    subject,
    name,
    session_name: caller.sessionName,
    via,
    access_key_id: accessKeyId,
    source_access_key_id: caller.sourceAccessKeyId,
    unique_id: caller.uniqueId,
    expiration: keyExpiresAt === undefined ? undefined : formatInstant(keyExpiresAt),
  });
}
