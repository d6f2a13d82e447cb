import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { isAccountId, parseArn } from '../lib/arn.ts';
import { SECOND } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';

const DEADLINE = 5 * SECOND;

/** Who the TVM is in AWS. */
export type OwnAwsIdentity = {
  /** The account that the TVM's own credentials belong to. */
  readonly account: string;
  /** The principal of the TVM's own role, without a path; undefined where it does not run as a role. */
  readonly role: string | undefined;
};

/**
 * Tells who the TVM is, by GetCallerIdentity, asked once. Throws while STS does not answer; the next call asks again.
 */
export function createOwnIdentity(sts: STSClient): () => Promise<OwnAwsIdentity> {
  let known: OwnAwsIdentity | undefined;
  const ask = singleFlight(async () => {
    const identity = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: AbortSignal.timeout(DEADLINE) });
    if (identity.Account === undefined || !isAccountId(identity.Account)) {
      throw new Error('GetCallerIdentity answered without an account id');
    }
    known = { account: identity.Account, role: roleOf(identity.Arn ?? '') };
    return known;
  });
  return () => (known === undefined ? ask() : Promise.resolve(known));
}

/** The role of a session's ARN, `arn:P:sts::A:assumed-role/R/S`. */
function roleOf(arn: string): string | undefined {
  const parsed = parseArn(arn);
  if (!parsed.ok) return undefined;
  const { partition, account, resource } = parsed.value;
  const role = /^assumed-role\/([^/]+)\//u.exec(resource)?.[1];
  return role === undefined ? undefined : `arn:${partition}:iam::${account}:role/${role}`;
}
