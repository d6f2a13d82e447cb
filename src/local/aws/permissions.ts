import { formatInstant } from '../../lib/clock.ts';
import { EMBEDDED_ACCOUNT, EMBEDDED_REGION, REVOKER_ROLE, roleArn, TVM_ROLE, type Principal } from './account.ts';
import { evaluatePolicy, type PolicyQuestion } from './policy-evaluation.ts';

const allow = (Action: readonly string[], Resource = '*'): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource }] });

const PROTECTED = /^SentinelProtected-/u;

/** What each role may do by its own policy. The protected ones may look at themselves, so that a demo has something to do. */
const ownPolicy = (role: string | undefined): string | undefined => {
  if (role === TVM_ROLE) return allow(['ssm:*', 'dynamodb:*']);
  if (role === REVOKER_ROLE) return allow(['iam:*RolePolicy*', 'iam:GetRole'], roleArn('SentinelProtected-*'));
  return role !== undefined && PROTECTED.test(role)
    ? allow(['iam:GetRole', 'sts:AssumeRole'], roleArn('*'))
    : undefined;
};

/** Inline policies by role and name, as IAM keeps them. */
export type InlinePolicies = { readonly of: (role: string) => readonly string[] };

/** The condition keys that a request of this principal carries. `now` in epoch milliseconds. */
const contextOf = (principal: Principal, peer: string, now: number): PolicyQuestion['context'] => {
  const { arn, issuedAt, sourceIdentity, tags, userId } = principal;
  return new Map<string, readonly string[]>([
    ['aws:currenttime', [new Date(now).toISOString()]],
    ['aws:sourceip', [peer]],
    ['aws:viaawsservice', ['false']],
    ['aws:securetransport', ['false']],
    ['aws:principalarn', [principal.principalArn]],
    ['aws:principalaccount', [EMBEDDED_ACCOUNT]],
    ['aws:userid', [userId]],
    ...(issuedAt === undefined ? [] : [['aws:tokenissuetime', [formatInstant(issuedAt)]] as const]),
    ...(sourceIdentity === undefined ? [] : [['aws:sourceidentity', [sourceIdentity]] as const]),
    ...[...(tags ?? [])].map(([key, value]) => [`aws:principaltag/${key.toLowerCase()}`, [value]] as const),
    ['aws:requestedregion', [EMBEDDED_REGION]],
    ['aws:sessionarn', [arn]],
  ]);
};

/**
 * Whether a principal may do something: an explicit Deny of its role's inline policies or of its session policy is final,
 * and with a session policy both have to allow.
 */
export const isAllowed = (
  principal: Principal,
  { action, resource }: Pick<PolicyQuestion, 'action' | 'resource'>,
  { inline, peer, now }: { readonly inline: InlinePolicies; readonly peer: string; readonly now: number },
): boolean => {
  const { roleName } = principal;
  const question = { action, resource, context: contextOf(principal, peer, now) };
  const own = ownPolicy(roleName);
  const policies = [...(own === undefined ? [] : [own]), ...(roleName === undefined ? [] : inline.of(roleName))];
  const says = new Set(policies.map((policy) => evaluatePolicy(policy, question)));
  if (says.has('deny') || !says.has('allow')) return false;
  return sessionPolicyPasses(principal, question);
};

const sessionPolicyPasses = ({ sessionPolicy, managed }: Principal, question: PolicyQuestion): boolean => {
  if (sessionPolicy === undefined) return true;
  const says = evaluatePolicy(sessionPolicy, question);
  return says === 'allow' || (says === 'none' && managed === true);
};

/** Whether something is kept from a principal, whoever else allows it: what a trust policy allows needs no more than that. */
export const isDenied = (
  principal: Principal,
  { action, resource }: Pick<PolicyQuestion, 'action' | 'resource'>,
  { inline, peer, now }: { readonly inline: InlinePolicies; readonly peer: string; readonly now: number },
): boolean => {
  const question = { action, resource, context: contextOf(principal, peer, now) };
  const policies = principal.roleName === undefined ? [] : inline.of(principal.roleName);
  const isForbidden = policies.some((policy) => evaluatePolicy(policy, question) === 'deny');
  return isForbidden || !sessionPolicyPasses(principal, question);
};
