import type { CatalogProfile, Snapshot } from '../catalog/snapshot.ts';
import { VEND_SECONDS } from '../contract/bounds.ts';
import type { Caller } from '../identity/caller.ts';
import { findApprovalRule } from '../policy/approval/rule.ts';
import { findBreakGlassRule, isOpenTo, maxSecondsOf } from '../policy/break-glass/rule.ts';
import { decide, emergencyLeave, type Verdict } from './vend/decide.ts';
import { effectiveSeconds, keySecondsLeft } from './vend/duration.ts';

/** A profile that a caller could vend or request at this moment, and what that takes. */
export type ProfileSummary = {
  readonly name: string;
  readonly access: 'allow' | 'approval' | 'break_glass';
  readonly description: string | undefined;
  /** The longest life of its credentials in seconds. */
  readonly maxSeconds: number;
};

/**
 * What policy opens a profile by: an approval only where a rule of the approval policy says who
 * gives it to this caller, for otherwise nobody can. While the document of people is broken it
 * stays so: to ask is then refused for a while, with 503, as it is during an outage.
 */
function accessBy(
  { approvalPolicy }: Snapshot,
  caller: Caller,
  profile: string,
  { outcome }: Verdict,
): ProfileSummary['access'] | undefined {
  if (outcome.ok) return 'allow';
  if (outcome.refusal.kind !== 'needs-approval') return undefined;
  return findApprovalRule(approvalPolicy, caller, profile) === undefined ? undefined : 'approval';
}

/**
 * The longest that break-glass opens a profile which nothing else opens to this caller; undefined
 * if it does not.
 */
function emergencySeconds(
  { breakGlassPolicy }: Snapshot,
  profile: CatalogProfile,
  { decision }: Verdict,
  { name, now }: { readonly name: string; readonly now: number },
): number | undefined {
  if (emergencyLeave(profile, decision) === undefined) return undefined;
  const rule = findBreakGlassRule(breakGlassPolicy, profile.name);
  return isOpenTo(rule, name, now) ? maxSecondsOf(rule) : undefined;
}

/**
 * Lists them by name, decided exactly as a vend or a request for an approval would be. `now` in
 * epoch milliseconds.
 */
export function listProfiles(
  snapshot: Snapshot,
  caller: Caller,
  now: number,
): readonly ProfileSummary[] {
  const profiles: ProfileSummary[] = [];
  const keyLeft = keySecondsLeft(caller, now);
  for (const found of snapshot.profiles.values()) {
    const { name, profile } = found;
    const verdict = decide(snapshot, caller, name, now);
    const byPolicy = accessBy(snapshot, caller, name, verdict);
    const open =
      byPolicy === undefined
        ? emergencySeconds(snapshot, found, verdict, { name: caller.name, now })
        : undefined;
    const access = open === undefined ? byPolicy : 'break_glass';
    if (access === undefined) continue;
    const caps = [verdict.decision.capSeconds, profile.maxDurationSeconds, keyLeft, open];
    profiles.push({
      name,
      access,
      description: profile.description,
      maxSeconds: effectiveSeconds(VEND_SECONDS.longest, caps),
    });
  }
  return profiles.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
