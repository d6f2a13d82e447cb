import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/actions/vend/decide.ts';
import { listProfiles } from '../../../src/actions/list-profiles.ts';
import { ALICE, callerOf, NOON, planOf, requestOf, rule, snapshotOf } from '../support.ts';

const BOB = callerOf('bob', 'sentinel:key/TVMBOB');

const SNAPSHOT = snapshotOf({
  allowed: { rules: [rule('allow', { reason: 'why not', max_server_duration: '20m' })] },
  server: { rules: [rule('require_server')] },
  denied: { rules: [rule('deny', { reason: 'no more' }), rule('allow')] },
  approval: { rules: [rule('require_approval', { reason: 'two of us' }), rule('allow')] },
  tracked: { rules: [rule('require_server_session')] },
  hard: {
    rules: [rule('allow')],
    profile: { hard_revoke: true, revoker_role_arn: 'arn:aws:iam::111122223333:role/R' },
  },
  wide: {
    rules: [rule('deny', { conditions: { accounts: ['111122223333'] }, reason: 'inner matters' })],
  },
  nights: {
    rules: [
      rule('allow', {
        conditions: {
          users: ['alice'],
          time: { days: ['monday'], hours: { start: '22:00', end: '06:00' } },
        },
      }),
    ],
  },
});

const NAMES = [...SNAPSHOT.profiles.keys(), 'absent', '', 'toString', '__proto__'];

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}

describe('decide', () => {
  it('allows if a rule allows or requires a server, and only then', () => {
    const allowed = NAMES.filter((name) => decide(SNAPSHOT, ALICE, name, NOON).outcome.ok);
    expect(allowed).toEqual(['allowed', 'server', 'tracked', 'hard']);
    expect(NAMES.filter((name) => decide(SNAPSHOT, BOB, name, NOON).outcome.ok)).toEqual([]);
  });

  it('refuses when a rule requires approval, even if a later rule allows', () => {
    const { decision, outcome } = decide(SNAPSHOT, ALICE, 'approval', NOON);
    expect(decision.effect).toBe('require_approval');
    expect(outcome).toMatchObject({
      ok: false,
      refusal: { kind: 'needs-approval', reason: 'two of us' },
    });
  });

  it('denies when a later rule allows', () => {
    expect(decide(SNAPSHOT, ALICE, 'denied', NOON).outcome).toMatchObject({
      ok: false,
      refusal: { kind: 'denied', rule: 'deny-for-alice', reason: 'no more' },
    });
  });

  it('hides a rule that does not name the caller from the refusal, and keeps it for the record', () => {
    const { decision, outcome } = decide(SNAPSHOT, ALICE, 'wide', NOON);
    expect(outcome).toEqual({
      ok: false,
      refusal: { kind: 'denied', profile: 'wide', user: 'alice' },
    });
    expect(decision).toMatchObject({
      rule: 'deny-for-alice',
      reason: 'inner matters',
      ruleIndex: 0,
    });
  });

  it('requires a session if the rule does, or if the profile has hard revocation', () => {
    function requires(name: string) {
      const { outcome } = decide(SNAPSHOT, ALICE, name, NOON);
      return outcome.ok && outcome.value.requiresSession;
    }
    expect(NAMES.filter(requires)).toEqual(['tracked', 'hard']);
  });

  it('decides by the time it is given', () => {
    function at(instant: string): boolean {
      return decide(SNAPSHOT, ALICE, 'nights', Date.parse(instant)).outcome.ok;
    }
    expect(at('2026-01-05T21:59:59Z')).toBe(false);
    expect(at('2026-01-05T22:00:00Z')).toBe(true);
    expect(at('2026-01-06T05:59:59Z')).toBe(true);
    expect(at('2026-01-06T06:00:00Z')).toBe(false);
    expect(at('2026-01-06T23:00:00Z')).toBe(false);
  });

  it('is pure: gives the same for the same input, and changes nothing', () => {
    const frozen = freeze(SNAPSHOT);
    const instant = fc.integer({
      min: Date.parse('2020-01-01T00:00:00Z'),
      max: Date.parse('2030-01-01T00:00:00Z'),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.constantFrom(ALICE, BOB),
        instant,
        (name, caller, now) => {
          expect(decide(frozen, freeze(caller), name, now)).toEqual(
            decide(frozen, caller, name, now),
          );
        },
      ),
    );
  });
});

