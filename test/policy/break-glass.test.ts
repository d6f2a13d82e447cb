import { describe, expect, it } from 'vitest';
import { createPeople } from '../../src/policy/approval/person.ts';
import { ledgerNamesOf } from '../../src/policy/break-glass/ledger-names.ts';
import { checkRates, type RateFacts } from '../../src/policy/break-glass/rates.ts';
import {
  checkBreakGlassRule,
  findBreakGlassRule,
  isReviewer,
  isRuleFor,
  isSecondPerson,
  maxSecondsOf,
  type BreakGlassAsk,
} from '../../src/policy/break-glass/rule.ts';
import {
  readBreakGlassPolicy,
  type BreakGlassRule,
} from '../../src/policy/documents/break-glass-policy.ts';
import { readBreakGlassRatePolicy } from '../../src/policy/documents/break-glass-rate-policy.ts';
import { namesOfBreakGlass } from '../../src/policy/lint-names.ts';
import { NOON, problemsOf, valueOf } from './support.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const ROLE = 'arn:aws:iam::111122223333:role/Ops';

function policyOf(...rules: readonly object[]) {
  return valueOf(readBreakGlassPolicy(JSON.stringify({ rules })));
}

function ratesOf(...rules: readonly object[]) {
  return valueOf(readBreakGlassRatePolicy(JSON.stringify({ rules })));
}

const RULE = { name: 'r', profiles: ['prod'], users: ['alice', 'bob'] };

function ask(change: Partial<BreakGlassAsk> = {}): BreakGlassAsk {
  return {
    name: 'alice',
    profile: 'prod',
    reasonCode: 'incident',
    seconds: 3_600,
    now: NOON,
    ...change,
  };
}

function problemOf(rule: object, change: Partial<BreakGlassAsk> = {}) {
  const checked = checkBreakGlassRule(policyOf({ ...RULE, ...rule }), ask(change));
  return checked.ok ? 'ok' : checked.refusal;
}

describe('readBreakGlassPolicy', () => {
  it('reads who reviews and who confirms', () => {
    const [rule] = policyOf({
      ...RULE,
      review: { by: ['olivia', ROLE], within: '24h', overdue_blocks: true },
      second_person: { from: ['bob'], within: '10m' },
    }).rules;
    expect(rule?.review).toEqual({ by: ['olivia', ROLE], within: 86_400, overdue_blocks: true });
    expect(rule?.second_person).toEqual({ from: ['bob'], within: 600 });
  });

  it.each([
    ['a review by nobody', { review: { by: [], within: '1h' } }, 'by: must not be an empty list'],
    ['a review without an end', { review: { by: ['olivia'] } }, '"within" is missing'],
    [
      'a review within a year',
      { review: { by: ['olivia'], within: '8760h' } },
      'must be at most 2592000s',
    ],
    [
      'a review by a pattern',
      { review: { by: [`${ROLE}*`], within: '1h' } },
      'stands for no person',
    ],
    [
      'a second person of a pattern',
      { second_person: { from: ['sentinel:key/*'], within: '5m' } },
      'no person',
    ],
    [
      'a second person in no time',
      { second_person: { from: ['bob'], within: '59s' } },
      'must be at least 60s',
    ],
    ['a misspelt key', { second_person: { form: ['bob'], within: '5m' } }, 'did you mean "from"?'],
    [
      'a second person who is the first',
      { users: ['alice'], second_person: { from: ['alice'], within: '5m' } },
      'names only "alice", who cannot confirm their own use',
    ],
    [
      'a reviewer who is the first',
      { users: ['alice'], review: { by: ['alice'], within: '5m' } },
      'names only "alice", who cannot review their own use',
    ],
  ])('refuses %s', (_what, rule, problem) => {
    const source = JSON.stringify({ rules: [{ ...RULE, ...rule }] });
    expect(problemsOf(readBreakGlassPolicy(source)).join('\n')).toContain(problem);
  });
});

describe('readBreakGlassRatePolicy', () => {
  it.each([
    [{ cooldown: '2161h' }, 'cooldown: must be at most 7776000s'],
    [{ max_per_user: 1, quota_window: '2161h' }, 'quota_window: must be at most 7776000s'],
    [{ max_per_user: 501, quota_window: '24h' }, 'max_per_user: must be at most 500'],
    [
      { escalation_threshold: 501, quota_window: '24h' },
      'escalation_threshold: must be at most 500',
    ],
  ])('refuses what is more than is on record: %j', (rule, problem) => {
    const source = JSON.stringify({ rules: [{ name: 'r', ...rule }] });
    expect(problemsOf(readBreakGlassRatePolicy(source)).join('\n')).toContain(problem);
  });
});

describe('namesOfBreakGlass', () => {
  it('names all whom a rule names: users, second persons and reviewers', () => {
    const policy = policyOf({
      ...RULE,
      review: { by: ['olivia', ROLE], within: '1h' },
      second_person: { from: ['bob', 'dora'], within: '5m' },
    });
    expect(namesOfBreakGlass(policy)).toMatchObject([
      { users: ['alice', 'bob', 'dora', 'olivia'], principals: [ROLE], profiles: ['prod'] },
    ]);
    expect(namesOfBreakGlass(ratesOf({ name: 'q', cooldown: '1h' }))).toMatchObject([
      { users: [], principals: [] },
    ]);
  });
});

