import type { AccessPolicyDocument } from './documents/access-policy.ts';
import type { ApprovalPolicyDocument } from './documents/approval-policy.ts';
import type { BreakGlassPolicyDocument } from './documents/break-glass-policy.ts';
import type { BreakGlassRatePolicyDocument } from './documents/break-glass-rate-policy.ts';
import {
  impossibleInDeny,
  questionAccount,
  questionPrincipal,
  questionUserName,
  type KnownCallers,
} from './known-callers.ts';
import { MAX_FINDINGS, type LintFinding } from './lint.ts';
import type { OperatorsDocument } from './documents/operators.ts';
import { isNeverMet } from './overlap.ts';
import { quote } from './reading/problem.ts';

/** Whom and what one rule of any document names. */
export type RuleNames = {
  readonly rule: string;
  /** Whether the rule refuses whom it names. */
  readonly denies: boolean;
  readonly users: readonly string[];
  readonly principals: readonly string[];
  readonly accounts: readonly string[];
  /** Undefined where the rule is for all profiles. */
  readonly profiles: readonly string[] | undefined;
};

const NOBODY = { denies: false, users: [], principals: [], accounts: [], profiles: undefined } as const;

/** Whom an access policy names; a rule that can never match on this server names nobody. */
export function namesOfAccessPolicy({ rules }: AccessPolicyDocument): readonly RuleNames[] {
  return rules.map((rule) => {
    const { name, effect, conditions } = rule;
    if (isNeverMet(rule)) return { ...NOBODY, rule: name };
    const { users = [], principals = [], accounts = [], profiles } = conditions;
    return { rule: name, denies: effect === 'deny', users, principals, accounts, profiles };
  });
}

/** Whom the operators' document names. */
export function namesOfOperators({ rules }: OperatorsDocument): readonly RuleNames[] {
  return rules.map(({ name, users = [], principals = [], profiles }) => ({
    ...NOBODY,
    rule: name,
    users,
    principals,
    profiles,
  }));
}

function isPrincipalEntry(entry: string): boolean {
  return /^(?:arn:|sentinel:)/u.test(entry);
}

/** Whom an approval policy names. */
export function namesOfApprovalPolicy({ rules }: ApprovalPolicyDocument): readonly RuleNames[] {
  return rules.map((rule) => {
    const { name, approvers = [], approver_principals: principals = [], requesters, profiles } = rule;
    const from = [...(rule.require ?? []).flatMap((group) => group.from), ...(rule.escalate?.from ?? [])];
    const users = [...approvers, ...(rule.auto_approve?.users ?? []), ...(requesters?.users ?? [])];
    return {
      ...NOBODY,
      rule: name,
      users: [...new Set([...users, ...from.filter((entry) => !isPrincipalEntry(entry))])],
      principals: [...new Set([...principals, ...(requesters?.principals ?? []), ...from.filter(isPrincipalEntry)])],
      profiles,
    };
  });
}

/** Whom a break-glass policy names, or for what a rate policy counts. */
export function namesOfBreakGlass({
  rules,
}: BreakGlassPolicyDocument | BreakGlassRatePolicyDocument): readonly RuleNames[] {
  return rules.map((rule) => ({
    ...NOBODY,
    rule: rule.name,
    users: 'users' in rule ? rule.users : [],
    profiles: rule.profiles,
  }));
}

/** A refusal that refuses nobody: where in the document, and why. */
export type EmptyDenial = { readonly path: readonly (string | number)[]; readonly message: string };

/**
 * Finds names in the denying rules of an access policy that can refuse nobody, so that whom they were meant for would be
 * let in by the next rule: load errors of that profile.
 *
 * @param profile the profile that the policy is for; rules for others never match
 */
export function findEmptyDenials(
  rules: readonly RuleNames[],
  profile: string,
  known: KnownCallers,
): readonly EmptyDenial[] {
  const found: EmptyDenial[] = [];
  for (const [index, rule] of rules.entries()) {
    if (!rule.denies || !(rule.profiles?.includes(profile) ?? true)) continue;
    for (const [at, user] of rule.users.entries()) {
      const message = impossibleInDeny(user, known);
      if (message !== undefined) found.push({ path: ['rules', index, 'conditions', 'users', at], message });
      if (found.length === MAX_FINDINGS) return found;
    }
  }
  return found;
}

/**
 * Finds names of a sound form that match nobody and nothing known, in a document of any kind. Warnings, bounded by
 * {@link MAX_FINDINGS}.
 *
 * @param profiles the names of all profiles that can be vended
 * @param own the profile that an access policy is for; undefined for documents about all
 */
export function lintNames(
  rules: readonly RuleNames[],
  known: KnownCallers,
  profiles: { readonly has: (name: string) => boolean },
  own?: string,
): readonly LintFinding[] {
  const found: LintFinding[] = [];
  for (const rule of rules) {
    for (const finding of findingsOf(rule, known, profiles, own)) {
      found.push(finding);
      if (found.length === MAX_FINDINGS) return found;
    }
  }
  return found;
}

function* findingsOf(
  { rule, denies, users, principals, accounts, profiles: named }: RuleNames,
  known: KnownCallers,
  profiles: { readonly has: (name: string) => boolean },
  own: string | undefined,
): Generator<LintFinding> {
  function tell(kind: LintFinding['kind'], problem: string): LintFinding {
    return {
      kind,
      rule,
      message: `rule ${quote(rule)}: ${problem}`,
    };
  }
  for (const user of users) {
    const problem = questionUserName(user, known, denies);
    if (problem !== undefined) yield tell('unknown-caller', problem);
  }
  for (const principal of principals) {
    const problem = questionPrincipal(principal, known);
    if (problem !== undefined) yield tell('unknown-caller', problem);
  }
  for (const account of accounts) {
    const problem = questionAccount(account, known);
    if (problem !== undefined) yield tell('unknown-caller', problem);
  }
  if (own !== undefined && denies && named?.includes(own) === false) {
    yield tell('unknown-profile', `it denies other profiles than ${quote(own)}, for which alone this policy is asked`);
  }
  const unknown = own === undefined ? (named ?? []).filter((profile) => !profiles.has(profile)) : [];
  for (const profile of unknown) yield tell('unknown-profile', `there is no profile ${quote(profile)}`);
}
