import { statusAt, type AccessRequest, type RequestStatus } from '../../approvals/request.ts';
import { expired } from '../../approvals/request-changes.ts';
import type { RequestLeg, RequestPlace, RequestStore } from '../../approvals/store.ts';
import { REQUEST_STATUSES, type REQUEST_VIEWS } from '../../contract/fields.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey } from '../../lib/sealing.ts';
import type { Revocations } from '../../revocations/feed.ts';
import { may, type OperationRefusal, type Operator } from '../operator.ts';
import { toPlace, walkPages } from '../walk-pages.ts';
import type { Documents } from './documents.ts';
import type { ApprovalRecords } from './records.ts';
import { withStanding } from './standing.ts';
import { toShownRequest, type ShownRequest } from './shown-request.ts';
import { mayReview } from './tally.ts';
import { isOwn, isVisible } from './visible.ts';

/** A list of requests that somebody asks for. */
export type RequestQuery = {
  readonly view: (typeof REQUEST_VIEWS)[number];
  readonly status: RequestStatus | undefined;
  readonly profile: string | undefined;
};

/** A page of requests; one that is not full may have a next one. */
export type RequestsPage = {
  readonly requests: readonly ShownRequest[];
  readonly next: string | undefined;
};

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<RequestStore, 'page' | 'read' | 'replace'>;
  readonly revocations: Pick<Revocations, 'ofGrant' | 'wasRevokedAfter'>;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  readonly records: ApprovalRecords;
};

/** The parts of the table in which the requests of a query are, one after the other. */
function legsOf({ view, status, profile }: RequestQuery, name: string): readonly RequestLeg[] {
  if (view === 'mine') return [{ index: 'gsi-requester', key: name }];
  if (view === 'review') return [{ index: 'gsi-status', key: 'pending' }];
  if (profile !== undefined) return [{ index: 'gsi-profile', key: profile }];
  return keysOf(status).map((key) => ({ index: 'gsi-status', key }));
}

/** Nothing writes that a request has expired, so that it is pending for the index. */
function keysOf(status: RequestStatus | undefined): readonly RequestStatus[] {
  if (status === undefined) return REQUEST_STATUSES;
  return status === 'expired' ? ['expired', 'pending'] : [status];
}

/** Lists requests, and shows one. */
export function createListRequests({
  clock,
  store,
  revocations,
  documentsOf,
  records,
}: Dependencies) {
  function show(request: AccessRequest, documents: Documents, now: number): ShownRequest {
    return toShownRequest(request, documents, revocations, now);
  }

  /** Whether a request belongs in a list of this caller's. */
  function isWanted(
    request: AccessRequest,
    query: RequestQuery,
    operator: Operator,
    now: number,
  ): boolean {
    const documents = documentsOf(operator.snapshot);
    const party = documents.toParty(operator.caller, now);
    const status = statusAt(request, now);
    if (query.profile !== undefined && request.profile !== query.profile) return false;
    if (query.status !== undefined && status !== query.status) return false;
    if (query.view === 'mine') return isOwn(request, party, documents);
    if (query.view === 'all') return isVisible(request, party, operator, documents);
    const isOpen = status === 'pending' && revocations.ofGrant(request.id) === undefined;
    const { reviews } = withStanding(request, documents, revocations, now);
    const spoke = reviews.some(({ reviewer }) => reviewer.subject === party.subject);
    // By the groups of this moment: whom escalation adds later has nothing to decide yet.
    const counting = documents.countingFor(request, now);
    return (
      isOpen &&
      !spoke &&
      counting !== undefined &&
      mayReview(request, party, documents.toApprover(party), counting)
    );
  }

  /** The requests of one page of the table that belong in a list. */
  async function read(
    operator: Operator,
    query: RequestQuery,
    leg: RequestLeg,
    at: RequestPlace | undefined,
  ) {
    const now = clock();
    const { snapshot } = operator;
    const documents = documentsOf(snapshot);
    const { rows, next } = await store.page(leg, snapshot.sealingKeys, at);
    const found = rows.flatMap((row) => (row.genuine ? [row.request] : []));
    const wanted = found.filter((request) => isWanted(request, query, operator, now));
    return { items: wanted.map((request) => show(request, documents, now)), next };
  }

  /** Lists the requests of a view, newest first. All of them are for operators who may list. */
  async function listRequests(
    operator: Operator,
    query: RequestQuery,
    token: string | undefined,
  ): Promise<Result<RequestsPage, OperationRefusal>> {
    const walk = {
      legs: legsOf(query, operator.caller.storedName),
      mark: [query.view, query.status, query.profile].join(' '),
    };
    const from = toPlace(walk, token);
    if (from === undefined) return refuse({ kind: 'bad-token' });
    if (query.view === 'all' && !may(operator, 'list', query.profile)) {
      return refuse({ kind: 'not-operator', action: 'list', on: { kind: 'requests-of-others' } });
    }
    try {
      const { items: requests, next } = await walkPages(walk, from, (leg, at) =>
        read(operator, query, leg, at),
      );
      return ok({ requests, next });
    } catch (error) {
      return records.fail(operator, { action: 'listed' }, error);
    }
  }

  /**
   * Writes down that nobody decided a request in time, which the first tells who looks at it
   * afterwards.
   */
  async function withExpiry(
    request: AccessRequest,
    { snapshot }: Operator,
    now: number,
  ): Promise<AccessRequest> {
    const sealing = activeSealingKey(snapshot.sealingKeys, now);
    if (
      request.status !== 'pending' ||
      statusAt(request, now) !== 'expired' ||
      sealing === undefined
    )
      return request;
    const over = expired(request, now);
    return (await store.replace(over, sealing)) === 'replaced' ? over : request;
  }

  /** Shows one request to those whose business it is. */
  async function showRequest(
    operator: Operator,
    id: string,
  ): Promise<Result<ShownRequest, OperationRefusal>> {
    try {
      const now = clock();
      const documents = documentsOf(operator.snapshot);
      const row = await store.read(id, operator.snapshot.sealingKeys);
      const party = documents.toParty(operator.caller, now);
      const request = row?.genuine === true ? row.request : undefined;
      if (request === undefined || !isVisible(request, party, operator, documents)) {
        return refuse({ kind: 'no-request', id });
      }
      return ok(show(await withExpiry(request, operator, now), documents, now));
    } catch (error) {
      return records.fail(operator, { action: 'listed', request_id: id }, error);
    }
  }

  return { listRequests, showRequest };
}

export type RequestLists = ReturnType<typeof createListRequests>;
