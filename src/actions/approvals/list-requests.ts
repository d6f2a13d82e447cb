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

/** So many pages of the table are read for one page of a list, of which few rows may match. */
const MAX_READS = 10;
/** A page of a list ends with the page of the table in which it reached this many. */
const PAGE = 50;

/** Where a list stopped: in which of its legs, and at which row. */
type Place = { readonly leg: number; readonly at: RequestPlace | undefined };

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

function toToken({ leg, at }: Place, mark: string): string {
  return Buffer.from(JSON.stringify([mark, leg, at?.id, at?.createdAt])).toString('base64url');
}

/** Reads a token; undefined for what is none of this query. */
function fromToken(token: string, mark: string, legs: number): Place | undefined {
  try {
    const read = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown;
    const [of, leg, id, createdAt] = Array.isArray(read) ? (read as unknown[]) : [];
    if (of !== mark || typeof leg !== 'number' || !Number.isInteger(leg) || leg < 0 || leg >= legs)
      return undefined;
    const isRow =
      typeof id === 'string' && /^[\w-]{1,64}$/u.test(id) && typeof createdAt === 'string';
    if (isRow && /^[\d:.TZ+-]{1,40}$/u.test(createdAt)) return { leg, at: { id, createdAt } };
    return id === undefined || id === null ? { leg, at: undefined } : undefined;
  } catch {
    return undefined;
  }
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

  async function collect(
    operator: Operator,
    query: RequestQuery,
    from: Place,
    legs: readonly RequestLeg[],
  ) {
    const now = clock();
    const documents = documentsOf(operator.snapshot);
    const requests: ShownRequest[] = [];
    let place: Place | undefined = from;
    for (
      let reads = 0;
      reads < MAX_READS && place !== undefined && requests.length < PAGE;
      reads += 1
    ) {
      const { leg, at }: Place = place;
      const part = legs[leg];
      if (part === undefined) return { requests, place: undefined };
      const { rows, next } = await store.page(part, operator.snapshot.sealingKeys, at);
      const found = rows.flatMap((row) => (row.genuine ? [row.request] : []));
      const wanted = found.filter((request) => isWanted(request, query, operator, now));
      requests.push(...wanted.map((request) => show(request, documents, now)));
      const after: Place | undefined =
        leg + 1 < legs.length ? { leg: leg + 1, at: undefined } : undefined;
      place = next === undefined ? after : { leg, at: next };
    }
    return { requests, place };
  }

  /** Lists the requests of a view, newest first. All of them are for operators who may list. */
  async function listRequests(
    operator: Operator,
    query: RequestQuery,
    token: string | undefined,
  ): Promise<Result<RequestsPage, OperationRefusal>> {
    const { caller } = operator;
    const legs = legsOf(query, caller.storedName);
    const mark = [query.view, query.status, query.profile].join(' ');
    const from =
      token === undefined ? { leg: 0, at: undefined } : fromToken(token, mark, legs.length);
    if (from === undefined) return refuse({ kind: 'bad-token' });
    if (query.view === 'all' && !may(operator, 'list', query.profile)) {
      return refuse({ kind: 'not-operator', action: 'list', on: { kind: 'requests-of-others' } });
    }
    try {
      const { requests, place } = await collect(operator, query, from, legs);
      return ok({ requests, next: place === undefined ? undefined : toToken(place, mark) });
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
