import { ROUTES, type AnswerOf, type IdentifiedOperation } from '../contract/routes.ts';
import type { Operator } from '../actions/operator.ts';
import type { Result } from '../lib/result.ts';
import { jsonAnswer, refusalAnswer, type Answer } from './answer.ts';
import type { Arrival } from './arrival.ts';
import type { Authenticate, AuthenticRequest } from './authenticate.ts';
import type { Refusal } from './refusals.ts';
import type { Handler } from './route.ts';

/** What an endpoint is told of a request whose caller is known. */
export type Authentic = AuthenticRequest & Pick<Arrival, 'requestId'>;

/** What an endpoint comes to: the body of its answer, or why there is none. */
export type Outcome<Name extends IdentifiedOperation> = Result<AnswerOf<Name>, Refusal> & {
  /** The status of a good answer, where it is not the one of the table. */
  readonly status?: 200 | undefined;
};

/** Answers one operation for a caller who is known. */
type Endpoint<Name extends IdentifiedOperation> = (
  request: Authentic,
) => Outcome<Name> | Promise<Outcome<Name>>;

/**
 * An endpoint for each operation that needs an identity; the compiler finds one that is missing.
 */
export type Endpoints = { readonly [Name in IdentifiedOperation]: Endpoint<Name> };

/**
 * Makes the handler of an operation that needs an identity: the caller first, then the endpoint,
 * then its answer.
 */
export function createAuthenticatedHandler(
  name: IdentifiedOperation,
  endpoint: Endpoints[IdentifiedOperation],
  authenticate: Authenticate,
): Handler {
  const { asks, status } = ROUTES[name];

  async function handleAuthenticated(arrival: Arrival): Promise<Answer> {
    const { requestId } = arrival;
    const authentic = await authenticate(arrival);
    if (!authentic.ok) return refusalAnswer(requestId, authentic.refusal, {}, asks);
    const { headers, onCopy } = authentic.value;
    const outcome = await endpoint({ ...authentic.value, requestId });
    if (outcome.ok) return jsonAnswer(requestId, outcome.value, outcome.status ?? status, headers);
    if (outcome.refusal.kind === 'replayed') await onCopy();
    return refusalAnswer(requestId, outcome.refusal, headers, asks);
  }

  return handleAuthenticated;
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
