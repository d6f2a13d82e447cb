import { describe, expect, it } from 'vitest';
import {
  checkTicket,
  findApprovalRule,
  groupsFor,
  groupsOf,
  isApproveTime,
  isAutoApproved,
  tallyVotes,
} from '../../../src/policy/approval/rule.ts';
import {
  readApprovalPolicy,
  type ApprovalRule,
} from '../../../src/policy/documents/approval-policy.ts';

function policy(...rules: readonly object[]) {
  const read = readApprovalPolicy(JSON.stringify({ version: '1', rules }));
  if (!read.ok) throw new Error(JSON.stringify(read.refusal));
  return read.value;
}

function rule(more: object): ApprovalRule {
  const [first] = policy({ name: 'r', approvers: ['bob'], ...more }).rules;
  if (first === undefined) throw new Error('no rule');
  return first;
}

function groupRule(more: object): ApprovalRule {
  const [first] = policy({ name: 'r', ...more }).rules;
  if (first === undefined) throw new Error('no rule');
  return first;
}

const ALICE = { name: 'alice', principal: 'sentinel:key/A' };
const BOT = 'arn:aws:iam::000000000000:role/change-bot';

describe('findApprovalRule', () => {
  const document = policy(
    { name: 'prod', profiles: ['prod'], approvers: ['bob'] },
    { name: 'dana only', requesters: { users: ['dana'] }, approvers: ['bob'] },
    {
      name: 'by role',
      requesters: { principals: ['arn:aws:iam::000000000000:role/*'] },
      approvers: ['bob'],
    },
  );

  it('takes the first rule that is for the profile and the requester', () => {
    expect(findApprovalRule(document, ALICE, 'prod')?.name).toBe('prod');
    expect(findApprovalRule(document, { ...ALICE, name: 'dana' }, 'dev')?.name).toBe('dana only');
    expect(findApprovalRule(document, { name: 'role/x', principal: BOT }, 'dev')?.name).toBe(
      'by role',
    );
  });

  it('finds nothing without a policy or a rule, so that nobody can approve', () => {
    expect(findApprovalRule(document, ALICE, 'dev')).toBeUndefined();
    expect(findApprovalRule(undefined, ALICE, 'prod')).toBeUndefined();
  });
});

describe('groupsOf and groupsFor', () => {
  it('makes one group of the approvers that a rule of Sentinel lists', () => {
    expect(groupsOf(rule({}), 0)).toEqual([
      { name: 'approvers', need: 1, from: ['bob'], bot: false },
    ]);
  });

  it('keeps bots out of groups that are not marked for them', () => {
    const groups = groupsOf(
      groupRule({
        require: [
          { group: 'people', from: ['bob', BOT] },
          { group: 'checks', from: [BOT], bot: true },
        ],
      }),
      0,
    );
    const bot = { name: 'role/change-bot', principal: BOT, isBot: true };
    expect([...groupsFor(groups, bot)]).toEqual(['checks']);
    expect([...groupsFor(groups, { ...bot, isBot: false })]).toEqual(['people', 'checks']);
  });

  it('adds people after the time of escalation, and changes no number', () => {
    const escalating = groupRule({
      require: [
        { group: 'leads', from: ['bob'], approvals: 2 },
        { group: 'security', from: ['sam'] },
      ],
      escalate: { after: '1h', from: ['olivia'], group: 'leads' },
    });
    expect(groupsOf(escalating, 3_599_999)[0]?.from).toEqual(['bob']);
    expect(groupsOf(escalating, 3_600_000)[0]).toMatchObject({ from: ['bob', 'olivia'], need: 2 });
    expect(groupsOf(escalating, 3_600_000)[1]?.from).toEqual(['sam']);
  });
});

describe('tallyVotes', () => {
  const botRule = { require: [{ group: 'checks', from: [BOT], bot: true }] };

  it.each([
    [{}, false],
    [{ bots_suffice: true }, true],
  ])('with %j bots alone suffice: %s', (more, expected) => {
    const of = groupRule({ ...botRule, ...more });
    const votes = [{ of: 'bot', groups: new Set(['checks']), isBot: true }];
    expect(tallyVotes(of, groupsOf(of, 0), votes).isMet).toBe(expected);
  });

  it('says what each group has and needs, and who is eligible', () => {
    const of = groupRule({
      require: [{ group: 'leads', from: ['bob', 'carol', 'olivia'], approvals: 2 }],
    });
    const votes = [{ of: 'bob', groups: new Set(['leads']), isBot: false }];
    const { isMet, needs } = tallyVotes(of, groupsOf(of, 0), votes);
    expect(isMet).toBe(false);
    expect(needs).toEqual([{ group: 'leads', have: 1, need: 2, from: ['bob', 'carol', 'olivia'] }]);
  });
});

describe('isApproveTime', () => {
  it('is the window of the rule', () => {
    const window = rule({ approve_time: { hours: { start: '09:00', end: '17:00' } } });
    expect(isApproveTime(window, Date.parse('2026-01-05T09:00:00Z'))).toBe(true);
    expect(isApproveTime(window, Date.parse('2026-01-05T17:00:00Z'))).toBe(false);
    expect(isApproveTime(rule({}), 0)).toBe(true);
  });
});

describe('checkTicket', () => {
  it.each([
    [{}, undefined, undefined],
    [{}, 'anything', undefined],
    [{ ticket: { required: true } }, undefined, 'missing'],
    [{ ticket: { pattern: 'INC-\\d+' } }, undefined, undefined],
    [{ ticket: { pattern: 'INC-\\d+' } }, 'CHG-1', 'malformed'],
    [{ ticket: { required: true, pattern: 'INC-\\d+' } }, 'INC-1', undefined],
    [{}, 'x'.repeat(101), 'malformed'],
  ])('by %j the ticket %j is %s', (more, given, expected) => {
    expect(checkTicket(rule(more), given)).toBe(expected);
  });
});

describe('isAutoApproved', () => {
  const auto = {
    auto_approve: {
      users: ['alice'],
      max_duration: '1h',
      time: { hours: { start: '09:00', end: '17:00' } },
    },
  };
  const asked = {
    requester: ALICE,
    seconds: 3_600,
    ticket: undefined,
    extends: undefined,
    now: Date.parse('2026-01-05T10:00:00Z'),
  };

  it('holds where every condition does', () => {
    expect(isAutoApproved(rule(auto), asked)).toBe(true);
  });

  it.each([
    ['another user', auto, { requester: { ...ALICE, name: 'bob' } }],
    ['a longer time', auto, { seconds: 3_601 }],
    ['the wrong hour', auto, { now: Date.parse('2026-01-05T17:00:00Z') }],
    ['an extension', auto, { extends: '0123456789abcdef' }],
    ['no users in the rule', { auto_approve: { max_duration: '1h' } }, {}],
    ['a start at first use', { ...auto, start: 'first_use' }, {}],
    ['a required ticket that is missing', { ...auto, ticket: { required: true } }, {}],
    ['a ticket that does not match', { ...auto, ticket: { pattern: 'INC-\\d+' } }, { ticket: 'x' }],
  ])('does not hold for %s', (_, more, change) => {
    expect(isAutoApproved(rule(more), { ...asked, ...change })).toBe(false);
  });

  it('does not hold where groups are required', () => {
    const grouped = groupRule({ ...auto, require: [{ group: 'leads', from: ['bob'] }] });
    expect(isAutoApproved(grouped, asked)).toBe(false);
  });
});
