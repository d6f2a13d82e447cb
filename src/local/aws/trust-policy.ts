/** One or several of something, as IAM's policy language writes it. */
type OneOrMore = string | readonly string[];

/** One statement of a role's trust policy, with the elements that the evaluator knows. */
export type TrustStatement = {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: { readonly AWS: OneOrMore };
  readonly Action: OneOrMore;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMore>>>>;
};

/** A role's trust policy, the JSON document that IAM keeps as AssumeRolePolicyDocument. */
export type TrustPolicy = { readonly Version: '2012-10-17'; readonly Statement: readonly TrustStatement[] };

/** What is asked of a trust policy. */
export type TrustQuestion = {
  /** `sts:AssumeRole`, `sts:SetSourceIdentity` or `sts:TagSession`. */
  readonly action: string;
  /** Every ARN that names the caller: for a session its role's and its own. */
  readonly callers: readonly string[];
  /** The condition keys that this action's request carries; a key that is absent from the request is absent here. */
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

/** Whether the conditions hold; undefined if one of them uses an operator or a key that is not known here. */
function conditionsHold(statement: TrustStatement, context: TrustQuestion['context']): boolean | undefined {
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

function valuesMatch({ matches, forAll }: Operator, patterns: readonly string[], actual: readonly string[]): boolean {
  function anyPattern(value: string): boolean {
    return patterns.some((pattern) => matches(pattern, value));
  }
  return forAll ? actual.every(anyPattern) : actual.some(anyPattern);
}

function applies(statement: TrustStatement, { action, callers, context }: TrustQuestion): boolean {
  const named = list(statement.Principal.AWS).some((arn) => arn === '*' || callers.includes(arn));
  const acts = list(statement.Action).some((pattern) => matchesWildcard(pattern.toLowerCase(), action.toLowerCase()));
  // What cannot be judged never helps the caller: an Allow with it does not apply, a Deny does.
  return named && acts && (conditionsHold(statement, context) ?? statement.Effect === 'Deny');
}

/**
 * Evaluates a trust policy by IAM's rules: a Deny that applies is final, else an Allow must apply. Condition keys are
 * compared without regard to case and must be lower case in the question's context.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function trustAllows(policy: TrustPolicy, question: TrustQuestion): boolean {
  const applicable = policy.Statement.filter((statement) => applies(statement, question));
  return applicable.length > 0 && applicable.every(({ Effect }) => Effect === 'Allow');
}
