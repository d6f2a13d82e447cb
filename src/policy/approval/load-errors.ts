import { hasWildcard, matchesPattern } from '../arn-pattern.ts';
import type { ApprovalPolicyDocument, ApprovalRule } from '../documents/approval-policy.ts';
import { quote, type PathStep } from '../reading/problem.ts';
import { checkFilling, type Candidate, type Candidates } from './filling.ts';
import { createPeople } from './person.ts';

/** What makes an approval policy be refused: where it is in the document, and why. */
export type ApprovalError = { readonly path: readonly PathStep[]; readonly message: string };

type Requesters = ApprovalRule['requesters'];

/**
 * By the document alone every entry is somebody else, and a role may have any number of persons
 * behind it: what cannot be filled even so never can.
 */
function toCandidate(entry: string): Candidate {
  const isMany = hasWildcard(entry) || /^arn:[^:]*:iam::[^:]*:role\//u.test(entry);
  return { name: entry, principal: entry, subject: entry, isMany, isBot: false };
}

/** Whether a list of an earlier rule has whatever a later one's has. */
function coversList(
  earlier: readonly string[] | undefined,
  later: readonly string[] | undefined,
  isIn: (item: string, list: readonly string[]) => boolean,
): boolean {
  return earlier === undefined || (later?.every((item) => isIn(item, earlier)) ?? false);
}

function isPrincipalIn(item: string, list: readonly string[]): boolean {
  return list.some((one) => one === item || (!hasWildcard(item) && matchesPattern(one, item)));
}

function coversRequesters(earlier: Requesters, later: Requesters): boolean {
  return (
    coversList(earlier?.users, later?.users, (item, list) => list.includes(item)) &&
    coversList(earlier?.principals, later?.principals, isPrincipalIn)
  );
}

/**
 * The earlier rules that together take all requests of a rule; undefined where one may come to it.
 * Says so in cases that would take more to prove.
 */
function findCover(
  rule: ApprovalRule,
  before: readonly ApprovalRule[],
): ReadonlySet<string> | undefined {
  const wide = before.filter(({ requesters }) => coversRequesters(requesters, rule.requesters));
  const places: readonly (string | undefined)[] = rule.profiles ?? [undefined];
  const names = new Set<string>();
  for (const place of places) {
    const cover = wide.find(
      ({ profiles }) => profiles === undefined || (place !== undefined && profiles.includes(place)),
    );
    if (cover === undefined) return undefined;
    names.add(cover.name);
  }
  return names;
}

/**
 * Finds what of an approval policy can never work, whoever there is: rules whose groups nobody can
 * fill, and rules that no request can reach.
 */
export function findApprovalErrors({ rules }: ApprovalPolicyDocument): readonly ApprovalError[] {
  const candidates: Candidates = { people: createPeople([]), toCandidate };
  return rules.flatMap((rule, index): ApprovalError[] => {
    const path = ['rules', index];
    const { never } = checkFilling(rule, candidates);
    const cover = findCover(rule, rules.slice(0, index));
    const names = cover === undefined ? '' : [...cover].map((name) => quote(name)).join(' and ');
    return [
      ...(never === undefined ? [] : [{ path, message: `nobody could be approved: ${never}` }]),
      ...(cover === undefined
        ? []
        : [{ path, message: `is never reached: ${names} takes every request that it would` }]),
    ];
  });
}
