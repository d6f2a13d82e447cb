import {
  endOf,
  statusAt,
  type BreakGlassEvent,
  type EventStatus,
  type Party,
} from '../../breakglass/event.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { People } from '../../policy/approval/person.ts';
import { findBreakGlassRule } from '../../policy/break-glass/rule.ts';
import type { BreakGlassRule } from '../../policy/documents/break-glass-policy.ts';
import type { Documents } from '../approvals/documents.ts';
import { credentialsEndOf } from '../credentials-end.ts';
import { may, type Operator } from '../operator.ts';
import { isInvokers, mayConfirm, mayReviewEvent, needsOf } from './check-event.ts';

/**
 * What somebody else must still do with an event, until when, and who may, as the rule names them.
 */
export type EventNeed = {
  readonly action: 'confirm' | 'review';
  /** Epoch milliseconds. */
  readonly until: number;
  readonly eligible: readonly string[];
};

/** An event as it is shown. Times in epoch milliseconds. */
export type ShownEvent = {
  readonly event: BreakGlassEvent;
  readonly status: EventStatus;
  readonly endsAt: number;
  readonly needs: readonly EventNeed[];
  /**
   * Until when credentials from before it was closed may still work; undefined where there are
   * none.
   */
  readonly credentialsEnd: number | undefined;
};

/**
 * An event as the log of revocations knows it: what was closed there is closed, whatever the row
 * says.
 */
export function withLog(event: BreakGlassEvent, isOver: boolean): BreakGlassEvent {
  return isOver && event.status === 'active' ? { ...event, status: 'closed' } : event;
}

function needsNow(
  event: BreakGlassEvent,
  rule: BreakGlassRule | undefined,
  now: number,
): readonly EventNeed[] {
  const { confirmBy, reviewBy } = needsOf(event, now);
  return [
    ...(confirmBy === undefined
      ? []
      : [
          {
            action: 'confirm' as const,
            until: confirmBy,
            eligible: rule?.second_person?.from ?? [],
          },
        ]),
    ...(reviewBy === undefined
      ? []
      : [{ action: 'review' as const, until: reviewBy, eligible: rule?.review?.by ?? [] }]),
  ];
}

/** Until when credentials from before it was closed may still work. A drill vends none. */
function credentialsEnd(
  event: BreakGlassEvent,
  { profiles }: Snapshot,
  now: number,
): number | undefined {
  const { closed, drill } = event;
  if (closed === undefined || drill) return undefined;
  const isHard = profiles.get(event.profile)?.profile.hardRevoke === true;
  return credentialsEndOf({ endedAt: closed.at, end: endOf(event), isHard }, now);
}

/** Shows an event, as the log knows it, by the documents of a snapshot and at a moment. */
export function toShownEvent(event: BreakGlassEvent, snapshot: Snapshot, now: number): ShownEvent {
  const rule = findBreakGlassRule(snapshot.breakGlassPolicy, event.profile);
  return {
    event,
    status: statusAt(event, now),
    endsAt: event.closed?.at ?? endOf(event),
    needs: needsNow(event, rule, now),
    credentialsEnd: credentialsEnd(event, snapshot, now),
  };
}

/** Somebody who looks at events, and what is known of them. */
export type Looker = {
  readonly operator: Operator;
  readonly party: Party;
  readonly documents: Documents;
  readonly now: number;
};

/** Whether an event is a party's own: theirs, or another identity's of the same person. */
export function isOwnEvent(
  event: BreakGlassEvent,
  { party, documents: { people } }: Looker,
): boolean {
  return people === undefined
    ? event.invoker.subject === party.subject
    : isInvokers(event, { party, people });
}

/** Whether a party may confirm or review an event, at whatever time. */
export function isOther(
  event: BreakGlassEvent,
  { party, documents, operator: { snapshot } }: Looker,
  people: People,
): { readonly confirms: boolean; readonly reviews: boolean } {
  const rule = findBreakGlassRule(snapshot.breakGlassPolicy, event.profile);
  const other = { party, people, approver: documents.toApprover(party) };
  return { confirms: mayConfirm(event, rule, other), reviews: mayReviewEvent(event, rule, other) };
}

/**
 * Whether an event may be seen: by its invoker, by those who may confirm or review it or did, and
 * by operators who may list or revoke. To everybody else it looks as if there were none.
 */
export function isVisibleEvent(event: BreakGlassEvent, looker: Looker): boolean {
  const { operator, party, documents } = looker;
  const spoke = [event.confirmed, event.closed, event.reviewed].some(
    (word) => word?.by.subject === party.subject,
  );
  if (spoke || isOwnEvent(event, looker)) return true;
  if (may(operator, 'list', event.profile) || may(operator, 'revoke', event.profile)) return true;
  if (documents.people === undefined) return false;
  const { confirms, reviews } = isOther(event, looker, documents.people);
  return confirms || reviews;
}