describe('listProfiles', () => {
  it('lists by name what a vend would allow', () => {
    expect(listProfiles(SNAPSHOT, ALICE, NOON)).toEqual([
      { name: 'allowed', access: 'allow', maxSeconds: 1200 },
      { name: 'hard', access: 'allow', maxSeconds: 3600 },
      { name: 'server', access: 'allow', maxSeconds: 3600 },
      { name: 'tracked', access: 'allow', maxSeconds: 3600 },
    ]);
    expect(listProfiles(SNAPSHOT, BOB, NOON)).toEqual([]);
  });

  it('lists as needing an approval only what somebody could approve for the caller', () => {
    const approval = { rules: [rule('require_approval', { max_server_duration: '20m' })] };
    function accessWith(others: Readonly<Record<string, object>>) {
      const snapshot = snapshotOf({ approval }, others);
      return listProfiles(snapshot, ALICE, NOON).map(({ access, maxSeconds }) => [
        access,
        maxSeconds,
      ]);
    }
    function approvals(...rules: readonly object[]) {
      const named = rules.map((one, n) => ({ name: `r${n}`, approvers: ['bob'], ...one }));
      return { 'approval-policy': { version: '1', rules: named } };
    }
    function emergency(max: string) {
      const rules = [{ name: 'fire', users: ['alice'], max_duration: max }];
      return { 'break-glass-policy': { version: '1', rules } };
    }
    const listed = [['approval', 1200]];
    expect(accessWith({})).toEqual([]);
    expect(accessWith(approvals({}))).toEqual(listed);
    expect(accessWith(approvals({ profiles: ['other'] }))).toEqual([]);
    expect(accessWith(approvals({ profiles: ['other'] }, { profiles: ['approval'] }))).toEqual(
      listed,
    );
    expect(accessWith(approvals({ requesters: { users: ['carol'] } }))).toEqual([]);
    expect(accessWith(approvals({ requesters: { users: ['alice'] } }))).toEqual(listed);
    const byPrincipal = { principals: [ALICE.principal] };
    expect(accessWith(approvals({ requesters: byPrincipal }))).toEqual(listed);
    // Where nobody can approve it, break-glass may open it; an approval goes first.
    expect(accessWith(emergency('10m'))).toEqual([['break_glass', 600]]);
    expect(accessWith({ ...approvals({ profiles: ['other'] }), ...emergency('10m') })).toEqual([
      ['break_glass', 600],
    ]);
    expect(accessWith({ ...approvals({}), ...emergency('10m') })).toEqual(listed);
  });

  it('lists an approval also while the document of people is broken, as an outage', () => {
    const approvers = { version: '1', rules: [{ name: 'all', approvers: ['bob'] }] };
    const snapshot = snapshotOf(
      { approval: { rules: [rule('require_approval')] } },
      { 'approval-policy': approvers },
    );
    expect(listProfiles({ ...snapshot, people: 'broken' }, ALICE, NOON)).toMatchObject([
      { name: 'approval', access: 'approval' },
    ]);
  });

  it('changes with time as the decision does', () => {
    function names(instant: string) {
      return listProfiles(SNAPSHOT, ALICE, Date.parse(instant)).map(({ name }) => name);
    }
    expect(names('2026-01-05T23:00:00Z')).toContain('nights');
    expect(names('2026-01-05T21:00:00Z')).not.toContain('nights');
  });
});

describe('toNetwork and toPlan', () => {
  function bound(profile: object, address?: string) {
    const { outcome } = decide(
      snapshotOf({ dev: { rules: [rule('allow')], profile } }),
      ALICE,
      'dev',
      NOON,
    );
    if (!outcome.ok) throw new Error('denied');
    return planOf(requestOf({ address }), outcome.value);
  }
  const VPC = { bind_source_ip: true, source_vpc: 'vpc-0123456789abcdef0' };

  it.each([
    ['an unknown address', { bind_source_ip: true }, undefined],
    ['an unknown address, with a VPC', VPC, undefined],
    ['a text that is no address', { bind_source_ip: true }, 'somewhere'],
    ['a private address without a VPC', { bind_source_ip: true }, '10.0.0.1'],
    ['loopback without a VPC', { bind_source_ip: true }, '::1'],
  ])('refuse to bind to %s', (_, profile, address) => {
    expect(bound(profile, address)).toMatchObject({
      ok: false,
      refusal: { kind: 'address-unknown', profile: 'dev' },
    });
  });

  it.each([
    [
      'a public address',
      { bind_source_ip: true },
      '203.0.113.7',
      '"aws:SourceIp":"203.0.113.7/32"',
    ],
    ['a public address, with a VPC', VPC, '203.0.113.7', '"aws:SourceIp":"203.0.113.7/32"'],
    ['a private address of the VPC', VPC, '10.0.0.1', '"aws:VpcSourceIp":"10.0.0.1/32"'],
  ])('bind to %s', (_, profile, address, condition) => {
    const plan = bound(profile, address);
    expect(plan.ok && plan.value.input.Policy).toContain(condition);
  });

  it('ignore the address if the profile binds to none', () => {
    expect(bound({ source_vpc: VPC.source_vpc }, undefined)).toMatchObject({ ok: true });
  });

  it('hand on managed policies and the external id, and name the vend’s own id', () => {
    const arn = 'arn:aws:iam::aws:policy/ReadOnlyAccess';
    const plan = bound({ managed_policies: [arn], external_id: 'ext-1', tags: { team: 'x' } });
    if (!plan.ok) throw new Error('refused');
    const { input, stamp, session } = plan.value;
    const { vendId, sourceIdentity } = stamp;
    expect(input).toMatchObject({
      PolicyArns: [{ arn }],
      ExternalId: 'ext-1',
      SourceIdentity: sourceIdentity,
    });
    expect(input).not.toHaveProperty('Policy');
    expect(sourceIdentity).toBe(`sentinel=d=${vendId}=alice`);
    expect(vendId).not.toBe(session.id);
    expect(input.Tags).toContainEqual({ Key: 'team', Value: 'x' });
  });
});
