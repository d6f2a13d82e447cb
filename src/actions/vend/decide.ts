import type { CatalogProfile, Snapshot } from '../../catalog/snapshot.ts';
import type { Caller } from '../../identity/caller.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { evaluate, type Decision } from '../../policy/evaluate.ts';
import type { VendRefusal } from '../refusal.ts';

/** What policy made of a request, for the audit record; `refusal` or `granted` says what follows from it. */
export type Verdict = {
  readonly decision: Decision;
  readonly outcome: Result<Grant, VendRefusal>;
};

/** Leave to vend a profile, capped in seconds by the rule. */
export type Grant = {
  readonly profile: CatalogProfile;
  readonly capSeconds?: number;
  /** Whether the session's row must be written before anything is vended. */
  readonly requiresSession: boolean;
};

/**
 * Decides one request against the snapshot: pure, no I/O. A profile that is unknown or broken, and one that no rule opens
 * to this caller, come to the same refusal, so that names cannot be probed. What needs approvals denies until they exist.
 *
 * @param now epoch milliseconds
 */
export function decide(snapshot: Snapshot, caller: Caller, name: string, now: number): Verdict {
  const profile = snapshot.profiles.get(name);
  const decision = evaluate(profile?.policy, { profile: name, caller, now });
  return { decision, outcome: toOutcome(profile, decision, caller, name) };
}

function toOutcome(
  profile: CatalogProfile | undefined,
  decision: Decision,
  caller: Caller,
  name: string,
): Result<Grant, VendRefusal> {
  if (profile === undefined) return refuse(denied(decision, caller, name));
  switch (decision.effect) {
    case 'deny':
      return refuse(denied(decision, caller, name));
    case 'require_approval':
      return refuse({
        kind: 'approval-required',
        profile: name,
        ...(decision.namesCaller && decision.reason !== undefined ? { reason: decision.reason } : {}),
      });
    case 'allow':
    case 'require_server_session': {
      // Issued credentials can be ended only by the tags of a session that somebody knows of.
      const requiresSession = decision.effect === 'require_server_session' || profile.profile.hardRevoke;
      const cap = decision.capSeconds === undefined ? {} : { capSeconds: decision.capSeconds };
      return ok({ profile, requiresSession, ...cap });
    }
  }
}

function denied({ namesCaller, rule, reason }: Decision, { name: user }: Caller, profile: string): VendRefusal {
  return {
    kind: 'denied',
    profile,
    user,
    ...(namesCaller && rule !== undefined ? { rule } : {}),
    ...(namesCaller && reason !== undefined ? { reason } : {}),
  };
}
