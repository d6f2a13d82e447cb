import { formatInstant } from '../../lib/clock.ts';
import { jsonAnswer, refusalAnswer, type Answer } from '../answer.ts';
import type { Arrival, Authenticate } from '../authenticate.ts';
import { invalid } from '../fields.ts';

type Dependencies = { readonly authenticate: Authenticate };

/** `GET /whoami`: whom the server takes the caller for, in the words that documents match on. */
export const createWhoamiHandler =
  ({ authenticate }: Dependencies) =>
  async (arrival: Arrival): Promise<Answer> => {
    const { requestId } = arrival;
    const authentic = await authenticate(arrival);
    if (!authentic.ok) return refusalAnswer(requestId, authentic.refusal);
    const { caller, request } = authentic.value;
    if (request.rawQuery !== '' || request.body.length > 0) {
      return refusalAnswer(requestId, invalid('GET /whoami takes neither a query nor a body.').refusal);
    }
    const { account, principal, name, sessionName, via, accessKeyId, sourceAccessKeyId, uniqueId, keyExpiresAt } =
      caller;
    return jsonAnswer(requestId, {
      account,
      principal,
      name,
      session_name: sessionName,
      via,
      access_key_id: accessKeyId,
      source_access_key_id: sourceAccessKeyId,
      unique_id: uniqueId,
      expiration: keyExpiresAt === undefined ? undefined : formatInstant(keyExpiresAt),
    });
  };
