import { ok, refuse, type Result } from '../../lib/result.ts';
import { isListed, type Approver } from '../approval/rule.ts';
import {
  MAX_EVENT_SECONDS,
  type BreakGlassPolicyDocument,
  type BreakGlassRule,
  type ReasonCode,
} from '../documents/break-glass-policy.ts';
import { compileTimeWindow, momentAt } from '../time-window.ts';

/** What somebody asks for who breaks the glass. */
export type BreakGlassAsk = {
  /** The caller as documents write the name; empty for one without a name, who is in no list. */
  readonly name: string;
  readonly profile: string;
  readonly reasonCode: ReasonCode;
  /** How long, in seconds. */
  readonly seconds: number;
  /** Epoch milliseconds. */
  readonly now: number;
};

/**
 * Why a rule does not let somebody break the glass. `mfa`: it wants a second factor, and there is
 * none here.
 */
export type RuleProblem = 'no-rule' | 'user' | 'mfa' | 'reason-code' | 'time' | 'duration';

/**
 * The rule for a profile: as in Sentinel the first one that is for it decides, whoever asks, and no
 * later one is looked at. Undefined if there is none: then nobody breaks the glass.
 */
export function findBreakGlassRule(
  policy: BreakGlassPolicyDocument | undefined,
  profile: string,
): BreakGlassRule | undefined {
  return policy?.rules.find(({ profiles }) => profiles === undefined || profiles.includes(profile));
}

/** The longest use that a rule allows, in seconds. */
export function maxSecondsOf({ max_duration: most }: BreakGlassRule): number {
  return Math.min(most ?? MAX_EVENT_SECONDS, MAX_EVENT_SECONDS);
}

/**
 * Whether a rule is for somebody and their reason, at whatever time. This is asked again at each
 * vend: the window of time and the duration were for the opening.
 */
export function isRuleFor(
  rule: BreakGlassRule | undefined,
  { name, reasonCode }: Pick<BreakGlassAsk, 'name' | 'reasonCode'>,
): Result<BreakGlassRule, RuleProblem> {
  if (rule === undefined) return refuse('no-rule');
  if (name === '' || !rule.users.includes(name)) return refuse('user');
  if (rule.mfa?.required === true) return refuse('mfa');
  const isReason = rule.allowed_reason_codes?.includes(reasonCode) ?? true;
  return isReason ? ok(rule) : refuse('reason-code');
}

/**
 * Whether a rule lets somebody break the glass for some reason or other. Without `now` it is asked
 * whatever the time is: what was opened in its window of time goes on behind it.
 */
export function isOpenTo(
  rule: BreakGlassRule | undefined,
  name: string,
  now?: number,
): rule is BreakGlassRule {
  if (
    rule === undefined ||
    name === '' ||
    !rule.users.includes(name) ||
    rule.mfa?.required === true
  )
    return false;
  return (
    now === undefined || rule.time === undefined || compileTimeWindow(rule.time)(momentAt(now))
  );
}

/** The rule by which somebody may break the glass now, or the first thing that is against it. */
export function checkBreakGlassRule(
  policy: BreakGlassPolicyDocument | undefined,
  ask: BreakGlassAsk,
): Result<BreakGlassRule, RuleProblem> {
  const found = isRuleFor(findBreakGlassRule(policy, ask.profile), ask);
  if (!found.ok) return found;
  const { time } = found.value;
  if (time !== undefined && !compileTimeWindow(time)(momentAt(ask.now))) return refuse('time');
  return ask.seconds <= maxSecondsOf(found.value) ? found : refuse('duration');
}

/** Whether somebody may be the second person of a rule: a person who is in its list. */
export function isSecondPerson(
  { second_person: second }: BreakGlassRule,
  approver: Approver,
): boolean {
  return second !== undefined && !approver.isBot && isListed(second.from, approver);
}

/** Whether somebody may review uses under a rule: a person who is in its list. */
export function isReviewer({ review }: BreakGlassRule, approver: Approver): boolean {
  return review !== undefined && !approver.isBot && isListed(review.by, approver);
}
