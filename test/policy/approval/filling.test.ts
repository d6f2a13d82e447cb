import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkFilling,
  type Candidate,
  type Candidates,
} from '../../../src/policy/approval/filling.ts';
import { findApprovalErrors } from '../../../src/policy/approval/load-errors.ts';
import { toKnownCandidates } from '../../../src/policy/approval/known-candidates.ts';
import { createPeople } from '../../../src/policy/approval/person.ts';
import { readApprovalPolicy } from '../../../src/policy/documents/approval-policy.ts';
import { toKnownCallers, type NameSettings } from '../../../src/policy/known-callers.ts';

type Rule = Readonly<Record<string, unknown>>;

function policyOf(...rules: readonly Rule[]) {
  const named = rules.map((rule, n) => ({ name: `r${n}`, ...rule }));
  const read = readApprovalPolicy(JSON.stringify({ version: '1', rules: named }));
  if (!read.ok) throw new Error(JSON.stringify(read.refusal));
  return read.value;
}

function errorsOf(...rules: readonly Rule[]): readonly string[] {
  return findApprovalErrors(policyOf(...rules)).map(
    ({ path, message }) => `${path.join('.')} ${message}`,
  );
}

function group(name: string, from: readonly string[], approvals = 1, more: object = {}) {
  return { group: name, from, approvals, ...more };
}

const ROLE = 'arn:aws:iam::111122223333:role/deploy';

describe('findApprovalErrors', () => {
  it.each<[string, Rule, string]>([
    [
      'more approvals than names',
      { require: [group('team', ['ann', 'ben'], 3)] },
      'group team wants 3, and can have 2 at most',
    ],
    [
      'one name twice in a list',
      { require: [group('team', ['ann', 'ann'], 2)] },
      'group team wants 2, and can have 1 at most',
    ],
    [
      'one person for two groups',
      { require: [group('owners', ['ann']), group('security', ['ann'])] },
      'group security wants 1, and can have 0 at most',
    ],
    [
      'three groups with two persons between them',
      {
        require: [
          group('a', ['ann', 'ben']),
          group('b', ['ann', 'ben']),
          group('c', ['ann', 'ben']),
        ],
      },
      'group c wants 1',
    ],
    [
      'requesters who are all of its approvers',
      { approvers: ['ann'], requesters: { users: ['ann'] } },
      'never for what they asked for themselves',
    ],
    [
      'requesters of whom none leaves enough',
      { require: [group('team', ['ann', 'ben'], 2)], requesters: { users: ['ann', 'ben'] } },
      'group team wants 2, and can have 1 at most',
    ],
    [
      'requesters whom nothing approves but a rule without effect',
      {
        approvers: ['ann'],
        requesters: { users: ['ann'] },
        auto_approve: { users: ['ann'] },
        start: 'first_use',
      },
      'group approvers wants 1, and can have 0 at most',
    ],
  ])('refuses %s', (_, rule, message) => {
    const [error, ...others] = errorsOf(rule);
    expect(error).toContain('rules.0 nobody could be approved: ');
    expect(error).toContain(message);
    expect(others).toEqual([]);
  });

  it.each<[string, Rule]>([
    ['one approver', { approvers: ['ann'] }],
    ['as many names as approvals', { require: [group('team', ['ann', 'ben'], 2)] }],
    [
      'two persons for two groups, whom only one order can serve',
      { require: [group('a', ['ann', 'ben']), group('b', ['ann'])] },
    ],
    [
      'a pattern, which may match many',
      { require: [group('ci', ['arn:aws:iam::111122223333:role/ci-*'], 3, { bot: true })] },
    ],
    ['a role, behind which there may be many', { require: [group('team', [ROLE], 2)] }],
    [
      'those whom escalation adds',
      {
        require: [group('team', ['ann'], 2)],
        escalate: { after: '1h', from: ['ben'] },
      },
    ],
    [
      'requesters of whom one leaves enough',
      { approvers: ['ann'], requesters: { users: ['ann', 'ben'] } },
    ],
    [
      'requesters by patterns',
      { approvers: ['ann'], requesters: { principals: ['sentinel:key/*'] } },
    ],
    [
      'a requester whom the rule approves by itself',
      { approvers: ['ann'], requesters: { users: ['ann'] }, auto_approve: { users: ['ann'] } },
    ],
  ])('accepts %s', (_, rule) => {
    expect(errorsOf(rule)).toEqual([]);
  });

  const by = { approvers: ['ann', 'ben'] };

  it.each<[string, readonly Rule[], string]>([
    ['behind a rule for everything', [by, { ...by, profiles: ['prod'] }], '"r0"'],
    [
      'for the same profile',
      [
        { ...by, profiles: ['prod', 'dev'] },
        { ...by, profiles: ['dev'] },
      ],
      '"r0"',
    ],
    [
      'whose profiles two rules take',
      [
        { ...by, profiles: ['prod'] },
        { ...by, profiles: ['dev'] },
        { ...by, profiles: ['dev', 'prod'] },
      ],
      '"r1" and "r0"',
    ],
    [
      'for some of the requesters of an earlier one',
      [
        { ...by, requesters: { users: ['cid', 'dot'] } },
        { ...by, requesters: { users: ['cid'] } },
      ],
      '"r0"',
    ],
    [
      'for a principal that a pattern matches',
      [
        { ...by, requesters: { principals: ['sentinel:key/TVM*'] } },
        { ...by, requesters: { principals: ['sentinel:key/TVMCID'], users: ['cid'] } },
      ],
      '"r0"',
    ],
  ])('refuses a rule %s', (_, rules, names) => {
    const last = rules.length - 1;
    expect(errorsOf(...rules)).toEqual([
      `rules.${last} is never reached: ${names} takes every request that it would`,
    ]);
  });

  it.each<[string, readonly Rule[]]>([
    ['for everything last', [{ ...by, profiles: ['prod'] }, by]],
    [
      'with one more profile',
      [
        { ...by, profiles: ['prod'] },
        { ...by, profiles: ['prod', 'dev'] },
      ],
    ],
    ['for everybody behind one for some', [{ ...by, requesters: { users: ['cid'] } }, by]],
    [
      'for other requesters',
      [
        { ...by, requesters: { users: ['cid'] } },
        { ...by, requesters: { users: ['cid', 'dot'] } },
      ],
    ],
    [
      'for principals behind one for users',
      [
        { ...by, requesters: { users: ['cid'] } },
        { ...by, requesters: { principals: ['sentinel:key/TVMCID'] } },
      ],
    ],
    [
      'with a pattern that is wider',
      [
        { ...by, requesters: { principals: ['sentinel:key/TVMC*'] } },
        { ...by, requesters: { principals: ['sentinel:key/TVM*'] } },
      ],
    ],
  ])('accepts a rule %s', (_, rules) => {
    expect(errorsOf(...rules)).toEqual([]);
  });
});

