import { DeleteRolePolicyCommand, IAMClient, NoSuchEntityException, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { SECOND } from '../lib/clock.ts';

/** Temporary credentials that may write the policy of one role. */
export type RoleCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
};

/** Writes a role's inline policy, or removes it; `undefined` for what is to be removed. Rejects if IAM refuses. */
export type WriteRolePolicy = (
  credentials: RoleCredentials,
  role: { readonly roleName: string; readonly policyName: string; readonly document: string | undefined },
) => Promise<void>;

const DEADLINE = 8 * SECOND;

/** IAM is one endpoint for a whole partition; the SDK knows it by any region of that. */
export const createWriteRolePolicy = (region: string, endpoint: string | undefined): WriteRolePolicy => {
  return async ({ accessKeyId, secretAccessKey, sessionToken }, { roleName, policyName, document }) => {
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const iam = new IAMClient({ region, credentials, ...(endpoint === undefined ? {} : { endpoint }), maxAttempts: 3 });
    const options = { abortSignal: AbortSignal.timeout(DEADLINE) };
    const names = { RoleName: roleName, PolicyName: policyName };
    try {
      if (document === undefined) await iam.send(new DeleteRolePolicyCommand(names), options);
      else await iam.send(new PutRolePolicyCommand({ ...names, PolicyDocument: document }), options);
    } catch (error) {
      // What is not there needs no removing.
      if (document !== undefined || !(error instanceof NoSuchEntityException)) throw error;
    } finally {
      iam.destroy();
    }
  };
};
