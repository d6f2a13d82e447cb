import type { RoleCredentials } from '../aws/role-policy.ts';
import { MINUTE, type Clock } from '../lib/clock.ts';
import type { HardRole } from './hard-roles.ts';
import type { AssumeRole } from './vend/assume-role.ts';

/**
 * How long the revoker's credentials, which live 15 minutes, are used again: IAM is asked each
 * minute. There is one set for each role with hard revocation.
 */
const CREDENTIALS_KEPT = 10 * MINUTE;

type Options = {
  readonly assumeRole: AssumeRole;
  readonly monotonic: Clock;
};

function idOf({ roleArn, revokerRoleArn }: HardRole): string {
  return `${revokerRoleArn} ${roleArn}`;
}

/** Gets the credentials with which the deny policy of a role is read and written. */
export function createRevoker({ assumeRole, monotonic }: Options) {
  const kept = new Map<string, { readonly credentials: RoleCredentials; readonly since: number }>();

  /**
   * Assumes the revoker's role, narrowed to reading and writing this one policy of this one role.
   */
  async function assume({ roleArn, revokerRoleArn }: HardRole): Promise<RoleCredentials> {
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
    if (!assumed.ok)
      throw Object.assign(new Error(`AssumeRole of ${revokerRoleArn}`), {
        name: assumed.refusal.code,
      });
    return assumed.value;
  }

  /** The credentials for a role, those from before while they are kept. */
  async function credentialsOf(role: HardRole): Promise<RoleCredentials> {
    const id = idOf(role);
    const known = kept.get(id);
    if (known !== undefined && monotonic() - known.since < CREDENTIALS_KEPT)
      return known.credentials;
    const credentials = await assume(role);
    kept.set(id, { credentials, since: monotonic() });
    return credentials;
  }

  /** Forgets credentials that may be to blame for a failure. */
  function forget(role: HardRole): void {
    kept.delete(idOf(role));
  }

  return { credentialsOf, forget };
}
