import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ok, refuse } from '../../src/lib/result.ts';
import { toHardPolicy } from '../../src/sessions/hard-policy.ts';
import type { Revocation, RevocationTarget } from '../../src/sessions/revocation.ts';
import { createHardRevocation } from '../../src/vend/hard-revocation.ts';
import { tagNames, toSessionTags } from '../../src/vend/names.ts';
import { callerOf, NOON, rule, snapshotOf } from './support.ts';

const MINUTE = 60_000;
const REVOKER = 'arn:aws:iam::111122223333:role/sentinel-revoker';
const ROLE = 'arn:aws:iam::111122223333:role/Protected';

const revocation = (n: number, target: RevocationTarget, createdAt = NOON): Revocation => ({
  n,
  target,
  reason: 'why not',
  by: 'olivia',
  byPrincipal: 'sentinel:key/O',
  createdAt,
});

const session = (value: string, profile = 'hard'): RevocationTarget => ({
  kind: 'session',
  value,
  subject: 'sentinel:key/A',
  user: 'alice',
  profile,
});

const policyOf = (all: readonly Revocation[], now = NOON) => toHardPolicy(all, ['hard'], tagNames, now);

describe('the deny policy', () => {
  it('reaches everybody behind a role whose session names are trusted, and no other role', () => {
    const role = 'arn:aws:iam::111122223333:role/deploy';
    expect(policyOf([revocation(1, { kind: 'principal', value: role })])?.Statement[0]?.Condition).toMatchObject({
      StringLike: { 'aws:PrincipalTag/SentinelPrincipal': [role, `${role}/*`] },
    });
    const wild = 'arn:aws:iam::111122223333:role/*';
    expect(policyOf([revocation(1, { kind: 'principal', value: wild })])?.Statement[0]?.Condition).toMatchObject({
      StringEquals: { 'aws:PrincipalTag/SentinelPrincipal': tagNames.ofPrincipal(wild)[0] },
    });
  });

  it('names what is revoked by its tags, and by time what can be vended again', () => {
    const before = { DateLessThan: { 'aws:TokenIssueTime': '2026-01-05T12:01:00Z' } };
    const principal = 'arn:aws:iam::111122223333:user/x/alice';
    expect(
      policyOf([
        revocation(1, { kind: 'user', value: 'alice' }),
        revocation(2, { kind: 'principal', value: principal }),
        revocation(3, { kind: 'profile', value: 'hard' }),
        revocation(4, { kind: 'all' }),
        revocation(5, session('0123456789abcdef')),
        revocation(6, session('fedcba9876543210')),
      ]),
    ).toMatchObject({
      Version: '2012-10-17',
      Statement: [
        { Condition: { ...before, StringLike: { 'aws:PrincipalTag/SentinelUser': ['alice', 'alice.??????????'] } } },
        { Condition: { ...before, StringEquals: { 'aws:PrincipalTag/SentinelPrincipal': principal } } },
        { Condition: { ...before, StringLike: { 'aws:PrincipalTag/SentinelProfile': ['hard', 'hard.??????????'] } } },
        { Effect: 'Deny', Action: '*', Resource: '*', Condition: before },
        {
          Condition: {
            StringEquals: { 'aws:PrincipalTag/SentinelSessionID': ['0123456789abcdef', 'fedcba9876543210'] },
          },
        },
      ],
    });
  });

  it('leaves out what concerns other profiles, and what has ended by itself', () => {
    expect(
      policyOf([revocation(1, { kind: 'profile', value: 'dev' }), revocation(2, session('a', 'dev'))]),
    ).toBeUndefined();
    const all = [revocation(1, { kind: 'all' }), revocation(2, session('a'))];
    expect(policyOf(all, NOON + 61 * MINUTE - 1)?.Statement).toHaveLength(2);
    expect(policyOf(all, NOON + 61 * MINUTE)).toBeUndefined();
  });

  it('denies everything issued until now where there is too much to name, and stays within IAM’s size', () => {
    const many = Array.from({ length: 101 }, (_, n) => revocation(n + 1, session(`${n}`.padStart(16, '0'))));
    expect(policyOf(many.slice(1))?.Statement).toMatchObject([{ Sid: 'RevokedSessions' }]);
    expect(policyOf(many)?.Statement).toMatchObject([
      { Sid: 'TooManyToName', Condition: { DateLessThan: { 'aws:TokenIssueTime': '2026-01-05T12:01:00Z' } } },
    ]);
    const kinds = fc.oneof(
      fc.string().map((value): RevocationTarget => ({ kind: 'user', value })),
      fc.string().map((value): RevocationTarget => ({ kind: 'principal', value })),
      fc.constant<RevocationTarget>({ kind: 'all' }),
      fc.string().map((value) => session(value)),
    );
    fc.assert(
      fc.property(fc.array(kinds, { maxLength: 300 }), (targets) => {
        const text = JSON.stringify(policyOf(targets.map((target, n) => revocation(n, target))) ?? {});
        expect(text.length).toBeLessThanOrEqual(6_000);
      }),
    );
  });

  it('matches the tags of whoever it is, whatever their name', () => {
    const like = (pattern: string, text: string): boolean =>
      new RegExp(`^${pattern.replace(/[\\^$.*+()[\]{}|]/gu, String.raw`\$&`).replaceAll('?', '.')}$`, 'su').test(text);
    // A name that holds wildcards is none that IAM or a key's document admits.
    const names = fc
      .oneof(fc.string({ maxLength: 400 }), fc.string({ unit: 'binary', maxLength: 300 }))
      .filter((name) => name !== '' && !/[?*]/u.test(name));
    fc.assert(
      fc.property(names, (name) => {
        const caller = callerOf(name, `arn:aws:iam::111122223333:user/${name}`);
        const tags = new Map(
          toSessionTags({ sessionId: 's', requestId: 'r', caller, profile: 'hard' }, []).map(({ Key, Value }) => [
            Key,
            Value,
          ]),
        );
        expect(tagNames.ofName(name).some((pattern) => like(pattern, tags.get('SentinelUser') ?? ''))).toBe(true);
        expect(tagNames.ofPrincipal(caller.principal)).toEqual([tags.get('SentinelPrincipal')]);
      }),
    );
  });
});

