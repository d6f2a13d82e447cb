import { describe, expect, it } from 'vitest';
import { call } from '../http/support.ts';
import type { Desk } from '../support/tvm.ts';
import {
  callWith,
  lift,
  listed,
  openSession,
  register,
  revoke,
  send,
  SECRET_REASON,
  useDesk,
} from './support.ts';

/**
 * Who may revoke and lift what, what everybody else is answered, and what the audit log records.
 */
const OPERATORS = `version: "1"
rules:
  - name: security-desk
    users: [olivia, otto]
    actions: [list, revoke, explain, lift]
  - name: dev-desk
    users: [bob]
    actions: [list, revoke, lift]
    profiles: [dev]
  - name: dev-watch
    users: [carol]
    actions: [list]
    profiles: [dev]
`;

const DEV = `version: "1"
rules:
  - { name: all-of-us, effect: allow, conditions: { users: [alice, bob, olivia, otto] } }
`;

async function prepare(desk: Desk): Promise<void> {
  await desk.put('/sentinel/operators', OPERATORS);
  await desk.put('/sentinel/policies/dev', DEV);
  for (const id of ['TVMDEMOOTTO', 'TVMDEMOOTTOTWO']) await register(desk, id, 'otto');
}

const OTTO = { accessKeyId: 'TVMDEMOOTTO', secret: 'secret-of-TVMDEMOOTTO' };
const OTTO_TWO = { accessKeyId: 'TVMDEMOOTTOTWO', secret: 'secret-of-TVMDEMOOTTOTWO' };

const world = useDesk({}, prepare);

function records() {
  return world.tvm.audit.filter(({ event }) => event === 'revocation');
}
const reason = { reason: 'laptop stolen' };
function revokeSession(
  id: string,
  as: 'alice' | 'bob' | 'carol' | 'olivia',
  body: unknown = reason,
) {
  return send(world.tvm, `/sessions/${id}/revoke`, body, as);
}

describe('a caller who is no operator', () => {
  it.each([
    ['user', 'olivia'],
    ['principal', 'sentinel:key/TVMDEMOOLIVIA'],
    ['profile', 'dev'],
    ['all', undefined],
    ['user', 'alice'],
  ])('cannot revoke %s %s', async (kind, value) => {
    const answer = await send(world.tvm, '/revocations', { kind, value, ...reason }, 'alice');
    expect([answer.status, answer.json['error']]).toEqual([403, 'NotPermitted']);
    expect(await listed(world.tvm)).toEqual([]);
    expect(records()).toEqual([
      expect.objectContaining({
        action: 'revoked',
        effect: 'deny',
        error: 'not-operator',
        user: 'alice',
        kind,
      }),
    ]);
  });

  it('sees no list, and cannot lift', async () => {
    const id = await revoke(world.tvm, 'user', 'mallory');
    const list = await call(world.tvm, { path: '/revocations' });
    expect([list.status, list.json['error']]).toEqual([403, 'NotPermitted']);
    expect(list.body).not.toMatch(/mallory|pastebin/u);
    expect((await lift(world.tvm, id, 'alice')).status).toBe(403);
    expect(await listed(world.tvm)).toHaveLength(1);
    expect(records().at(-1)).toMatchObject({
      action: 'lifted',
      effect: 'deny',
      error: 'not-operator',
      user: 'alice',
    });
  });

  it('may list without lifting or revoking, if the rule says so', async () => {
    const id = await revoke(world.tvm, 'profile', 'dev');
    expect(
      (await call(world.tvm, { path: '/revocations', as: 'carol' })).json['revocations'],
    ).toHaveLength(1);
    expect((await lift(world.tvm, id, 'carol')).status).toBe(403);
    expect(
      (await send(world.tvm, '/revocations', { kind: 'profile', value: 'dev', ...reason }, 'carol'))
        .status,
    ).toBe(403);
    expect(await listed(world.tvm)).toHaveLength(1);
  });
});

