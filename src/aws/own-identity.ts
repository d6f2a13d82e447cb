import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { isAccountId, parseArn } from '../lib/arn.ts';
import { SECOND } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { singleFlight } from '../lib/single-flight.ts';

/** How long GetCallerIdentity may take, its retries included: a request may wait for it. */
const DEADLINE = 5 * SECOND;

/** Who the TVM is in AWS. */
export type OwnAwsIdentity = {
  /** The account that the TVM's own credentials belong to. */
  readonly account: string;
  /**
   * The principal of the TVM's own role, without its path; undefined if the TVM does not run as a
   * role.
   */
  readonly role: string | undefined;
};

/**
 * Tells who the TVM is, by GetCallerIdentity. STS is asked twice at once; when both answers agree
 * they are kept for the life of the process (the credentials' role does not change). An answer that
 * belongs to somebody else's call would let that account's callers in. Rejects while STS does not
 * answer; the next call asks again.
 */
export function createOwnIdentity(sts: STSClient): () => Promise<OwnAwsIdentity> {
  let known: OwnAwsIdentity | undefined;
  const ask = singleFlight(async function askTwice() {
    const [first, second] = await Promise.all([askOnce(sts), askOnce(sts)]);
    if (first.account !== second.account || first.role !== second.role) {
      throw new Error('two answers to GetCallerIdentity name two identities');
    }
    known = first;
    return known;
  });
  function ownIdentity(): Promise<OwnAwsIdentity> {
    return known === undefined ? ask() : Promise.resolve(known);
  }

  return ownIdentity;
}

async function askOnce(sts: STSClient): Promise<OwnAwsIdentity> {
  const identity = await withDeadline(DEADLINE, 'GetCallerIdentity', (abortSignal) =>
    sts.send(new GetCallerIdentityCommand({}), { abortSignal }),
  );
  if (identity.Account === undefined || !isAccountId(identity.Account)) {
    throw new Error('GetCallerIdentity answered without an account id');
  }
  return { account: identity.Account, role: roleOf(identity.Arn ?? '') };
}

/** The role in a session's ARN, `arn:P:sts::A:assumed-role/R/S`. */
function roleOf(arn: string): string | undefined {
  const parsed = parseArn(arn);
  if (!parsed.ok) return undefined;
  const { partition, account, resource } = parsed.value;
  const role = /^assumed-role\/([^/]+)\//u.exec(resource)?.[1];
  return role === undefined ? undefined : `arn:${partition}:iam::${account}:role/${role}`;
}
