import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts';
import type { Caller } from '../../identity/caller.ts';
import { SECOND } from '../../lib/clock.ts';
import { newHexId } from '../../lib/ids.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { ReplayClaim } from '../../sigv4/verify.ts';
import type { AssumedRole } from './assume-role.ts';
import { toClientNetwork, type ClientNetwork } from './client-network.ts';
import type { Grant } from './decide.ts';
import { effectiveSeconds, keySecondsLeft, STS_MINIMUM_SECONDS } from './duration.ts';
import { toRoleSessionName, toSessionTags, toSourceIdentity } from './stamp.ts';
import type { VendRefusal } from '../refusal.ts';
import { toSessionPolicy } from './confinement.ts';

/** A request for credentials whose caller is known. */
export type VendRequest = {
  readonly caller: Caller;
  /** What the guard is to remember; undefined where the caller's proof guards itself. */
  readonly replay?: ReplayClaim;
  readonly profile: string;
  /** The caller's own label of its session. */
  readonly label?: string;
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
  /** The exact end by the session policy, epoch milliseconds; undefined where STS's own is good enough. */
  readonly endsAt: number | undefined;
  readonly grant: Grant;
  readonly sessionId: string;
  readonly sourceIdentity: string;
  readonly requestId: string;
};

/** The marks of one vend, drawn before anything is asked of anybody. */
export type Stamp = { readonly requestId: string; readonly sourceIdentity: string };

/** Draws the marks of a direct vend. */
export function toStamp(caller: Caller): Stamp {
  const requestId = newHexId();
  return { requestId, sourceIdentity: toSourceIdentity('d', requestId, caller) };
}

/** What is known by the time that the role is to be assumed; `begun` in epoch milliseconds. */
export type Settled = {
  readonly grant: Grant;
  readonly stamp: Stamp;
  readonly session: { readonly id: string; readonly endsAt: number };
  readonly network: ClientNetwork | undefined;
  readonly begun: number;
};

/**
 * Settles what AssumeRole is asked for. Nothing outlives the session, nor the registered key that signed: with less of it
 * left, less is vended.
 */
export function toPlan(
  { caller, profile: name, duration }: VendRequest,
  { grant, stamp, session, network, begun }: Settled,
): Plan {
  const { profile } = grant.profile;
  const left = Math.floor((session.endsAt - begun) / SECOND);
  const allowed = effectiveSeconds(duration, [grant.capSeconds, profile.maxDurationSeconds, left]);
  const { seconds, endsAt } = toLife(caller, allowed, begun);
  const policy = toSessionPolicy(profile, {
    ...(endsAt === undefined ? {} : { endsAt }),
    ...(network === undefined ? {} : { network }),
  });
  const { requestId, sourceIdentity } = stamp;
  const input: AssumeRoleCommandInput = {
    RoleArn: profile.roleArn,
    RoleSessionName: toRoleSessionName(caller),
    SourceIdentity: sourceIdentity,
    DurationSeconds: Math.max(seconds, STS_MINIMUM_SECONDS),
    Tags: toSessionTags({ sessionId: session.id, requestId, caller, profile: name }, profile.tags),
    ...(profile.hardRevoke ? { TransitiveTagKeys: ['SentinelSessionID', 'SentinelUser', 'SentinelPrincipal'] } : {}),
    ...(policy === undefined ? {} : { Policy: policy }),
    ...(profile.managedPolicies.length === 0 ? {} : { PolicyArns: profile.managedPolicies.map((arn) => ({ arn })) }),
    ...(profile.externalId === undefined ? {} : { ExternalId: profile.externalId }),
  };
  return { input, seconds, endsAt, grant, sessionId: session.id, sourceIdentity, requestId };
}

/**
 * The life of the credentials: what policy and session allow, or what the registered key that signed has left.
 *
 * @param allowed seconds, from `begun`, epoch milliseconds
 */
function toLife(caller: Caller, allowed: number, begun: number): Pick<Plan, 'seconds' | 'endsAt'> {
  const shortly = allowed < STS_MINIMUM_SECONDS ? begun + allowed * SECOND : undefined;
  const keyLeft = keySecondsLeft(caller, begun);
  if (keyLeft === undefined || keyLeft > allowed) return { seconds: allowed, endsAt: shortly };
  // STS counts from when it answers: what ends with the key gets its exact end, however long that is.
  const keyEnds = caller.keyExpiresAt ?? begun;
  return { seconds: keyLeft, endsAt: Math.min(keyEnds, shortly ?? keyEnds) };
}

/** The network that credentials are bound to. Refuses where the profile binds them to an address that cannot be told. */
export function toNetwork(
  request: VendRequest,
  { profile: { profile } }: Grant,
): Result<ClientNetwork | undefined, VendRefusal> {
  if (!profile.bindSourceIp) return ok(undefined);
  const network = toClientNetwork(request.address);
  function unknown(why: string) {
    return refuse<VendRefusal>({ kind: 'address-unknown', profile: request.profile, why });
  }
  if (network === undefined) return unknown('your address cannot be told');
  if (network.isPrivate && profile.sourceVpc === undefined) return unknown('your address is a private one');
  return ok(network);
}

/** The answer: what AWS gave, and until when it is good. */
export function toVended(assumed: AssumedRole, { endsAt, grant, sessionId, sourceIdentity }: Plan): Vended {
  return {
    ...assumed,
    // STS gives at least its minimum; a session policy ends the credentials earlier, and the answer says when.
    expiration: Math.min(assumed.expiration, endsAt ?? assumed.expiration),
    account: grant.profile.profile.account,
    roleArn: grant.profile.profile.roleArn,
    profile: grant.profile.name,
    sessionId,
    sourceIdentity,
  };
}
