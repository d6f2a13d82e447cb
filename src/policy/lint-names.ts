import type { AccessPolicyDocument } from './documents/access-policy.ts';
import type { ApprovalPolicyDocument } from './documents/approval-policy.ts';
import type { BreakGlassPolicyDocument } from './documents/break-glass-policy.ts';
import type { BreakGlassRatePolicyDocument } from './documents/break-glass-rate-policy.ts';
import type { KnownCallers } from './known-callers.ts';
import {
  impossibleInDeny,
  questionAccount,
  questionPrincipal,
  questionUserName,
} from './question-names.ts';
import { MAX_FINDINGS, type LintFinding } from './lint.ts';
import type { PeopleDocument } from './documents/people.ts';
import type { OperatorsDocument } from './documents/operators.ts';
import { isNeverMet } from './overlap.ts';
import { quote } from './reading/problem.ts';

/** The callers and profiles that one rule of any document names. */
export type RuleNames = {
  readonly rule: string;
  /** Whether the rule denies access to the callers that it names. */
  readonly denies: boolean;
  readonly users: readonly string[];
  readonly principals: readonly string[];
  readonly accounts: readonly string[];
  /** Undefined if the rule is for all profiles. */
  readonly profiles: readonly string[] | undefined;
};

const NOBODY = {
  denies: false,
  users: [],
  principals: [],
  accounts: [],
  profiles: undefined,
} as const;

/**
 * Collects the names in an access policy. A rule that can never match on this server counts as
 * naming nobody.
 */
export function namesOfAccessPolicy({ rules }: AccessPolicyDocument): readonly RuleNames[] {
  return rules.map((rule) => {
    const { name, effect, conditions } = rule;
    if (isNeverMet(rule)) return { ...NOBODY, rule: name };
    const { users = [], principals = [], accounts = [], profiles } = conditions;
    return { rule: name, denies: effect === 'deny', users, principals, accounts, profiles };
  });
}

/** Collects the names in the operators' document. */
export function namesOfOperators({ rules }: OperatorsDocument): readonly RuleNames[] {
  return rules.map(({ name, users = [], principals = [], profiles }) => ({
    ...NOBODY,
    rule: name,
    users,
    principals,
    profiles,
  }));
}

/** Whether an entry of a list that takes both is a principal, and not a name. */
function isPrincipalEntry(entry: string): boolean {
  return /^(?:arn:|sentinel:)/u.test(entry);
}

/** Collects the names in an approval policy. */
export function namesOfApprovalPolicy({ rules }: ApprovalPolicyDocument): readonly RuleNames[] {
  return rules.map((rule) => {
    const {
      name,
      approvers = [],
      approver_principals: principals = [],
      requesters,
      profiles,
    } = rule;
    const from = [
      ...(rule.require ?? []).flatMap((group) => group.from),
      ...(rule.escalate?.from ?? []),
    ];
    const users = [...approvers, ...(rule.auto_approve?.users ?? []), ...(requesters?.users ?? [])];
    return {
      ...NOBODY,
      rule: name,
      users: [...new Set([...users, ...from.filter((entry) => !isPrincipalEntry(entry))])],
      principals: [
        ...new Set([
          ...principals,
          ...(requesters?.principals ?? []),
          ...from.filter(isPrincipalEntry),
        ]),
      ],
      profiles,
    };
  });
}

/** Collects the names in the document of people. */
export function namesOfPeople({ rules }: PeopleDocument): readonly RuleNames[] {
  return rules.map(({ name, is }) => ({
    ...NOBODY,
    rule: name,
    users: is.filter((entry) => !isPrincipalEntry(entry)),
    principals: is.filter(isPrincipalEntry),
  }));
}

/** Collects the names in a break-glass policy, or the profiles in a rate policy. */
export function namesOfBreakGlass({
  rules,
}: BreakGlassPolicyDocument | BreakGlassRatePolicyDocument): readonly RuleNames[] {
  return rules.map((rule) => {
    if (!('users' in rule)) return { ...NOBODY, rule: rule.name, profiles: rule.profiles };
    const others = [...(rule.second_person?.from ?? []), ...(rule.review?.by ?? [])];
    return {
      ...NOBODY,
      rule: rule.name,
      users: [...new Set([...rule.users, ...others.filter((entry) => !isPrincipalEntry(entry))])],
      principals: [...new Set(others.filter(isPrincipalEntry))],
      profiles: rule.profiles,
    };
  });
}

/** A name in a deny that can match nobody: where it is in the document, and why. */
export type EmptyDenial = { readonly path: readonly (string | number)[]; readonly message: string };

/**
 * Finds names in the denies of an access policy that can match nobody. They are load errors of that
 * profile, because a later rule could allow the callers whom they were meant to deny.
 *
 * @param profile the profile that the policy is for; rules for other profiles never match
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
      if (message !== undefined)
        found.push({ path: ['rules', index, 'conditions', 'users', at], message });
      if (found.length === MAX_FINDINGS) return found;
    }
  }
  return found;
}

/**
 * Finds valid names that match no caller and no profile that is known, in a document of any kind.
 * They are warnings, at most {@link MAX_FINDINGS}.
 *
 * @param profiles the names of all profiles that have a valid profile document
 * @param own the profile that an access policy is for; undefined for documents about all profiles
 */
export function lintNames(
  rules: readonly RuleNames[],
  known: KnownCallers,
  profiles: { readonly has: (name: string) => boolean },
  own: string | undefined,
): readonly LintFinding[] {
  const found: LintFinding[] = [];
  for (const rule of rules) {
    for (const one of findingsOf(rule, known, profiles, own)) {
      found.push(one);
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
  function finding(kind: LintFinding['kind'], problem: string): LintFinding {
    return { kind, rule, message: `rule ${quote(rule)}: ${problem}` };
  }
  for (const user of users) {
    const problem = questionUserName(user, known, denies);
    if (problem !== undefined) yield finding('unknown-caller', problem);
  }
  for (const principal of principals) {
    const problem = questionPrincipal(principal, known);
    if (problem !== undefined) yield finding('unknown-caller', problem);
  }
  for (const account of accounts) {
    const problem = questionAccount(account, known);
    if (problem !== undefined) yield finding('unknown-caller', problem);
  }
  if (own !== undefined && denies && named?.includes(own) === false) {
    yield finding(
      'unknown-profile',
      `it denies only profiles other than ${quote(own)}, but this policy decides on ${quote(own)} alone`,
    );
  }
  const unknown =
    own === undefined ? (named ?? []).filter((profile) => !profiles.has(profile)) : [];
  for (const profile of unknown)
    yield finding('unknown-profile', `there is no profile ${quote(profile)}`);
}
