import {
  AssumeRoleCommand,
  STSServiceException,
  type AssumeRoleCommandInput,
  type AssumeRoleCommandOutput,
  type STSClient,
} from '@aws-sdk/client-sts';
import { isThrottling } from '../../aws/error-codes.ts';
import { SECOND } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { timed, type Meter } from '../../telemetry/meter.ts';

/** What AssumeRole gave. */
export type AssumedRole = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds. */
  readonly expiration: number;
};

/** Why AssumeRole gave nothing. */
export type AssumeRoleFault = {
  readonly kind: 'throttled' | 'misconfigured' | 'unavailable';
  /** AWS's error code, for the audit log and metrics only. */
  readonly code: string;
  /** Whether it is certain that no credentials came into being. */
  readonly certainlyNone: boolean;
};

export type AssumeRole = (input: AssumeRoleCommandInput) => Promise<Result<AssumedRole, AssumeRoleFault>>;

/** All tries together; a caller's own client seldom waits longer. */
const DEADLINE = 8 * SECOND;

const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired']);

/**
 * What the profile's document, the role's trust or its account's settings are to blame for: the caller can do nothing, and
 * a retry neither. Of the errors that AssumeRole and all of STS's calls are documented with, it lacks those that blame the
 * TVM's own credentials or clock, which no profile can mend, and those that blame the service.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
 * https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
 */
const MISCONFIGURED = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'InvalidParameterCombination',
  'InvalidParameterValue',
  'MalformedPolicyDocument',
  'MalformedPolicyDocumentException',
  'MissingParameter',
  'NoSuchEntity',
  'NotAuthorized',
  'OptInRequired',
  'PackedPolicyTooLarge',
  'PackedPolicyTooLargeException',
  'RegionDisabled',
  'RegionDisabledException',
  'RequestEntityTooLarge',
  'RequestEntityTooLargeException',
  'ValidationError',
  'ValidationException',
]);

/**
 * The only place that calls AssumeRole. The SDK retries within the deadline; credentials of the TVM's own that have
 * expired are fetched anew once.
 */
export function createAssumeRole(sts: STSClient, onFault: (error: unknown) => void): AssumeRole {
  return async (input) => {
    try {
      const answer = await withDeadline(DEADLINE, 'AssumeRole', async (abortSignal) => {
        function send() {
          return sts.send(new AssumeRoleCommand(input), { abortSignal });
        }
        return send().catch(async (error: unknown) => {
          if (!(error instanceof Error) || !EXPIRED.has(error.name)) throw error;
          await sts.config.credentials({ forceRefresh: true });
          return send();
        });
      });
      if (!isOwnAnswer(input, answer)) throw new Error('AssumeRole answered to another call');
      const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
      const expiration = Expiration?.getTime() ?? Number.NaN;
      if (!AccessKeyId || !SecretAccessKey || !SessionToken || Number.isNaN(expiration)) {
        throw new Error('AssumeRole answered without credentials');
      }
      return ok({ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken, expiration });
    } catch (error) {
      onFault(error);
      return refuse(toFault(error));
    }
  };
}

/** Whether what STS says of the session is what was asked for: credentials of another's call must go to nobody. */
function isOwnAnswer(
  { RoleArn, RoleSessionName, SourceIdentity }: AssumeRoleCommandInput,
  { AssumedRoleUser, SourceIdentity: stamped = SourceIdentity }: AssumeRoleCommandOutput,
): boolean {
  if (stamped !== SourceIdentity) return false;
  const session = AssumedRoleUser?.Arn;
  if (session === undefined) return true;
  // arn:P:iam::A:role/path/R becomes arn:P:sts::A:assumed-role/R/S.
  const role = RoleArn?.slice(RoleArn.lastIndexOf('/') + 1);
  const account = RoleArn?.split(':')[4];
  return session.endsWith(`::${account}:assumed-role/${role}/${RoleSessionName}`);
}

/** AssumeRole with its outcome counted and its time measured, retries included. */
export function meterAssumeRole(assumeRole: AssumeRole, meter: Meter): AssumeRole {
  return timed(meter, 'sts', async (input) => {
    const assumed = await assumeRole(input);
    meter.count('sts', assumed.ok ? 'ok' : assumed.refusal.kind);
    return assumed;
  });
}

function toFault(error: unknown): AssumeRoleFault {
  const code = error instanceof Error ? error.name : 'Unknown';
  const status = error instanceof STSServiceException ? (error.$response?.statusCode ?? 500) : 500;
  if (isThrottling(code) || status === 429) return { kind: 'throttled', code, certainlyNone: true };
  if (status < 500 && MISCONFIGURED.has(code)) return { kind: 'misconfigured', code, certainlyNone: false };
  return { kind: 'unavailable', code, certainlyNone: false };
}
