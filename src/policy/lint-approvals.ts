import { checkFilling, type Candidates } from './approval/filling.ts';
import type { ApprovalPolicyDocument, ApprovalRule } from './documents/approval-policy.ts';
import { MAX_FINDINGS, type LintFinding } from './lint.ts';
import { oneOfWords, quote } from './reading/problem.ts';

/** So many names are listed of those whose requests nobody could approve. */
const MOST_NAMES = 5;

function findingsOf(rule: ApprovalRule, candidates: Candidates): readonly LintFinding[] {
  const { never, lone } = checkFilling(rule, candidates);
  const { name } = rule;
  if (never !== undefined) {
    const message = `rule ${quote(name)}: by the callers that are known nobody could be approved: ${never}`;
    return [{ kind: 'unfillable-group', rule: name, message }];
  }
  if (lone.length === 0) return [];
  const names = oneOfWords(lone.slice(0, MOST_NAMES).map((one) => quote(one)));
  const message =
    `rule ${quote(name)}: nobody could approve what ${names} asks for, since nobody approves their ` +
    'own request; name more approvers, or in "requesters" those whom the rule is for';
  return [{ kind: 'lone-requester', rule: name, message }];
}

/**
 * Finds rules of an approval policy whose groups no known callers can fill, or not for one of their
 * own approvers. They are warnings, at most {@link MAX_FINDINGS}: callers come and go, and the
 * policy applies as written. It yields after each rule, so that its caller can let others use the
 * event loop.
 */
export function* lintApprovals(
  { rules }: ApprovalPolicyDocument,
  candidates: Candidates,
): Generator<void, readonly LintFinding[]> {
  const found: LintFinding[] = [];
  for (const rule of rules) {
    found.push(...findingsOf(rule, candidates));
    if (found.length >= MAX_FINDINGS) break;
    yield;
  }
  return found;
}
