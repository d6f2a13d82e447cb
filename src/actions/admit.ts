import type { Refusals } from '../audit/refusals.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { AuthenticCaller, IdentityRefusal, Prove } from '../identity/authenticator.ts';
import type { Caller } from '../identity/caller.ts';
import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Refused, type Result } from '../lib/result.ts';
import type { Allowance, CallerLimit, CallerQuota, LimitRefusal } from '../limits/caller-limit.ts';
import { createCountOnce } from '../limits/count-once.ts';
import type { SourceLimit } from '../limits/source-limit.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { WireRequest } from '../sigv4/request.ts';
import {
  toRefusalEntry,
  type Asking,
  type ReasonedRefusal,
  type ReasonOf,
} from './record-refusal.ts';
import { unavailable } from './refusal.ts';
import { toRevokedRefusal } from './revoked.ts';

/** Why a request goes no further: nobody is proven, the caller is shut out, or there is no room. */
export type AdmitRefusal =
  | ReasonedRefusal
  /** There is more to do than this server can; nothing was begun. */
  | { readonly kind: 'overloaded' };

/** A request that asks to be admitted, and what only the server knows of it. */
export type Applicant = Asking & {
  /** The number of the revocation that it would lift, if that is what it asks for. */
  readonly lifts: number | undefined;
  /** Takes a place among the requests that are worked on; false if there is none. */
  readonly takePlace: () => Promise<boolean>;
};

/**
 * A request whose sender is known, with the one snapshot that everything about it is decided by.
 */
export type Admitted = AuthenticCaller & {
  readonly snapshot: Snapshot;
  readonly address: string | undefined;
  /** What the caller has left; undefined for a copy, which is counted against nobody. */
  readonly rate: Rate | undefined;
  /**
   * To be called when the request turns out to be a copy of one that another instance served: its
   * signer gets back what was counted, and its address is charged.
   */
  readonly onCopy: () => Promise<void>;
};

/** The quota of a caller, and what is left of it. */
export type Rate = Allowance & { readonly requests: number; readonly windowSeconds: number };

type Dependencies = {
  readonly currentSnapshot: () => Promise<Snapshot | undefined>;
  readonly revocations: Pick<Revocations, 'ensure' | 'ofCaller' | 'isBroken'>;
  readonly callerLimit: CallerLimit;
  /** Counts by address those who could not prove who they are, and copies of others' requests. */
  readonly strangerLimit: Pick<SourceLimit, 'check' | 'charge'>;
  readonly refusals: Refusals;
  readonly reasonOf: ReasonOf;
};

/** What requests are counted against. */
function countedAs({ subject }: Caller): string {
  return subject;
}

/**
 * Admits a request: proves who sent it, counts it, and refuses who is revoked. Whoever proves who
 * they are pays for nobody else at their address: what strangers cost there refuses strangers only.
 * A refusal is written to the audit log before it is answered.
 */
