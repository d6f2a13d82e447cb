import { describe, expect, it } from 'vitest';
import { evaluate, type Decision } from '../../src/policy/evaluate.ts';
import type { PolicyRequest } from '../../src/policy/match.ts';
import { ALICE, NOON, policyFrom, request } from './support.ts';

type Case = readonly [
  what: string,
  rules: readonly string[],
  asked: Partial<PolicyRequest>,
  expected: Partial<Decision>,
];

function at(instant: string): Partial<PolicyRequest> {
  return { now: Date.parse(instant) };
}
function as(caller: Partial<PolicyRequest['caller']>): Partial<PolicyRequest> {
  return { caller: { ...ALICE, ...caller } };
}
function rule(effect: string, conditions: string, more = ''): string {
  return `{name: ${effect}-rule, effect: ${effect}, conditions: {${conditions}}${more}}`;
}
function policy(rules: readonly string[]): string {
  return `version: "1"\nrules:\n${rules.map((each) => `  - ${each}\n`).join('')}`;
}

const USER = 'users: [alice]';
const HOURS = 'time: {hours: {start: "09:00", end: "17:00"}}';
const NEW_YORK = 'time: {hours: {start: "09:00", end: "17:00"}, timezone: America/New_York}';
const OVERNIGHT = 'time: {days: [friday], hours: {start: "22:00", end: "06:00"}}';
const none = { effect: 'deny', ruleIndex: -1 } as const;
const yes = { effect: 'allow', ruleIndex: 0 } as const;
const no = { effect: 'deny', ruleIndex: 0 } as const;

const ORDER: readonly Case[] = [
  ['allows when a later rule denies', [rule('allow', USER), rule('deny', USER)], {}, yes],
  ['denies when a later rule allows', [rule('deny', USER), rule('allow', USER)], {}, no],
  [
    'requires approval when a later rule allows',
    [rule('require_approval', USER), rule('allow', USER)],
    {},
    { effect: 'require_approval', ruleIndex: 0 },
  ],
  ['denies when no rule is for the profile', [rule('allow', 'profiles: [dev]')], {}, none],
  [
    'skips a rule for other users',
    [rule('deny', 'users: [bob]'), rule('allow', USER)],
    {},
    { effect: 'allow', ruleIndex: 1 },
  ],
  [
    'allows by require_server, because every request comes through a server',
    [rule('require_server', USER)],
    {},
    { ...yes, ruleEffect: 'require_server' },
  ],
  [
    'leaves it to its caller to enforce require_server_session',
    [rule('require_server_session', USER)],
    {},
    { effect: 'require_server_session' },
  ],
  [
    'gives the cap in seconds',
    [rule('allow', USER, ', max_server_duration: 15m')],
    {},
    { capSeconds: 900 },
  ],
  [
    'gives a cap below 900 seconds',
    [rule('allow', USER, ', max_server_duration: 1m')],
    {},
    { capSeconds: 60 },
  ],
  [
    'gives the name and the reason of the rule',
    [rule('deny', USER, ', reason: frozen')],
    {},
    { reason: 'frozen', rule: 'deny-rule' },
  ],
];

const NAMES: readonly Case[] = [
  ['compares users case-sensitively', [rule('allow', 'users: [Alice]')], {}, none],
  ['compares profiles case-sensitively', [rule('allow', 'profiles: [Prod]')], {}, none],
  ['does not match a prefix of a name', [rule('allow', 'users: [ali]')], {}, none],
  [
    'does not match when one of two conditions fails',
    [rule('allow', 'users: [alice], profiles: [dev]')],
    {},
    none,
  ],
  ['does not match a caller without a name', [rule('allow', USER)], as({ name: '' }), none],
  ['matches an account', [rule('allow', 'accounts: ["111122223333"]')], {}, yes],
  [
    'does not match another account',
    [rule('allow', 'accounts: ["111122223333"]')],
    as({ account: '999922223333' }),
    none,
  ],
  [
    'matches a unique id, which names the caller',
    [rule('allow', 'principal_ids: [AIDAALICE0000000000A]')],
    {},
    { ...yes, namesCaller: true },
  ],
  [
    'does not match the unique id of a user that was deleted and created again',
    [rule('allow', 'principal_ids: [AIDAALICE0000000000A]')],
    as({ uniqueId: 'AIDAALICE0000000000B' }),
    none,
  ],
  [
    'matches a principal by a wildcard, which does not name the caller',
    [rule('allow', 'principals: ["arn:aws:iam::111122223333:user/*/alice"]')],
    {},
    { ...yes, namesCaller: false },
  ],
  [
    'does not match a slash by a star',
    [rule('allow', 'principals: ["arn:aws:iam::111122223333:user/*"]')],
    {},
    none,
  ],
  [
    'does not match a colon by a star',
    [rule('allow', 'principals: ["arn:aws:iam::*:user/*:eng/alice", "arn:*:iam::*:*/*:*/alice"]')],
    {},
    none,
  ],
  [
    'matches a principal without wildcards, which names the caller',
    [rule('allow', 'principals: ["arn:aws:iam::111122223333:user/eng/alice"]')],
    {},
    { ...yes, namesCaller: true },
  ],
  [
    'matches the principal of a registered key, which names the caller',
    [rule('allow', 'principals: [sentinel:key/AKIA1]')],
    as({ principal: 'sentinel:key/AKIA1' }),
    { ...yes, namesCaller: true },
  ],
  ['names a caller who is listed in users', [rule('allow', USER)], {}, { namesCaller: true }],
  [
    'does not name a caller who is matched by the profile only',
    [rule('allow', 'profiles: [prod]')],
    {},
    { ...yes, namesCaller: false },
  ],
];

