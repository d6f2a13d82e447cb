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

export type AssumeRole = (
  input: AssumeRoleCommandInput,
) => Promise<Result<AssumedRole, AssumeRoleFault>>;

/** How long all tries together may take: a caller's own client seldom waits longer. */
const DEADLINE = 8 * SECOND;

/** The codes of AWS that say that the TVM's own credentials have expired. */
const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired']);

/**
 * What the profile's document, the role's trust policy or its account's settings are to blame for.
 * Neither the caller nor a retry can mend it. Of the errors that AWS documents for AssumeRole and
 * for all of STS's calls, it lacks those that blame the TVM's own credentials or clock, which no
 * profile can mend, and those that blame the service.
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
 * The only place that calls AssumeRole. The SDK retries within the deadline. If the TVM's own
 * credentials have expired, they are fetched anew, once.
 */
export function createAssumeRole(sts: STSClient, onFault: (error: unknown) => void): AssumeRole {
  async function send(
    input: AssumeRoleCommandInput,
    abortSignal: AbortSignal,
  ): Promise<AssumeRoleCommandOutput> {
    try {
      return await sts.send(new AssumeRoleCommand(input), { abortSignal });
    } catch (error) {
      if (!(error instanceof Error) || !EXPIRED.has(error.name)) throw error;
      await sts.config.credentials({ forceRefresh: true });
      return sts.send(new AssumeRoleCommand(input), { abortSignal });
    }
  }

  async function assumeRole(
    input: AssumeRoleCommandInput,
  ): Promise<Result<AssumedRole, AssumeRoleFault>> {
    try {
      const answer = await withDeadline(DEADLINE, 'AssumeRole', (abortSignal) =>
        send(input, abortSignal),
      );
      if (!isOwnAnswer(input, answer)) throw new Error('AssumeRole answered to another call');
      return ok(readCredentials(answer));
    } catch (error) {
      onFault(error);
      return refuse(toFault(error));
    }
  }

  return assumeRole;
}

/** The credentials of an answer; throws where it has none that are whole. */
function readCredentials({ Credentials }: AssumeRoleCommandOutput): AssumedRole {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {};
  const expiration = Expiration?.getTime() ?? Number.NaN;
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || Number.isNaN(expiration)) {
    throw new Error('AssumeRole answered without credentials');
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration,
  };
}

/**
 * Whether the session is the one that was asked for: nobody may get the credentials of another
 * call.
 */
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
  async function counted(input: AssumeRoleCommandInput): ReturnType<AssumeRole> {
    const assumed = await assumeRole(input);
    meter.count('sts', assumed.ok ? 'ok' : assumed.refusal.kind);
    return assumed;
  }

  return timed(meter, 'sts', counted);
}

function toFault(error: unknown): AssumeRoleFault {
  const code = error instanceof Error ? error.name : 'Unknown';
  const status = error instanceof STSServiceException ? (error.$response?.statusCode ?? 500) : 500;
  if (isThrottling(code) || status === 429) return { kind: 'throttled', code, certainlyNone: true };
  if (status < 500 && MISCONFIGURED.has(code))
    return { kind: 'misconfigured', code, certainlyNone: false };
  return { kind: 'unavailable', code, certainlyNone: false };
}
