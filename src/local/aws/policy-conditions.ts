import { BlockList, isIP } from 'node:net';
import { matchesWildcard } from './trust-policy.ts';

/**
 * Condition keys of a request by lower-case name; keys that the request does not have are absent.
 */
export type ConditionContext = ReadonlyMap<string, readonly string[]>;

/** One line of a Condition element: operator and key as written, values as texts. */
export type Condition = {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
};

type Match = (expected: string, actual: string) => boolean;

type Operator = {
  readonly match: Match;
  /** Whether a value in a policy has the form that this operator needs. */
  readonly takes: (value: string) => boolean;
  readonly negated: boolean;
};

const PREFIX_LENGTH = { 4: 32, 6: 128 } as const;

/** Reads a CIDR block or a single address; undefined if it is neither. */
function readNetwork(text: string) {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address) as 0 | 4 | 6;
  if (version === 0 || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/u.test(bits)))
    return undefined;
  const length = bits === undefined ? PREFIX_LENGTH[version] : Number(bits);
  return length > PREFIX_LENGTH[version] ? undefined : { address, length, version };
}

function inNetwork(expected: string, actual: string): boolean {
  const network = readNetwork(expected);
  // An address of the other family is outside every block.
  if (network === undefined || isIP(actual) !== network.version) return false;
  const family = network.version === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(network.address, network.length, family);
  return block.check(actual, family);
}

const ISO_8601 = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/u;

/** A W3C form of ISO 8601, or seconds since the epoch; NaN if it is neither. */
function readDate(text: string): number {
  if (/^\d{1,11}$/u.test(text)) return Number(text) * 1_000;
  return ISO_8601.test(text) ? Date.parse(text) : Number.NaN;
}

function same(expected: string, actual: string): boolean {
  return expected === actual;
}

function sameWord(expected: string, actual: string): boolean {
  return expected.toLowerCase() === actual.toLowerCase();
}

function partsOf(arn: string): readonly string[] {
  const all = arn.split(':');
  return [...all.slice(0, 5), all.slice(5).join(':')];
}

/** Matches the six parts of an ARN one by one, so that no wildcard crosses their colons. */
function matchesArn(expected: string, actual: string): boolean {
  const given = partsOf(actual);
  return partsOf(expected).every((pattern, index) => matchesWildcard(pattern, given[index] ?? ''));
}

function isText(): boolean {
  return true;
}

function isArn(value: string): boolean {
  return value === '*' || /^arn:(?:[^:]*:){4}./u.test(value);
}

function isFlag(value: string): boolean {
  return /^(?:true|false)$/iu.test(value);
}

function isNetwork(value: string): boolean {
  return readNetwork(value) !== undefined;
}

function isDate(value: string): boolean {
  return !Number.isNaN(readDate(value));
}

function plain(match: Match, takes: Operator['takes']): Operator {
  return { match, takes, negated: false };
}

function negated(match: Match, takes: Operator['takes']): Operator {
  return { match, takes, negated: true };
}

function date(holds: (actual: number, expected: number) => boolean): Operator {
  function match(expected: string, actual: string): boolean {
    return holds(readDate(actual), readDate(expected));
  }

  return plain(match, isDate);
}

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['StringEquals', plain(same, isText)],
  ['StringNotEquals', negated(same, isText)],
  ['StringLike', plain(matchesWildcard, isText)],
  ['StringNotLike', negated(matchesWildcard, isText)],
  ['ArnLike', plain(matchesArn, isArn)],
  ['ArnNotLike', negated(matchesArn, isArn)],
  ['Bool', plain(sameWord, isFlag)],
  ['DateLessThan', date((actual, expected) => actual < expected)],
  ['DateLessThanEquals', date((actual, expected) => actual <= expected)],
  ['DateGreaterThan', date((actual, expected) => actual > expected)],
  ['DateGreaterThanEquals', date((actual, expected) => actual >= expected)],
  ['IpAddress', plain(inNetwork, isNetwork)],
  ['NotIpAddress', negated(inNetwork, isNetwork)],
]);