const TIME: readonly Case[] = [
  [
    'does not match a millisecond before the window',
    [rule('allow', HOURS)],
    at('2026-01-05T08:59:59.999Z'),
    none,
  ],
  ['matches at the start of the window', [rule('allow', HOURS)], at('2026-01-05T09:00:00Z'), yes],
  [
    'matches in the last millisecond of the window',
    [rule('allow', HOURS)],
    at('2026-01-05T16:59:59.999Z'),
    yes,
  ],
  [
    'does not match at the end of the window',
    [rule('allow', HOURS)],
    at('2026-01-05T17:00:00Z'),
    none,
  ],
  [
    'matches at 09:00 in New York in winter, which is 14:00Z',
    [rule('allow', NEW_YORK)],
    at('2026-01-05T14:00:00Z'),
    yes,
  ],
  [
    'does not match at 08:59 in New York in winter, which is 13:59Z',
    [rule('allow', NEW_YORK)],
    at('2026-01-05T13:59:00Z'),
    none,
  ],
  [
    'does not match at 17:00 in New York in winter, which is 22:00Z',
    [rule('allow', NEW_YORK)],
    at('2026-01-05T22:00:00Z'),
    none,
  ],
  [
    'matches at 09:00 in New York in summer, which is 13:00Z',
    [rule('allow', NEW_YORK)],
    at('2026-07-06T13:00:00Z'),
    yes,
  ],
  [
    'matches an overnight window on the evening of its day',
    [rule('allow', OVERNIGHT)],
    at('2026-01-09T22:00:00Z'),
    yes,
  ],
  [
    'matches an overnight window of Friday on Saturday at 01:00',
    [rule('allow', OVERNIGHT)],
    at('2026-01-10T01:00:00Z'),
    yes,
  ],
  [
    'does not match an overnight window of Friday at its end on Saturday',
    [rule('allow', OVERNIGHT)],
    at('2026-01-10T06:00:00Z'),
    none,
  ],
  [
    'does not match an overnight window on the morning of its day',
    [rule('allow', OVERNIGHT)],
    at('2026-01-09T01:00:00Z'),
    none,
  ],
  [
    'does not match an overnight window of Friday on Saturday evening',
    [rule('allow', OVERNIGHT)],
    at('2026-01-10T23:00:00Z'),
    none,
  ],
  [
    'matches the last second of a day in UTC',
    [rule('allow', 'time: {days: [monday]}')],
    at('2026-01-05T23:59:59Z'),
    yes,
  ],
  [
    'matches at midnight of the zone, when its day begins',
    [rule('allow', 'time: {days: [tuesday], timezone: Asia/Kathmandu}')],
    at('2026-01-05T18:15:00Z'),
    yes,
  ],
];

const HERE: readonly Case[] = [
  ['matches mode server', [rule('allow', `${USER}, mode: [server]`)], {}, yes],
  ['does not match mode cli', [rule('allow', `${USER}, mode: [cli]`)], {}, none],
  [
    'does not match a deny of other modes',
    [rule('deny', `${USER}, mode: [cli, credential_process]`), rule('allow', USER)],
    {},
    { effect: 'allow', ruleIndex: 1 },
  ],
  [
    'denies by a list of modes that includes server',
    [rule('deny', `${USER}, mode: [cli, server]`)],
    {},
    no,
  ],
  [
    'does not allow by a device condition',
    [rule('allow', `${USER}, device: {managed: true}`)],
    {},
    none,
  ],
  [
    'does not require approval by a device condition',
    [rule('require_approval', `${USER}, device: {managed: true}`)],
    {},
    none,
  ],
  ['denies by a device condition', [rule('deny', `${USER}, device: {managed: false}`)], {}, no],
];

describe('evaluate', () => {
  describe.each([
    ['order of rules', ORDER],
    ['callers and profiles', NAMES],
    ['windows of time', TIME],
    ['modes and devices', HERE],
  ])('%s', (_group, cases) => {
    it.each(cases)('%s', (_what, rules, asked, expected) => {
      expect(evaluate(policyFrom(policy(rules)), request(asked))).toMatchObject(expected);
    });
  });

  it('denies without a policy', () => {
    expect(evaluate(undefined, request())).toEqual({
      effect: 'deny',
      ruleIndex: -1,
      namesCaller: false,
    });
  });

  it('throws when the time is not an instant', () => {
    const allow = policyFrom(policy([rule('allow', USER)]));
    for (const now of [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1]) {
      expect(() => evaluate(allow, request({ now }))).toThrow(RangeError);
    }
    expect(evaluate(allow, request({ now: NOON })).effect).toBe('allow');
  });
});
