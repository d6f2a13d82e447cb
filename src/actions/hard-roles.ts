import type { Snapshot } from '../catalog/snapshot.ts';
import { parseRoleArn } from '../lib/arn.ts';

/** A protected role whose issued credentials can be ended, with the profiles that vend it. */
export type HardRole = {
  readonly roleArn: string;
  readonly roleName: string;
  readonly revokerRoleArn: string;
  readonly profiles: readonly string[];
};

/** Roles of profiles with `hard_revoke`, each once. */
export function hardRoles({ profiles }: Snapshot): readonly HardRole[] {
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
