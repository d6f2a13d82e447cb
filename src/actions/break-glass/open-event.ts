import { toEvent, type BreakGlassEvent, type Opening } from '../../breakglass/event.ts';
import type { PastUses } from '../../breakglass/past-uses.ts';
import type { LedgerFull, ReviewOverdue, UseQuota } from '../../breakglass/quota.ts';
import type { EventStore } from '../../breakglass/store.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { REASON_CODES } from '../../contract/fields.ts';
import { SECOND, type Clock } from '../../lib/clock.ts';
import { newHexId } from '../../lib/ids.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey } from '../../lib/sealing.ts';
import { ledgerNamesOf } from '../../policy/break-glass/ledger-names.ts';
import { checkRates, type RateRefusal } from '../../policy/break-glass/rates.ts';
import {
  checkBreakGlassRule,
  findBreakGlassRule,
  isOpenTo,
  maxSecondsOf,
  type RuleProblem,
} from '../../policy/break-glass/rule.ts';
import type { BreakGlassRule, ReasonCode } from '../../policy/documents/break-glass-policy.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Documents } from '../approvals/documents.ts';
import { isClockOff, type Skew } from '../clock-skew.ts';
import type { OperationRefusal, Operator } from '../operator.ts';
import { unavailable, type DeniedRefusal } from '../refusal.ts';
import { toRevokedRefusal } from '../revoked.ts';
import { decide, denied, emergencyLeave } from '../vend/decide.ts';
import type { BreakGlassRecords, TriedEvent } from './records.ts';
import type { BreakGlassRefusal } from './refusal.ts';
import { toShownEvent, type ShownEvent } from './shown-event.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<EventStore, 'create'>;
  readonly quota: Pick<UseQuota, 'reserve' | 'noteOpened'>;
  readonly revocations: Pick<Revocations, 'top' | 'ofVend'>;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  readonly records: BreakGlassRecords;
  readonly skew: Skew;
};

/** What somebody asks for who breaks the glass; `seconds` is for how long. */
export type EventWish = {
  readonly profile: string;
  readonly reasonCode: ReasonCode;
  readonly justification: string;
  readonly seconds: number | undefined;
  readonly ticket: string | undefined;
  readonly drill: boolean;
};

/** How long is asked for by those who do not say, in seconds: an hour, or what the rule allows. */
const USUAL_SECONDS = 3_600;

/** A wish that the rule allows. */
type Allowed = { readonly rule: BreakGlassRule; readonly seconds: number };

/**
 * The refusal that everybody gets for whom no rule opens the profile, whether or not there is one.
 */
function unopened({ caller: { name } }: Operator, profile: string): DeniedRefusal {
  return { kind: 'denied', profile, user: name, rule: undefined, reason: undefined };
}

/** The rule by which this caller may break the glass now, and for how long, or why not. */
function findRule(
  operator: Operator,
  wish: EventWish,
  now: number,
): Result<Allowed, DeniedRefusal | BreakGlassRefusal> {
  const { caller, snapshot } = operator;
  const { profile, reasonCode } = wish;
  // What a rule denies, and what there is not, stays closed.
  const { decision } = decide(snapshot, caller, profile, now);
  const found = snapshot.profiles.get(profile);
  const isOpen =
    found !== undefined && decision.effect !== 'deny' && decision.effect !== 'require_approval';
  if (isOpen) return refuse({ kind: 'no-emergency-needed', profile });
  if (emergencyLeave(found, decision) === undefined)
    return refuse(denied(decision, caller, profile));
  const rule = findBreakGlassRule(snapshot.breakGlassPolicy, profile);
  if (!isOpenTo(rule, caller.name)) return refuse(unopened(operator, profile));
  // Whom the rule names may know what it wants.
  const longest = maxSecondsOf(rule);
  const seconds = wish.seconds ?? Math.min(USUAL_SECONDS, longest);
  const checked = checkBreakGlassRule(snapshot.breakGlassPolicy, {
    name: caller.name,
    profile,
    reasonCode,
    seconds,
    now,
  });
  if (checked.ok) return ok({ rule: checked.value, seconds });
  return refuse(toRuleRefusal(checked.refusal, rule) ?? unopened(operator, profile));
}

/** What somebody may know whom the rule names; undefined where it does not. */
function toRuleRefusal(problem: RuleProblem, rule: BreakGlassRule): BreakGlassRefusal | undefined {
  switch (problem) {
    case 'reason-code':
      return { kind: 'reason-not-allowed', allowed: rule.allowed_reason_codes ?? REASON_CODES };
    case 'time':
      return { kind: 'not-at-this-time', rule: rule.name };
    case 'duration':
      return { kind: 'event-too-long', longest: maxSecondsOf(rule) };
    case 'no-rule':
    case 'user':
    case 'mfa':
      return undefined;
  }
}

