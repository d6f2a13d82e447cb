import type { RolePolicies } from '../aws/role-policy.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { parseRoleArn } from '../lib/arn.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import { HARD_POLICY_NAME, isInForce, toHardPolicy } from '../sessions/hard-policy.ts';
import type { Lease } from '../sessions/lease.ts';
import type { Revocation } from '../sessions/revocation.ts';
import type { AssumeRole } from './assume-role.ts';
import { tagNames } from './names.ts';

/** What became of the deny policy of one role. */
export type HardOutcome = {
  readonly roleArn: string;
  /** `pending`: it could not be written yet; it is tried again until it is. */
  readonly status: 'written' | 'removed' | 'pending';
  readonly code?: string;
};

/** A protected role whose issued credentials can be ended, and the profiles that vend it. */
type HardRole = { readonly roleArn: string; readonly revokerRoleArn: string; readonly profiles: readonly string[] };

type Options = {
  readonly clock: Clock;
  /** Reads all revocations in force, consistently. */
  readonly readRevocations: () => Promise<readonly Revocation[]>;
  readonly assumeRole: AssumeRole;
  readonly rolePolicies: RolePolicies;
  readonly lease: Lease;
  readonly onFault: (error: unknown) => void;
};

/** How long one revoker waits for another. */
const PATIENCE = 10 * SECOND;

/** Roles of profiles with `hard_revoke`, each once. */
const hardRoles = ({ profiles }: Snapshot): readonly HardRole[] => {
  const roles = new Map<string, HardRole>();
  for (const { name, profile } of profiles.values()) {
    const { roleArn, hardRevoke, revokerRoleArn } = profile;
    if (!hardRevoke || revokerRoleArn === undefined) continue;
    const before = roles.get(roleArn)?.profiles ?? [];
    roles.set(roleArn, { roleArn, revokerRoleArn, profiles: [...before, name] });
  }
  return [...roles.values()];
};

/**
 * Ends credentials that were issued already: one inline deny policy on the protected role, rebuilt whole from the log of
 * revocations while nobody else does, so that two revokers never lose each other's. IAM takes a moment to make it so.
 */
export const createHardRevocation = (options: Options) => {
  const { clock, readRevocations, assumeRole, rolePolicies, lease, onFault } = options;
  /** What was written last, by role, so that nothing is written twice. */
  const written = new Map<string, string>();
  const pending = new Set<string>();

  /** May do nothing but write this policy of this role, whatever else the revoker's role could. */
  const assumeRevoker = async ({ roleArn, revokerRoleArn }: HardRole) => {
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
  };

  const rebuild = async (role: HardRole, always: boolean): Promise<HardOutcome> => {
    const { roleArn, profiles } = role;
    const parsed = parseRoleArn(roleArn);
    if (!parsed.ok) return { roleArn, status: 'pending', code: 'ValidationError' };
    const done = await lease(`hard#${roleArn}`, PATIENCE, async (): Promise<HardOutcome> => {
      const policy = toHardPolicy(await readRevocations(), profiles, tagNames, clock());
      const document = policy === undefined ? undefined : JSON.stringify(policy);
      const status = document === undefined ? 'removed' : 'written';
      if (!always && written.get(roleArn) === (document ?? '')) return { roleArn, status };
      const credentials = await assumeRevoker(role);
      const name = { roleName: parsed.value.roleName, policyName: HARD_POLICY_NAME };
      await rolePolicies.write(credentials, name, document);
      if ((await rolePolicies.read(credentials, name)) !== document)
        throw new Error(`${roleArn}: IAM has another policy`);
      written.set(roleArn, document ?? '');
      return { roleArn, status };
    });
    return done === 'busy' ? { roleArn, status: 'pending', code: 'Busy' } : done;
  };

  const attempt = async (role: HardRole, always: boolean): Promise<HardOutcome> => {
    try {
      const outcome = await rebuild(role, always);
      if (outcome.status === 'pending') pending.add(role.roleArn);
      else pending.delete(role.roleArn);
      return outcome;
    } catch (error) {
      onFault(error);
      pending.add(role.roleArn);
      return { roleArn: role.roleArn, status: 'pending', code: error instanceof Error ? error.name : 'Unknown' };
    }
  };

  let snapshot: Snapshot | undefined;
  const reconcile = singleFlight(async () => {
    for (const role of snapshot === undefined ? [] : hardRoles(snapshot)) {
      // A role of which this process knows nothing is left alone until something of it has to be denied.
      const known = pending.has(role.roleArn) || (written.get(role.roleArn) ?? '') !== '';
      if (known) await attempt(role, pending.has(role.roleArn));
    }
  });

  return {
    /** Rebuilds the policies of all roles that a revocation, or the lifting of one, concerns; says what became of each. */
    apply: (revocation: Revocation, now: Snapshot): Promise<readonly HardOutcome[]> => {
      snapshot = now;
      const concerned = hardRoles(now).filter(({ profiles }) =>
        profiles.some((profile) => isInForce(revocation, profile, clock())),
      );
      return Promise.all(concerned.map((role) => attempt(role, true)));
    },
    /** Tries again what is pending, and takes out of the policies what has ended by itself. */
    reconcile,
  };
};

export type HardRevocation = ReturnType<typeof createHardRevocation>;
