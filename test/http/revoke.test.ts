import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyOf, postKeys, sendAs } from '../support/keys.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, get, type Call } from './support.ts';

/** What operators can do, and that a revoked caller can do nothing at any endpoint. */
let desk: Desk;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

function send(
  method: string,
  path: string,
  body: object | undefined,
  as: Call['as'] = 'olivia',
): Promise<RawAnswer> {
  return call(tvm, {
    method,
    path,
    ...(as === undefined ? {} : { as }),
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
}

async function revoke(body: object, as?: Call['as']): Promise<RawAnswer> {
  return send('POST', '/revocations', body, as);
}

function lift({ json }: RawAnswer, as?: Call['as']): Promise<RawAnswer> {
  return send('DELETE', `/revocations/${String(json['id'])}`, undefined, as);
}

function result({ status, json }: RawAnswer) {
  return [status, json['error']];
}

const REVOKED = [403, 'SessionRevoked'];
const WHY = 'the laptop was stolen';

/** Revokes, looks, and lifts, so that no test affects another. */
async function during(body: object, look: (revocation: RawAnswer) => Promise<void>): Promise<void> {
  const revocation = await revoke({ reason: WHY, ...body });
  expect(revocation.status, revocation.body).toBe(201);
  try {
    await look(revocation);
  } finally {
    expect((await lift(revocation)).status).toBe(200);
  }
  // This instance learns within a second what another one lifted.
  await expect
    .poll(async () => (await get(tvm, { profile: 'dev' })).status, { timeout: 3_000 })
    .toBe(200);
}

const EVERYWHERE: readonly Call[] = [
  { query: 'profile=dev' },
  { path: '/profiles' },
  { path: '/whoami' },
  { path: '/sessions' },
  { path: '/sessions/0123456789abcdef' },
  { path: '/revocations' },
  { path: '/keys', method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
];

describe('a revoked caller', () => {
  it.each([
    ['by name', { kind: 'user', value: 'alice' }],
    ['by principal', { kind: 'principal', value: 'sentinel:key/TVMDEMOALICE' }],
  ])('is refused %s at every endpoint, without the reason', async (_, body) => {
    await during(body, async () => {
      for (const what of EVERYWHERE) {
        const answer = await call(tvm, what);
        expect(result(answer), what.path).toEqual(REVOKED);
        expect(answer.body).not.toContain('laptop');
      }
      expect(tvm.audit.at(-1)).toMatchObject({
        event: 'identity_refused',
        error: 'SessionRevoked',
        user: 'alice',
      });
      expect((await call(tvm, { path: '/whoami', as: 'bob' })).status).toBe(200);
    });
  });

  it('gets nothing with a label, with a key minted before, or after a restart', async () => {
    const key = keyOf(await postKeys(tvm));
    await during({ kind: 'user', value: 'alice' }, async () => {
      for (const session_label of ['a', 'b'])
        expect(result(await get(tvm, { profile: 'dev', session_label }))).toEqual(REVOKED);
      expect(result(await sendAs(tvm, key, { query: 'profile=dev' }))).toEqual(REVOKED);
      const restarted = await startTvm(desk.url);
      expect(result(await get(restarted, { profile: 'dev' }))).toEqual(REVOKED);
      await restarted.close();
    });
    expect((await sendAs(tvm, key, { query: 'profile=dev' })).status).toBe(200);
  });

  it('is not one whose name only resembles the revoked name', async () => {
    for (const value of ['alic', 'alicea', 'Alice', 'ALICE', 'alice ', '*']) {
      const made = await revoke({ kind: 'user', value, reason: WHY });
      expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
      if (made.status === 201) await lift(made);
    }
  });
});

describe('a revocation of a profile or of all', () => {
  it('of a profile stops vends of that profile only', async () => {
    await during({ kind: 'profile', value: 'dev' }, async () => {
      expect(result(await get(tvm, { profile: 'dev' }))).toEqual(REVOKED);
      expect((await call(tvm, { path: '/whoami' })).status).toBe(200);
      // A caller without the profile gets the same answer as before.
      expect(result(await call(tvm, { query: 'profile=dev', as: 'carol' }))).toEqual([
        403,
        'PolicyDenied',
      ]);
    });
  });

  it('of all stops vending and minting, and an operator can still lift it', async () => {
    await during({ kind: 'all' }, async () => {
      expect(result(await get(tvm, { profile: 'dev' }))).toEqual(REVOKED);
      expect(result(await postKeys(tvm))).toEqual(REVOKED);
      expect((await call(tvm, { path: '/profiles' })).status).toBe(200);
      expect((await send('GET', '/revocations', undefined)).json['revocations']).toMatchObject([
        { kind: 'all' },
      ]);
    });
  });

  it('ends at `until`', async () => {
    const until = `${new Date(Date.now() + 2_500).toISOString().slice(0, 19)}Z`;
    const made = await revoke({ kind: 'user', value: 'bob', reason: WHY, until });
    expect(made.json['until']).toBe(until);
    expect(result(await call(tvm, { path: '/whoami', as: 'bob' }))).toEqual(REVOKED);
    await expect
      .poll(async () => (await call(tvm, { path: '/whoami', as: 'bob' })).status, {
        timeout: 5_000,
      })
      .toBe(200);
  });
});

describe('a revoked session', () => {
  it('blocks its principal on its profile under any label, until it is lifted', async () => {
    const { json } = await get(tvm, { profile: 'dev', session_label: 'one' });
    const id = String(json['SessionId']);
    const revoked = await send('POST', `/sessions/${id}/revoke`, { reason: WHY });
    expect(revoked.status, revoked.body).toBe(200);
    for (const session_label of ['one', 'two']) {
      expect(result(await get(tvm, { profile: 'dev', session_label }))).toEqual(REVOKED);
    }
    expect((await send('GET', `/sessions/${id}`, undefined)).json).toMatchObject({
      active: false,
      status: 'revoked',
    });
    expect(result(await send('POST', `/sessions/${id}/revoke`, { reason: WHY }))).toEqual([
      409,
      'Conflict',
    ]);
    expect((await lift(revoked)).status).toBe(200);
    const again = await get(tvm, { profile: 'dev', session_label: 'one' });
    expect(again.status).toBe(200);
    expect(again.json['SessionId']).not.toBe(id);
  });

  it('can be revoked by its owner, who cannot lift it, and by no other caller', async () => {
    const { json } = await get(tvm, { profile: 'dev', session_label: 'own' });
    const path = `/sessions/${String(json['SessionId'])}/revoke`;
    expect(result(await send('POST', path, { reason: WHY }, 'bob'))).toEqual([403, 'NotPermitted']);
    expect(
      result(await send('POST', '/sessions/0123456789abcdef/revoke', { reason: WHY }, 'bob')),
    ).toEqual([403, 'NotPermitted']);
    const revoked = await send('POST', path, { reason: WHY }, 'alice');
    expect(revoked.status).toBe(200);
    expect(result(await lift(revoked, 'alice'))).toEqual([403, 'NotPermitted']);
    expect((await lift(revoked)).status).toBe(200);
  });
});

describe('an operator', () => {
  it('is only who /sentinel/operators names', async () => {
    for (const as of ['alice', 'bob', 'carol'] as const) {
      expect(result(await revoke({ kind: 'user', value: 'x', reason: WHY }, as))).toEqual([
        403,
        'NotPermitted',
      ]);
      expect(result(await send('GET', '/revocations', undefined, as))).toEqual([
        403,
        'NotPermitted',
      ]);
      expect(result(await send('DELETE', '/revocations/1', undefined, as))).toEqual([
        403,
        'NotPermitted',
      ]);
    }
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'revocation',
      action: 'lifted',
      effect: 'deny',
    });
  });

  it('cannot lift a revocation of their own session', async () => {
    await desk.put('/sentinel/operators', OPERATORS);
    const other = await startTvm(desk.url);
    const signed = {
      method: 'POST',
      path: '/revocations',
      headers: { 'content-type': 'application/json' },
    };
    const body = JSON.stringify({ kind: 'session', value: '0123456789abcdef', reason: WHY });
    expect((await call(other, { ...signed, body, as: 'olivia' })).status).toBe(403);
    const vended = await get(other, { profile: 'dev', session_label: 'mine' });
    const mine = JSON.stringify({ kind: 'session', value: vended.json['SessionId'], reason: WHY });
    const revoked = await call(other, { ...signed, body: mine });
    expect(revoked.status, revoked.body).toBe(201);
    const path = `/revocations/${String(revoked.json['id'])}`;
    expect(result(await call(other, { method: 'DELETE', path }))).toEqual([409, 'Conflict']);
    expect((await call(other, { method: 'DELETE', path, as: 'olivia' })).status).toBe(200);
    await other.close();
  });

  it.each([
    [{ kind: 'user', value: 'x' }],
    [{ kind: 'user', value: 'x', reason: 'no' }],
    [{ kind: 'user', value: 'x', reason: 'x'.repeat(501) }],
    [{ kind: 'user', reason: WHY }],
    [{ kind: 'user', value: '', reason: WHY }],
    [{ kind: 'all', value: 'x', reason: WHY }],
    [{ kind: 'everything', reason: WHY }],
    [{ kind: 'user', value: 'x', reason: WHY, until: '2020-01-01T00:00:00Z' }],
    [{ kind: 'user', value: 'x', reason: WHY, until: 'tomorrow' }],
    [{ kind: 'session', value: 'x', reason: WHY }],
    [{ kind: 'user', value: 'x', reason: WHY, hard: true }],
  ])('is answered 400 to %j', async (body) => {
    expect(result(await revoke(body))).toEqual([400, 'ValidationError']);
  });

  it.each(['0', '-1', '1.5', 'x', '99999999999999999999'])(
    'is answered 400 to the revocation number %s',
    async (id) => {
      expect(result(await send('DELETE', `/revocations/${id}`, undefined))).toEqual([
        400,
        'ValidationError',
      ]);
    },
  );

  it('leaves a record of each revocation and its reason', async () => {
    await during({ kind: 'user', value: 'mallory' }, async ({ json, headers }) => {
      expect(tvm.audit.at(-1)).toMatchObject({
        event: 'revocation',
        action: 'revoked',
        effect: 'allow',
        user: 'olivia',
        http_request_id: headers['x-request-id'],
        revocation_id: json['id'],
        kind: 'user',
        value: 'mallory',
        revocation_reason: WHY,
      });
    });
  });
});

const OPERATORS = `version: "1"
rules:
  - name: security-desk
    users: [olivia, alice]
    actions: [list, revoke, explain, lift]
`;
