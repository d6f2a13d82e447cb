import type { RoleCredentials, RolePolicies } from '../aws/role-policy.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { parseRoleArn } from '../lib/arn.ts';
import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { HARD_POLICY_NAME, isInForce, LONGEST_CREDENTIALS, toHardPolicy } from '../revocations/deny-policy.ts';
import { sharedNext } from '../lib/shared-next.ts';
import type { Lease } from '../aws/lease.ts';
import type { Revocation } from '../revocations/revocation.ts';
import type { AssumeRole } from './vend/assume-role.ts';
import { tagNames } from './vend/stamp.ts';

/** What became of the deny policy of one role. */
export type HardOutcome = {
  readonly roleArn: string;
  /** `pending`: it is not there yet; every instance tries again each minute until it is. */
  readonly status: 'written' | 'removed' | 'pending';
  readonly code?: string;
  /** When what is pending ends by itself: epoch milliseconds. */
  readonly endsAt?: number;
};

/** A protected role whose issued credentials can be ended, and the profiles that vend it. */
type HardRole = {
  readonly roleArn: string;
  readonly roleName: string;
  readonly revokerRoleArn: string;
  readonly profiles: readonly string[];
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

/** How long one revoker waits for another. */
const PATIENCE = 10 * SECOND;

/** How long the revoker's credentials are used again; they live 15 minutes. One for each role with hard revocation. */
const CREDENTIALS_KEPT = 10 * MINUTE;

/** IAM may show what was there before for a moment: so often, and so long apart, a write is looked for. */
const LOOKS = 4;
const LOOK_AGAIN = 0.5 * SECOND;

/** Roles of profiles with `hard_revoke`, each once. */
function hardRoles({ profiles }: Snapshot): readonly HardRole[] {
  const roles = new Map<string, HardRole>();
  for (const { name, profile } of profiles.values()) {
    const { roleArn, hardRevoke, revokerRoleArn } = profile;
    const parsed = parseRoleArn(roleArn);
    if (!hardRevoke || revokerRoleArn === undefined || !parsed.ok) continue;
    const before = roles.get(roleArn)?.profiles ?? [];
    const { roleName } = parsed.value;
    roles.set(roleArn, { roleArn, roleName, revokerRoleArn, profiles: [...before, name] });
  }
  return [...roles.values()];
}

/** Whether two documents say the same, however IAM writes them. */
function isSame(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  try {
    return JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));
  } catch {
    return false;
  }
}

type Wanted = { readonly document: string | undefined; readonly waiting: readonly Revocation[] };

/**
 * Ends credentials that were issued already: one inline deny policy on the protected role, rebuilt whole from the log of
 * revocations while nobody else does, so that two revokers never lose each other's. IAM takes a moment to make it so.
 *
 * Nothing of it is kept in memory: any instance finds out from the log what the policy has to be, and from IAM what it
 * is. So nothing that is pending dies with a process, and what comes too late, for IAM knows no lease, is undone.
 */
