import { closed, reviewed, statusAt, type BreakGlassEvent } from '../../breakglass/event.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { SealingKey } from '../../lib/sealing.ts';
import { may, type OperationRefusal } from '../operator.ts';
import { unavailable } from '../refusal.ts';
import { isOther, isOwnEvent, type Looker } from './shown-event.ts';

/** An event that somebody acts on, and what is known of both. */
export type Case = Looker & {
  readonly event: BreakGlassEvent;
  readonly isOver: boolean;
  readonly sealing: SealingKey;
};

/** What is not over by its row is so by a revocation, or nearly by its deadline. */
export function over({ event, now }: Case) {
  const status = statusAt(event, now);
  return refuse({
    kind: 'event-over' as const,
    id: event.id,
    status: status === 'active' ? 'expired' : status,
  });
}

/** Why somebody may not confirm or review an event; undefined if they may. */
export function checkOther(at: Case, action: 'confirms' | 'reviews'): OperationRefusal | undefined {
  const { event, documents } = at;
  if (documents.people === undefined) return unavailable('people');
  if (isOwnEvent(event, at)) return { kind: 'not-for-event', id: event.id, why: 'own' };
  if (isOther(event, at, documents.people)[action]) return undefined;
  return { kind: 'not-for-event', id: event.id, why: 'not-named' };
}

/** Judges a closing: by the invoker, or an operator who may revoke. */
export function judgeClosing(at: Case, reason: string): Result<BreakGlassEvent, OperationRefusal> {
  const { event, party, now, operator } = at;
  if (!isOwnEvent(event, at) && !may(operator, 'revoke', event.profile)) {
    return refuse({ kind: 'not-for-event', id: event.id, why: 'not-closer' });
  }
  // What is closed in the log only, since its closer died before the row was written, gets its row;
  // what somebody closed past the TVM, where it could be put back, gets its entry in the log.
  const open = event.closed === undefined ? { ...event, status: 'active' as const } : event;
  const next = closed(open, party, reason, now);
  return next.ok ? next : over(at);
}

/** Judges a review, which somebody whom the rule names gives once the event is over. */
export function judgeReview(
  at: Case,
  comment: string,
): Result<BreakGlassEvent | undefined, OperationRefusal> {
  const { event, party, now } = at;
  const stopped = checkOther(at, 'reviews');
  if (stopped !== undefined) return refuse(stopped);
  const next = reviewed(event, party, comment, now);
  if (next.ok) return next;
  // Whoever repeats it makes sure that the ledger has it too.
  if (next.refusal === 'already' && event.reviewed?.by.subject === party.subject)
    return ok(undefined);
  const why = next.refusal === 'already' ? 'reviewed' : 'not-over';
  return refuse({ kind: 'event-state', id: event.id, status: statusAt(event, now), why });
}