describe('readApprovalPolicy', () => {
  it('refuses a group of nobody', () => {
    const rules = [{ name: 'r', require: [{ group: 'team', from: [] }] }];
    const read = readApprovalPolicy(JSON.stringify({ version: '1', rules }));
    expect(read.ok).toBe(false);
  });
});

const SETTINGS: NameSettings = {
  bareNames: 'key',
  allowedAccounts: undefined,
  ssoAccounts: ['111122223333'],
  trustedSessionRoles: [{ arn: 'arn:aws:iam::111122223333:role/x/desk', kind: 'role' }],
};

const CLIENTS = new Map(
  ['ann', 'ben', 'cid'].map((name) => [`TVM${name.toUpperCase()}`, { name }] as const),
);

function fillingOf(rule: Rule, ...same: readonly (readonly string[])[]) {
  const known = toKnownCallers(SETTINGS, '111122223333', CLIENTS, new Set());
  const rules = same.map((is, n) => ({ name: `p${n}`, is: [...is] }));
  const candidates = toKnownCandidates(known, { version: '1', rules }, CLIENTS);
  const [first] = policyOf(rule).rules;
  if (first === undefined) throw new Error('no rule');
  return checkFilling(first, candidates);
}

const FINE = { never: undefined, lone: [] };

describe('checkFilling, by known callers', () => {
  const pair = { requesters: { users: ['dot'] }, require: [group('team', ['ann', 'ben'], 2)] };

  it('counts a person once, whatever their names', () => {
    expect(fillingOf(pair)).toEqual(FINE);
    expect(fillingOf(pair, ['ann', 'ben']).never).toContain('can have 1 at most');
    for (const from of [
      ['ann', 'sentinel:key/TVMANN'],
      ['user/ann', 'arn:aws:iam::111122223333:user/ops/ann'],
      ['sso/ann', '444455556666:sso/ann'],
    ]) {
      expect(fillingOf({ require: [group('team', from, 2)] }).never, from.join()).toContain(
        'group team wants 2',
      );
    }
  });

  it('does not count who cannot exist', () => {
    for (const entry of ['zoe', 'sentinel:key/NONE', '999999999999:user/x', 'role/desk']) {
      const { never } = fillingOf({ require: [group('team', ['ann', entry], 2)] });
      expect(never, entry).toContain('can have 1 at most');
    }
    const pattern = group('ci', ['sentinel:key/NONE*'], 1, { bot: true });
    expect(fillingOf({ require: [pattern] }).never).toContain('group ci wants 1');
  });

  it('counts a bot only where bots may approve, and never alone', () => {
    expect(fillingOf({ require: [group('team', [ROLE])] }).never).toContain('group team wants 1');
    expect(fillingOf({ require: [group('team', ['role/deploy'])] }).never).toContain('wants 1');
    const bots = { require: [group('ci', [ROLE], 1, { bot: true })] };
    expect(fillingOf(bots).never).toBe('only bots could approve, who alone never suffice');
    expect(fillingOf({ ...bots, bots_suffice: true })).toEqual(FINE);
    const both = [...bots.require, group('team', ['ann', 'ben'])];
    expect(fillingOf({ require: both })).toEqual(FINE);
  });

  it('takes a role with trusted sessions for many persons', () => {
    const desk = 'arn:aws:iam::111122223333:role/desk';
    expect(fillingOf({ require: [group('team', [desk], 5)] })).toEqual(FINE);
    const sso = 'arn:aws:iam::111122223333:role/AWSReservedSSO_Ops_0123456789abcdef';
    expect(fillingOf({ require: [group('team', [sso], 5)] })).toEqual(FINE);
  });

  it('names those whose own requests nobody could approve', () => {
    expect(fillingOf({ approvers: ['ann'] }).lone).toEqual(['ann']);
    expect(fillingOf({ approvers: ['ann', 'ben'] })).toEqual(FINE);
    expect(fillingOf({ approvers: ['ann', 'ben'] }, ['ann', 'ben']).lone).toEqual(['ann']);
    expect(fillingOf({ require: [group('team', ['ann', 'ben', 'cid'], 2)] })).toEqual(FINE);
    const two = { require: [group('team', ['ann', 'ben']), group('ops', ['ben', 'cid'])] };
    expect(fillingOf(two)).toEqual(FINE);
    const tight = { require: [group('team', ['ann', 'ben'], 2)] };
    expect(fillingOf(tight).lone).toEqual(['ann', 'ben']);
    expect(fillingOf({ ...tight, requesters: { users: ['ann', 'cid'] } }).lone).toEqual(['ann']);
    const auto = { approvers: ['ann'], auto_approve: { users: ['ann'] } };
    expect(fillingOf(auto)).toEqual(FINE);
    const some = { approvers: ['ann'], requesters: { principals: ['sentinel:key/TVMC*'] } };
    expect(fillingOf(some)).toEqual(FINE);
  });
});

