import type { createDecideRequest } from '../../actions/approvals/decide-request.ts';
import type { RequestLists } from '../../actions/approvals/list-requests.ts';
import type { createRequestApproval } from '../../actions/approvals/request-approval.ts';
import type { ShownRequest } from '../../actions/approvals/shown-request.ts';
import type { OperationRefusal } from '../../actions/operator.ts';
import { NEXT_TOKEN } from '../../contract/fields.ts';
import { ROUTES } from '../../contract/routes.ts';
import type { AccessRequest as RequestBody } from '../../contract/shapes.ts';
import { formatInstant } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok, type Result } from '../../lib/result.ts';
import { toOperator, type Authentic, type Outcome } from '../endpoint.ts';
import { readId, readQuery } from '../fields.ts';
import { readBody } from '../json-body.ts';

/** What the endpoints of requests need. */
export type RequestDependencies = RequestLists & {
  readonly requestApproval: ReturnType<typeof createRequestApproval>['requestApproval'];
  readonly decisions: ReturnType<typeof createDecideRequest>;
  readonly bareNames: NamedKind;
  readonly statusUrlOf: (id: string) => string;
};

/** A request as it is shown, with names as documents have them. */
function toBody(shown: ShownRequest, bareNames: NamedKind): RequestBody {
  const { request, status, phase, needs, digest, changed, credentialsEnd } = shown;
  const { grant, ended } = request;
  return {
    request_id: request.id,
    status,
    phase,
    requester: toShownName(request.requester.name, bareNames),
    profile: request.profile,
    justification: request.justification,
    ticket: request.ticket,
    duration: grant?.seconds ?? request.seconds,
    start: request.start,
    created_at: formatInstant(request.createdAt),
    expires_at: formatInstant(request.expiresAt),
    effective_end: grant?.endsAt === undefined ? undefined : formatInstant(grant.endsAt),
    rule: request.rule,
    needs: needs.map(({ group, have, need, eligible }) => ({
      group,
      have,
      need,
      eligible: [...eligible],
    })),
    reviews: request.reviews.map(({ reviewer, verdict, comment, seconds, at }) => ({
      reviewer: toShownName(reviewer.name, bareNames),
      verdict,
      comment,
      duration: seconds,
      at: formatInstant(at),
    })),
    auto_approved: grant?.auto === true ? true : undefined,
    digest,
    facts: JSON.parse(shown.shown) as unknown,
    changed: changed.length === 0 ? undefined : [...changed],
    ended_by: ended === undefined ? undefined : toShownName(ended.by.name, bareNames),
    ended_reason: ended?.reason,
    credentials_end: credentialsEnd === undefined ? undefined : formatInstant(credentialsEnd),
  };
}

/** `/requests`: asking for an approval, looking at requests, and deciding on them. */
export function createRequestEndpoints(dependencies: RequestDependencies) {
  const { requestApproval: ask, decisions, bareNames, statusUrlOf } = dependencies;

  function answer(result: Result<ShownRequest, OperationRefusal>) {
    return result.ok ? ok(toBody(result.value, bareNames)) : result;
  }

  /** `POST /requests`: asks for an approval ahead of the vend. */
  async function requestApproval(authentic: Authentic): Promise<Outcome<'requestApproval'>> {
    const wish = readBody(authentic.request, ROUTES.requestApproval);
    if (!wish.ok) return wish;
    const { profile, justification, ticket, duration: seconds } = wish.value;
    const asked = await ask(toOperator(authentic), {
      profile,
      justification,
      ticket,
      seconds,
      origin: 'request',
    });
    if (!asked.ok) return asked;
    const { shown, created } = asked.value;
    const body = {
      ...toBody(shown, bareNames),
      approval_status_url: statusUrlOf(shown.request.id),
    };
    return { ...ok(body), status: created ? undefined : 200 };
  }

  /** `GET /requests`: a page of a view. */
  async function listRequests(authentic: Authentic): Promise<Outcome<'listRequests'>> {
    const given = readQuery(authentic.request, ROUTES.listRequests.query);
    if (!given.ok) return given;
    const { view = 'mine', status, profile, [NEXT_TOKEN]: token } = given.value;
    const page = await dependencies.listRequests(
      toOperator(authentic),
      { view, status, profile },
      token,
    );
    if (!page.ok) return page;
    const { requests, next } = page.value;
    return ok({ requests: requests.map((one) => toBody(one, bareNames)), next_token: next });
  }

  /** `GET /requests/{id}`. */
  async function showRequest(authentic: Authentic): Promise<Outcome<'showRequest'>> {
    const query = readQuery(authentic.request, ROUTES.showRequest.query);
    if (!query.ok) return query;
    const id = readId(authentic.request, ROUTES.showRequest);
    return id.ok ? answer(await dependencies.showRequest(toOperator(authentic), id.value)) : id;
  }

  /** `POST /requests/{id}/approve`. */
  async function approveRequest(authentic: Authentic): Promise<Outcome<'approveRequest'>> {
    const id = readId(authentic.request, ROUTES.approveRequest);
    if (!id.ok) return id;
    const given = readBody(authentic.request, ROUTES.approveRequest);
    if (!given.ok) return given;
    const { digest, comment, duration: seconds } = given.value;
    return answer(
      await decisions.approve(toOperator(authentic), id.value, { digest, comment, seconds }),
    );
  }

  /** `POST /requests/{id}/deny`. */
  async function denyRequest(authentic: Authentic): Promise<Outcome<'denyRequest'>> {
    const id = readId(authentic.request, ROUTES.denyRequest);
    if (!id.ok) return id;
    const given = readBody(authentic.request, ROUTES.denyRequest);
    if (!given.ok) return given;
    return answer(await decisions.deny(toOperator(authentic), id.value, given.value.comment));
  }

  /** `POST /requests/{id}/cancel`. */
  async function cancelRequest(authentic: Authentic): Promise<Outcome<'cancelRequest'>> {
    const id = readId(authentic.request, ROUTES.cancelRequest);
    if (!id.ok) return id;
    const given = readBody(authentic.request, ROUTES.cancelRequest);
    return given.ok ? answer(await decisions.cancel(toOperator(authentic), id.value)) : given;
  }

  /** `POST /requests/{id}/end`. */
  async function endRequest(authentic: Authentic): Promise<Outcome<'endRequest'>> {
    const id = readId(authentic.request, ROUTES.endRequest);
    if (!id.ok) return id;
    const given = readBody(authentic.request, ROUTES.endRequest);
    if (!given.ok) return given;
    return answer(await decisions.end(toOperator(authentic), id.value, given.value.reason));
  }

  return {
    requestApproval,
    listRequests,
    showRequest,
    approveRequest,
    denyRequest,
    cancelRequest,
    endRequest,
  };
}