export function createAdmit(dependencies: Dependencies) {
  const { currentSnapshot, revocations, callerLimit, strangerLimit, refusals, reasonOf } =
    dependencies;
  const countOnce = createCountOnce(callerLimit);

  /** Refuses a stranger whose address has cost too much, and otherwise charges it. */
  function chargeStranger(address: string | undefined): Result<undefined, AdmitRefusal> {
    const within = strangerLimit.check(address);
    if (!within.ok) {
      return refuse({
        kind: 'rate-limited',
        limit: 'strangers',
        retryAfterSeconds: within.refusal,
      });
    }
    strangerLimit.charge(address);
    return ok(undefined);
  }

  async function checkQuota(caller: Caller): Promise<Result<undefined, IdentityRefusal>> {
    const left = await callerLimit.peek(countedAs(caller));
    return left.ok ? left : refuse(toLimitRefusal(left.refusal, caller, callerLimit.quota));
  }

  /** Counts a request against its caller, and a copy of one against nobody. */
  async function count(
    { caller, replay }: AuthenticCaller,
    address: string | undefined,
  ): Promise<Result<Pick<Admitted, 'rate' | 'onCopy'>, AdmitRefusal>> {
    const { taken, copied } = await countOnce.count(countedAs(caller), replay?.key);
    if (!taken.ok) return refuse(toLimitRefusal(taken.refusal, caller, callerLimit.quota));
    if (copied) return ok({ rate: undefined, onCopy: () => Promise.resolve() });
    function onCopy(): Promise<void> {
      strangerLimit.charge(address);
      return callerLimit.giveBack(countedAs(caller));
    }
    return ok({ rate: { ...toQuota(callerLimit.quota), ...taken.value }, onCopy });
  }

  /** Whether the revocations are known, or the request closes the gap for which they are not. */
  async function areRevocationsKnown({ lifts }: Applicant): Promise<boolean> {
    return (await revocations.ensure()).ok || (lifts !== undefined && revocations.isBroken(lifts));
  }

  async function check(
    prove: Prove,
    request: WireRequest,
    applicant: Applicant,
  ): Promise<Result<Admitted, AdmitRefusal>> {
    const { address } = applicant;
    const snapshot = await currentSnapshot();
    if (snapshot === undefined) return refuse(unavailable('catalog'));
    // Prove who sent it.
    const { account, neverCallers, clients, sealingKeys } = snapshot;
    const ring = { account, neverCallers, findKey: (id: string) => clients.get(id), sealingKeys };
    const proven = await prove(request, { ring, address, checkQuota });
    if (!proven.ok) return proven;
    // Charge a copy to its address, as what a stranger sends: it costs its signer nothing.
    const copied = countOnce.isKnown(proven.value.replay?.key);
    const charged = copied ? chargeStranger(address) : ok(undefined);
    if (!charged.ok) return charged;
    // Take a place, for here the work begins. Nobody takes one unproven, so strangers cannot fill
    // them.
    if (!(await applicant.takePlace())) return refuse({ kind: 'overloaded' });
    // Make sure that the revocations are known. This comes before the count, which may have to go
    // on without its table: only this tells whether that is an outage.
    if (!(await areRevocationsKnown(applicant))) return refuse(unavailable('revocations'));
    // Count it against its caller.
    const counted = await count(proven.value, address);
    if (!counted.ok) return counted;
    // Refuse who is revoked: they are refused everywhere.
    const { caller } = proven.value;
    const revoked = revocations.ofCaller(caller);
    if (revoked !== undefined) return refuse({ ...toRevokedRefusal(revoked, caller), caller });
    return ok({ ...proven.value, ...counted.value, snapshot, address });
  }

  /** Charges the address for what proves nobody, and for what was used before. */
  function asStranger(refusal: AdmitRefusal, address: string | undefined): AdmitRefusal {
    if (refusal.kind !== 'not-authentic' && refusal.kind !== 'replayed') return refusal;
    const charged = chargeStranger(address);
    return charged.ok ? refusal : charged.refusal;
  }

  /** Turns a request away: gives the refusal to answer with, once its record is written. */
  async function turnAway(refused: AdmitRefusal, asking: Asking): Promise<Refused<AdmitRefusal>> {
    const refusal = asStranger(refused, asking.address);
    // Requests that find no place are counted where they are turned away, and share one line.
    if (refusal.kind === 'overloaded') return refuse(refusal);
    const isRecorded = await refusals.record(toRefusalEntry(refusal, asking, reasonOf));
    return refuse(isRecorded ? refusal : unavailable('audit'));
  }

  async function admit(
    prove: Prove,
    request: WireRequest,
    applicant: Applicant,
  ): Promise<Result<Admitted, AdmitRefusal>> {
    const checked = await check(prove, request, applicant);
    return checked.ok ? checked : turnAway(checked.refusal, applicant);
  }

  return { admit, turnAway };
}

export type Admission = ReturnType<typeof createAdmit>;

function toQuota({ requests, window }: CallerQuota): Pick<Rate, 'requests' | 'windowSeconds'> {
  return { requests, windowSeconds: window / SECOND };
}

function toLimitRefusal(
  refusal: LimitRefusal,
  { name }: Caller,
  quota: CallerQuota,
): IdentityRefusal {
  if (refusal.kind === 'unavailable') return unavailable('rate_limit');
  const { resetSeconds: retryAfterSeconds } = refusal.allowance;
  return { kind: 'rate-limited', limit: 'caller', name, ...toQuota(quota), retryAfterSeconds };
}