describe('checkFilling, of a list with a thousand names', () => {
  it('looks at no more of them than may be needed', () => {
    const from = Array.from({ length: 1_000 }, (_, n) => `n${n}`);
    const users = from.map((name) => `${name}x`);
    let looked = 0;
    const known = toKnownCandidates(
      toKnownCallers(SETTINGS, '111122223333', CLIENTS, new Set()),
      undefined,
      CLIENTS,
    );
    const candidates: Candidates = {
      people: known.people,
      toCandidate(entry) {
        looked += 1;
        return { name: entry, principal: entry, subject: entry, isMany: false, isBot: false };
      },
    };
    const require = ['a', 'b', 'c'].map((name) => group(name, from, 16));
    const [rule] = policyOf({ require, requesters: { users } }).rules;
    if (rule === undefined) throw new Error('no rule');
    expect(checkFilling(rule, candidates)).toEqual(FINE);
    expect(looked).toBeLessThanOrEqual(4_000);
  });
});

describe('checkFilling, by Hall’s theorem', () => {
  type Asked = { readonly from: readonly string[]; readonly approvals: number };

  /** Whether each set of groups names as many persons as it needs. */
  function isFillable(groups: readonly Asked[], without?: string): boolean {
    return Array.from({ length: 2 ** groups.length }, (_, set) => set).every((set) => {
      const chosen = groups.filter((_, n) => Math.floor(set / 2 ** n) % 2 === 1);
      const persons = new Set(chosen.flatMap(({ from }) => from));
      if (without !== undefined) persons.delete(without);
      return persons.size >= chosen.reduce((sum, { approvals }) => sum + approvals, 0);
    });
  }

  function toCandidate(entry: string): Candidate {
    return { name: entry, principal: entry, subject: entry, isMany: false, isBot: false };
  }

  const candidates: Candidates = { people: createPeople([]), toCandidate };
  const names = fc.subarray(['ann', 'ben', 'cid', 'dot', 'eve'], { minLength: 1 });
  const groups = fc.array(fc.record({ from: names, approvals: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 4,
  });

  it('finds exactly what cannot be filled, and for whom', () => {
    fc.assert(
      fc.property(groups, (asked) => {
        const require = asked.map(({ from, approvals }, n) => ({
          group: `g${n}`,
          from,
          approvals,
        }));
        const rule = { name: 'r', require };
        const { never, lone } = checkFilling(rule, candidates);
        const persons = [...new Set(asked.flatMap(({ from }) => from))];
        const isEver = isFillable(asked);
        expect(never === undefined).toBe(isEver);
        const expected = isEver ? persons.filter((one) => !isFillable(asked, one)) : [];
        expect([...lone].toSorted()).toEqual(expected.toSorted());
      }),
    );
  });
});
