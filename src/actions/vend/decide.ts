import type { CatalogProfile, Snapshot } from '../../catalog/snapshot.ts';
import type { Caller } from '../../identity/caller.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { evaluate, type Decision } from '../../policy/evaluate.ts';
import type { DeniedRefusal } from '../refusal.ts';

/** What policy made of a request: the decision for the audit record, and what follows from it. */
export type Verdict = {
  readonly decision: Decision;
  readonly outcome: Result<Leave, DeniedRefusal | NeedsApproval>;
};

/** Policy opens the profile to those who have an approval. */
export type NeedsApproval = {
  readonly kind: 'needs-approval';
  /** Leave to vend, once there is an approval. */
  readonly leave: Leave;
  /** What the rule says, only where it names this caller. */
  readonly reason: string | undefined;
};

/** Leave to vend a profile, as far as policy gives it. */
export type Leave = {
  readonly profile: CatalogProfile;
  /**
   * The longest life of the credentials by the rule, in seconds; undefined if the rule has no cap.
   */
  readonly capSeconds: number | undefined;
  /** Whether the session's row must be written before anything is vended. */
  readonly requiresSession: boolean;
};

/**
 * Decides one request against the snapshot: pure, no I/O. A profile that is unknown or broken, and
 * one that no rule opens to this caller, come to the same refusal, so that names cannot be probed.
 *
 * @param now epoch milliseconds
 */
export function decide(snapshot: Snapshot, caller: Caller, name: string, now: number): Verdict {
  const profile = snapshot.profiles.get(name);
  const decision = evaluate(profile?.policy, { profile: name, caller, now });
  if (profile === undefined) return { decision, outcome: refuse(denied(decision, caller, name)) };
  return { decision, outcome: toOutcome(profile, decision, caller) };
}

function toLeave(profile: CatalogProfile, { capSeconds, effect }: Decision): Leave {
  return {
    profile,
    capSeconds,
    // Issued credentials can be ended only by the tags of a session that is on record.
    requiresSession: effect === 'require_server_session' || profile.profile.hardRevoke,
  };
}

/**
 * The leave that break-glass gives: where policy wants an approval, or no rule of it says anything.
 * A rule that denies is never passed; undefined there, and where policy opens the profile by itself
 * or there is none.
 */
export function emergencyLeave(
  profile: CatalogProfile | undefined,
  decision: Decision,
): Leave | undefined {
  const isSilent = decision.effect === 'deny' && decision.ruleIndex === -1;
  if (profile === undefined || !(isSilent || decision.effect === 'require_approval'))
    return undefined;
  return toLeave(profile, decision);
}

function toOutcome(
  profile: CatalogProfile,
  decision: Decision,
  caller: Caller,
): Verdict['outcome'] {
  const leave = toLeave(profile, decision);
  switch (decision.effect) {
    case 'deny':
      return refuse(denied(decision, caller, profile.name));
    case 'require_approval':
      return refuse({
        kind: 'needs-approval',
        leave,
        reason: decision.namesCaller ? decision.reason : undefined,
      });
    case 'allow':
    case 'require_server_session':
      return ok(leave);
  }
}

/** Policy says no: nothing of the rule is told to those whom it does not name. */
export function denied(
  { namesCaller, rule, reason }: Decision,
  { name: user }: Caller,
  profile: string,
): DeniedRefusal {
  return {
    kind: 'denied',
    profile,
    user,
    rule: namesCaller ? rule : undefined,
    reason: namesCaller ? reason : undefined,
  };
}
