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
  ['allow, then deny', [rule('allow', USER), rule('deny', USER)], {}, yes],
  ['deny, then allow', [rule('deny', USER), rule('allow', USER)], {}, no],
  [
    'approval, then allow',
    [rule('require_approval', USER), rule('allow', USER)],
    {},
    { effect: 'require_approval', ruleIndex: 0 },
  ],
  ['no rule for the profile', [rule('allow', 'profiles: [dev]')], {}, none],
  [
    'a rule for others, then one for her',
    [rule('deny', 'users: [bob]'), rule('allow', USER)],
    {},
    { effect: 'allow', ruleIndex: 1 },
  ],
  [
    'require_server is met by every server',
    [rule('require_server', USER)],
    {},
    { ...yes, ruleEffect: 'require_server' },
  ],
  [
    'require_server_session is for the caller of this module to meet',
    [rule('require_server_session', USER)],
    {},
    { effect: 'require_server_session' },
  ],
  ['a cap comes out in seconds', [rule('allow', USER, ', max_server_duration: 15m')], {}, { capSeconds: 900 }],
  ['a cap below 900 s too', [rule('allow', USER, ', max_server_duration: 1m')], {}, { capSeconds: 60 }],
  ['a reason comes along', [rule('deny', USER, ', reason: frozen')], {}, { reason: 'frozen', rule: 'deny-rule' }],
];

const NAMES: readonly Case[] = [
  ['users regard case', [rule('allow', 'users: [Alice]')], {}, none],
  ['profiles regard case', [rule('allow', 'profiles: [Prod]')], {}, none],
  ['no prefix of a name', [rule('allow', 'users: [ali]')], {}, none],
  ['conditions are joined by and', [rule('allow', 'users: [alice], profiles: [dev]')], {}, none],
  ['an empty name is nobody', [rule('allow', USER)], as({ name: '' }), none],
  ['account', [rule('allow', 'accounts: ["111122223333"]')], {}, yes],
  ['another account', [rule('allow', 'accounts: ["111122223333"]')], as({ account: '999922223333' }), none],
  ['unique id', [rule('allow', 'principal_ids: [AIDAALICE0000000000A]')], {}, { ...yes, namesCaller: true }],
  [
    'the same name made anew has another unique id',
    [rule('allow', 'principal_ids: [AIDAALICE0000000000A]')],
    as({ uniqueId: 'AIDAALICE0000000000B' }),
    none,
  ],
  [
    'principal with wildcard',
    [rule('allow', 'principals: ["arn:aws:iam::111122223333:user/*/alice"]')],
    {},
    { ...yes, namesCaller: false },
  ],
  ['a star does not cross a slash', [rule('allow', 'principals: ["arn:aws:iam::111122223333:user/*"]')], {}, none],
  [
    'a star does not cross a colon',
    [rule('allow', 'principals: ["arn:aws:iam::*:user/*:eng/alice", "arn:*:iam::*:*/*:*/alice"]')],
    {},
    none,
  ],
  [
    'principal outright',
    [rule('allow', 'principals: ["arn:aws:iam::111122223333:user/eng/alice"]')],
    {},
    { ...yes, namesCaller: true },
  ],
  [
    'registered key',
    [rule('allow', 'principals: [sentinel:key/AKIA1]')],
    as({ principal: 'sentinel:key/AKIA1' }),
    { ...yes, namesCaller: true },
  ],
  ['user outright', [rule('allow', USER)], {}, { namesCaller: true }],
  ['profile only', [rule('allow', 'profiles: [prod]')], {}, { ...yes, namesCaller: false }],
];

const TIME: readonly Case[] = [
  ['before the window, by a millisecond', [rule('allow', HOURS)], at('2026-01-05T08:59:59.999Z'), none],
  ['at its start', [rule('allow', HOURS)], at('2026-01-05T09:00:00Z'), yes],
  ['in its last second', [rule('allow', HOURS)], at('2026-01-05T16:59:59.999Z'), yes],
  ['at its end', [rule('allow', HOURS)], at('2026-01-05T17:00:00Z'), none],
  ['New York in January, 14:00Z', [rule('allow', NEW_YORK)], at('2026-01-05T14:00:00Z'), yes],
  ['New York in January, 13:59Z', [rule('allow', NEW_YORK)], at('2026-01-05T13:59:00Z'), none],
  ['New York in January, 22:00Z', [rule('allow', NEW_YORK)], at('2026-01-05T22:00:00Z'), none],
  ['New York in July, 13:00Z', [rule('allow', NEW_YORK)], at('2026-07-06T13:00:00Z'), yes],
  ['overnight, on the evening of its day', [rule('allow', OVERNIGHT)], at('2026-01-09T22:00:00Z'), yes],
  ['overnight, on Saturday at one', [rule('allow', OVERNIGHT)], at('2026-01-10T01:00:00Z'), yes],
  ['overnight, on Saturday at six', [rule('allow', OVERNIGHT)], at('2026-01-10T06:00:00Z'), none],
  ['overnight, not on the morning of its day', [rule('allow', OVERNIGHT)], at('2026-01-09T01:00:00Z'), none],
  ['overnight, not on Saturday evening', [rule('allow', OVERNIGHT)], at('2026-01-10T23:00:00Z'), none],
  ['a day in UTC', [rule('allow', 'time: {days: [monday]}')], at('2026-01-05T23:59:59Z'), yes],
  [
    'a day begins in its zone',
    [rule('allow', 'time: {days: [tuesday], timezone: Asia/Kathmandu}')],
    at('2026-01-05T18:15:00Z'),
    yes,
  ],
];

const HERE: readonly Case[] = [
  ['mode server', [rule('allow', `${USER}, mode: [server]`)], {}, yes],
  ['mode cli is never here', [rule('allow', `${USER}, mode: [cli]`)], {}, none],
  [
    'nor for a deny',
    [rule('deny', `${USER}, mode: [cli, credential_process]`), rule('allow', USER)],
    {},
    { effect: 'allow', ruleIndex: 1 },
  ],
  ['mode with server among others denies', [rule('deny', `${USER}, mode: [cli, server]`)], {}, no],
  ['a device lets nobody in', [rule('allow', `${USER}, device: {managed: true}`)], {}, none],
  ['nor to approval', [rule('require_approval', `${USER}, device: {managed: true}`)], {}, none],
  ['a device keeps out', [rule('deny', `${USER}, device: {managed: false}`)], {}, no],
];

describe('policy decides each case as documented', () => {
  for (const [group, cases] of Object.entries({ ORDER, NAMES, TIME, HERE })) {
    it.each(cases)(`${group}: %s`, (_what, rules, asked, expected) => {
      expect(evaluate(policyFrom(policy(rules)), request(asked))).toMatchObject(expected);
    });
  }

  it('denies without a policy, by no rule', () => {
    expect(evaluate(undefined, request())).toEqual({ effect: 'deny', ruleIndex: -1, namesCaller: false });
  });

  it('takes no answer from what is not an instant', () => {
    const allow = policyFrom(policy([rule('allow', USER)]));
    for (const now of [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1]) {
      expect(() => evaluate(allow, request({ now }))).toThrow(RangeError);
    }
    expect(evaluate(allow, request({ now: NOON })).effect).toBe('allow');
  });
});
