import { describe, expect, it } from 'vitest';
import { call, type Call } from '../http/support.ts';
import { forwarded, SERVER_ID } from '../support/forwarded.ts';
import { keyOf, postKeys, sendAs } from '../support/keys.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startTvm, type Desk } from '../support/tvm.ts';
import {
  callWith,
  lift,
  openSession,
  register,
  revoke,
  REVOKED,
  SECRET_REASON,
  useDesk,
  vend,
} from './support.ts';

/** What is refused after a revocation, and that no way avoids it. */
const DEV = `version: "1"
rules:
  - { name: some, effect: allow, conditions: { users: [alice, bob, user/dana] } }
`;

async function prepare(desk: Desk): Promise<void> {
  await desk.put('/sentinel/policies/dev', DEV);
  await desk.put('/sentinel/policies/other', DEV);
  const role = 'arn:aws:iam::000000000000:role/SentinelProtected-dev';
  await desk.put('/sentinel/profiles/other', JSON.stringify({ role_arn: role }));
  await register(desk, 'TVMDEMOALICETWO', 'alice');
}

const ALICE_TWO = { accessKeyId: 'TVMDEMOALICETWO', secret: 'secret-of-TVMDEMOALICETWO' };

const environment = { SENTINEL_SERVER_ID: SERVER_ID };
const world = useDesk({ environment }, prepare);

const json = { 'content-type': 'application/json' };
const ENDPOINTS: readonly (readonly [string, Call])[] = [
  ['GET /', { query: 'profile=dev' }],
  ['POST /', { method: 'POST', body: '{"profile":"dev"}', headers: json }],
  ['GET /profiles', { path: '/profiles' }],
  ['GET /whoami', { path: '/whoami' }],
  ['POST /keys', { method: 'POST', path: '/keys', body: '{}', headers: json }],
  ['GET /sessions', { path: '/sessions' }],
  ['GET /sessions/{id}', { path: '/sessions/0123456789abcdef' }],
  [
    'POST /sessions/{id}/revoke',
    {
      method: 'POST',
      path: '/sessions/0123456789abcdef/revoke',
      body: '{"reason":"why"}',
      headers: json,
    },
  ],
  ['GET /revocations', { path: '/revocations' }],
  [
    'POST /revocations',
    { method: 'POST', path: '/revocations', body: '{"kind":"all","reason":"why"}', headers: json },
  ],
  ['DELETE /revocations/{id}', { method: 'DELETE', path: '/revocations/1' }],
];

describe.each([
  ['user', 'alice'],
  ['principal', 'sentinel:key/TVMDEMOALICE'],
])('a revoked %s', (kind, value) => {
  it.each(ENDPOINTS)('gets SessionRevoked from %s, without the reason', async (_, what) => {
    await revoke(world.tvm, kind, value);
    const answer = await call(world.tvm, what);
    expect([answer.status, answer.json['error']], answer.body).toEqual([403, 'SessionRevoked']);
    expect(answer.headers['x-amzn-errortype']).toBe('SessionRevoked');
    expect(`${JSON.stringify(answer.headers)}${answer.body}`).not.toContain(SECRET_REASON);
    expect(answer.body).not.toMatch(/olivia|AccessKeyId/u);
    expect(world.tvm.audit.at(-1)).toMatchObject({
      event: 'identity_refused',
      error: 'SessionRevoked',
      user: 'alice',
      principal: 'sentinel:key/TVMDEMOALICE',
    });
    expect(await vend(world.tvm, 'bob')).toBe(200);
  });

  it('is the only one refused, and is served again when the revocation is lifted or has ended', async () => {
    const id = await revoke(world.tvm, kind, value);
    expect(await vend(world.tvm)).toBe(REVOKED);
    expect((await lift(world.tvm, id)).status).toBe(200);
    expect(await vend(world.tvm)).toBe(200);
    const end = new Date(Date.now() + 2_000).toISOString().replace(/\.\d+/u, '');
    await revoke(world.tvm, kind, value, { until: end });
    const answer = await call(world.tvm, { query: 'profile=dev' });
    expect(answer.json).toMatchObject({ error: 'SessionRevoked', until: end });
    await new Promise((resolve) => {
      setTimeout(resolve, Date.parse(end) - Date.now() + 10);
    });
    expect(await vend(world.tvm)).toBe(200);
  });
});

describe('a revoked profile', () => {
  it('is vended to nobody, while callers keep their other profiles', async () => {
    await revoke(world.tvm, 'profile', 'dev');
    expect([await vend(world.tvm), await vend(world.tvm, 'bob')]).toEqual([REVOKED, REVOKED]);
    expect(await vend(world.tvm, 'alice', 'profile=other')).toBe(200);
    for (const [, what] of ENDPOINTS.slice(2, 6))
      expect((await call(world.tvm, what)).status).toBe(200);
    expect(world.tvm.audit.find(({ event }) => event === 'vend')).toMatchObject({
      outcome: 'denied',
      error: 'revoked',
    });
  });

  it('is not revealed to callers whom policy denies', async () => {
    const before = await call(world.tvm, { query: 'profile=dev', as: 'carol' });
    await revoke(world.tvm, 'profile', 'dev');
    const after = await call(world.tvm, { query: 'profile=dev', as: 'carol' });
    expect([after.status, after.body]).toEqual([403, before.body]);
  });
});

