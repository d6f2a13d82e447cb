import { confirmed, statusAt, type BreakGlassEvent } from '../../breakglass/event.ts';
import type { UseQuota } from '../../breakglass/quota.ts';
import type { EventStore } from '../../breakglass/store.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey } from '../../lib/sealing.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Documents } from '../approvals/documents.ts';
import { isClockOff, type Skew } from '../clock-skew.ts';
import type { OperationRefusal, Operator } from '../operator.ts';
import { unavailable } from '../refusal.ts';
import { toRevokedRefusal } from '../revoked.ts';
import type { BreakGlassRecords, TriedEvent } from './records.ts';
import { checkOther, judgeClosing, judgeReview, over, type Case } from './judge-event.ts';
import { isVisibleEvent, toShownEvent, withLog, type ShownEvent } from './shown-event.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<EventStore, 'read' | 'replace' | 'confirm'>;
  readonly quota: Pick<UseQuota, 'noteReviewed'>;
  readonly revocations: Pick<
    Revocations,
    'append' | 'ofGrant' | 'ofVend' | 'wasRevokedAfter' | 'top'
  >;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  readonly records: BreakGlassRecords;
  readonly skew: Skew;
};

/** One action: what it makes of an event, and how that is written. */
type Action = {
  /** What was tried, for the record. */
  readonly tried: TriedEvent;
  /**
   * The next version of the event; undefined where the same was done before, by the same person.
   */
  readonly judge: (at: Case) => Result<BreakGlassEvent | undefined, OperationRefusal>;
  readonly write: (at: Case, next: BreakGlassEvent) => Promise<'replaced' | 'lost'>;
  /** What is to be done once the event is as the action wants it, however it came to be so. */
  readonly settle?: (event: BreakGlassEvent, now: number) => Promise<void>;
};

type Outcome = Promise<Result<ShownEvent, OperationRefusal>>;

/** How often an action is tried again on an event that another has changed meanwhile. */
const MAX_ATTEMPTS = 6;

function show({ operator, now }: Case, event: BreakGlassEvent): ShownEvent {
  return toShownEvent(event, operator.snapshot, now);
}

/** The actions on an event that is open or was: confirm, close, review. */
export function createChangeEvent(dependencies: Dependencies) {
  const { clock, store, quota, revocations, documentsOf, records, skew } = dependencies;

  /**
   * Reads the event, consistently; the refusal of one that does not exist is that of one that is
   * nobody's business.
   */
  async function open(operator: Operator, id: string): Promise<Result<Case, OperationRefusal>> {
    const now = clock();
    const { caller, snapshot } = operator;
    const documents = documentsOf(snapshot);
    const sealing = activeSealingKey(snapshot.sealingKeys, now);
    if (sealing === undefined) return refuse(unavailable('sealing_key'));
    const row = await store.read(id, snapshot.sealingKeys);
    const looker = { operator, party: documents.toParty(caller, now), documents, now };
    if (row?.genuine !== true || row.event.id !== id || !isVisibleEvent(row.event, looker)) {
      return refuse({ kind: 'no-event', id });
    }
    const isOver = revocations.ofGrant(id) !== undefined;
    return ok({ ...looker, event: withLog(row.event, isOver), isOver, sealing });
  }

  /**
   * Runs one action: find the event, use the HTTP request up, judge, write, and acknowledge once
   * the record is written. What another changed meanwhile is judged anew.
   */
  async function act(
    operator: Operator,
    id: string,
    { tried, judge, write, settle }: Action,
  ): Outcome {
    const about = { ...tried, event_id: id };
    let isReserved = false;
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const found = await open(operator, id);
        if (!found.ok) return await records.deny(operator, about, found.refusal);
        const at = found.value;
        if (!isReserved) {
          const reserved = await records.reserve(operator, {
            ...about,
            ...records.describe(at.event),
          });
          if (!reserved.ok) return reserved;
          isReserved = true;
        }
        const judged = judge(at);
        if (!judged.ok)
          return await records.deny(
            operator,
            { ...about, ...records.describe(at.event) },
            judged.refusal,
          );
        const next = judged.value ?? at.event;
        if (judged.value !== undefined && (await write(at, next)) === 'lost') continue;
        await settle?.(next, at.now);
        return judged.value === undefined
          ? ok(show(at, next))
          : await records.conclude(operator, tried, next, show(at, next));
      }
    } catch (error) {
      return records.fail(operator, about, error);
    }
    return records.fail(operator, about, new Error(`event ${id} is changed by too many at once`));
  }

  function judgeConfirmation(at: Case): Result<BreakGlassEvent | undefined, OperationRefusal> {
    const { event, party, now, documents, operator } = at;
    const stopped = checkOther(at, 'confirms');
    if (stopped !== undefined) return refuse(stopped);
    if (isClockOff(skew)) return refuse(unavailable('clock'));
    const revoked = revocations.ofVend(operator.caller, event.profile);
    if (revoked !== undefined)
      return refuse(toRevokedRefusal(revoked, operator.caller, event.profile));
    if (revocations.wasRevokedAfter(documents.toSubject(event.invoker), event.seen))
      return over(at);
    if (event.confirmed?.by.subject === party.subject && statusAt(event, now) === 'active')
      return ok(undefined);
    const next = confirmed(event, { at: now, by: party, seen: revocations.top() });
    if (next.ok) return next;
    if (next.refusal === 'over') return over(at);
    const why = next.refusal === 'already' ? 'confirmed' : 'needs-no-confirmation';
    return refuse({ kind: 'event-state', id: event.id, status: 'active', why });
  }

  /** Confirms an event as its second person. */
  function confirm(operator: Operator, id: string, comment: string | undefined): Outcome {
    return act(operator, id, {
      tried: { action: 'confirmed', comment },
      judge: judgeConfirmation,
      write: ({ sealing }, next) => store.confirm(next, sealing),
    });
  }

  /**
   * Closes it in the log of revocations first: a row that somebody puts back then revives nothing.
   */
  async function writeClosing(
    { event, isOver, operator, sealing, now }: Case,
    next: BreakGlassEvent,
    reason: string,
  ) {
    // A drill vends nothing that could be ended.
    if (!isOver && !event.drill) {
      await revocations.append({
        what: 'revoke',
        target: { kind: 'grant', value: event.id, profile: event.profile },
        reason,
        by: operator.caller.storedName,
        byPrincipal: operator.caller.principal,
        createdAt: now,
        // Confirmed or not, it never lasts longer.
        until: event.endsAt,
        own: false,
      });
    }
    return store.replace(next, sealing);
  }

  /** Closes an event before its time: its invoker, or an operator who may revoke. */
  function close(operator: Operator, id: string, reason: string): Outcome {
    return act(operator, id, {
      tried: { action: 'closed' },
      judge: (at) => judgeClosing(at, reason),
      write: (at, next) => writeClosing(at, next, reason),
    });
  }

  /** Reviews an event that is over, as somebody whom the rule names. */
  function review(operator: Operator, id: string, comment: string): Outcome {
    return act(operator, id, {
      tried: { action: 'reviewed', comment },
      judge: (at) => judgeReview(at, comment),
      write: ({ sealing }, next) => store.replace(next, sealing),
      settle: (event, now) => quota.noteReviewed(event, now),
    });
  }

  return { confirm, close, review };
}

export type ChangeEvent = ReturnType<typeof createChangeEvent>;