const SNAPSHOT = snapshotOf({
  hard: { rules: [rule('allow')], profile: { hard_revoke: true, revoker_role_arn: REVOKER } },
  harder: { rules: [rule('allow')], profile: { hard_revoke: true, revoker_role_arn: REVOKER } },
  soft: { rules: [rule('allow')] },
});

const ACTIONS = ['iam:GetRolePolicy', 'iam:PutRolePolicy', 'iam:DeleteRolePolicy'];

/** An IAM that keeps policies by role, fails when told to, and a log that the test fills. */
const worldOf = () => {
  const world = {
    revocations: [] as Revocation[],
    policies: new Map<string, string>(),
    writes: 0,
    fails: false,
    /** Says that it has written, and has not. */
    loses: false,
    assumes: [] as unknown[],
    now: NOON,
    held: false,
  };
  const hard = createHardRevocation({
    clock: () => world.now,
    readRevocations: () => Promise.resolve([...world.revocations]),
    assumeRole: (input) => {
      world.assumes.push(input);
      return Promise.resolve(
        world.fails
          ? refuse({ kind: 'misconfigured', code: 'AccessDenied', certainlyNone: false })
          : ok({ accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't', expiration: world.now + 900_000 }),
      );
    },
    rolePolicies: {
      read: (_, { roleName, policyName }) => Promise.resolve(world.policies.get(`${roleName}/${policyName}`)),
      write: (_, { roleName, policyName }, document) => {
        world.writes += 1;
        if (world.loses) return Promise.resolve();
        if (document === undefined) world.policies.delete(`${roleName}/${policyName}`);
        else world.policies.set(`${roleName}/${policyName}`, document);
        return Promise.resolve();
      },
    },
    lease: async (_, __, run) => {
      expect(world.held, 'two revokers at a time').toBe(false);
      world.held = true;
      try {
        return await run();
      } finally {
        world.held = false;
      }
    },
    onFault: () => undefined,
  });
  const apply = (one: Revocation) => {
    world.revocations.push(one);
    return hard.apply(one, SNAPSHOT);
  };
  return { world, hard, apply };
};

describe('revoking what was issued', () => {
  it('writes one policy for a role, whatever number of profiles vend it, and says so', async () => {
    const { world, apply } = worldOf();
    expect(await apply(revocation(1, { kind: 'user', value: 'alice' }))).toEqual([
      { roleArn: ROLE, status: 'written' },
    ]);
    await apply(revocation(2, session('0123456789abcdef')));
    expect([...world.policies.keys()]).toEqual(['Protected/SentinelRevocations']);
    const document = world.policies.get('Protected/SentinelRevocations') ?? '';
    expect(document).toContain('alice');
    expect(document).toContain('0123456789abcdef');
  });

  it('assumes the revoker for that role and these three actions only', async () => {
    const { world, apply } = worldOf();
    await apply(revocation(1, { kind: 'all' }));
    expect(world.assumes).toEqual([
      {
        RoleArn: REVOKER,
        RoleSessionName: 'sentinel-revoker',
        DurationSeconds: 900,
        Policy: JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: ACTIONS, Resource: ROLE }],
        }),
      },
    ]);
  });

  it('does not take for written what does not stand there afterwards', async () => {
    const { world, hard, apply } = worldOf();
    world.loses = true;
    expect(await apply(revocation(1, { kind: 'all' }))).toMatchObject([{ roleArn: ROLE, status: 'pending' }]);
    world.loses = false;
    await hard.reconcile();
    expect(world.policies.size).toBe(1);
  });

  it('asks IAM for nothing where no role can be revoked so', async () => {
    const { world, apply } = worldOf();
    expect(await apply(revocation(1, { kind: 'profile', value: 'soft' }))).toEqual([]);
    expect(world.writes).toBe(0);
  });

  it('takes the policy away when everything is lifted, and when everything has ended', async () => {
    const { world, hard, apply } = worldOf();
    const one = revocation(1, { kind: 'user', value: 'alice' });
    await apply(one);
    world.revocations = [];
    expect(await hard.apply(one, SNAPSHOT)).toEqual([{ roleArn: ROLE, status: 'removed' }]);
    expect(world.policies.size).toBe(0);
    await apply(revocation(2, session('a', 'harder')));
    world.now += 61 * MINUTE;
    await hard.reconcile();
    expect(world.policies.size).toBe(0);
  });

  it('says what is pending and why, and tries again until it is done', async () => {
    const { world, hard, apply } = worldOf();
    world.fails = true;
    expect(await apply(revocation(1, { kind: 'all' }))).toEqual([
      { roleArn: ROLE, status: 'pending', code: 'AccessDenied' },
    ]);
    await hard.reconcile();
    expect(world.policies.size).toBe(0);
    world.fails = false;
    await hard.reconcile();
    expect(world.policies.size).toBe(1);
    await hard.reconcile();
    expect(world.writes).toBe(1);
  });
});
