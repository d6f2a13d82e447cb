import type { CatalogProfile, Snapshot } from '../catalog/snapshot.ts';
import { VEND_SECONDS } from '../contract/bounds.ts';
import type { Caller } from '../identity/caller.ts';
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

function accessBy({ outcome }: Verdict): ProfileSummary['access'] | undefined {
  if (outcome.ok) return 'allow';
  return outcome.refusal.kind === 'needs-approval' ? 'approval' : undefined;
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

/** Lists them by name, decided exactly as a vend would be. `now` in epoch milliseconds. */
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
    const byPolicy = accessBy(verdict);
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
