import { endOf, statusAt, type BreakGlassEvent, type Party } from '../../breakglass/event.ts';
import { SECOND } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { isOnePerson, type People } from '../../policy/approval/person.ts';
import type { Approver } from '../../policy/approval/rule.ts';
import {
  isReviewer,
  isRuleFor,
  isSecondPerson,
  maxSecondsOf,
} from '../../policy/break-glass/rule.ts';
import type { BreakGlassRule, ReasonCode } from '../../policy/documents/break-glass-policy.ts';

/**
 * Why an event does not vend. `drill`, `closed` and `ended` are for good; `unconfirmed`: the time
 * for a second person has passed without one who counts; `rule`: the rule of the moment is not for
 * it.
 */
export type EventProblem =
  | 'drill'
  | 'closed'
  | 'ended'
  | 'unconfirmed'
  | 'another-invoker'
  | 'revoked'
  | 'rule';

/** What an event is checked against at each vend. */
export type EventFacts = {
  /** Epoch milliseconds. */
  readonly now: number;
  /** Who asks now, and for what. */
  readonly invoker: Party;
  readonly profile: string;
  /** The invoker as documents write the name. */
  readonly invokerName: string;
  /** The rule for the profile as it is now, of `findBreakGlassRule`. */
  readonly rule: BreakGlassRule | undefined;
  readonly people: People;
  /**
   * Somebody as rules name them now; undefined for one who is nobody any more, as a key that was
   * disabled.
   */
  readonly approverNow: (party: Party) => Approver | undefined;
  /** Whether a revocation of the event itself stands in the log. */
  readonly isGrantRevoked: (id: string) => boolean;
  /** Whether this party was revoked behind a number of the log, even if that was lifted. */
  readonly wasRevokedAfter: (party: Party, n: number) => boolean;
};

/** What an event allows: vends that end by then, epoch milliseconds. */
export type OpenEvent = { readonly endsAt: number };

/**
 * Checks whether an event lets its invoker vend now. That no explicit `deny` of the access policy
 * is passed, and that the row is genuine, is the caller's to see to.
 */
export function checkEvent(
  event: BreakGlassEvent,
  facts: EventFacts,
): Result<OpenEvent, EventProblem> {
  const { now } = facts;
  if (event.drill) return refuse('drill');
  // Over, or closed by somebody: a row that was put back revives nothing.
  if (event.status === 'closed' || facts.isGrantRevoked(event.id)) return refuse('closed');
  if (event.status !== 'active' || now >= event.endsAt) return refuse('ended');
  if (!isInvoker(event, facts)) return refuse('another-invoker');
  if (facts.wasRevokedAfter(event.invoker, event.seen)) return refuse('revoked');
  // The rule as it is now: its window of time was for the opening, its longest duration holds for
  // what is left.
  const asked = { name: facts.invokerName, reasonCode: event.reasonCode as ReasonCode };
  const rule = isRuleFor(facts.rule, asked);
  if (!rule.ok) return refuse('rule');
  const confirmedEnd = endOf(withCountingConfirmation(event, facts, rule.value));
  if (now >= confirmedEnd) return refuse('unconfirmed');
  const endsAt = Math.min(confirmedEnd, event.openedAt + maxSecondsOf(rule.value) * SECOND);
  return now < endsAt ? ok({ endsAt }) : refuse('ended');
}

/**
 * The same identity: another user or role of the same name, and a key with another secret, are
 * somebody else.
 */
function isInvoker(
  { invoker: then, profile }: BreakGlassEvent,
  { invoker: now, ...facts }: EventFacts,
): boolean {
  const isSame =
    then.subject === now.subject && then.name === now.name && then.uniqueId === now.uniqueId;
  return isSame && profile === facts.profile;
}

/**
 * The event without a confirmation that counts no more. Where the rule names nobody any more, it
 * counts as it is.
 */
function withCountingConfirmation(
  event: BreakGlassEvent,
  facts: EventFacts,
  rule: BreakGlassRule,
): BreakGlassEvent {
  if (event.confirmed === undefined) return event;
  const { by, seen } = event.confirmed;
  const approver = facts.approverNow(by);
  const counts =
    approver !== undefined &&
    !facts.wasRevokedAfter(by, seen) &&
    !isOnePerson(facts.people, by, event.invoker) &&
    (rule.second_person === undefined || isSecondPerson(rule, approver));
  return counts ? event : { ...event, confirmed: undefined };
}

/** Somebody who wants to confirm or review, as rows hold them and as rules name them. */
export type Other = { readonly party: Party; readonly approver: Approver; readonly people: People };

/**
 * Whether somebody may confirm an event under the rule of the moment: one whom it names, and never
 * the invoker.
 */
export function mayConfirm(
  event: BreakGlassEvent,
  rule: BreakGlassRule | undefined,
  other: Other,
): boolean {
  return rule !== undefined && isSecondPerson(rule, other.approver) && !isInvokers(event, other);
}

/**
 * Whether somebody may review an event under the rule of the moment: one whom it names, and never
 * the invoker.
 */
export function mayReviewEvent(
  event: BreakGlassEvent,
  rule: BreakGlassRule | undefined,
  other: Other,
): boolean {
  return rule !== undefined && isReviewer(rule, other.approver) && !isInvokers(event, other);
}

/**
 * Whether somebody may see an event to close it: its invoker, under whatever identity. Operators
 * may as well.
 */
export function isInvokers(
  event: BreakGlassEvent,
  { party, people }: Pick<Other, 'party' | 'people'>,
): boolean {
  return isOnePerson(people, party, event.invoker);
}

/** What remains to be done for an event, and until when: epoch milliseconds. */
export type EventNeeds = {
  readonly confirmBy: number | undefined;
  readonly reviewBy: number | undefined;
};

/** Who else is wanted for an event at a moment. */
export function needsOf(event: BreakGlassEvent, now: number): EventNeeds {
  const isActive = statusAt(event, now) === 'active';
  return {
    confirmBy: isActive && event.confirmed === undefined ? event.confirmBy : undefined,
    reviewBy: event.reviewed === undefined ? event.reviewBy : undefined,
  };
}
