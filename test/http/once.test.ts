import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lift, listed, openSession, revoke } from '../revocations/support.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { signedCall, type Call } from './support.ts';

/** Each request that changes something works once, with both settings of SENTINEL_REPLAY_GUARD. */
let desk: Desk;
const running: RunningTvm[] = [];

beforeAll(async () => {
  desk = await startDesk();
});

afterAll(async () => {
  for (const tvm of running) await tvm.close();
  await desk.close();
});

async function start(environment: Readonly<Record<string, string>>): Promise<RunningTvm> {
  const tvm = await startTvm(desk.url, { environment });
  running.push(tvm);
  return tvm;
}

function json(path: string, body: object, as: Call['as'] = 'olivia'): Call {
  return {
    method: 'POST',
    path,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    as: as ?? 'olivia',
  };
}

/** Signs for a host that both instances serve. */
function signed(what: Call) {
  return signedCall({ host: 'localhost' }, { host: 'localhost', ...what });
}

function result({ status, json: { error } }: RawAnswer) {
  return [status, error];
}

const REPLAYED = [403, 'RequestReplayed'];

const MALLORY = { kind: 'user', value: 'mallory', reason: 'laptop stolen' };

describe.each(['shared', 'instance'])('changes with SENTINEL_REPLAY_GUARD=%s', (guard) => {
  let tvm: RunningTvm;
  let other: RunningTvm;

  beforeAll(async () => {
    [tvm, other] = [
      await start({ SENTINEL_REPLAY_GUARD: guard }),
      await start({ SENTINEL_REPLAY_GUARD: guard }),
    ];
    // The guard in memory refuses what was signed in the same second as the start, so wait for the
    // next one.
    await new Promise((resolve) => {
      setTimeout(resolve, 1_050);
    });
  });

  it('refuse a copy of POST /revocations at any instance, also after the revocation is lifted', async () => {
    const request = signed(json('/revocations', MALLORY));
    const made = await sendRaw(tvm.port, request);
    expect(made.status, made.body).toBe(201);
    expect(result(await sendRaw(tvm.port, request))).toEqual(REPLAYED);
    expect(result(await sendRaw(other.port, request))).toEqual(REPLAYED);
    expect((await lift(tvm, String(made.json['id']))).status).toBe(200);
    for (const { port } of [tvm, other, tvm])
      expect(result(await sendRaw(port, request))).toEqual(REPLAYED);
    expect(await listed(tvm)).toEqual([]);
    expect(tvm.audit.at(-2)).toMatchObject({
      event: 'revocation',
      action: 'revoked',
      effect: 'deny',
      error: 'replayed',
      user: 'olivia',
      value: 'mallory',
    });
  });

  it('refuse a copy of POST /revocations for a session, and of POST /sessions/{id}/revoke', async () => {
    for (const path of ['/revocations', '/sessions/ID/revoke']) {
      const id = await openSession(tvm, 'alice', `profile=dev&session_label=once-${path.length}`);
      const body =
        path === '/revocations' ? { kind: 'session', value: id, reason: 'why' } : { reason: 'why' };
      const request = signed(json(path.replace('ID', id), body));
      const made = await sendRaw(tvm.port, request);
      expect([200, 201], made.body).toContain(made.status);
      expect(result(await sendRaw(tvm.port, request))).toEqual(REPLAYED);
      expect((await lift(tvm, String(made.json['id']))).status).toBe(200);
      expect(result(await sendRaw(other.port, request))).toEqual(REPLAYED);
      expect(await listed(tvm)).toEqual([]);
    }
  });

  it('refuse a copy of DELETE /revocations/{id}', async () => {
    const id = await revoke(tvm, 'user', 'mallory');
    const request = signed({ method: 'DELETE', path: `/revocations/${id}`, as: 'olivia' });
    expect((await sendRaw(tvm.port, request)).status).toBe(200);
    expect(result(await sendRaw(tvm.port, request))).toEqual(REPLAYED);
    expect(result(await sendRaw(other.port, request))).toEqual(REPLAYED);
  });

  it('mint one key for copies of POST /keys at two instances', async () => {
    const request = signed(json('/keys', { duration: 60 }, 'alice'));
    const all = await Promise.all(
      [tvm, other, tvm, other].map(({ port }) => sendRaw(port, request)),
    );
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(all.filter(({ status }) => status !== 200).map(result)).toEqual([
      REPLAYED,
      REPLAYED,
      REPLAYED,
    ]);
  });

  it('revoke once for copies at once at two instances', async () => {
    const request = signed(json('/revocations', { ...MALLORY, value: 'many' }));
    const all = await Promise.all(
      [tvm, other, tvm, other].map(({ port }) => sendRaw(port, request)),
    );
    expect(all.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 403, 403, 403]);
    const made = all.find(({ status }) => status === 201);
    expect((await lift(tvm, String(made?.json['id']))).status).toBe(200);
  });
});

describe('a request that changes nothing', () => {
  let tvm: RunningTvm;
  beforeAll(async () => {
    tvm = await start({});
  });

  it('is not used up when the caller lacks the right', async () => {
    const request = signed(json('/revocations', MALLORY, 'bob'));
    for (let time = 0; time < 2; time += 1) {
      const denied = await sendRaw(tvm.port, request);
      expect([denied.status, denied.json['error']]).not.toEqual(REPLAYED);
      expect(denied.status).toBe(403);
    }
  });

  it('is used up by a conflict, which may be gone while a copy is still valid', async () => {
    const id = await openSession(tvm, 'alice', 'profile=dev&session_label=conflict');
    const first = await sendRaw(
      tvm.port,
      signed(json(`/sessions/${id}/revoke`, { reason: 'why' })),
    );
    const second = signed(json(`/sessions/${id}/revoke`, { reason: 'why' }));
    expect((await sendRaw(tvm.port, second)).status).toBe(409);
    expect((await lift(tvm, String(first.json['id']))).status).toBe(200);
    expect(result(await sendRaw(tvm.port, second))).toEqual(REPLAYED);
    expect(await listed(tvm)).toEqual([]);
  });

  it('is not used up when its body is refused', async () => {
    const request = signed(json('/revocations', { ...MALLORY, kind: 'nobody' }));
    for (let time = 0; time < 2; time += 1)
      expect((await sendRaw(tvm.port, request)).status).toBe(400);
  });
});

it('changes nothing while the replay guard fails, and serves the next request', async () => {
  const proxy = await startFaultProxy(desk.url);
  const tvm = await start({ AWS_ENDPOINT_URL_DYNAMODB: proxy.url });
  try {
    proxy.set('dynamodb', 'throttled');
    const failed = await sendRaw(
      tvm.port,
      signed(json('/revocations', { ...MALLORY, value: 'later' })),
    );
    expect(result(failed)).toEqual([503, 'ServiceUnavailable']);
    proxy.set('dynamodb', 'ok');
    expect(await listed(tvm)).toEqual([]);
    const made = await sendRaw(
      tvm.port,
      signed(json('/revocations', { ...MALLORY, value: 'later' })),
    );
    expect(made.status, made.body).toBe(201);
    expect((await lift(tvm, String(made.json['id']))).status).toBe(200);
  } finally {
    await proxy.close();
  }
});
