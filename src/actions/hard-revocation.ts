import type { RolePolicies } from '../aws/role-policy.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import {
  HARD_POLICY_NAME,
  isInForce,
  LONGEST_CREDENTIALS,
  toHardPolicy,
} from '../revocations/deny-policy.ts';
import { sharedNext } from '../lib/shared-next.ts';
import type { Lease } from '../aws/lease.ts';
import type { Revocation } from '../revocations/revocation.ts';
import { hardRoles, type HardRole } from './hard-roles.ts';
import { createRevoker } from './revoker.ts';
import type { AssumeRole } from './vend/assume-role.ts';
import { tagNames } from './vend/stamp.ts';

/** What became of the deny policy of one role. */
export type HardOutcome = {
  readonly roleArn: string;
  /**
   * `pending`: it is not as it should be yet; every instance tries again each minute until it is.
   */
  readonly status: 'written' | 'removed' | 'pending';
  /** Why it is pending: an error code of AWS, or one of our own. */
  readonly code: string | undefined;
  /**
   * When the credentials that a pending policy should end will have ended anyway, epoch
   * milliseconds.
   */
  readonly endsAt: number | undefined;
};

type Options = {
  readonly clock: Clock;
  readonly monotonic: Clock;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** How far clocks may be off, in milliseconds. */
  readonly skew: number;
  /** Reads all revocations in force as they are from now on; rejects if it cannot. */
  readonly readRevocations: () => Promise<readonly Revocation[]>;
  readonly assumeRole: AssumeRole;
  readonly rolePolicies: RolePolicies;
  readonly lease: Lease;
  readonly onFault: (error: unknown) => void;
};

/** How long one revoker waits for another to finish with the same role. */
const PATIENCE = 10 * SECOND;

/**
 * How often, and how long apart, a write is looked for: for a moment IAM may show the policy before
 * it.
 */
const LOOKS = 4;
const LOOK_AGAIN = 0.5 * SECOND;

/** Whether two documents say the same, however IAM writes them. */
function isSame(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  try {
    return JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));
  } catch {
    return false;
  }
}

/** The policy that a role should have, and the revocations that found no room in it. */
type Wanted = { readonly document: string | undefined; readonly waiting: readonly Revocation[] };

/** What became of one try; `wanted` is undefined if nobody looked what the policy should be. */
type Try = { readonly outcome: HardOutcome; readonly wanted: Wanted | undefined };

function pending(roleArn: string, code: string): HardOutcome {
  return { roleArn, status: 'pending', code, endsAt: undefined };
}

function settled(roleArn: string, document: string | undefined): HardOutcome {
  const status = document === undefined ? 'removed' : 'written';
  return { roleArn, status, code: undefined, endsAt: undefined };
}

/**
 * Ends credentials that were issued already, with one inline deny policy on the protected role. It
 * is rebuilt whole from the log of revocations under a lease, so that two revokers never overwrite
 * each other's work. IAM takes a moment until a changed policy counts.
 *
 * No policy is kept in memory: any instance finds out from the log what the policy has to be, and
 * from IAM what it is. So no pending work dies with a process, and a write that comes too late,
 * because IAM knows no lease, is undone.
 */