/** The condition keys that are known here, whether or not a request has them. */
const KEYS: ReadonlySet<string> = new Set([
  'aws:currenttime',
  'aws:tokenissuetime',
  'aws:sourceip',
  'aws:vpcsourceip',
  'aws:sourcevpc',
  'aws:viaawsservice',
  'aws:securetransport',
  'aws:requestedregion',
  'aws:principalarn',
  'aws:principalaccount',
  'aws:sourceidentity',
  'aws:userid',
  'aws:username',
  'sts:sourceidentity',
  'sts:externalid',
  'sts:rolesessionname',
]);

const TAG = 'aws:principaltag/';

function isKnownKey(key: string): boolean {
  const name = key.toLowerCase();
  return KEYS.has(name) || (name.startsWith(TAG) && name.length > TAG.length);
}

/** An operator with its set prefix and its IfExists suffix. */
type Qualified = {
  readonly operator: Operator;
  readonly set: string | undefined;
  readonly ifExists: boolean;
};

function readOperator(name: string): Qualified | undefined {
  const [, set, base = '', ifExists] =
    /^(?:(ForAnyValue|ForAllValues):)?(\w+?)(IfExists)?$/u.exec(name) ?? [];
  const operator = OPERATORS.get(base);
  if (operator === undefined) return undefined;
  return { operator, set, ifExists: ifExists !== undefined };
}

/** Why a condition cannot be evaluated here; undefined if it can. */
export function conditionProblem({ operator: name, key, values }: Condition): string | undefined {
  const operator = name === 'Null' ? { takes: isFlag } : readOperator(name)?.operator;
  if (operator === undefined) return `Invalid Condition type : ${name}.`;
  if (!isKnownKey(key)) return `Condition key ${key} is not known to the embedded AWS.`;
  if (values.length === 0) return `The condition ${name} of ${key} has no value.`;
  if (values.some((value) => value.includes('${')))
    return 'Policy variables are not known to the embedded AWS.';
  const odd = values.find((value) => !operator.takes(value));
  return odd === undefined
    ? undefined
    : `The value ${odd} cannot be used with the condition operator ${name}.`;
}

/**
 * Whether the values of a present key satisfy an operator: OR of the expected values, NOR for
 * negated operators.
 */
function satisfies(
  { operator, set }: Qualified,
  expected: readonly string[],
  actual: readonly string[],
): boolean {
  function one(value: string): boolean {
    return expected.some((pattern) => operator.match(pattern, value)) !== operator.negated;
  }
  if (set === 'ForAnyValue') return actual.some(one);
  // Without a set operator a key has one value. If it has more, a negated operator must hold for
  // all.
  return set === 'ForAllValues' || operator.negated ? actual.every(one) : actual.some(one);
}

/**
 * Whether one condition holds; undefined if it cannot be evaluated. If the key is absent, negated
 * operators, those that end in IfExists, and ForAllValues hold; the others do not. ForAnyValue of
 * an absent key does not hold, not even with IfExists or negated:
 * https://repost.aws/questions/QU9HFmDzP0QGuU-fd7rS6B7w
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
 */
export function conditionHolds(
  condition: Condition,
  context: ConditionContext,
): boolean | undefined {
  if (conditionProblem(condition) !== undefined) return undefined;
  const actual = context.get(condition.key.toLowerCase()) ?? [];
  if (condition.operator === 'Null') {
    return condition.values.some(
      (value) => (value.toLowerCase() === 'true') === (actual.length === 0),
    );
  }
  const qualified = readOperator(condition.operator);
  if (qualified === undefined) return undefined;
  if (actual.length > 0) return satisfies(qualified, condition.values, actual);
  if (qualified.set !== undefined) return qualified.set === 'ForAllValues';
  return qualified.ifExists || qualified.operator.negated;
}
