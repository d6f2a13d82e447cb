import type { Result } from '../lib/result.ts';
import type { Operator } from '../actions/operator.ts';
import { jsonAnswer, refusalAnswer, type Answer } from './answer.ts';
import type { Arrival } from './arrival.ts';
import type { Authenticate, AuthenticRequest } from './authenticate.ts';
import { askedBy } from './asked.ts';
import type { Refusal } from './refusals.ts';
import type { Handler } from './route.ts';

/** What an endpoint is told of a request whose caller is known. */
export type Authentic = AuthenticRequest & Pick<Arrival, 'requestId'>;

/** The value of a good answer, with its status if that is not 200; or why there is none. */
export type Outcome = Result<unknown, Refusal>;

/** Makes a handler of an endpoint that needs an identity: the caller first, then the endpoint, then its answer. */
export function authenticated(
  authenticate: Authenticate,
  handle: (request: Authentic) => Outcome | Promise<Outcome>,
  status = 200,
): Handler {
  return async (arrival): Promise<Answer> => {
    const { requestId } = arrival;
    const asked = askedBy(arrival.head);
    const authentic = await authenticate(arrival);
    if (!authentic.ok) return refusalAnswer(requestId, authentic.refusal, {}, asked);
    const outcome = await handle({ ...authentic.value, requestId });
    if (!outcome.ok && outcome.refusal.kind === 'replayed') await authentic.value.onCopy();
    return outcome.ok
      ? jsonAnswer(requestId, outcome.value, status, authentic.value.headers)
      : refusalAnswer(requestId, outcome.refusal, authentic.value.headers, asked);
  };
}

/** Who operates, for the operations of sessions and revocations. */
export function toOperator({ caller, snapshot, requestId, address, replay }: Authentic): Operator {
  return {
    caller,
    snapshot,
    httpRequestId: requestId,
    replay,
    address,
  };
}