export function createHardRevocation(options: Options) {
  const {
    clock,
    monotonic,
    sleep,
    skew,
    readRevocations,
    assumeRole,
    rolePolicies,
    lease,
    onFault,
  } = options;
  const revoker = createRevoker({ assumeRole, monotonic });
  /** Roles whose last try failed: a failure that lasts is reported once. */
  const failing = new Set<string>();

  async function want({ profiles }: HardRole): Promise<Wanted> {
    const context = { profiles, tags: tagNames, now: clock(), skew };
    const { policy, waiting } = toHardPolicy(await readRevocations(), context);
    return { document: policy === undefined ? undefined : JSON.stringify(policy), waiting };
  }

  async function read(role: HardRole): Promise<string | undefined> {
    return rolePolicies.read(await revoker.credentialsOf(role), {
      roleName: role.roleName,
      policyName: HARD_POLICY_NAME,
    });
  }

  /** Whether the policy is as it should be, once IAM shows what was written. */
  async function isThere(role: HardRole, document: string | undefined): Promise<boolean> {
    for (let look = 0; look < LOOKS; look += 1) {
      if (look > 0) await sleep(LOOK_AGAIN);
      if (isSame(await read(role), document)) return true;
    }
    return false;
  }

  /** Writes the policy unless it is as it should be, and looks for it. The lease must be held. */
  async function write(role: HardRole): Promise<Try> {
    const { roleArn, roleName } = role;
    const wanted = await want(role);
    const { document } = wanted;
    if (isSame(await read(role), document)) return { outcome: settled(roleArn, document), wanted };
    await rolePolicies.write(
      await revoker.credentialsOf(role),
      { roleName, policyName: HARD_POLICY_NAME },
      document,
    );
    const isWritten = await isThere(role, document);
    return {
      outcome: isWritten ? settled(roleArn, document) : pending(roleArn, 'NotSeen'),
      wanted,
    };
  }

  async function rebuild(role: HardRole): Promise<Try> {
    const { roleArn } = role;
    const done = await lease(`hard#${roleArn}`, PATIENCE, () => write(role));
    return done === 'busy' ? { outcome: pending(roleArn, 'Busy'), wanted: undefined } : done;
  }

  /**
   * For each role, the rebuilding that all who ask at once share; as many as roles with hard
   * revocation.
   */
  const shared = new Map<string, typeof rebuild>();

  /**
   * Rebuilds in one run for everybody in this process who asked before it began: often many revoke
   * at a time.
   */
  function rebuildTogether(role: HardRole): Promise<Try> {
    const id = JSON.stringify(role);
    const run = shared.get(id) ?? sharedNext(() => rebuild(role));
    shared.set(id, run);
    return run(role);
  }

  async function attempt(role: HardRole, run: typeof rebuild): Promise<Try> {
    const { roleArn } = role;
    try {
      const result = await run(role);
      failing.delete(roleArn);
      return result;
    } catch (error) {
      if (!failing.has(roleArn)) onFault(error);
      failing.add(roleArn);
      revoker.forget(role);
      const code = error instanceof Error ? error.name : 'Unknown';
      return { outcome: pending(roleArn, code), wanted: undefined };
    }
  }

  /** Looks first, without the lease: nearly always the policy is as it should be. */
  async function check(role: HardRole): Promise<Try> {
    const wanted = await want(role);
    const isRight = isSame(await read(role), wanted.document);
    return isRight
      ? { outcome: settled(role.roleArn, wanted.document), wanted }
      : rebuildTogether(role);
  }

  async function applyTo(role: HardRole, { n, createdAt }: Revocation): Promise<HardOutcome> {
    const { outcome, wanted } = await attempt(role, rebuildTogether);
    const waits = wanted?.waiting.some((one) => one.n === n) === true;
    if (outcome.status !== 'pending' && !waits) return outcome;
    const endsAt = createdAt + LONGEST_CREDENTIALS;
    return { ...outcome, status: 'pending', code: waits ? 'NoRoom' : outcome.code, endsAt };
  }

  let reconciling: Promise<unknown> | undefined;

  /** Rebuilds the policy of each role that a revocation, or its lifting, concerns. */
  function apply(revocation: Revocation, snapshot: Snapshot): Promise<readonly HardOutcome[]> {
    const concerned = hardRoles(snapshot).filter(({ profiles }) =>
      profiles.some((profile) => isInForce(revocation, profile, { now: clock(), skew })),
    );
    return Promise.all(concerned.map((role) => applyTo(role, revocation)));
  }

  /**
   * Makes the policy of every such role what the log says, whoever wrote it; what has ended is
   * taken out.
   */
  async function reconcile(snapshot: Snapshot): Promise<void> {
    reconciling ??= Promise.all(hardRoles(snapshot).map((role) => attempt(role, check))).finally(
      () => {
        reconciling = undefined;
      },
    );
    await reconciling;
  }

  return { apply, reconcile };
}

export type HardRevocation = ReturnType<typeof createHardRevocation>;
