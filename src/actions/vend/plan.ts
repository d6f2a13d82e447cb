import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts';
import type { Caller } from '../../identity/caller.ts';
import { SECOND } from '../../lib/clock.ts';
import { newHexId } from '../../lib/ids.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { Tracked } from '../../sessions/tracker.ts';
import type { ReplayClaim } from '../../sigv4/verify.ts';
import type { KnownRequest } from '../describe-request.ts';
import type { VendRefusal } from '../refusal.ts';
import type { AssumedRole } from './assume-role.ts';
import { toClientNetwork, type ClientNetwork } from './client-network.ts';
import { toSessionPolicy } from './confinement.ts';
import type { FoundGrant } from '../approvals/find-grant.ts';
import type { FoundEvent } from '../break-glass/find-event.ts';
import type { Leave } from './decide.ts';
import { effectiveSeconds, keySecondsLeft, STS_MINIMUM_SECONDS } from './duration.ts';
import { toRoleSessionName, toSessionTags, toSourceIdentity } from './stamp.ts';

/** A request for credentials whose caller is known. */
export type VendRequest = KnownRequest & {
  /** What the guard is to remember; undefined where the caller's proof guards itself. */
  readonly replay: ReplayClaim | undefined;
  readonly profile: string;
  /** The caller's own label of its session. */
  readonly label: string | undefined;
  /** Seconds asked for. */
  readonly duration: number | undefined;
  /**
   * Why it is wanted and for which ticket, for the request that a vend makes where it needs an
   * approval.
   */
  readonly justification: string | undefined;
  readonly ticket: string | undefined;
};

/** What a caller gets: credentials, and what they are. */
export type Vended = AssumedRole & {
  readonly account: string;
  readonly roleArn: string;
  readonly profile: string;
  readonly sessionId: string;
  readonly sourceIdentity: string;
};

/** The marks of one vend, drawn before any other service is asked. */
export type Stamp = { readonly vendId: string; readonly sourceIdentity: string };

/** What a vend rests on that policy alone does not open: an approval, or a break-glass event. */
export type Basis =
  | ({ readonly kind: 'approval' } & FoundGrant)
  | ({ readonly kind: 'break-glass' } & FoundEvent);

/** Leave to vend: by policy alone, or with what it rests on. */
export type Grant = Leave & {
  /** Undefined where policy gives leave by itself. */
  readonly basis: Basis | undefined;
};

/** The id of what a vend rests on: of the request, or of the event. */
export function basisId(basis: Basis): string {
  return basis.kind === 'approval' ? basis.request.id : basis.event.id;
}

/** The id that is revoked where a chain of extensions is ended, whichever of them was. */
export function basisRoot(basis: Basis): string {
  return basis.kind === 'approval' ? basis.request.root : basis.event.id;
}

/** When what a vend rests on ends; undefined for an approval that begins with its first use. */
export function basisEnd(basis: Basis): number | undefined {
  return basis.kind === 'approval' ? basis.grant.endsAt : basis.endsAt;
}

/** Draws the marks of a vend: they carry the id of what it rests on, or else its own. */
export function toStamp(caller: Caller, basis: Basis | undefined): Stamp {
  const vendId = newHexId();
  if (basis === undefined) return { vendId, sourceIdentity: toSourceIdentity('d', vendId, caller) };
  const kind = basis.kind === 'approval' ? 'a' : 'b';
  return { vendId, sourceIdentity: toSourceIdentity(kind, basisId(basis), caller) };
}

/** What is known of a vend by the time that the role is to be assumed. */
export type Settled = {
  readonly grant: Grant;
  readonly stamp: Stamp;
  /** The network that the credentials are bound to, where the profile wants that. */
  readonly network: ClientNetwork | undefined;
  readonly session: Pick<Tracked, 'id' | 'endsAt' | 'tracking'>;
  /** When the vend began, epoch milliseconds. */
  readonly begun: number;
};

/** One vend, with everything about it that is settled before STS is asked. It is made once. */
export type Plan = Settled & {
  readonly input: AssumeRoleCommandInput;
  readonly seconds: number;
  /**
   * The exact end by the session policy, epoch milliseconds; undefined where STS's own is good
   * enough.
   */
  readonly endsAt: number | undefined;
};

/**
 * Settles what AssumeRole is asked for. Nothing outlives the session, nor the registered key that
 * signed: with less of it left, less is vended.
 */
