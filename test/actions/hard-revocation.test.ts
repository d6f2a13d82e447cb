import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ok, refuse } from '../../src/lib/result.ts';
import { toHardPolicy } from '../../src/revocations/deny-policy.ts';
import type { Revocation, RevocationTarget } from '../../src/revocations/revocation.ts';
import { createHardRevocation } from '../../src/actions/hard-revocation.ts';
import { tagNames, toSessionTags } from '../../src/actions/vend/stamp.ts';
import { callerOf, NOON, rule, snapshotOf } from './support.ts';

const MINUTE = 60_000;
const SKEW = 4 * MINUTE;
const REVOKER = 'arn:aws:iam::111122223333:role/sentinel-revoker';
const ROLE = 'arn:aws:iam::111122223333:role/Protected';

function revocation(n: number, target: RevocationTarget, createdAt = NOON): Revocation {
  return {
    n,
    target,
    reason: 'why not',
    by: 'olivia',
    byPrincipal: 'sentinel:key/O',
    createdAt,
    until: undefined,
    own: false,
  };
}

function session(value: string, profile = 'hard'): RevocationTarget {
  return {
    kind: 'session',
    value,
    subject: 'sentinel:key/A',
    user: 'alice',
    profile,
  };
}

/** A session that its own subject revoked. */
function own(n: number, subject: string, createdAt = NOON): Revocation {
  return {
    ...revocation(
      n,
      {
        kind: 'session',
        value: `${n}`.padStart(16, '0'),
        subject,
        user: 'somebody',
        profile: 'hard',
      },
      createdAt,
    ),
    own: true,
  };
}

function subjectOf({ target }: Revocation): string {
  return target.kind === 'session' ? target.subject : '';
}

function planOf(all: readonly Revocation[], now = NOON, profiles = ['hard']) {
  return toHardPolicy(all, { profiles, tags: tagNames, now, skew: SKEW });
}
function policyOf(all: readonly Revocation[], now = NOON) {
  return planOf(all, now).policy;
}

