import * as fc from 'fast-check';
import {
  readAccessPolicy,
  type AccessPolicyDocument,
} from '../../src/policy/documents/access-policy.ts';
import { compileAccessPolicy, type CompiledPolicy } from '../../src/policy/compile.ts';
import type { DocumentProblem } from '../../src/policy/reading/document.ts';
import type { PolicyCaller, PolicyRequest } from '../../src/policy/match.ts';
import { WEEKDAYS, type TimeWindow } from '../../src/policy/time-window.ts';
import type { Result } from '../../src/lib/result.ts';

/** The value of a result that must be ok. Throws with the problems if it is not. */
export function valueOf<Value>(result: Result<Value, unknown>): Value {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.refusal)}`);
  return result.value;
}

/**
 * The problems of a document that must be refused, as `line path: message`. Throws if it is
 * accepted.
 */
export function problemsOf(result: Result<unknown, readonly DocumentProblem[]>): readonly string[] {
  if (result.ok) throw new Error(`accepted: ${JSON.stringify(result.value)}`);
  return result.refusal.map(({ line, path, message }) => `${line} ${path}: ${message}`);
}

/** Reads and compiles a valid policy. */
export function policyFrom(source: string): CompiledPolicy {
  return compileAccessPolicy(valueOf(readAccessPolicy(source)));
}

export const ALICE: PolicyCaller = {
  name: 'alice',
  principal: 'arn:aws:iam::111122223333:user/eng/alice',
  account: '111122223333',
  uniqueId: 'AIDAALICE0000000000A',
};

/** A Monday, 12:00 UTC. */
export const NOON = Date.parse('2026-01-05T12:00:00Z');

/** Alice's request for `prod` at noon, with changes. */
export function request(change: Partial<PolicyRequest> = {}): PolicyRequest {
  return {
    profile: 'prod',
    caller: ALICE,
    now: NOON,
    ...change,
  };
}

function some<Value>(values: readonly Value[]) {
  return fc.subarray([...values], { minLength: 1 });
}

/** Mostly absent: a rule with every condition would match hardly any request, and prove little. */
function optional<Value>(values: fc.Arbitrary<Value>, key: string) {
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: values.map((value) => ({ [key]: value })) },
  );
}

const PROFILES = ['dev', 'prod', 'vault'];
const USERS = ['alice', 'bob', 'role/deploy'];
const ACCOUNTS = ['111122223333', '000000000000'];
const PRINCIPALS = [
  'arn:aws:iam::111122223333:user/eng/alice',
  'arn:aws:iam::*:role/*',
  'arn:aws:iam::111122223333:user/*/?????',
  'sentinel:key/AKIA*',
];
const IDS = ['AIDAALICE0000000000A', 'AROADEPLOY0000000000'];

function two(value: number) {
  return String(value).padStart(2, '0');
}

const hhmm = fc.integer({ min: 0, max: 1439 }).map((minute) => {
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
});

/** Valid windows of time. */
export const windows = fc
  .record({
    days: fc.option(some(WEEKDAYS), { nil: undefined }),
    hours: fc.option(
      fc.record({ start: hhmm, end: hhmm }).filter(({ start, end }) => start !== end),
      { nil: undefined },
    ),
    zone: fc.constantFrom(
      undefined,
      'UTC',
      'America/New_York',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'Pacific/Apia',
    ),
  })
  .filter(({ days, hours }) => days !== undefined || hours !== undefined)
  .map(({ days, hours, zone }): TimeWindow => {
    const window = { days, hours, timezone: zone };
    return Object.fromEntries(Object.entries(window).filter(([, value]) => value !== undefined));
  });

const conditions = fc
  .tuple(
    optional(some(PROFILES), 'profiles'),
    optional(some(USERS), 'users'),
    optional(some(ACCOUNTS), 'accounts'),
    optional(some(PRINCIPALS), 'principals'),
    optional(some(IDS), 'principal_ids'),
    optional(windows, 'time'),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      fc.constant({ mode: ['server', 'cli'] }),
      fc.constant({ mode: ['cli'] }),
    ),
    fc.oneof(
      { weight: 4, arbitrary: fc.constant({}) },
      fc.constant({ device: { encrypted: true } }),
    ),
  )
  .filter((parts) => parts.slice(0, 6).some((part) => Object.keys(part).length > 0))
  .map((parts) => Object.assign({}, ...parts) as Record<string, unknown>);

const rule = fc
  .tuple(
    fc.constantFrom(
      'allow',
      'deny',
      'require_approval',
      'require_server',
      'require_server_session',
    ),
    conditions,
    optional(fc.constantFrom('15m', '1h', '90s'), 'max_server_duration'),
    optional(fc.constant('because'), 'reason'),
  )
  .map(([effect, given, cap, reason]) =>
    Object.assign({ name: 'r', effect, conditions: given }, cap, reason),
  );

/** Valid policies as plain data, as they are written. */
export const policyData = fc.array(rule, { minLength: 1, maxLength: 6 }).map((rules) => ({
  version: '1',
  rules: rules.map((each, index) => ({ ...each, name: `rule-${index}` })),
}));

const CAPS: Readonly<Record<string, number>> = { '15m': 900, '1h': 3_600, '90s': 90 };

/**
 * A policy as it is after reading, without reading YAML, which is slow. `laws.test.ts` proves that
 * they are equal.
 */
export function asRead(data: { readonly rules: readonly object[] }): AccessPolicyDocument {
  return {
    version: '1',
    rules: data.rules.map((each) => {
      const cap: unknown = Reflect.get(each, 'max_server_duration');
      return typeof cap === 'string' ? { ...each, max_server_duration: CAPS[cap] } : each;
    }),
  } as AccessPolicyDocument;
}

/** Valid policies as they are after reading. */
export const documents: fc.Arbitrary<AccessPolicyDocument> = policyData.map(asRead);

/** Requests that often match rules of the policies above. */
export const requests: fc.Arbitrary<PolicyRequest> = fc.record({
  profile: fc.constantFrom(...PROFILES, 'other'),
  caller: fc.constantFrom<PolicyCaller>(
    ALICE,
    {
      name: 'bob',
      principal: 'sentinel:key/AKIABOB',
      account: '111122223333',
      uniqueId: undefined,
    },
    {
      name: 'role/deploy',
      principal: 'arn:aws:iam::000000000000:role/deploy',
      account: '000000000000',
      uniqueId: 'AROADEPLOY0000000000',
    },
    {
      name: '',
      principal: 'arn:aws:iam::000000000000:user/x',
      account: '000000000000',
      uniqueId: undefined,
    },
  ),
  now: fc.integer({
    min: Date.parse('2011-12-01T00:00:00Z'),
    max: Date.parse('2027-01-01T00:00:00Z'),
  }),
});