export function toPlan(request: VendRequest, settled: Settled): Plan {
  const { caller, profile: name, duration } = request;
  const { grant, stamp, session, network, begun } = settled;
  const { profile } = grant.profile;
  const grantEnd = grant.basis && basisEnd(grant.basis);
  const left = Math.floor((Math.min(session.endsAt, grantEnd ?? session.endsAt) - begun) / SECOND);
  const allowed = effectiveSeconds(duration, [grant.capSeconds, profile.maxDurationSeconds, left]);
  const { seconds, endsAt } = toLife(caller, { allowed, begun, grantEnd });
  const policy = toSessionPolicy(profile, {
    endsAt,
    network,
    isGranted: grant.basis !== undefined,
  });
  const input: AssumeRoleCommandInput = {
    RoleArn: profile.roleArn,
    RoleSessionName: toRoleSessionName(caller),
    SourceIdentity: stamp.sourceIdentity,
    DurationSeconds: Math.max(seconds, STS_MINIMUM_SECONDS),
    Tags: toSessionTags(
      {
        sessionId: session.id,
        requestId: grant.basis === undefined ? stamp.vendId : basisId(grant.basis),
        caller,
        profile: name,
      },
      profile.tags,
    ),
    ...(profile.hardRevoke
      ? { TransitiveTagKeys: ['SentinelSessionID', 'SentinelUser', 'SentinelPrincipal'] }
      : {}),
    ...(policy === undefined ? {} : { Policy: policy }),
    ...(profile.managedPolicies.length === 0
      ? {}
      : { PolicyArns: profile.managedPolicies.map((arn) => ({ arn })) }),
    ...(profile.externalId === undefined ? {} : { ExternalId: profile.externalId }),
  };
  return { ...settled, input, seconds, endsAt };
}

/** What the life of credentials depends on; moments in epoch milliseconds. */
type LifeFacts = {
  /** What policy and session allow, in seconds from `begun`. */
  readonly allowed: number;
  readonly begun: number;
  /** When the approval or the event ends; undefined without one. */
  readonly grantEnd: number | undefined;
};

/**
 * The life of the credentials: what policy and session allow, or what the registered key that
 * signed has left. STS counts from when it answers, and gives 900 seconds at least, so what ends
 * sooner, with a key, or with what it rests on, gets its exact end by the session policy.
 */
function toLife(
  caller: Caller,
  { allowed, begun, grantEnd }: LifeFacts,
): Pick<Plan, 'seconds' | 'endsAt'> {
  const keyLeft = keySecondsLeft(caller, begun);
  const isByKey = keyLeft !== undefined && keyLeft <= allowed;
  const ends = [
    ...(allowed < STS_MINIMUM_SECONDS ? [begun + allowed * SECOND] : []),
    ...(isByKey ? [caller.keyExpiresAt ?? begun] : []),
    ...(grantEnd === undefined ? [] : [grantEnd]),
  ];
  return {
    seconds: isByKey ? keyLeft : allowed,
    endsAt: ends.length === 0 ? undefined : Math.min(...ends),
  };
}

/**
 * The network that the credentials are bound to; undefined where the profile does not bind them.
 * Refuses where it does and the address is unknown, or is a private one without a VPC to go with
 * it.
 */
export function toNetwork(
  request: VendRequest,
  { profile: { profile } }: Grant,
): Result<ClientNetwork | undefined, VendRefusal> {
  if (!profile.bindSourceIp) return ok(undefined);
  function refused(address: 'unknown' | 'private') {
    return refuse<VendRefusal>({ kind: 'address-unknown', profile: request.profile, address });
  }
  const network = toClientNetwork(request.address);
  if (network === undefined) return refused('unknown');
  return network.isPrivate && profile.sourceVpc === undefined ? refused('private') : ok(network);
}

/** The answer: what AWS gave, and until when it is good. */
export function toVended(assumed: AssumedRole, { endsAt, grant, session, stamp }: Plan): Vended {
  return {
    ...assumed,
    // STS gives at least its minimum. A session policy ends the credentials earlier, and this says
    // when.
    expiration: Math.min(assumed.expiration, endsAt ?? assumed.expiration),
    account: grant.profile.profile.account,
    roleArn: grant.profile.profile.roleArn,
    profile: grant.profile.name,
    sessionId: session.id,
    sourceIdentity: stamp.sourceIdentity,
  };
}