describe('an operator of some profiles', () => {
  it('revokes and lifts these, and nothing that reaches further', async () => {
    const body = { kind: 'profile', value: 'dev', ...reason };
    const made = await send(world.tvm, '/revocations', body, 'bob');
    expect(made.status, made.body).toBe(201);
    expect((await lift(world.tvm, String(made.json['id']), 'bob')).status).toBe(200);
    for (const [kind, value] of [
      ['profile', 'prod'],
      ['user', 'mallory'],
      ['principal', 'sentinel:key/X'],
      ['all'],
    ] as const) {
      const more = value === undefined ? {} : { value };
      expect(
        (await send(world.tvm, '/revocations', { kind, ...more, ...reason }, 'bob')).status,
      ).toBe(403);
    }
    for (const [kind, value] of [['profile', 'prod'], ['user', 'mallory'], ['all']] as const) {
      expect((await lift(world.tvm, await revoke(world.tvm, kind, value), 'bob')).status).toBe(403);
    }
  });
});

describe('DELETE /revocations/{id}', () => {
  it('lifts the revocation, and answers and records that', async () => {
    const id = await revoke(world.tvm, 'user', 'mallory');
    const answer = await lift(world.tvm, id);
    expect(answer.status, answer.body).toBe(200);
    expect(answer.json).toMatchObject({
      id,
      kind: 'user',
      value: 'mallory',
      reason: SECRET_REASON,
      lifted: true,
    });
    expect(await listed(world.tvm)).toEqual([]);
    expect(records().at(-1)).toMatchObject({
      action: 'lifted',
      effect: 'allow',
      user: 'olivia',
      revocation_id: id,
      kind: 'user',
      value: 'mallory',
    });
    expect((await lift(world.tvm, id)).status).toBe(403);
  });

  it('lifts that revocation and no other of the same target', async () => {
    const [first, second] = [
      await revoke(world.tvm, 'user', 'alice'),
      await revoke(world.tvm, 'user', 'alice'),
    ];
    await lift(world.tvm, first);
    expect((await call(world.tvm, { path: '/whoami' })).json['error']).toBe('SessionRevoked');
    await lift(world.tvm, second);
    expect((await call(world.tvm, { path: '/whoami' })).status).toBe(200);
  });

  it('answers the same for a revocation that does not exist and one that is not the operator’s', async () => {
    const there = await revoke(world.tvm, 'profile', 'prod');
    const ids = [there, '999999', String(Number(there) + 1)];
    const answers = await Promise.all(ids.map((id) => lift(world.tvm, id, 'bob')));
    const told = answers.map(({ status, json }, index) => [
      status,
      JSON.stringify(json).replaceAll(ids[index] ?? '', 'N'),
    ]);
    expect(new Set(told.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(told[0]?.[0]).toBe(403);
  });

  it.each(['0', '-1', '1.5', '1e3', '01', 'abc', '%31', '1%20', '9'.repeat(16), 'rev%231'])(
    'accepts only a number, not %s',
    async (id) => {
      const answer = await call(world.tvm, {
        method: 'DELETE',
        path: `/revocations/${id}`,
        as: 'olivia',
      });
      expect([answer.status, answer.json['error']], answer.body).toEqual([400, 'ValidationError']);
    },
  );

  it('accepts no body and no query', async () => {
    const id = await revoke(world.tvm, 'user', 'mallory');
    const path = `/revocations/${id}`;
    for (const more of [{ body: '{}' }, { query: 'force=1' }]) {
      expect(
        (await call(world.tvm, { method: 'DELETE', path, as: 'olivia', ...more })).status,
      ).toBe(400);
    }
    expect(await listed(world.tvm)).toHaveLength(1);
  });
});

describe('an operator cannot lift a revocation of their own', () => {
  it('of a session: another operator has to', async () => {
    const id = await revoke(world.tvm, 'session', await openSession(world.tvm, 'olivia'));
    const answer = await lift(world.tvm, id);
    expect([answer.status, answer.json['error']]).toEqual([409, 'Conflict']);
    expect(records().at(-1)).toMatchObject({
      action: 'lifted',
      effect: 'deny',
      error: 'own',
      revocation_id: id,
    });
    expect(
      (await callWith(world.tvm, OTTO, { method: 'DELETE', path: `/revocations/${id}` })).status,
    ).toBe(200);
  });

  it.each(['user', 'principal'])('of %s: a revoked caller cannot even ask', async (kind) => {
    const id = await revoke(world.tvm, kind, kind === 'user' ? 'otto' : 'sentinel:key/TVMDEMOOTTO');
    const answer = await callWith(world.tvm, OTTO, {
      method: 'DELETE',
      path: `/revocations/${id}`,
    });
    expect(answer.json['error']).toBe('SessionRevoked');
    expect(await listed(world.tvm)).toHaveLength(1);
  });

  it('not by another key of their own either', async () => {
    const id = await revoke(world.tvm, 'principal', 'sentinel:key/TVMDEMOOTTO');
    const answer = await callWith(world.tvm, OTTO_TWO, {
      method: 'DELETE',
      path: `/revocations/${id}`,
    });
    expect(answer.status, 'otto lifts the revocation of one of his keys with the other').toBe(409);
  });
});

describe('POST /sessions/{id}/revoke', () => {
  it('is allowed to the session’s owner, once', async () => {
    const id = await openSession(world.tvm);
    const answer = await revokeSession(id, 'alice');
    expect(answer.status, answer.body).toBe(200);
    expect(answer.json).toMatchObject({
      kind: 'session',
      value: id,
      by: 'alice',
      reason: 'laptop stolen',
    });
    expect(records()).toEqual([
      expect.objectContaining({
        action: 'revoked',
        effect: 'allow',
        user: 'alice',
        kind: 'session',
        value: id,
      }),
    ]);
    const again = await revokeSession(id, 'alice');
    expect([again.status, again.json['error']]).toEqual([409, 'Conflict']);
    expect(await listed(world.tvm)).toHaveLength(1);
    expect((await lift(world.tvm, String(answer.json['id']), 'alice')).status).toBe(403);
  });

  it.each(['olivia', 'bob'] as const)('is allowed to %s, who operates the profile', async (as) => {
    expect((await revokeSession(await openSession(world.tvm), as)).status).toBe(200);
  });

  it('answers everybody else as if the session did not exist', async () => {
    const id = await openSession(world.tvm);
    const [there, absent] = [
      await revokeSession(id, 'carol'),
      await revokeSession('0123456789abcdef', 'carol'),
    ];
    expect([there.status, there.json['error']]).toEqual([403, 'NotPermitted']);
    expect(there.body.replaceAll(id, 'ID')).toBe(absent.body.replaceAll('0123456789abcdef', 'ID'));
    expect(await listed(world.tvm)).toEqual([]);
    expect(records().map(({ effect, user }) => [effect, user])).toEqual([
      ['deny', 'carol'],
      ['deny', 'carol'],
    ]);
  });

  it.each<readonly [number, unknown]>([
    [400, { reason: 'no' }],
    [200, { reason: 'yes' }],
    [200, { reason: 'x'.repeat(500) }],
    [400, { reason: 'x'.repeat(501) }],
    [400, {}],
    [400, ''],
    [400, { ...reason, until: '2099-01-02T03:04:05Z' }],
    [400, { ...reason, kind: 'all' }],
  ])('answers %i for the body %j', async (status, body) => {
    expect((await revokeSession(await openSession(world.tvm), 'olivia', body)).status).toBe(status);
  });

  it.each(['x', '0123456789ABCDEF', '0123456789abcde', '0123456789abcdef0'])(
    'refuses the id %s',
    async (id) => {
      expect((await revokeSession(id, 'olivia')).status).toBe(400);
    },
  );
});
