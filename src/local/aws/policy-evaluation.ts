import { BlockList, isIP } from 'node:net';
import { isPolicyDocument } from './session-policy.ts';
import { matchesWildcard } from './trust-policy.ts';

/** What is asked of policies: an action on a resource, and the condition keys of the request, in lower case. */
export type PolicyQuestion = {
  readonly action: string;
  readonly resource: string;
  readonly context: ReadonlyMap<string, readonly string[]>;
};

type OneOrMore = string | readonly string[];

type Statement = {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: OneOrMore;
  readonly NotAction?: OneOrMore;
  readonly Resource?: OneOrMore;
  readonly NotResource?: OneOrMore;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMore | boolean>>>>;
};

const list = (value: OneOrMore | boolean | undefined): readonly string[] => {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly string[]) : [String(value)];
};

type Match = (expected: string, actual: string) => boolean;

const byTime = (holds: (actual: number, expected: number) => boolean): Match => {
  return (expected, actual) => holds(Date.parse(actual), Date.parse(expected));
};

const inNetwork: Match = (expected, actual) => {
  const [address = '', bits] = expected.split('/');
  const version = isIP(address);
  if (version === 0 || isIP(actual) !== version) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const networks = new BlockList();
  networks.addSubnet(address, bits === undefined ? (version === 4 ? 32 : 128) : Number(bits), family);
  return networks.check(actual, family);
};

const same: Match = (expected, actual) => expected === actual;
const sameWord: Match = (expected, actual) => expected.toLowerCase() === actual.toLowerCase();

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
const OPERATORS: ReadonlyMap<string, { readonly match: Match; readonly negated?: true }> = new Map([
  ['StringEquals', { match: same }],
  ['StringNotEquals', { match: same, negated: true as const }],
  ['StringLike', { match: matchesWildcard }],
  ['StringNotLike', { match: matchesWildcard, negated: true as const }],
  ['ArnLike', { match: matchesWildcard }],
  ['ArnNotLike', { match: matchesWildcard, negated: true as const }],
  ['Bool', { match: sameWord }],
  ['DateLessThan', { match: byTime((actual, expected) => actual < expected) }],
  ['DateLessThanEquals', { match: byTime((actual, expected) => actual <= expected) }],
  ['DateGreaterThan', { match: byTime((actual, expected) => actual > expected) }],
  ['DateGreaterThanEquals', { match: byTime((actual, expected) => actual >= expected) }],
  ['IpAddress', { match: inNetwork }],
  ['NotIpAddress', { match: inNetwork, negated: true as const }],
]);

const IF_EXISTS = 'IfExists';

/** Whether one operator with one key holds; undefined where the operator is not known here. */
const conditionHolds = (name: string, expected: readonly string[], actual: readonly string[]): boolean | undefined => {
  if (name === 'Null') return expected.some((word) => (word === 'true') === (actual.length === 0));
  const optional = name.endsWith(IF_EXISTS);
  const operator = OPERATORS.get(optional ? name.slice(0, -IF_EXISTS.length) : name);
  if (operator === undefined) return undefined;
  // A key that the request does not carry: no condition holds but the negated ones, and those that may go without.
  if (actual.length === 0) return optional || operator.negated === true;
  const matches = actual.some((value) => expected.some((pattern) => operator.match(pattern, value)));
  return operator.negated === true ? !matches : matches;
};

const among = (patterns: OneOrMore | undefined, text: string): boolean =>
  list(patterns).some((pattern) => matchesWildcard(pattern.toLowerCase(), text.toLowerCase()));

const applies = (statement: Statement, { action, resource, context }: PolicyQuestion): boolean => {
  const acts = statement.Action === undefined ? !among(statement.NotAction, action) : among(statement.Action, action);
  const concerns =
    statement.Resource === undefined ? !among(statement.NotResource, resource) : among(statement.Resource, resource);
  const conditions = Object.entries(statement.Condition ?? {}).flatMap(([name, byKey]) =>
    Object.entries(byKey).map(([key, expected]) =>
      conditionHolds(name, list(expected), context.get(key.toLowerCase()) ?? []),
    ),
  );
  // What cannot be judged never helps the caller: an Allow with it does not apply, a Deny does.
  const unknown = statement.Effect === 'Deny';
  return acts && concerns && conditions.every((holds) => holds ?? unknown);
};

/**
 * What one policy says of a request: `deny` if a Deny applies, else `allow` if an Allow does, else nothing. What is no policy
 * denies.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export const evaluatePolicy = (text: string, question: PolicyQuestion): 'allow' | 'deny' | 'none' => {
  if (!isPolicyDocument(text)) return 'deny';
  const { Statement: given } = JSON.parse(text) as { readonly Statement: Statement | readonly Statement[] };
  const statements = (Array.isArray(given) ? given : [given]) as readonly Statement[];
  const effects = new Set(statements.filter((one) => applies(one, question)).map(({ Effect }) => Effect));
  if (effects.has('Deny')) return 'deny';
  return effects.has('Allow') ? 'allow' : 'none';
};

/** Whether a document uses condition operators that are known here only. */
export const hasKnownOperators = (text: string): boolean => {
  const { Statement: given } = JSON.parse(text) as { readonly Statement: Statement | readonly Statement[] };
  const statements = (Array.isArray(given) ? given : [given]) as readonly Statement[];
  const names = statements.flatMap(({ Condition = {} }) => Object.keys(Condition));
  return names.every((name) => conditionHolds(name, [], []) !== undefined);
};