describe('checkBreakGlassRule', () => {
  it('refuses where there is no policy and no rule for the profile', () => {
    expect(checkBreakGlassRule(undefined, ask())).toEqual({ ok: false, refusal: 'no-rule' });
    expect(problemOf({}, { profile: 'dev' })).toBe('no-rule');
  });

  it.each<[string, object, Partial<BreakGlassAsk>, string]>([
    ['a user who is listed', {}, {}, 'ok'],
    ['one who is not', {}, { name: 'carol' }, 'user'],
    ['another case', {}, { name: 'Alice' }, 'user'],
    ['a caller without a name', {}, { name: '' }, 'user'],
    ['all profiles', { profiles: undefined }, { profile: 'dev' }, 'ok'],
    ['a reason that is allowed', { allowed_reason_codes: ['incident'] }, {}, 'ok'],
    ['one that is not', { allowed_reason_codes: ['security'] }, {}, 'reason-code'],
    ['4h', {}, { seconds: 14_400 }, 'ok'],
    ['more than 4h', {}, { seconds: 14_401 }, 'duration'],
    ['as long as the rule allows', { max_duration: '30m' }, { seconds: 1_800 }, 'ok'],
    ['longer', { max_duration: '30m' }, { seconds: 1_801 }, 'duration'],
    ['a second factor, of which there is none here', { mfa: { required: true } }, {}, 'mfa'],
    ['a second factor at will', { mfa: { required: false } }, {}, 'ok'],
    ['a window of time', { time: { hours: { start: '12:00', end: '13:00' } } }, {}, 'ok'],
    ['another time', { time: { hours: { start: '12:01', end: '13:00' } } }, {}, 'time'],
  ])('judges %s', (_what, rule, change, expected) => {
    expect(problemOf(rule, change)).toBe(expected);
  });

  it('lets the first rule for the profile decide, as Sentinel does', () => {
    const policy = policyOf(
      { ...RULE, users: ['bob'] },
      { ...RULE, name: 'second', profiles: undefined },
    );
    expect(checkBreakGlassRule(policy, ask())).toEqual({ ok: false, refusal: 'user' });
    expect(findBreakGlassRule(policy, 'dev')?.name).toBe('second');
  });
});

describe('isRuleFor', () => {
  it('asks neither for the time nor for the duration', () => {
    const rule = policyOf({
      ...RULE,
      time: { hours: { start: '01:00', end: '02:00' } },
      max_duration: '1m',
    }).rules[0];
    expect(isRuleFor(rule, { name: 'alice', reasonCode: 'other' }).ok).toBe(true);
    expect(maxSecondsOf(rule as BreakGlassRule)).toBe(60);
  });
});

describe('isSecondPerson and isReviewer', () => {
  const [rule] = policyOf({
    ...RULE,
    review: { by: ['olivia'], within: '1h' },
    second_person: { from: ['bob', ROLE], within: '5m' },
  }).rules as readonly [BreakGlassRule];
  function approver(name: string, principal = 'sentinel:key/K', isBot = false) {
    return { name, principal, isBot };
  }

  it('take whom the lists name, by name or principal, and no bots', () => {
    expect(isSecondPerson(rule, approver('bob'))).toBe(true);
    expect(isSecondPerson(rule, approver('', ROLE))).toBe(true);
    expect(isSecondPerson(rule, approver('bob', ROLE, true))).toBe(false);
    expect(isSecondPerson(rule, approver('olivia'))).toBe(false);
    expect(isReviewer(rule, approver('olivia'))).toBe(true);
    expect(isReviewer(rule, approver('olivia', 'sentinel:key/K', true))).toBe(false);
    expect(isReviewer(rule, approver('bob'))).toBe(false);
  });

  it('take nobody where the rule asks for nobody', () => {
    const [plain] = policyOf(RULE).rules as readonly [BreakGlassRule];
    expect(isSecondPerson(plain, approver('bob'))).toBe(false);
    expect(isReviewer(plain, approver('bob'))).toBe(false);
  });
});

