import { HOUR, MINUTE } from '../lib/clock.ts';
import type { Revocation } from './revocation.ts';

/** A statement of the deny policy. */
type Statement = {
  readonly Sid: string;
  readonly Effect: 'Deny';
  readonly Action: '*';
  readonly Resource: '*';
  readonly Condition: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
};

/** The inline policy of a protected role that ends what was issued. */
export type HardPolicy = { readonly Version: '2012-10-17'; readonly Statement: readonly Statement[] };

/** The name of the policy: one for each role, rebuilt whole. */
export const HARD_POLICY_NAME = 'SentinelRevocations';

/** What a revoked session's tags say, in the characters that STS takes; see the names of vended sessions. */
export type TagNames = {
  /** Patterns of a tag that holds this name, of a user or a profile. */
  readonly ofName: (name: string) => readonly string[];
  /** SentinelPrincipal, which holds the subject: the principal itself, and behind a role a pattern of all its people. */
  readonly ofPrincipal: (principal: string) => readonly string[];
};

/** Credentials that were made just before the revocation was known everywhere are meant, too. */
const MARGIN = 1 * MINUTE;

/** No credentials of the TVM live longer. */
const LONGEST_CREDENTIALS = 1 * HOUR;

/** Beyond so many sessions, or so many characters, everything that was issued until now is denied instead. */
const MAX_SESSIONS = 100;
const MAX_CHARACTERS = 6_000;

/** IAM's own precision: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html */
const instant = (ms: number): string => `${new Date(Math.ceil(ms / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;

const issuedBefore = (revocation: Revocation) => ({
  DateLessThan: { 'aws:TokenIssueTime': instant(revocation.createdAt + MARGIN) },
});

const deny = (Sid: string, Condition: Statement['Condition']): Statement => ({
  Sid,
  Effect: 'Deny',
  Action: '*',
  Resource: '*',
  Condition,
});

/** Whether a revocation concerns what was issued for a profile, and anything of that can still be alive. */
export const isInForce = ({ target, createdAt }: Revocation, profile: string, now: number): boolean => {
  const only = profileOf(target);
  return (only === undefined || only === profile) && now < createdAt + MARGIN + LONGEST_CREDENTIALS;
};

const profileOf = (target: Revocation['target']): string | undefined => {
  if (target.kind === 'session') return target.profile;
  return target.kind === 'profile' ? target.value : undefined;
};

/** A value without a pattern is compared as it is: what others wrote into the log may hold wildcards. */
const principalIs = (values: readonly string[]): Statement['Condition'] => {
  const [only, ...patterns] = values;
  const key = 'aws:PrincipalTag/SentinelPrincipal';
  return patterns.length === 0 ? { StringEquals: { [key]: only ?? '' } } : { StringLike: { [key]: values } };
};

const statementOf = (revocation: Revocation, tags: TagNames): Statement => {
  const { n, target } = revocation;
  const sid = `Revocation${n}`;
  const time = issuedBefore(revocation);
  switch (target.kind) {
    case 'all':
      return deny(sid, time);
    case 'user':
      return deny(sid, { ...time, StringLike: { 'aws:PrincipalTag/SentinelUser': tags.ofName(target.value) } });
    case 'principal':
      return deny(sid, { ...time, ...principalIs(tags.ofPrincipal(target.value)) });
    case 'profile':
      return deny(sid, { ...time, StringLike: { 'aws:PrincipalTag/SentinelProfile': tags.ofName(target.value) } });
    case 'session':
      return deny(sid, { StringEquals: { 'aws:PrincipalTag/SentinelSessionID': target.value } });
  }
};

/**
 * The deny policy of a role whose profiles are given: what is revoked by name carries the time, so that what is vended after
 * lifting works; single sessions are denied by their tag. What has ended by itself is left out. Undefined if nothing is
 * left to deny.
 *
 * @param now epoch milliseconds
 */
export const toHardPolicy = (
  revocations: readonly Revocation[],
  profiles: readonly string[],
  tags: TagNames,
  now: number,
): HardPolicy | undefined => {
  const live = revocations.filter((one) => profiles.some((profile) => isInForce(one, profile, now)));
  if (live.length === 0) return undefined;
  const sessions = live.filter(({ target }) => target.kind === 'session');
  const single = sessions.map(({ target }) => (target.kind === 'session' ? target.value : ''));
  const others = live.filter(({ target }) => target.kind !== 'session').map((one) => statementOf(one, tags));
  const statements =
    single.length === 0
      ? others
      : [...others, deny('RevokedSessions', { StringEquals: { 'aws:PrincipalTag/SentinelSessionID': single } })];
  const whole: HardPolicy = { Version: '2012-10-17', Statement: statements };
  if (single.length <= MAX_SESSIONS && JSON.stringify(whole).length <= MAX_CHARACTERS) return whole;
  // Too many to name: whoever is not revoked gets new credentials at the next asking, whoever is does not.
  const latest = Math.max(...live.map(({ createdAt }) => createdAt));
  const everything = { DateLessThan: { 'aws:TokenIssueTime': instant(latest + MARGIN) } };
  return { Version: '2012-10-17', Statement: [deny('TooManyToName', everything)] };
};
