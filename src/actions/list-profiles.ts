import type { Snapshot } from '../catalog/snapshot.ts';
import { VEND_SECONDS } from '../contract/bounds.ts';
import type { Caller } from '../identity/caller.ts';
import { decide, type Verdict } from './vend/decide.ts';
import { effectiveSeconds, keySecondsLeft } from './vend/duration.ts';

/** A profile that a caller could vend or request at this moment, and what that takes. */
export type ProfileSummary = {
  readonly name: string;
  readonly access: 'allow' | 'approval';
  readonly description: string | undefined;
  /** The longest life of its credentials in seconds. */
  readonly maxSeconds: number;
};

function accessBy({ outcome }: Verdict): ProfileSummary['access'] | undefined {
  if (outcome.ok) return 'allow';
  return outcome.refusal.kind === 'needs-approval' ? 'approval' : undefined;
}

/** Lists them by name, decided exactly as a vend would be. `now` in epoch milliseconds. */
export function listProfiles(
  snapshot: Snapshot,
  caller: Caller,
  now: number,
): readonly ProfileSummary[] {
  const found: ProfileSummary[] = [];
  const keyLeft = keySecondsLeft(caller, now);
  for (const { name, profile } of snapshot.profiles.values()) {
    const verdict = decide(snapshot, caller, name, now);
    const access = accessBy(verdict);
    if (access === undefined) continue;
    const caps = [verdict.decision.capSeconds, profile.maxDurationSeconds, keyLeft];
    found.push({
      name,
      access,
      description: profile.description,
      maxSeconds: effectiveSeconds(VEND_SECONDS.longest, caps),
    });
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