describe('a revoked session', () => {
  it('refuses its principal on its profile under any label, and nothing else', async () => {
    const id = await openSession(world.tvm, 'alice', 'profile=dev&session_label=laptop');
    await revoke(world.tvm, 'session', id);
    for (const query of [
      'profile=dev',
      'profile=dev&session_label=laptop',
      'profile=dev&session_label=new',
    ]) {
      expect(await vend(world.tvm, 'alice', query)).toBe(REVOKED);
    }
    expect(await vend(world.tvm, 'alice', 'profile=other')).toBe(200);
    expect(await vend(world.tvm, 'bob')).toBe(200);
    expect((await call(world.tvm, { path: '/whoami' })).status).toBe(200);
    expect((await call(world.tvm, { path: `/sessions/${id}` })).json).toMatchObject({
      status: 'revoked',
    });
  });

  it('is followed by another session when the revocation is lifted', async () => {
    const id = await openSession(world.tvm);
    const revocation = await revoke(world.tvm, 'session', id);
    await lift(world.tvm, revocation);
    expect(await openSession(world.tvm)).not.toBe(id);
    expect((await call(world.tvm, { path: `/sessions/${id}` })).json).toMatchObject({
      active: false,
    });
  });
});

describe('the freeze switch', () => {
  it('stops vends and keys for everybody, while people can still look and operators lift', async () => {
    const id = await revoke(world.tvm, 'all');
    expect([await vend(world.tvm), await vend(world.tvm, 'bob')]).toEqual([REVOKED, REVOKED]);
    const minted = await postKeys(world.tvm);
    expect([minted.status, minted.json['error']]).toEqual([403, 'SessionRevoked']);
    expect(minted.body).not.toContain(SECRET_REASON);
    expect(world.tvm.audit.at(-1)).toMatchObject({
      event: 'key',
      effect: 'deny',
      error: 'revoked',
    });
    for (const path of ['/profiles', '/whoami', '/sessions']) {
      expect((await call(world.tvm, { path })).status, path).toBe(200);
    }
    expect((await lift(world.tvm, id, 'alice')).status).toBe(403);
    expect((await lift(world.tvm, id)).status).toBe(200);
    expect([await vend(world.tvm), (await postKeys(world.tvm)).status]).toEqual([200, 200]);
  });
});

describe('a revocation cannot be avoided', () => {
  it('by another key of the same user, while a revoked principal is that key alone', async () => {
    const id = await revoke(world.tvm, 'user', 'alice');
    expect((await callWith(world.tvm, ALICE_TWO, { query: 'profile=dev' })).json['error']).toBe(
      'SessionRevoked',
    );
    await lift(world.tvm, id);
    await revoke(world.tvm, 'principal', 'sentinel:key/TVMDEMOALICE');
    expect((await callWith(world.tvm, ALICE_TWO, { query: 'profile=dev' })).status).toBe(200);
  });

  it.each([
    ['user', 'alice'],
    ['principal', 'sentinel:key/TVMDEMOALICE'],
  ])('by a key that was minted before the %s was revoked', async (kind, value) => {
    const key = keyOf(await postKeys(world.tvm));
    const dev = { query: 'profile=dev' };
    expect((await sendAs(world.tvm, key, dev)).status).toBe(200);
    await revoke(world.tvm, kind, value);
    expect((await sendAs(world.tvm, key, dev)).json['error']).toBe('SessionRevoked');
    expect((await postKeys(world.tvm)).json['error']).toBe('SessionRevoked');
    expect((await sendAs(world.tvm, key, { path: '/whoami' })).json['error']).toBe(
      'SessionRevoked',
    );
  });

  it('by a minted key, for a session, a profile or everything', async () => {
    const key = keyOf(await postKeys(world.tvm));
    const session = await openSession(world.tvm);
    for (const [kind, value] of [['session', session], ['profile', 'dev'], ['all']] as const) {
      const id = await revoke(world.tvm, kind, value);
      const again = keyOf(
        kind === 'all' ? ({ status: 200, json: {} } as never) : await postKeys(world.tvm),
      );
      for (const one of kind === 'all' ? [key] : [key, again]) {
        expect((await sendAs(world.tvm, one, { query: 'profile=dev' })).json['error'], kind).toBe(
          'SessionRevoked',
        );
      }
      await lift(world.tvm, id);
    }
  });

  it.each([
    ['user', 'user/dana'],
    ['principal', 'arn:aws:iam::000000000000:user/eng/dana'],
    ['profile', 'dev'],
    ['all', undefined],
  ])('by forwarded STS, nor by a key minted from it: %s %s', async (kind, value) => {
    const dev = { query: 'profile=dev' };
    const mint = { method: 'POST', path: '/keys', body: '{}' };
    expect((await sendRaw(world.tvm.port, forwarded(world.tvm, dev))).status).toBe(200);
    const key = keyOf(await sendRaw(world.tvm.port, forwarded(world.tvm, mint)));
    await revoke(world.tvm, kind, value);
    for (const answer of [
      await sendRaw(world.tvm.port, forwarded(world.tvm, dev)),
      await sendAs(world.tvm, key, dev),
      ...(kind === 'profile' ? [] : [await sendRaw(world.tvm.port, forwarded(world.tvm, mint))]),
    ]) {
      expect([answer.status, answer.json['error']], answer.body).toEqual([403, 'SessionRevoked']);
    }
  });

  it('by a restart, or by asking another instance', async () => {
    const session = await openSession(world.tvm, 'bob');
    await revoke(world.tvm, 'user', 'alice');
    await revoke(world.tvm, 'session', session);
    const other = world.kept(await startTvm(world.desk.url, { environment }));
    expect([await vend(other), await vend(other, 'bob')]).toEqual([REVOKED, REVOKED]);
    expect(await vend(other, 'bob', 'profile=other')).toBe(200);
  });
});
