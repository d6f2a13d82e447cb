import type { Snapshot } from '../../catalog/snapshot.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { Decision } from '../../policy/evaluate.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Block } from '../../revocations/revocation.ts';
import type { Grants, NoGrant } from '../approvals/find-grant.ts';
import type { LiveEvents } from '../break-glass/find-event.ts';
import { unavailable, type DeniedRefusal, type UnavailableRefusal } from '../refusal.ts';
import { decide, emergencyLeave, type Leave, type NeedsApproval } from './decide.ts';
import type { Grant, VendRequest } from './plan.ts';

/** Policy wants an approval, and there is none that vends. */
export type Unapproved = NeedsApproval & { readonly found: NoGrant };

/** What one vend is decided by. */
export type Facts = {
  /** What policy says, for the record. */
  readonly decision: Decision;
  /** Leave to vend, or why there is none. */
  readonly grant: Result<Grant, DeniedRefusal | UnavailableRefusal | Unapproved>;
  /** The revocation that stops this vend, as far as this instance knows. */
  readonly revoked: Block | undefined;
};

type Sources = {
  readonly revocations: Pick<Revocations, 'ofVend'>;
  readonly grants: Pick<Grants, 'findGrant'>;
  readonly events: Pick<LiveEvents, 'findEvent'>;
  readonly onFault: (error: unknown) => void;
};

const NONE: NoGrant = { pending: undefined, blocked: undefined };

/**
 * Gathers what a vend is decided by, as it is at this moment: policy by the snapshot, the
 * revocations in memory, and, only where policy does not open the profile by itself, the approval
 * or the break-glass event in its table.
 *
 * @param now epoch milliseconds
 */
export async function gather(
  request: VendRequest,
  snapshot: Snapshot,
  sources: Sources,
  now: number,
): Promise<Facts> {
  const { caller, profile } = request;
  const { decision, outcome } = decide(snapshot, caller, profile, now);
  const revoked = sources.revocations.ofVend(caller, profile);
  if (outcome.ok) return { decision, grant: ok({ ...outcome.value, basis: undefined }), revoked };
  const { refusal } = outcome;
  // Nobody looks for anything for those whom a rule denies, and for the revoked.
  const emergency = emergencyLeave(snapshot.profiles.get(profile), decision);
  if (emergency === undefined || revoked !== undefined) {
    return {
      decision,
      grant: refuse(refusal.kind === 'denied' ? refusal : { ...refusal, found: NONE }),
      revoked,
    };
  }
  const looked = { request, snapshot, sources, now };
  // An approval first, where policy wants one; then an event that is open.
  const approved =
    refusal.kind === 'denied' ? refuse(refusal) : await findApproval(refusal, looked);
  if (approved.ok || approved.refusal.kind === 'unavailable')
    return { decision, grant: approved, revoked };
  const opened = await findOpen(emergency, looked);
  return { decision, grant: opened ?? approved, revoked };
}

type Looked = {
  readonly request: VendRequest;
  readonly snapshot: Snapshot;
  readonly sources: Sources;
  readonly now: number;
};

async function findApproval(
  refusal: NeedsApproval,
  { request: { caller, profile }, snapshot, sources: { grants, onFault }, now }: Looked,
): Promise<Result<Grant, UnavailableRefusal | Unapproved>> {
  try {
    const found = await grants.findGrant(caller, profile, snapshot, now);
    return found.ok
      ? ok({ ...refusal.leave, basis: { kind: 'approval', ...found.value } })
      : refuse({ ...refusal, found: found.refusal });
  } catch (error) {
    onFault(error);
    return refuse(unavailable('approvals'));
  }
}

/** The leave that a live break-glass event gives; undefined if there is none. */
async function findOpen(
  leave: Leave,
  { request: { caller, profile }, snapshot, sources: { events, onFault }, now }: Looked,
): Promise<Result<Grant, UnavailableRefusal> | undefined> {
  try {
    const found = await events.findEvent(caller, profile, snapshot, now);
    if (!found.ok) return found;
    return found.value && ok({ ...leave, basis: { kind: 'break-glass', ...found.value } });
  } catch (error) {
    onFault(error);
    return refuse(unavailable('break_glass'));
  }
}