describe('toHardPolicy', () => {
  it('denies everybody behind a role whose session names are trusted, and no other role', () => {
    const role = 'arn:aws:iam::111122223333:role/deploy';
    expect(
      policyOf([revocation(1, { kind: 'principal', value: role })])?.Statement[0]?.Condition,
    ).toMatchObject({
      StringLike: { 'aws:PrincipalTag/SentinelPrincipal': [role, `${role}/*`] },
    });
    const wild = 'arn:aws:iam::111122223333:role/*';
    expect(
      policyOf([revocation(1, { kind: 'principal', value: wild })])?.Statement[0]?.Condition,
    ).toMatchObject({
      StringEquals: { 'aws:PrincipalTag/SentinelPrincipal': tagNames.ofPrincipal(wild)[0] },
    });
  });

  it('names what is revoked by its tags, and by issue time what can be vended again', () => {
    const before = { DateLessThan: { 'aws:TokenIssueTime': '2026-01-05T12:05:00Z' } };
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
        {
          Condition: {
            ...before,
            StringLike: { 'aws:PrincipalTag/SentinelUser': ['alice', 'alice.??????????'] },
          },
        },
        {
          Condition: {
            ...before,
            StringEquals: { 'aws:PrincipalTag/SentinelPrincipal': principal },
          },
        },
        {
          Condition: {
            ...before,
            StringLike: { 'aws:PrincipalTag/SentinelProfile': ['hard', 'hard.??????????'] },
          },
        },
        { Effect: 'Deny', Action: '*', Resource: '*', Condition: before },
        {
          Condition: {
            StringEquals: {
              'aws:PrincipalTag/SentinelSessionID': ['0123456789abcdef', 'fedcba9876543210'],
            },
          },
        },
      ],
    });
  });

  it('leaves out revocations of other profiles, and those that have ended by themselves', () => {
    expect(
      policyOf([
        revocation(1, { kind: 'profile', value: 'dev' }),
        revocation(2, session('a', 'dev')),
      ]),
    ).toBeUndefined();
    const all = [revocation(1, { kind: 'all' }), revocation(2, session('a'))];
    expect(policyOf(all, NOON + 65 * MINUTE - 1)?.Statement).toHaveLength(2);
    expect(policyOf(all, NOON + 65 * MINUTE)).toBeUndefined();
  });

  it('denies everything issued until now if there is too much to name, and stays within IAM’s limit', () => {
    const many = Array.from({ length: 101 }, (_, n) =>
      revocation(n + 1, session(`${n}`.padStart(16, '0'))),
    );
    expect(policyOf(many.slice(1))?.Statement).toMatchObject([{ Sid: 'RevokedSessions' }]);
    expect(policyOf(many)?.Statement).toMatchObject([
      {
        Sid: 'TooManyToName',
        Condition: { DateLessThan: { 'aws:TokenIssueTime': '2026-01-05T12:05:00Z' } },
      },
    ]);
    const kinds = fc.oneof(
      fc.string().map((value): RevocationTarget => ({ kind: 'user', value })),
      fc.string().map((value): RevocationTarget => ({ kind: 'principal', value })),
      fc.constant<RevocationTarget>({ kind: 'all' }),
      fc.string().map((value) => session(value)),
    );
    fc.assert(
      fc.property(fc.array(kinds, { maxLength: 300 }), (targets) => {
        const text = JSON.stringify(
          policyOf(targets.map((target, n) => revocation(n, target))) ?? {},
        );
        expect(text.length).toBeLessThanOrEqual(6_000);
      }),
    );
  });

  it('makes one statement of all that a caller revoked of their own, which denies nobody else', () => {
    const mine = Array.from({ length: 101 }, (_, n) =>
      own(n + 1, 'sentinel:key/A', NOON + n * 1_000),
    );
    expect(policyOf(mine)?.Statement).toMatchObject([
      {
        Sid: 'Own1',
        Condition: {
          StringEquals: { 'aws:PrincipalTag/SentinelPrincipal': 'sentinel:key/A' },
          DateLessThan: { 'aws:TokenIssueTime': '2026-01-05T12:06:40Z' },
        },
      },
    ]);
    const shared = planOf(mine, NOON, ['hard', 'other']).policy?.Statement[0]?.Condition;
    expect(shared).toMatchObject({
      StringEquals: { 'aws:PrincipalTag/SentinelPrincipal': 'sentinel:key/A' },
      StringLike: { 'aws:PrincipalTag/SentinelProfile': ['hard', 'hard.??????????'] },
    });
    const role = 'arn:aws:iam::111122223333:role/deploy';
    expect(JSON.stringify(policyOf([own(1, role)])), 'a role, and nobody behind it').not.toContain(
      'role/deploy/*',
    );
  });

  it('gives callers’ own revocations a share of the room, by time, after those of operators', () => {
    const many = Array.from({ length: 60 }, (_, n) =>
      own(n + 1, `sentinel:key/${'K'.repeat(40)}${n}`, NOON + n),
    );
    const { policy, waiting } = planOf(many);
    const count = policy?.Statement.length ?? 0;
    expect(count).toBeGreaterThan(5);
    expect(JSON.stringify(policy).length).toBeLessThanOrEqual(3_100);
    expect(waiting.map(({ n }) => n)).toEqual(many.slice(count).map(({ n }) => n));
    expect(JSON.stringify(policy)).not.toContain('TooManyToName');
    const operators = Array.from({ length: 100 }, (_, n) =>
      revocation(1_000 + n, session(`${n}`.padStart(16, '0'))),
    );
    const both = planOf([...many, ...operators]).policy;
    expect(both?.Statement[0]).toMatchObject({ Sid: 'RevokedSessions' });
    const one = revocation(2_000, session('f'.repeat(16)));
    const all = planOf([...many, ...operators, one]).policy;
    expect(all?.Statement[0]).toMatchObject({ Sid: 'TooManyToName' });
  });

  it('denies nothing to anybody else, however many revocations of their own callers make', () => {
    const subjects = fc.array(
      fc.tuple(fc.string({ maxLength: 300 }), fc.integer({ min: 0, max: 9 })),
      {
        maxLength: 120,
      },
    );
    fc.assert(
      fc.property(subjects, (list) => {
        const made = list.map(([subject, minute], n) =>
          own(n + 1, subject, NOON - minute * MINUTE),
        );
        const { policy, waiting } = planOf(made);
        for (const { Condition } of policy?.Statement ?? []) {
          const keys = [
            ...Object.keys(Condition['StringEquals'] ?? {}),
            ...Object.keys(Condition['StringLike'] ?? {}),
          ];
          expect(keys.some((key) => /Sentinel(?:Principal|User)$/u.test(key))).toBe(true);
        }
        const named = new Set(made.filter((one) => !waiting.includes(one)).map(subjectOf));
        expect(policy?.Statement.length ?? 0).toBe(named.size);
        expect(JSON.stringify(policy ?? {}).length).toBeLessThanOrEqual(6_000);
      }),
    );
  });

  it('has patterns that match the tags of any name', () => {
    function like(pattern: string, text: string): boolean {
      return new RegExp(
        `^${pattern.replace(/[\\^$.*+()[\]{}|]/gu, String.raw`\$&`).replaceAll('?', '.')}$`,
        'su',
      ).test(text);
    }
    // A name that holds wildcards is none that IAM or a key's document admits.
    const names = fc
      .oneof(fc.string({ maxLength: 400 }), fc.string({ unit: 'binary', maxLength: 300 }))
      .filter((name) => name !== '' && !/[?*]/u.test(name));
    fc.assert(
      fc.property(names, (name) => {
        const caller = callerOf(name, `arn:aws:iam::111122223333:user/${name}`);
        const tags = new Map(
          toSessionTags({ sessionId: 's', requestId: 'r', caller, profile: 'hard' }, []).map(
            ({ Key, Value }) => [Key, Value],
          ),
        );
        expect(
          tagNames.ofName(name).some((pattern) => like(pattern, tags.get('SentinelUser') ?? '')),
        ).toBe(true);
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

const POLICY = 'Protected/SentinelRevocations';
const ACTIONS = ['iam:GetRolePolicy', 'iam:PutRolePolicy', 'iam:DeleteRolePolicy'];

/** An IAM that keeps policies by role and fails on demand, and a log that the test fills. */
function worldOf() {
  const world = {
    revocations: [] as Revocation[],
    policies: new Map<string, string>(),
    writes: 0,
    fails: false,
    /** Whether IAM says that it has written a policy and has not. */
    loses: false,
    /** How many readings after a write still show the policy before it. */
    late: 0,
    before: undefined as string | undefined,
    assumes: [] as unknown[],
    now: NOON,
    held: false,
  };
  const hard = createHardRevocation({
    clock: () => world.now,
    monotonic: () => world.now,
    sleep: () => Promise.resolve(),
    skew: SKEW,
    readRevocations: () => Promise.resolve([...world.revocations]),
    assumeRole: (input) => {
      world.assumes.push(input);
      return Promise.resolve(
        world.fails
          ? refuse({ kind: 'misconfigured', code: 'AccessDenied', certainlyNone: false })
          : ok({
              accessKeyId: 'a',
              secretAccessKey: 's',
              sessionToken: 't',
              expiration: world.now + 900_000,
            }),
      );
    },
    rolePolicies: {
      read: (_, { roleName, policyName }) => {
        if (world.writes > 0 && world.late > 0) {
          world.late -= 1;
          return Promise.resolve(world.before);
        }
        return Promise.resolve(world.policies.get(`${roleName}/${policyName}`));
      },
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
  function apply(one: Revocation) {
    world.revocations.push(one);
    return hard.apply(one, SNAPSHOT);
  }
  return { world, hard, apply };
}

describe('createHardRevocation', () => {
  it('writes one policy for a role that several profiles vend, and says so', async () => {
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

  it('assumes the revoker’s role for three actions on the protected role only', async () => {
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

  it('says pending if the policy is not there after the write', async () => {
    const { world, hard, apply } = worldOf();
    world.loses = true;
    expect(await apply(revocation(1, { kind: 'all' }))).toMatchObject([
      { roleArn: ROLE, status: 'pending' },
    ]);
    world.loses = false;
    await hard.reconcile(SNAPSHOT);
    expect(world.policies.size).toBe(1);
  });

  it('finishes what another process left pending, from the log alone', async () => {
    const { world, apply } = worldOf();
    world.fails = true;
    expect(await apply(revocation(1, { kind: 'user', value: 'alice' }))).toMatchObject([
      { status: 'pending' },
    ]);
    const other = worldOf();
    other.world.revocations = world.revocations;
    await other.hard.reconcile(SNAPSHOT);
    expect(other.world.policies.get(POLICY)).toContain('alice');
  });

  it('puts right what others wrote, and removes what is not revoked', async () => {
    const { world, hard, apply } = worldOf();
    await apply(revocation(1, { kind: 'user', value: 'alice' }));
    const right = world.policies.get(POLICY);
    world.policies.set(POLICY, '{"Version":"2012-10-17","Statement":[]}');
    await hard.reconcile(SNAPSHOT);
    expect(world.policies.get(POLICY)).toBe(right);
    world.revocations = [];
    await hard.reconcile(SNAPSHOT);
    expect(world.policies.size).toBe(0);
    const { writes } = world;
    await hard.reconcile(SNAPSHOT);
    expect(world.writes, 'looks, and writes nothing').toBe(writes);
  });

  it('waits a moment until IAM shows what was written', async () => {
    const { world, apply } = worldOf();
    world.late = 2;
    expect(await apply(revocation(1, { kind: 'all' }))).toMatchObject([{ status: 'written' }]);
  });

  it('writes at most twice for many who revoke at the same time', async () => {
    const { world, apply } = worldOf();
    const many = Array.from({ length: 20 }, (_, n) =>
      revocation(n + 1, { kind: 'user', value: `u-${n}` }),
    );
    const outcomes = await Promise.all(many.map(apply));
    expect(outcomes).toEqual(many.map(() => [{ roleArn: ROLE, status: 'written' }]));
    expect(world.writes).toBeLessThanOrEqual(2);
    for (let n = 0; n < 20; n += 1) expect(world.policies.get(POLICY)).toContain(`"u-${n}"`);
  });

  it('says pending, and when the credentials end, if a caller’s own revocation finds no room', async () => {
    const { world, apply } = worldOf();
    world.revocations = Array.from({ length: 30 }, (_, n) =>
      own(n + 1, `sentinel:key/${'K'.repeat(40)}${n}`),
    );
    expect(await apply(own(99, 'sentinel:key/late', NOON + 1))).toEqual([
      { roleArn: ROLE, status: 'pending', code: 'NoRoom', endsAt: NOON + 1 + 60 * MINUTE },
    ]);
    expect(await apply(revocation(100, { kind: 'user', value: 'bob' }))).toMatchObject([
      { status: 'written' },
    ]);
    expect(world.policies.get(POLICY)).toContain('bob');
  });

  it('does not ask IAM if no role has hard revocation', async () => {
    const { world, apply } = worldOf();
    expect(await apply(revocation(1, { kind: 'profile', value: 'soft' }))).toEqual([]);
    expect(world.writes).toBe(0);
  });

  it('removes the policy once everything is lifted, and once everything has ended', async () => {
    const { world, hard, apply } = worldOf();
    const one = revocation(1, { kind: 'user', value: 'alice' });
    await apply(one);
    world.revocations = [];
    expect(await hard.apply(one, SNAPSHOT)).toEqual([{ roleArn: ROLE, status: 'removed' }]);
    expect(world.policies.size).toBe(0);
    await apply(revocation(2, session('a', 'harder')));
    world.now += 65 * MINUTE;
    await hard.reconcile(SNAPSHOT);
    expect(world.policies.size).toBe(0);
  });

  it('says what is pending and why, and tries again until it is written', async () => {
    const { world, hard, apply } = worldOf();
    world.fails = true;
    expect(await apply(revocation(1, { kind: 'all' }))).toEqual([
      { roleArn: ROLE, status: 'pending', code: 'AccessDenied', endsAt: NOON + 60 * MINUTE },
    ]);
    await hard.reconcile(SNAPSHOT);
    expect(world.policies.size).toBe(0);
    world.fails = false;
    await hard.reconcile(SNAPSHOT);
    expect(world.policies.size).toBe(1);
    await hard.reconcile(SNAPSHOT);
    expect(world.writes).toBe(1);
  });
});
