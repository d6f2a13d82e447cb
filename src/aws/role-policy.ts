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

/** Inline policies of roles, with one set of credentials. All reject where IAM refuses, or where its answer is none. */
export type RolePolicies = {
  /** The document as it stands there; undefined if there is none. */
  readonly read: (credentials: RoleCredentials, name: RolePolicyName) => Promise<string | undefined>;
  /** Writes the document, or removes what is there where it is undefined. */
  readonly write: (credentials: RoleCredentials, name: RolePolicyName, document: string | undefined) => Promise<void>;
};

/** One call, its retries included. */
const DEADLINE = 6 * SECOND;

/** IAM is one endpoint for a whole partition; the SDK knows it by any region of that. */
export function createRolePolicies(region: string, endpoint: string | undefined): RolePolicies {
  async function withClient<Value>(
    what: string,
    { accessKeyId, secretAccessKey, sessionToken }: RoleCredentials,
    run: (iam: IAMClient, abortSignal: AbortSignal) => Promise<Value>,
  ): Promise<Value | undefined> {
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const iam = new IAMClient({ region, credentials, ...(endpoint === undefined ? {} : { endpoint }), maxAttempts: 3 });
    try {
      return await withDeadline(DEADLINE, what, (signal) => run(iam, signal));
    } catch (error) {
      if (error instanceof NoSuchEntityException && what !== 'PutRolePolicy') return undefined;
      throw error;
    } finally {
      iam.destroy();
    }
  }

  function read(credentials: RoleCredentials, { roleName, policyName }: RolePolicyName): Promise<string | undefined> {
    const command = new GetRolePolicyCommand({ RoleName: roleName, PolicyName: policyName });
    return withClient('GetRolePolicy', credentials, async (iam, abortSignal) => {
      const answer = await iam.send(command, { abortSignal });
      // An empty 200 of whatever stands in between would read as another policy.
      if (answer.RoleName !== roleName || answer.PolicyName !== policyName || answer.PolicyDocument === undefined) {
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
    // IAM has nothing to say to a good write; whether it was one is found by reading.
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