function toRateRefusal(
  refusal: RateRefusal | ReviewOverdue | LedgerFull,
  now: number,
): BreakGlassRefusal {
  switch (refusal.kind) {
    case 'review-overdue':
      return { kind: 'event-unreviewed', id: refusal.id, since: refusal.since };
    case 'ledger-full':
      return { kind: 'uses-full', of: refusal.of };
    case 'cooldown':
    case 'user-quota':
    case 'profile-quota': {
      const { kind: of, rule, retryAt } = refusal;
      const retryAfterSeconds = Math.max(1, Math.ceil((retryAt - now) / SECOND));
      return { kind: 'event-rate', of, rule, retryAt, retryAfterSeconds };
    }
  }
}

function toTried({
  profile,
  reasonCode,
  justification,
  ticket,
  seconds,
  drill,
}: EventWish): TriedEvent {
  return {
    action: 'invoked',
    profile,
    reason_code: reasonCode,
    justification,
    ticket,
    duration_seconds: seconds,
    drill: drill ? true : undefined,
  };
}

/** Opens break-glass events. */
export function createOpenEvent(dependencies: Dependencies) {
  const { clock, store, quota, revocations, documentsOf, records, skew } = dependencies;

  /** The event as it begins; its escalation is not known yet. */
  function begin(
    { caller, snapshot }: Operator,
    wish: EventWish,
    { rule, seconds }: Allowed,
    now: number,
  ) {
    const documents = documentsOf(snapshot);
    if (documents.people === undefined) return refuse(unavailable('people'));
    if (isClockOff(skew)) return refuse(unavailable('clock'));
    const invoker = documents.toParty(caller, now);
    const opening: Opening = {
      ...wish,
      seconds,
      invoker,
      rule: rule.name,
      escalated: false,
      confirmWithin: rule.second_person?.within,
      reviewWithin: rule.review?.within,
      overdueBlocks: rule.review?.overdue_blocks === true,
      ledgers: ledgerNamesOf(documents.people, invoker),
      seen: revocations.top(),
    };
    return ok(toEvent(opening, { id: newHexId(), now }));
  }

  /**
   * Puts the use on record, then writes the row: what dies in between costs a use and never gives
   * one.
   */
  async function write(
    { snapshot }: Operator,
    begun: BreakGlassEvent,
    now: number,
  ): Promise<Result<BreakGlassEvent, OperationRefusal>> {
    const { breakGlassRates: rates, sealingKeys: keys } = snapshot;
    const sealing = activeSealingKey(keys, now);
    if (sealing === undefined) return refuse(unavailable('sealing_key'));
    if (rates === 'broken') return refuse(unavailable('break_glass_rates'));
    function judge({ byPerson, byProfile }: PastUses) {
      return checkRates(rates === 'broken' ? undefined : rates, {
        profile: begun.profile,
        now,
        byPerson,
        byProfile,
      });
    }
    const reserved = await quota.reserve({ event: begun, keys, judge });
    if (!reserved.ok) return refuse(toRateRefusal(reserved.refusal, now));
    const event = { ...begun, escalated: reserved.value.escalate };
    if ((await store.create(event, sealing)) === 'there')
      throw new Error(`there is an event ${event.id} already`);
    await quota.noteOpened(event);
    return ok(event);
  }

  /** Opens a profile to its caller in an emergency, or only for an exercise. */
  async function openEvent(
    operator: Operator,
    wish: EventWish,
  ): Promise<Result<ShownEvent, OperationRefusal>> {
    const now = clock();
    const tried = toTried(wish);
    // Find the rule; refuse whom it is not for, and whom or what is revoked.
    const allowed = findRule(operator, wish, now);
    if (!allowed.ok) return records.deny(operator, tried, allowed.refusal);
    const revoked = revocations.ofVend(operator.caller, wish.profile);
    if (revoked !== undefined) {
      return records.deny(
        operator,
        tried,
        toRevokedRefusal(revoked, operator.caller, wish.profile),
      );
    }
    const begun = begin(operator, wish, allowed.value, now);
    if (!begun.ok) return records.deny(operator, tried, begun.refusal);
    // Use the HTTP request up: one of its copies opens.
    const reserved = await records.reserve(operator, tried);
    if (!reserved.ok) return reserved;
    try {
      const written = await write(operator, begun.value, now);
      if (!written.ok) return await records.deny(operator, tried, written.refusal);
      const shown = toShownEvent(written.value, operator.snapshot, now);
      return await records.conclude(operator, tried, written.value, shown);
    } catch (error) {
      return records.fail(operator, { ...tried, event_id: begun.value.id }, error);
    }
  }

  return openEvent;
}

export type OpenEvent = ReturnType<typeof createOpenEvent>;
