import {
  expired,
  statusAt,
  type BreakGlassEvent,
  type EventStatus,
} from '../../breakglass/event.ts';
import type { EventLeg, EventPlace, EventStore } from '../../breakglass/store.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey } from '../../lib/sealing.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Documents } from '../approvals/documents.ts';
import { may, type OperationRefusal, type Operator } from '../operator.ts';
import { toPlace, walkPages } from '../walk-pages.ts';
import { needsOf } from './check-event.ts';
import type { BreakGlassRecords } from './records.ts';
import {
  isOther,
  isOwnEvent,
  isVisibleEvent,
  toShownEvent,
  withLog,
  type Looker,
  type ShownEvent,
} from './shown-event.ts';

/**
 * A list of events that somebody asks for: one's own, those that one could confirm or review now,
 * or all.
 */
export type EventQuery = {
  readonly view: 'mine' | 'review' | 'all';
  readonly status: EventStatus | undefined;
  readonly profile: string | undefined;
};

/** A page of events; one that is not full may have a next one. */
export type EventsPage = {
  readonly events: readonly ShownEvent[];
  readonly next: string | undefined;
};

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<EventStore, 'page' | 'read' | 'replace'>;
  readonly revocations: Pick<Revocations, 'ofGrant'>;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  readonly records: BreakGlassRecords;
};

/**
 * In the table, what ended by itself may be `active` still, and drills are `closed`: whatever
 * status is asked for, the rows of all of them are looked at.
 */
const STATUSES: readonly EventStatus[] = ['active', 'closed', 'expired'];

/** The parts of the table in which the events of a query are, one after the other. */
function legsOf({ view, profile }: EventQuery, names: readonly string[]): readonly EventLeg[] {
  if (view === 'mine') return names.map((key) => ({ index: 'gsi-invoker', key }));
  if (profile !== undefined) return [{ index: 'gsi-profile', key: profile }];
  return STATUSES.map((key) => ({ index: 'gsi-status', key }));
}

function show(event: BreakGlassEvent, { operator, now }: Looker): ShownEvent {
  return toShownEvent(event, operator.snapshot, now);
}

/** Whether this caller could do something about an event now. */
function isForReview(event: BreakGlassEvent, looker: Looker): boolean {
  const { people } = looker.documents;
  if (people === undefined) return false;
  const { confirms, reviews } = isOther(event, looker, people);
  const { confirmBy, reviewBy } = needsOf(event, looker.now);
  const isOver = statusAt(event, looker.now) !== 'active';
  return (confirms && confirmBy !== undefined) || (reviews && isOver && reviewBy !== undefined);
}

function isWanted(
  event: BreakGlassEvent,
  { view, status, profile }: EventQuery,
  looker: Looker,
): boolean {
  if (profile !== undefined && event.profile !== profile) return false;
  if (status !== undefined && statusAt(event, looker.now) !== status) return false;
  if (view === 'mine') return isOwnEvent(event, looker);
  return view === 'all' ? isVisibleEvent(event, looker) : isForReview(event, looker);
}

/** Lists events, and shows one. */
export function createListEvents({
  clock,
  store,
  revocations,
  documentsOf,
  records,
}: Dependencies) {
  function toLooker(operator: Operator): Looker {
    const documents = documentsOf(operator.snapshot);
    const now = clock();
    return { operator, documents, now, party: documents.toParty(operator.caller, now) };
  }

  function asKnown(event: BreakGlassEvent): BreakGlassEvent {
    return withLog(event, revocations.ofGrant(event.id) !== undefined);
  }

  /** The events of one page of the table that belong in a list. */
  async function read(
    looker: Looker,
    query: EventQuery,
    leg: EventLeg,
    at: EventPlace | undefined,
  ) {
    const { rows, next } = await store.page(leg, looker.operator.snapshot.sealingKeys, at);
    const found = rows.flatMap((row) => (row.genuine ? [asKnown(row.event)] : []));
    const wanted = found.filter((one) => isWanted(one, query, looker));
    return { items: wanted.map((one) => show(one, looker)), next };
  }

  /**
   * Lists the events of a view, newest first in each part of the table. All of them are for
   * operators who may list.
   */
  async function listEvents(
    operator: Operator,
    query: EventQuery,
    token: string | undefined,
  ): Promise<Result<EventsPage, OperationRefusal>> {
    const looker = toLooker(operator);
    const names = looker.documents.people?.namesOf(looker.party) ?? [operator.caller.storedName];
    const walk = {
      legs: legsOf(query, [...new Set([operator.caller.storedName, ...names])]),
      mark: [query.view, query.status, query.profile].join(' '),
    };
    const from = toPlace(walk, token);
    if (from === undefined) return refuse({ kind: 'bad-token' });
    if (query.view === 'all' && !may(operator, 'list', query.profile)) {
      return refuse({ kind: 'not-operator', action: 'list', on: { kind: 'events-of-others' } });
    }
    try {
      const { items: events, next } = await walkPages(walk, from, (leg, at) =>
        read(looker, query, leg, at),
      );
      return ok({ events, next });
    } catch (error) {
      return records.fail(operator, { action: 'listed' }, error);
    }
  }

  /**
   * Writes down that an event has ended by itself, which the first tells who looks at it
   * afterwards.
   */
  async function withExpiry(
    event: BreakGlassEvent,
    { operator, now }: Looker,
  ): Promise<BreakGlassEvent> {
    const sealing = activeSealingKey(operator.snapshot.sealingKeys, now);
    const over = expired(event, now);
    if (sealing === undefined || over === undefined) return event;
    return (await store.replace(over, sealing)) === 'replaced' ? over : event;
  }

  /** Shows one event to those whose business it is. */
  async function showEvent(
    operator: Operator,
    id: string,
  ): Promise<Result<ShownEvent, OperationRefusal>> {
    try {
      const row = await store.read(id, operator.snapshot.sealingKeys);
      const looker = toLooker(operator);
      if (row?.genuine !== true || row.event.id !== id || !isVisibleEvent(row.event, looker)) {
        return refuse({ kind: 'no-event', id });
      }
      return ok(show(await withExpiry(asKnown(row.event), looker), looker));
    } catch (error) {
      return records.fail(operator, { action: 'listed', event_id: id }, error);
    }
  }

  return { listEvents, showEvent };
}

export type EventLists = ReturnType<typeof createListEvents>;
