import type { EndGrant } from '../actions/end-grant.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAsk } from '../actions/approvals/ask.ts';
import { createDecideRequest } from '../actions/approvals/decide-request.ts';
import { createDocumentsOf } from '../actions/approvals/documents.ts';
import { createFindGrant } from '../actions/approvals/find-grant.ts';
import { createVendApprovals } from '../actions/approvals/for-vend.ts';
import { createListRequests } from '../actions/approvals/list-requests.ts';
import { createApprovalRecords } from '../actions/approvals/records.ts';
import { createRequestApproval } from '../actions/approvals/request-approval.ts';
import { createBreakGlassRecords } from '../actions/break-glass/records.ts';
import { createChangeEvent } from '../actions/break-glass/change-event.ts';
import { createFindEvent } from '../actions/break-glass/find-event.ts';
import { createListEvents } from '../actions/break-glass/list-events.ts';
import { createOpenEvent } from '../actions/break-glass/open-event.ts';
import { createLedgers } from '../approvals/ledger.ts';
import { createRequestStore, type RequestStore } from '../approvals/store.ts';
import { createUseLedgers } from '../breakglass/ledger.ts';
import { createUseQuota } from '../breakglass/quota.ts';
import { createEventStore, type EventStore } from '../breakglass/store.ts';
import type { ReplayGuard } from '../replay/guard.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { Audit } from './audit.ts';
import type { Events } from './events.ts';
import type { Runtime } from './runtime.ts';

/** Hints at each writing that there is an event; a hint that is lost costs some seconds. */
function withNotice(store: RequestStore, { noticeRequest }: Events): RequestStore {
  async function create(
    ...given: Parameters<RequestStore['create']>
  ): ReturnType<RequestStore['create']> {
    const outcome = await store.create(...given);
    if (outcome === 'created') noticeRequest(given[0]);
    return outcome;
  }

  async function replace(
    ...given: Parameters<RequestStore['replace']>
  ): ReturnType<RequestStore['replace']> {
    const outcome = await store.replace(...given);
    if (outcome === 'replaced') noticeRequest(given[0]);
    return outcome;
  }

  return { ...store, create, replace };
}

/** Constructs what asks for approvals, decides on them, and lets vends rest on them. */
export function assembleApprovals(
  { config, clock, clients, skew, onFault: faultsOf }: Runtime,
  { log: audit }: Audit,
  revocations: Revocations,
  { guard, events, endGrant }: Pick<BreakGlassParts, 'guard' | 'events' | 'endGrant'>,
) {
  const { bareNames, publicUrl, tables } = config;
  const onFault = faultsOf('requests for approvals cannot be read or written');
  const store = withNotice(
    createRequestStore(clients.dynamodb, tables.requests, events.isHeard),
    events,
  );
  const ledgers = createLedgers(clients.dynamodb, tables.guard);
  const documentsOf = createDocumentsOf(bareNames);
  const records = createApprovalRecords({ clock, guard, audit, bareNames, onFault });
  const common = { clock, store, ledgers, revocations, documentsOf, records };
  const ask = createAsk({ clock, store, ledgers, revocations, sleep });
  const requesting = createRequestApproval({ ...common, ask });

  function statusUrlOf(id: string): string {
    return `${publicUrl.replace(/\/+$/u, '')}/requests/${id}`;
  }

  return {
    ...createListRequests(common),
    requestApproval: requesting.requestApproval,
    decisions: createDecideRequest({ ...common, endGrant }),
    grants: createFindGrant({ ...common, skew }),
    approvals: createVendApprovals({
      requestForVend: requesting.requestForVend,
      revocations,
      documentsOf,
      statusUrlOf,
      onFault,
    }),
    statusUrlOf,
    documentsOf,
  };
}

/** The same for break-glass events. */
function withEventNotice(store: EventStore, { noticeEvent }: Events): EventStore {
  async function create(
    ...given: Parameters<EventStore['create']>
  ): ReturnType<EventStore['create']> {
    const outcome = await store.create(...given);
    if (outcome === 'created') noticeEvent(given[0]);
    return outcome;
  }

  function noticed(write: EventStore['replace']): EventStore['replace'] {
    return async function writeAndNotice(...given) {
      const outcome = await write(...given);
      if (outcome === 'replaced') noticeEvent(given[0]);
      return outcome;
    };
  }

  return { ...store, create, replace: noticed(store.replace), confirm: noticed(store.confirm) };
}

/** What break-glass shares with others. */
type BreakGlassParts = {
  readonly revocations: Revocations;
  readonly guard: ReplayGuard;
  readonly events: Events;
  readonly endGrant: EndGrant;
  readonly documentsOf: ReturnType<typeof createDocumentsOf>;
};

/** Constructs what opens profiles in an emergency, and lets vends rest on that. */
export function assembleBreakGlass(
  { config, clock, clients, skew, onFault }: Runtime,
  { log: audit }: Audit,
  { revocations, guard, events, endGrant, documentsOf }: BreakGlassParts,
) {
  const { bareNames, tables } = config;
  const store = withEventNotice(
    createEventStore(clients.dynamodb, tables.breakglass, events.isHeard),
    events,
  );
  const quota = createUseQuota(createUseLedgers(clients.dynamodb, tables.guard), store);
  const records = createBreakGlassRecords({
    clock,
    guard,
    audit,
    bareNames,
    onFault: onFault('break-glass events cannot be read or written'),
  });
  const common = { clock, store, quota, revocations, documentsOf, records, skew };
  return {
    ...createListEvents(common),
    openEvent: createOpenEvent(common),
    events: createChangeEvent({ ...common, endGrant }),
    liveEvents: createFindEvent(common),
  };
}
