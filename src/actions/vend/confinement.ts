import { formatInstant } from '../../lib/clock.ts';
import type { Profile } from '../../policy/documents/profile.ts';
import type { ClientNetwork } from './client-network.ts';

type Statement = Readonly<Record<string, unknown>>;

/** What a session is confined by beyond its role. */
export type Confinement = {
  /** The exact end, epoch milliseconds, where STS's minimum life would outlast it. */
  readonly endsAt: number | undefined;
  /** Whether the vend rests on an approval, whose end nothing may outlive. */
  readonly isGranted: boolean;
  /** The caller's network, where the profile binds credentials to it. */
  readonly network: ClientNetwork | undefined;
};

function deny(action: string, condition?: Statement): Statement {
  return {
    Effect: 'Deny',
    Action: action,
    Resource: '*',
    ...(condition === undefined ? {} : { Condition: condition }),
  };
}

/**
 * AssumeRole, AssumeRoot and GetWebIdentityToken all give what outlives the session. Their names do
 * not fit into what a profile leaves, so a session that rests on an approval is denied all of STS
 * but GetCallerIdentity, which no policy can deny:
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
const CHAINING = 'sts:*';

/** After the end nothing works. */
function untilEnd(endsAt: number): Statement {
  return deny('*', { DateGreaterThan: { 'aws:CurrentTime': formatInstant(endsAt) } });
}

/**
 * Before the end no role can be assumed, because that role's session would outlast it. What rests
 * on an approval can take nothing else of the kind either, unless its profile says that it may.
 */
function chainingOf(
  profile: Profile,
  endsAt: number | undefined,
  isGranted: boolean,
): readonly Statement[] {
  if (isGranted) return profile.chaining ? [] : [deny(CHAINING)];
  return endsAt === undefined ? [] : [deny('sts:AssumeRole')];
}

/**
 * Negated operators match when the key is absent, so a call whose address AWS does not see is
 * denied. AWS services that act on the caller's behalf come from addresses of their own and are let
 * through by `aws:ViaAWSService`; the few that do not set that key are held to the address. `Bool`
 * in the second statement, not `BoolIfExists`, keeps all our Denies within the 500 characters that
 * a profile leaves.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
function boundTo(
  { cidr, isPrivate }: ClientNetwork,
  vpc: string | undefined,
): readonly Statement[] {
  const ownCall = { 'aws:ViaAWSService': false };
  const key = isPrivate ? 'aws:VpcSourceIp' : 'aws:SourceIp';
  const address = deny('*', { NotIpAddress: { [key]: cidr }, BoolIfExists: ownCall });
  if (!isPrivate) return [address];
  return [address, deny('*', { StringNotEquals: { 'aws:SourceVpc': vpc ?? '' }, Bool: ownCall })];
}

/**
 * The inline session policy, minified; undefined when none is needed. It can only narrow the role:
 * beside the profile's own statements there are only Denies of ours. Beside managed policies alone
 * an Allow would cancel them, so there are only Denies; with neither, `Allow *` keeps what the role
 * may.
 */
export function toSessionPolicy(
  profile: Profile,
  { endsAt, network, isGranted }: Confinement,
): string | undefined {
  const denies = [
    ...(endsAt === undefined ? [] : [untilEnd(endsAt)]),
    ...chainingOf(profile, endsAt, isGranted),
    ...(network === undefined ? [] : boundTo(network, profile.sourceVpc)),
  ];
  const own = profile.sessionPolicy?.statements ?? [];
  if (own.length === 0 && denies.length === 0) return undefined;
  const allow: readonly Statement[] =
    own.length === 0 && profile.managedPolicies.length === 0
      ? [{ Effect: 'Allow', Action: '*', Resource: '*' }]
      : [];
  return JSON.stringify({ Version: '2012-10-17', Statement: [...own, ...allow, ...denies] });
}
