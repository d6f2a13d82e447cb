import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts';
import type { Caller } from '../identity/caller.ts';
import { SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { AssumedRole } from './assume-role.ts';
import { toClientNetwork, type ClientNetwork } from './client-network.ts';
import type { Grant } from './decide.ts';
import { effectiveSeconds, STS_MINIMUM_SECONDS } from './duration.ts';
import { toRoleSessionName, toSessionTags, toSourceIdentity } from './names.ts';
import type { VendRefusal } from './refusal.ts';
import { toSessionPolicy } from './session-policy.ts';

/** A request for credentials whose caller is known. */
export type VendRequest = {
  readonly caller: Caller;
  /** What the guard is to remember; undefined where the caller's proof guards itself. */
  readonly replay?: ReplayClaim;
  readonly profile: string;
  /** Seconds asked for. */
  readonly duration?: number;
  /** The caller's address; undefined if it cannot be told. */
  readonly address?: string;
  readonly httpRequestId: string;
};

/** What a caller gets: credentials, and what they are. */
export type Vended = AssumedRole & {
  readonly account: string;
  readonly roleArn: string;
  readonly profile: string;
  readonly sessionId: string;
  readonly sourceIdentity: string;
};

/** One vend under way: everything about it that was settled before AWS is asked. */
export type Plan = {
  readonly input: AssumeRoleCommandInput;
  readonly seconds: number;
  /** Epoch milliseconds from which `seconds` count. */
  readonly begun: number;
  readonly grant: Grant;
  readonly sessionId: string;
  readonly sourceIdentity: string;
  readonly requestId: string;
};

/**
 * Settles what AssumeRole is asked for. Refuses where the profile binds credentials to an address that cannot be told.
 *
 * @param begun epoch milliseconds
 */
export const toPlan = (request: VendRequest, grant: Grant, begun: number): Result<Plan, VendRefusal> => {
  const { caller, profile: name } = request;
  const { profile } = grant.profile;
  const network = toNetwork(request, grant);
  if (!network.ok) return network;
  const seconds = effectiveSeconds(request.duration, [grant.capSeconds, profile.maxDurationSeconds]);
  const policy = toSessionPolicy(profile, {
    ...(seconds < STS_MINIMUM_SECONDS ? { endsAt: begun + seconds * SECOND } : {}),
    ...(network.value === undefined ? {} : { network: network.value }),
  });
  const requestId = newHexId();
  const sessionId = newHexId();
  const sourceIdentity = toSourceIdentity('d', requestId, caller);
  const input: AssumeRoleCommandInput = {
    RoleArn: profile.roleArn,
    RoleSessionName: toRoleSessionName(caller),
    SourceIdentity: sourceIdentity,
    DurationSeconds: Math.max(seconds, STS_MINIMUM_SECONDS),
    Tags: toSessionTags({ sessionId, requestId, caller, profile: name }, profile.tags),
    ...(policy === undefined ? {} : { Policy: policy }),
    ...(profile.managedPolicies.length === 0 ? {} : { PolicyArns: profile.managedPolicies.map((arn) => ({ arn })) }),
    ...(profile.externalId === undefined ? {} : { ExternalId: profile.externalId }),
  };
  return ok({ input, seconds, begun, grant, sessionId, sourceIdentity, requestId });
};

const toNetwork = (
  request: VendRequest,
  { profile: { profile } }: Grant,
): Result<ClientNetwork | undefined, VendRefusal> => {
  if (!profile.bindSourceIp) return ok(undefined);
  const network = toClientNetwork(request.address);
  const unknown = (why: string) => refuse<VendRefusal>({ kind: 'address-unknown', profile: request.profile, why });
  if (network === undefined) return unknown('your address cannot be told');
  if (network.isPrivate && profile.sourceVpc === undefined) return unknown('your address is a private one');
  return ok(network);
};

/** The answer: what AWS gave, and until when it is good. */
export const toVended = (assumed: AssumedRole, { seconds, begun, grant, sessionId, sourceIdentity }: Plan): Vended => ({
  ...assumed,
  // STS gives at least its minimum; a session policy ends the credentials earlier, and the answer says when.
  expiration:
    seconds < STS_MINIMUM_SECONDS ? Math.min(assumed.expiration, begun + seconds * SECOND) : assumed.expiration,
  account: grant.profile.profile.account,
  roleArn: grant.profile.profile.roleArn,
  profile: grant.profile.name,
  sessionId,
  sourceIdentity,
});
