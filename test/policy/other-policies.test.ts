import { describe, expect, it } from 'vitest';
import { readApprovalPolicy } from '../../src/policy/documents/approval-policy.ts';
import { readBreakGlassPolicy } from '../../src/policy/documents/break-glass-policy.ts';
import { readBreakGlassRatePolicy } from '../../src/policy/documents/break-glass-rate-policy.ts';
import { readOperators } from '../../src/policy/documents/operators.ts';
import { problemsOf, valueOf } from './support.ts';

function document(rule: object): string {
  return JSON.stringify({ version: 1, rules: [rule] });
}

const APPROVAL = { name: 'r', approvers: ['bob'] };
const BREAK_GLASS = { name: 'r', users: ['carol'] };
const OPERATORS = { name: 'r', users: ['olivia'], actions: ['list'] };

describe('readApprovalPolicy, readBreakGlassPolicy, readBreakGlassRatePolicy and readOperators', () => {
  it('read documents as written, with durations in seconds', () => {
    const time = { days: ['monday'], timezone: 'Europe/Berlin' };
    const auto = { users: ['alice'], time, max_duration: '8h' };
    expect(
      valueOf(
        readApprovalPolicy(document({ ...APPROVAL, profiles: ['prod'], auto_approve: auto })),
      ),
    ).toEqual({
      version: '1',
      rules: [{ ...APPROVAL, profiles: ['prod'], auto_approve: { ...auto, max_duration: 28_800 } }],
    });
    const mfa = { required: true, methods: ['totp'] };
    const rest = { profiles: ['prod'], allowed_reason_codes: ['incident', 'other'], time, mfa };
    const glass = { ...BREAK_GLASS, ...rest, max_duration: '4h' };
    expect(valueOf(readBreakGlassPolicy(document(glass)))).toEqual({
      version: '1',
      rules: [{ ...glass, max_duration: 14_400 }],
    });
    const limits = { max_per_user: 2, max_per_profile: 5, escalation_threshold: 1 };
    const rate = { name: 'r', profiles: ['prod'], cooldown: '1h', ...limits, quota_window: '24h' };
    expect(valueOf(readBreakGlassRatePolicy(document(rate)))).toEqual({
      version: '1',
      rules: [{ ...rate, cooldown: 3_600, quota_window: 86_400 }],
    });
    const rule = {
      ...OPERATORS,
      principals: ['arn:aws:iam::*:role/Ops'],
      actions: ['list', 'revoke', 'explain', 'lift', 'audit'],
    };
    expect(valueOf(readOperators(document(rule))).rules).toEqual([rule]);
  });

  it.each([
    ['no key for approvers', { name: 'r' }, 'must have at least one of'],
    [
      'an empty list of approvers',
      { ...APPROVAL, approvers: [] },
      'approvers: must not be an empty list',
    ],
    ['approvers that are text', { ...APPROVAL, approvers: 'bob' }, 'approvers: must be a list'],
    ['a misspelt key for approvers', { ...APPROVAL, aprovers: ['x'] }, 'did you mean "approvers"?'],
    [
      'automatic approval without conditions',
      { ...APPROVAL, auto_approve: {} },
      'auto_approve: must have at least one of',
    ],
    [
      'automatic approval of more than 8h',
      { ...APPROVAL, auto_approve: { max_duration: '8h1s' } },
      'max_duration: must be at most 28800s',
    ],
    [
      'an unknown condition of automatic approval',
      { ...APPROVAL, auto_approve: { users: ['a'], hours: {} } },
      'unknown key "hours"',
    ],
    [
      'an empty window of time',
      { ...APPROVAL, auto_approve: { time: {} } },
      'time: must have at least one of',
    ],
  ])('readApprovalPolicy refuses %s', (_what, rule, problem) => {
    expect(problemsOf(readApprovalPolicy(document(rule))).join('\n')).toContain(problem);
  });

  it.each([
    ['no key for users', { name: 'r' }, '"users" is missing'],
    ['an empty list of users', { ...BREAK_GLASS, users: [] }, 'users: must not be an empty list'],
    [
      'an unknown reason code',
      { ...BREAK_GLASS, allowed_reason_codes: ['fun'] },
      'must be incident, maintenance',
    ],
    [
      'a duration of more than 4h',
      { ...BREAK_GLASS, max_duration: '4h1s' },
      'max_duration: must be at most 14400s',
    ],
    [
      'a quota',
      { ...BREAK_GLASS, max_per_user: 1 },
      'the key "max_per_user" belongs in the document break-glass-rate',
    ],
    [
      'mfa without required',
      { ...BREAK_GLASS, mfa: { methods: ['totp'] } },
      '"required" is missing',
    ],
    [
      'mfa that is required by a word',
      { ...BREAK_GLASS, mfa: { required: 'yes' } },
      'required: must be true or false',
    ],
    [
      'mfa by an unknown method',
      { ...BREAK_GLASS, mfa: { required: true, methods: ['push'] } },
      'must be totp or sms',
    ],
  ])('readBreakGlassPolicy refuses %s', (_what, rule, problem) => {
    expect(problemsOf(readBreakGlassPolicy(document(rule))).join('\n')).toContain(problem);
  });

  it.each([
    [
      'neither users nor principals',
      { name: 'r', actions: ['list'] },
      'must have at least one of users or principals',
    ],
    [
      'an empty list of actions',
      { ...OPERATORS, actions: [] },
      'actions: must not be an empty list',
    ],
    [
      'an unknown action',
      { ...OPERATORS, actions: ['vend'] },
      'must be list, revoke, lift, explain or audit',
    ],
    [
      'an empty list of profiles',
      { ...OPERATORS, profiles: [] },
      'profiles: must not be an empty list',
    ],
    ['a star as principal', { ...OPERATORS, principals: ['*'] }, 'is neither an ARN'],
  ])('readOperators refuses %s', (_what, rule, problem) => {
    expect(problemsOf(readOperators(document(rule))).join('\n')).toContain(problem);
  });

  it.each([
    ['no limit', { name: 'r' }, 'must have at least one of cooldown, max_per_user'],
    ['a cooldown of 0s', { name: 'r', cooldown: '0s' }, 'cooldown: must be at least 1s'],
    ['an empty cooldown', { name: 'r', cooldown: '' }, 'cooldown: must not be empty'],
    [
      'a quota of 0',
      { name: 'r', max_per_user: 0, quota_window: '1h' },
      'max_per_user: must be a whole number',
    ],
    [
      'a quota that is not a whole number',
      { name: 'r', max_per_user: 1.5, quota_window: '1h' },
      'max_per_user: must be a whole number',
    ],
    [
      'a quota without quota_window',
      { name: 'r', max_per_user: 1 },
      'max_per_user: needs quota_window, the time within which',
    ],
    [
      'a threshold without quota_window',
      { name: 'r', escalation_threshold: 1 },
      'escalation_threshold: needs quota_window',
    ],
    [
      'an empty list of profiles',
      { name: 'r', profiles: [], cooldown: '1h' },
      'profiles: must not be an empty list',
    ],
    ['users', { name: 'r', users: ['alice'], cooldown: '1h' }, 'unknown key "users"'],
  ])('readBreakGlassRatePolicy refuses %s', (_what, rule, problem) => {
    expect(problemsOf(readBreakGlassRatePolicy(document(rule))).join('\n')).toContain(problem);
  });

  it('require rules, and readOperators alone a version, which Sentinel’s other files may leave out', () => {
    expect(problemsOf(readOperators('{}'))).toEqual([
      '1 version: "version" is missing',
      '1 rules: "rules" is missing',
    ]);
    const loose = [readApprovalPolicy, readBreakGlassPolicy, readBreakGlassRatePolicy] as const;
    for (const read of loose)
      expect(problemsOf(read('{}'))).toEqual(['1 rules: "rules" is missing']);
    const rules = [[APPROVAL], [BREAK_GLASS], [{ name: 'r', cooldown: '1h' }]];
    for (const [index, read] of loose.entries()) {
      for (const version of [{}, { version: '' }, { version: null }, { version: 1 }]) {
        expect(read(JSON.stringify({ ...version, rules: rules[index] }))).toMatchObject({
          value: { version: '1' },
        });
      }
      expect(read(JSON.stringify({ version: 2, rules: rules[index] })).ok).toBe(false);
    }
    expect(readOperators('{version: 2, rules: []}').ok).toBe(false);
  });

  it('take a blank for absent unless the document would allow more without the key', () => {
    function blank(read: (text: string) => { readonly ok: boolean }, rule: object) {
      return read(document(rule)).ok;
    }
    expect(blank(readApprovalPolicy, { ...APPROVAL, auto_approve: null })).toBe(true);
    expect(blank(readApprovalPolicy, { ...APPROVAL, profiles: null })).toBe(false);
    expect(
      blank(readApprovalPolicy, { ...APPROVAL, auto_approve: { users: null, max_duration: '1h' } }),
    ).toBe(false);
    expect(blank(readBreakGlassPolicy, { ...BREAK_GLASS, allowed_reason_codes: null })).toBe(false);
    expect(blank(readBreakGlassPolicy, { ...BREAK_GLASS, mfa: null })).toBe(false);
    expect(blank(readOperators, { ...OPERATORS, profiles: null })).toBe(false);
  });

  it.each([
    ['approvers', () => readApprovalPolicy(document({ ...APPROVAL, approvers: ['bo*'] }))],
    [
      'users of automatic approval',
      () => readApprovalPolicy(document({ ...APPROVAL, auto_approve: { users: ['key/bob'] } })),
    ],
    [
      'profiles of an approval policy',
      () => readApprovalPolicy(document({ ...APPROVAL, profiles: ['dev/'] })),
    ],
    [
      'users of a break-glass policy',
      () => readBreakGlassPolicy(document({ ...BREAK_GLASS, users: ['carol '] })),
    ],
    [
      'profiles of a break-glass policy',
      () => readBreakGlassPolicy(document({ ...BREAK_GLASS, profiles: ['..'] })),
    ],
    [
      'profiles of a rate policy',
      () => readBreakGlassRatePolicy(document({ name: 'r', profiles: ['*'], cooldown: '1h' })),
    ],
    ['operators', () => readOperators(document({ ...OPERATORS, users: ['\u0430lice'] }))],
    [
      'principals of operators',
      () =>
        readOperators(
          document({ ...OPERATORS, principals: ['arn:aws:iam::111122223333:role/a/b'] }),
        ),
    ],
    ['profiles of operators', () => readOperators(document({ ...OPERATORS, profiles: ['a b'] }))],
  ])('refuse text that can never match in %s', (_what, read) => {
    expect(problemsOf(read())).toHaveLength(1);
  });
});
