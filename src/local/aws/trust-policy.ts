/** One or several texts, as in IAM's policy language. */
type OneOrMore = string | readonly string[];

/** A statement of a role's trust policy, with the elements that are known here. */
export type TrustStatement = {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: { readonly AWS: OneOrMore };
  readonly Action: OneOrMore;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMore>>>>;
};

/** A role's trust policy: the document that IAM calls AssumeRolePolicyDocument. */
export type TrustPolicy = {
  readonly Version: '2012-10-17';
  readonly Statement: readonly TrustStatement[];
};

/** What a trust policy is asked. */
export type TrustQuestion = {
  /** `sts:AssumeRole`, `sts:SetSourceIdentity` or `sts:TagSession`. */
  readonly action: string;
  /** The ARNs that name the caller: for a session its role's and its own. */
  readonly callers: readonly string[];
  /**
   * The condition keys of the request, in lower case; keys that the request does not have are
   * absent.
   */
  readonly context: ReadonlyMap<string, readonly string[]>;
};

function list(value: OneOrMore): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

/** IAM's wildcards: `*` for any characters, `?` for exactly one. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[$()+.[\\\]^{|}]/gu, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su').test(text);
}

function equals(expected: string, actual: string): boolean {
  return expected === actual;
}

type Operator = {
  readonly matches: (pattern: string, actual: string) => boolean;
  /** ForAllValues: every value of the request must match, and a request without any matches. */
  readonly forAll: boolean;
};

const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ['StringEquals', { matches: equals, forAll: false }],
  ['StringLike', { matches: matchesWildcard, forAll: false }],
  ['ForAllValues:StringEquals', { matches: equals, forAll: true }],
  ['ForAllValues:StringLike', { matches: matchesWildcard, forAll: true }],
]);

const KEYS: ReadonlySet<string> = new Set([
  'sts:sourceidentity',
  'sts:externalid',
  'sts:rolesessionname',
  'aws:tagkeys',
]);

/** Whether the conditions hold; undefined if one of them uses an unknown operator or key. */
function conditionsHold(
  statement: TrustStatement,
  context: TrustQuestion['context'],
): boolean | undefined {
  let holds = true;
  for (const [name, byKey] of Object.entries(statement.Condition ?? {})) {
    const operator = OPERATORS.get(name);
    if (operator === undefined) return undefined;
    for (const [key, patterns] of Object.entries(byKey)) {
      if (!KEYS.has(key.toLowerCase())) return undefined;
      holds = valuesMatch(operator, list(patterns), context.get(key.toLowerCase()) ?? []) && holds;
    }
  }
  return holds;
}

function valuesMatch(
  { matches, forAll }: Operator,
  patterns: readonly string[],
  actual: readonly string[],
): boolean {
  function anyPattern(value: string): boolean {
    return patterns.some((pattern) => matches(pattern, value));
  }
  return forAll ? actual.every(anyPattern) : actual.some(anyPattern);
}

function applies(statement: TrustStatement, { action, callers, context }: TrustQuestion): boolean {
  const named = list(statement.Principal.AWS).some((arn) => arn === '*' || callers.includes(arn));
  const acts = list(statement.Action).some((pattern) =>
    matchesWildcard(pattern.toLowerCase(), action.toLowerCase()),
  );
  // What cannot be evaluated never helps the caller: with it an Allow does not apply, and a Deny
  // does.
  return named && acts && (conditionsHold(statement, context) ?? statement.Effect === 'Deny');
}

/**
 * Evaluates a trust policy by IAM's rules: no Deny may apply, and an Allow must apply. Condition
 * keys are compared regardless of case.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function trustAllows(policy: TrustPolicy, question: TrustQuestion): boolean {
  const applicable = policy.Statement.filter((statement) => applies(statement, question));
  return applicable.length > 0 && applicable.every(({ Effect }) => Effect === 'Allow');
}