export function createHardRevocation(options: Options) {
  const { clock, monotonic, sleep, skew, readRevocations, assumeRole, rolePolicies, lease, onFault } = options;
  const kept = new Map<string, { readonly credentials: RoleCredentials; readonly since: number }>();
  /** Roles whose last try failed: a failure that lasts is told once. */
  const failing = new Set<string>();

  /** May do nothing but read and write this policy of this role, whatever else the revoker's role could. */
  async function assumeRevoker({ roleArn, revokerRoleArn }: HardRole): Promise<RoleCredentials> {
    const statement = {
      Effect: 'Allow',
      Action: ['iam:GetRolePolicy', 'iam:PutRolePolicy', 'iam:DeleteRolePolicy'],
      Resource: roleArn,
    };
    const assumed = await assumeRole({
      RoleArn: revokerRoleArn,
      RoleSessionName: 'sentinel-revoker',
      DurationSeconds: 900,
      Policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    });
    if (!assumed.ok) throw Object.assign(new Error(`AssumeRole of ${revokerRoleArn}`), { name: assumed.refusal.code });
    return assumed.value;
  }

  async function credentialsOf(role: HardRole): Promise<RoleCredentials> {
    const id = `${role.revokerRoleArn} ${role.roleArn}`;
    const known = kept.get(id);
    if (known !== undefined && monotonic() - known.since < CREDENTIALS_KEPT) return known.credentials;
    const credentials = await assumeRevoker(role);
    kept.set(id, { credentials, since: monotonic() });
    return credentials;
  }

  async function want({ profiles }: HardRole): Promise<Wanted> {
    const context = { profiles, tags: tagNames, now: clock(), skew };
    const { policy, waiting } = toHardPolicy(await readRevocations(), context);
    return { document: policy === undefined ? undefined : JSON.stringify(policy), waiting };
  }

  async function read(role: HardRole): Promise<string | undefined> {
    return rolePolicies.read(await credentialsOf(role), { roleName: role.roleName, policyName: HARD_POLICY_NAME });
  }

  /** Whether the policy is as it should be, once IAM shows what was written. */
  async function isThere(role: HardRole, document: string | undefined): Promise<boolean> {
    for (let look = 0; look < LOOKS; look += 1) {
      if (look > 0) await sleep(LOOK_AGAIN);
      if (isSame(await read(role), document)) return true;
    }
    return false;
  }

  async function rebuild(role: HardRole): Promise<{ readonly outcome: HardOutcome; readonly wanted?: Wanted }> {
    const { roleArn, roleName } = role;
    const done = await lease(`hard#${roleArn}`, PATIENCE, async () => {
      const wanted = await want(role);
      const { document } = wanted;
      const outcome: HardOutcome = { roleArn, status: document === undefined ? 'removed' : 'written' };
      if (isSame(await read(role), document)) return { outcome, wanted };
      const name = { roleName, policyName: HARD_POLICY_NAME };
      await rolePolicies.write(await credentialsOf(role), name, document);
      if (await isThere(role, document)) return { outcome, wanted };
      return { outcome: { roleArn, status: 'pending' as const, code: 'NotSeen' }, wanted };
    });
    return done === 'busy' ? { outcome: { roleArn, status: 'pending', code: 'Busy' } } : done;
  }

  /** By role, rebuilding for all who ask at once; as many as there are roles with hard revocation. */
  const shared = new Map<string, typeof rebuild>();

  /** Rebuilds, in one run with all others of this process that have not begun: many are revoked at a time. */
  function rebuildTogether(role: HardRole): ReturnType<typeof rebuild> {
    const id = JSON.stringify(role);
    const run = shared.get(id) ?? sharedNext(() => rebuild(role));
    shared.set(id, run);
    return run(role);
  }

  async function attempt(role: HardRole, run: typeof rebuild): ReturnType<typeof rebuild> {
    const { roleArn, revokerRoleArn } = role;
    try {
      const result = await run(role);
      failing.delete(roleArn);
      return result;
    } catch (error) {
      if (!failing.has(roleArn)) onFault(error);
      failing.add(roleArn);
      kept.delete(`${revokerRoleArn} ${roleArn}`);
      return { outcome: { roleArn, status: 'pending', code: error instanceof Error ? error.name : 'Unknown' } };
    }
  }

  /** Looks first, without the lease: nearly always all is as it should be. */
  async function check(role: HardRole): ReturnType<typeof rebuild> {
    const [{ document }, there] = [await want(role), await read(role)];
    const status = document === undefined ? 'removed' : 'written';
    return isSame(there, document) ? { outcome: { roleArn: role.roleArn, status } } : rebuildTogether(role);
  }

  async function applyTo(role: HardRole, { n, createdAt }: Revocation): Promise<HardOutcome> {
    const { outcome, wanted } = await attempt(role, rebuildTogether);
    const waits = wanted?.waiting.some((one) => one.n === n) === true;
    if (outcome.status !== 'pending' && !waits) return outcome;
    const endsAt = createdAt + LONGEST_CREDENTIALS;
    return { ...outcome, status: 'pending', ...(waits ? { code: 'NoRoom' } : {}), endsAt };
  }

  let reconciling: Promise<unknown> | undefined;

  /** Rebuilds the policies of all roles that a revocation, or the lifting of one, concerns; says what became of each. */
  function apply(revocation: Revocation, snapshot: Snapshot): Promise<readonly HardOutcome[]> {
    const concerned = hardRoles(snapshot).filter(({ profiles }) =>
      profiles.some((profile) => isInForce(revocation, profile, { now: clock(), skew })),
    );
    return Promise.all(concerned.map((role) => applyTo(role, revocation)));
  }

  /** Brings the policy of every such role to what the log says, whoever wrote there; what has ended is taken out. */
  async function reconcile(snapshot: Snapshot): Promise<void> {
    reconciling ??= Promise.all(hardRoles(snapshot).map((role) => attempt(role, check))).finally(() => {
      reconciling = undefined;
    });
    await reconciling;
  }

  return { apply, reconcile };
}

export type HardRevocation = ReturnType<typeof createHardRevocation>;
