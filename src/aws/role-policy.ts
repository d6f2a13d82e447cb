import {
  DeleteRolePolicyCommand,
  GetRolePolicyCommand,
  IAMClient,
  NoSuchEntityException,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { SECOND } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';

/** Temporary credentials that may read and write the policy of one role. */
export type RoleCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
};

/** Which inline policy of which role. */
export type RolePolicyName = { readonly roleName: string; readonly policyName: string };

/** Inline policies of roles. Both functions reject if IAM refuses, or if an answer is not IAM's. */
export type RolePolicies = {
  /** The document of the policy; undefined if there is none. */
  readonly read: (
    credentials: RoleCredentials,
    name: RolePolicyName,
  ) => Promise<string | undefined>;
  /** Writes the document, or deletes the policy if it is undefined. */
  readonly write: (
    credentials: RoleCredentials,
    name: RolePolicyName,
    document: string | undefined,
  ) => Promise<void>;
};

/** How long one call of IAM may take, its retries included: an operator waits for it. */
const DEADLINE = 6 * SECOND;

/**
 * Reads and writes inline policies, with credentials of each call's own. IAM has one endpoint for a
 * whole partition; the SDK finds it by any region of the partition.
 */
export function createRolePolicies(region: string, endpoint: string | undefined): RolePolicies {
  async function withClient<Value>(
    what: string,
    { accessKeyId, secretAccessKey, sessionToken }: RoleCredentials,
    run: (iam: IAMClient, abortSignal: AbortSignal) => Promise<Value>,
  ): Promise<Value | undefined> {
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const iam = new IAMClient({
      region,
      credentials,
      ...(endpoint === undefined ? {} : { endpoint }),
      maxAttempts: 3,
    });
    try {
      return await withDeadline(DEADLINE, what, (signal) => run(iam, signal));
    } catch (error) {
      if (error instanceof NoSuchEntityException && what !== 'PutRolePolicy') return undefined;
      throw error;
    } finally {
      iam.destroy();
    }
  }

  function read(
    credentials: RoleCredentials,
    { roleName, policyName }: RolePolicyName,
  ): Promise<string | undefined> {
    const command = new GetRolePolicyCommand({ RoleName: roleName, PolicyName: policyName });
    return withClient('GetRolePolicy', credentials, async (iam, abortSignal) => {
      const answer = await iam.send(command, { abortSignal });
      // An empty 200 of a proxy in between would read as a policy that is not there.
      if (
        answer.RoleName !== roleName ||
        answer.PolicyName !== policyName ||
        answer.PolicyDocument === undefined
      ) {
        throw new Error("the answer to GetRolePolicy is not IAM's");
      }
      return decodeURIComponent(answer.PolicyDocument);
    });
  }

  async function write(
    credentials: RoleCredentials,
    { roleName, policyName }: RolePolicyName,
    document: string | undefined,
  ): Promise<void> {
    const names = { RoleName: roleName, PolicyName: policyName };
    // IAM answers a write with nothing: the caller has to read the policy to know that it was
    // written.
    if (document === undefined) {
      await withClient('DeleteRolePolicy', credentials, (iam, abortSignal) =>
        iam.send(new DeleteRolePolicyCommand(names), { abortSignal }),
      );
      return;
    }
    await withClient('PutRolePolicy', credentials, (iam, abortSignal) =>
      iam.send(new PutRolePolicyCommand({ ...names, PolicyDocument: document }), { abortSignal }),
    );
  }

  return { read, write };
}
