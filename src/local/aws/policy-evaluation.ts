import {
  conditionHolds,
  conditionProblem,
  type Condition,
  type ConditionContext,
} from './policy-conditions.ts';
import { isPolicyDocument } from './session-policy.ts';
import { matchesWildcard } from './trust-policy.ts';

/**
 * What policies are asked: an action on a resource, and the request's condition keys in lower case.
 */
export type PolicyQuestion = {
  readonly action: string;
  readonly resource: string;
  readonly context: ConditionContext;
};

/** What a policy says about a request: a Deny applies, or else an Allow, or else neither. */
export type Verdict = 'deny' | 'allow' | 'none';

/** An Action or a Resource element; `not` for NotAction and NotResource. */
type Patterns = { readonly not: boolean; readonly patterns: readonly string[] };

/** A statement of an identity-based policy or a session policy; all its conditions must hold. */
type Statement = {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: Patterns;
  readonly resources: Patterns;
  readonly conditions: readonly Condition[];
};

/** The statements of a policy. */
export type Policy = readonly Statement[];

type Written = { readonly [element: string]: unknown };

function list(value: unknown): readonly string[] {
  return value === undefined ? [] : (Array.isArray(value) ? value : [value]).map(String);
}

function readConditions(blocks: unknown): readonly Condition[] {
  return Object.entries((blocks ?? {}) as Readonly<Record<string, Written>>).flatMap(
    ([operator, byKey]) =>
      Object.entries(byKey).map(([key, values]) => ({ operator, key, values: list(values) })),
  );
}

function readStatement(written: Written): Statement {
  const { Sid, Effect, Action, NotAction, Resource, NotResource, Condition } = written;
  return {
    sid: typeof Sid === 'string' ? Sid : undefined,
    effect: Effect === 'Allow' ? 'Allow' : 'Deny',
    actions: { not: Action === undefined, patterns: list(Action ?? NotAction) },
    resources: { not: Resource === undefined, patterns: list(Resource ?? NotResource) },
    conditions: readConditions(Condition),
  };
}

/**
 * Reads a policy document; undefined if it is malformed. Its operators and keys may be unknown
 * here.
 */
export function readPolicy(text: string): Policy | undefined {
  if (!isPolicyDocument(text)) return undefined;
  const { Statement: written } = JSON.parse(text) as Readonly<{
    Statement: Written | readonly Written[];
  }>;
  return (Array.isArray(written) ? (written as readonly Written[]) : [written as Written]).map(
    readStatement,
  );
}

function hasVariable({ actions, resources }: Statement): boolean {
  return [...actions.patterns, ...resources.patterns].some((pattern) => pattern.includes('${'));
}

/**
 * Whether a statement is about the action and the resource. Only actions are compared regardless of
 * case.
 */
function concerns(statement: Statement, { action, resource }: PolicyQuestion): boolean {
  const { actions, resources } = statement;
  const acts = actions.patterns.some((pattern) =>
    matchesWildcard(pattern.toLowerCase(), action.toLowerCase()),
  );
  const found = resources.patterns.some((pattern) => matchesWildcard(pattern, resource));
  // A variable could have any value, so it excludes no resource.
  return acts !== actions.not && (found !== resources.not || hasVariable(statement));
}

function applies(statement: Statement, question: PolicyQuestion): boolean {
  if (!concerns(statement, question)) return false;
  // What cannot be evaluated never helps the caller: with it an Allow does not apply, and a Deny
  // does.
  const unknown = statement.effect === 'Deny';
  if (hasVariable(statement) && !unknown) return false;
  return statement.conditions.every(
    (condition) => conditionHolds(condition, question.context) ?? unknown,
  );
}

/**
 * What one policy says about a request: `deny` if a Deny applies, or else `allow` if an Allow
 * applies.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function evaluatePolicy(policy: Policy, question: PolicyQuestion): Verdict {
  const effects = new Set(
    policy.filter((one) => applies(one, question)).map(({ effect }) => effect),
  );
  if (effects.has('Deny')) return 'deny';
  return effects.has('Allow') ? 'allow' : 'none';
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inner = Object.values(value).reduce<number>((sum, one) => sum + countKeys(one), 0);
  return inner + (Array.isArray(value) ? 0 : Object.keys(value).length);
}

/**
 * Whether JSON has a repeated key: JSON.parse keeps only the last, so there are fewer keys than in
 * the text.
 */
function hasDuplicates(text: string): boolean {
  const strings = [...text.matchAll(/"(?:[^"\\]|\\.)*"(?<colon>\s*:)?/gsu)];
  return (
    strings.filter(({ groups }) => groups?.['colon'] !== undefined).length !==
    countKeys(JSON.parse(text))
  );
}

const ACTION = /^(?:\*|[\w-]+:[\w*?]+)$/u;
const RESOURCE = /^(?:\*|arn:[^\s]+)$/u;

function statementProblem(statement: Statement): string | undefined {
  const { sid = '', actions, resources, conditions } = statement;
  if (!/^[0-9A-Za-z]*$/u.test(sid)) return 'Statement IDs (SID) must be alpha-numeric.';
  if (hasVariable(statement)) return 'Policy variables are not known to the embedded AWS.';
  if (actions.patterns.some((one) => !ACTION.test(one)))
    return 'Actions/Conditions must be prefaced by a vendor.';
  const odd = resources.patterns.find((one) => !RESOURCE.test(one));
  if (odd !== undefined) return `Resource ${odd} must be in ARN format or "*".`;
  return conditions.map(conditionProblem).find((problem) => problem !== undefined);
}

/**
 * Reads a role's inline policy; returns a sentence if something is wrong with it. IAM accepts more
 * operators and keys, but a policy must not seem to work here while half of it is ignored.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */
export function readRolePolicy(text: string): Policy | string {
  const policy = readPolicy(text);
  if (policy === undefined) return 'Syntax errors in policy.';
  const elements = Object.keys(JSON.parse(text) as object);
  if (
    hasDuplicates(text) ||
    elements.some((name) => !['Version', 'Id', 'Statement'].includes(name))
  ) {
    return 'Syntax errors in policy.';
  }
  const sids = policy.flatMap(({ sid }) => (sid === undefined || sid === '' ? [] : [sid]));
  if (new Set(sids).size < sids.length)
    return 'Statement IDs (SID) in a single policy must be unique.';
  return policy.map(statementProblem).find((problem) => problem !== undefined) ?? policy;
}
