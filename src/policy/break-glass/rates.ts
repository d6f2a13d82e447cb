import { ok, refuse, type Result } from '../../lib/result.ts';
import type {
  BreakGlassRatePolicyDocument,
  BreakGlassRateRule,
} from '../documents/break-glass-rate-policy.ts';

const SECOND = 1_000;

/** A use that is on record: which profile, and when it was opened, epoch milliseconds. */
export type PastUse = { readonly profile: string; readonly at: number };

/** What rate rules are asked with. */
export type RateFacts = {
  readonly profile: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** The uses of the same person, of whatever profile. */
  readonly byPerson: readonly PastUse[];
  /** The uses of the profile, by whomever. */
  readonly byProfile: readonly PastUse[];
};

/** What a rate rule has against another use, and when it has that no more: epoch milliseconds. */
export type RateRefusal = {
  readonly kind: 'cooldown' | 'user-quota' | 'profile-quota';
  readonly rule: string;
  readonly retryAt: number;
};

/** That the rate rules allow it, and whether so many uses before it make it a case for others. */
export type RateVerdict = { readonly escalate: boolean };

/**
 * The rate rule for a profile: the first one that is for it. Undefined if there is none: then there
 * is no limit.
 */
function findRateRule(
  policy: BreakGlassRatePolicyDocument | undefined,
  profile: string,
): BreakGlassRateRule | undefined {
  return policy?.rules.find(({ profiles }) => profiles === undefined || profiles.includes(profile));
}

/**
 * Checks another use against the rate rules, in Sentinel's order: cooldown, the quota of the
 * person, the quota of the profile, and then whether it escalates. The cooldown is between two uses
 * of one profile; the person's quota counts uses of all profiles. A use that is exactly as old as
 * the cooldown or the window counts no more. One that seems to lie ahead, by another instance's
 * clock, counts.
 */
export function checkRates(
  policy: BreakGlassRatePolicyDocument | undefined,
  facts: RateFacts,
): Result<RateVerdict, RateRefusal> {
  const rule = findRateRule(policy, facts.profile);
  if (rule === undefined) return ok({ escalate: false });
  const { byPerson, byProfile } = facts;
  const window = (rule.quota_window ?? 0) * SECOND;
  const retryAt =
    endOfCooldown(rule, facts) ??
    endOfQuota('user-quota', rule.max_per_user, byPerson, { window, now: facts.now }) ??
    endOfQuota('profile-quota', rule.max_per_profile, byProfile, { window, now: facts.now });
  if (retryAt !== undefined) return refuse({ ...retryAt, rule: rule.name });
  const { escalation_threshold: threshold } = rule;
  const escalate =
    threshold !== undefined && recent(byPerson, { window, now: facts.now }).length >= threshold;
  return ok({ escalate });
}

type Limit = Pick<RateRefusal, 'kind' | 'retryAt'>;

function endOfCooldown(
  { cooldown }: BreakGlassRateRule,
  { profile, now, byPerson }: RateFacts,
): Limit | undefined {
  const times = byPerson.filter((use) => use.profile === profile).map(({ at }) => at);
  if (cooldown === undefined || times.length === 0) return undefined;
  const retryAt = Math.max(...times) + cooldown * SECOND;
  return now < retryAt ? { kind: 'cooldown', retryAt } : undefined;
}

/** When so many uses were opened and are not older than the window: newest first. */
function recent(
  uses: readonly PastUse[],
  { window, now }: { window: number; now: number },
): readonly number[] {
  return uses
    .map(({ at }) => at)
    .filter((at) => at > now - window)
    .toSorted((a, b) => b - a);
}

function endOfQuota(
  kind: 'user-quota' | 'profile-quota',
  most: number | undefined,
  uses: readonly PastUse[],
  span: { readonly window: number; readonly now: number },
): Limit | undefined {
  if (most === undefined) return undefined;
  // When this one is too old there are fewer than `most` again.
  const last = recent(uses, span)[most - 1];
  return last === undefined ? undefined : { kind, retryAt: last + span.window };
}