describe('checkRates', () => {
  function facts(change: Partial<RateFacts> = {}): RateFacts {
    return { profile: 'prod', now: NOON, byPerson: [], byProfile: [], ...change };
  }
  function ago(ms: number, profile = 'prod') {
    return { profile, at: NOON - ms };
  }
  const COOLDOWN = ratesOf({ name: 'c', cooldown: '1h' });
  const QUOTAS = ratesOf({ name: 'q', max_per_user: 2, max_per_profile: 3, quota_window: '24h' });

  it('allows everything without a policy, and without a rule for the profile', () => {
    const byPerson = [ago(1)];
    expect(checkRates(undefined, facts({ byPerson }))).toEqual({
      ok: true,
      value: { escalate: false },
    });
    const other = ratesOf({ name: 'c', profiles: ['dev'], cooldown: '1h' });
    expect(checkRates(other, facts({ byPerson })).ok).toBe(true);
  });

  it('refuses within the cooldown, until it is over', () => {
    const retryAt = NOON + 30 * MINUTE;
    const refusal = { kind: 'cooldown', rule: 'c', retryAt };
    expect(checkRates(COOLDOWN, facts({ byPerson: [ago(30 * MINUTE), ago(3 * HOUR)] }))).toEqual({
      ok: false,
      refusal,
    });
    expect(checkRates(COOLDOWN, facts({ byPerson: [ago(HOUR - 1)] })).ok).toBe(false);
    expect(checkRates(COOLDOWN, facts({ byPerson: [ago(HOUR)] })).ok, 'exactly 1h').toBe(true);
    expect(checkRates(COOLDOWN, facts({ byPerson: [ago(-1_000)] })).ok, 'by a clock ahead').toBe(
      false,
    );
  });

  it('is not misled by a newer use of another profile', () => {
    expect(checkRates(COOLDOWN, facts({ byPerson: [ago(MINUTE, 'dev')] })).ok).toBe(true);
    expect(
      checkRates(COOLDOWN, facts({ byPerson: [ago(MINUTE, 'dev'), ago(30 * MINUTE)] })).ok,
    ).toBe(false);
  });

  it('refuses when a quota is used up, until the use that is too much leaves the window', () => {
    const byPerson = [ago(HOUR), ago(2 * HOUR, 'dev'), ago(23 * HOUR)];
    expect(checkRates(QUOTAS, facts({ byPerson: byPerson.slice(0, 1) })).ok).toBe(true);
    expect(checkRates(QUOTAS, facts({ byPerson: byPerson.slice(0, 2) }))).toEqual({
      ok: false,
      refusal: { kind: 'user-quota', rule: 'q', retryAt: NOON + 22 * HOUR },
    });
    expect(checkRates(QUOTAS, facts({ byPerson }))).toMatchObject({
      refusal: { retryAt: NOON + 22 * HOUR },
    });
    expect(
      checkRates(QUOTAS, facts({ byPerson: [ago(24 * HOUR), ago(24 * HOUR), ago(1)] })).ok,
    ).toBe(true);
    expect(checkRates(QUOTAS, facts({ byProfile: [ago(1), ago(2), ago(3 * HOUR)] }))).toEqual({
      ok: false,
      refusal: { kind: 'profile-quota', rule: 'q', retryAt: NOON + 21 * HOUR },
    });
  });

  it('asks for the cooldown first, then for the user, then for the profile', () => {
    const all = ratesOf({
      name: 'a',
      cooldown: '1h',
      max_per_user: 1,
      max_per_profile: 1,
      quota_window: '24h',
    });
    function kindOf(change: Partial<RateFacts>) {
      const checked = checkRates(all, facts(change));
      return checked.ok ? 'ok' : checked.refusal.kind;
    }
    expect(kindOf({ byPerson: [ago(1)], byProfile: [ago(1)] })).toBe('cooldown');
    expect(kindOf({ byPerson: [ago(HOUR)], byProfile: [ago(HOUR)] })).toBe('user-quota');
    expect(kindOf({ byProfile: [ago(1)] })).toBe('profile-quota');
  });

  it('escalates at the threshold, also without a quota', () => {
    const rates = ratesOf({ name: 'e', escalation_threshold: 2, quota_window: '24h' });
    function escalates(...byPerson: RateFacts['byPerson']) {
      const checked = checkRates(rates, facts({ byPerson }));
      return checked.ok && checked.value.escalate;
    }
    expect(escalates(ago(1))).toBe(false);
    expect(escalates(ago(1), ago(2))).toBe(true);
    expect(escalates(ago(1), ago(24 * HOUR))).toBe(false);
  });

  it('goes by the first rule for the profile', () => {
    const rates = ratesOf(
      { name: 'a', profiles: ['dev'], cooldown: '2h' },
      { name: 'b', cooldown: '1h' },
    );
    expect(checkRates(rates, facts({ byPerson: [ago(1)] }))).toMatchObject({
      refusal: { rule: 'b' },
    });
  });
});

describe('ledgerNamesOf', () => {
  const ALICE = { name: 'key/alice', principal: 'sentinel:key/A', subject: 'sentinel:key/A' };
  const USER = {
    name: 'user/alice',
    principal: 'arn:aws:iam::111122223333:user/alice',
    subject: 'arn:aws:iam::111122223333:user/alice',
  };

  it('gives two identities of one person a ledger in common, however they are joined', () => {
    for (const sets of [[['key/alice', 'user/alice']], [['sentinel:key/A', USER.principal]]]) {
      const people = createPeople(sets);
      const [left, right] = [ledgerNamesOf(people, ALICE), ledgerNamesOf(people, USER)];
      expect(left.some((name) => right.includes(name))).toBe(true);
      expect(left).toContain('key/alice');
      expect(right).toContain('user/alice');
    }
  });

  it('gives two persons nothing in common', () => {
    const people = createPeople([]);
    expect(
      ledgerNamesOf(people, ALICE).filter((name) => ledgerNamesOf(people, USER).includes(name)),
    ).toEqual([]);
  });
});
