import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { keyOf, postKeys, sendAs, type Minted } from '../support/keys.ts';
import { sign } from '../support/sign.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, get } from './support.ts';

/** `POST /keys` and its keys. Each property is tested with an attempt to break it. */
let desk: Desk;
let tvm: RunningTvm;
let offset = 0;
const others: RunningTvm[] = [];

async function start(environment: Record<string, string> = {}): Promise<RunningTvm> {
  const other = await startTvm(desk.url, {
    environment: { SENTINEL_SERVER_ID: 'tvm-1', ...environment },
  });
  others.push(other);
  return other;
}

const MINUTE = 60_000;
const ALICE = '/sentinel-secrets/clients/TVMDEMOALICE';
function alice(change: object = {}) {
  return JSON.stringify({ secret: 'demo-alice-not-a-secret', name: 'alice', ...change });
}

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url, {
    environment: { SENTINEL_SERVER_ID: 'tvm-1' },
    clock: () => Date.now() + offset,
  });
});

afterEach(async () => {
  offset = 0;
  await Promise.all(others.splice(0).map((other) => other.close()));
  await desk.put(ALICE, alice(), 'SecureString');
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

function nowDate() {
  return new Date(Date.now() + offset).toISOString().replace(/[-:]|\.\d{3}/gu, '');
}
async function vend(of: Pick<RunningTvm, 'host' | 'port'>, key: Minted) {
  const { status, json } = await sendAs(of, key, { query: 'profile=dev', amzDate: nowDate() });
  return [status, json['error']];
}

const UNKNOWN = [403, 'InvalidClientTokenId'];

describe('a minted key', () => {
  it('vends and lists as the key that minted it, and is the same caller', async () => {
    const key = keyOf(await postKeys(tvm));
    expect(await vend(tvm, key)).toEqual([200, undefined]);
    expect((await sendAs(tvm, key, { path: '/profiles' })).json['profiles']).toMatchObject([
      { name: 'dev' },
      { name: 'prod' },
    ]);
    expect((await sendAs(tvm, key, { path: '/whoami' })).json).toEqual({
      account: '000000000000',
      principal: 'sentinel:key/TVMDEMOALICE',
      subject: 'sentinel:key/TVMDEMOALICE',
      name: 'alice',
      via: 'minted-key',
      access_key_id: key.accessKeyId,
      source_access_key_id: 'TVMDEMOALICE',
      expiration: expect.stringMatching(/Z$/u),
    });
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'vend',
      user: 'alice',
      via: 'minted-key',
      access_key_id: key.accessKeyId,
      source_access_key_id: 'TVMDEMOALICE',
    });
  });

  it('has the shape of temporary AWS credentials, and lives 15 minutes by default', async () => {
    const { json, headers } = await postKeys(tvm);
    expect(Object.keys(json)).toEqual([
      'Version',
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Token',
      'Expiration',
    ]);
    expect(json).toMatchObject({ Version: 1, Token: json['SessionToken'] });
    expect(headers['cache-control']).toBe('no-store');
    function life(text: unknown): number {
      return Date.parse(String(text)) - Date.now();
    }
    expect(Math.round(life(json['Expiration']) / MINUTE)).toBe(15);
    const hour = await postKeys(tvm, '{"duration":3600}');
    expect(Math.round(life(hour.json['Expiration']) / MINUTE)).toBe(60);
  });

  it('is refused with ExpiredToken after its expiration', async () => {
    const key = keyOf(await postKeys(tvm, '{"duration":60}'));
    offset = 58_000;
    expect(await vend(tvm, key)).toEqual([200, undefined]);
    offset = 60_000;
    expect(await vend(tvm, key)).toEqual([403, 'ExpiredToken']);
    const wrong = { ...key, secret: 'another' };
    expect(await vend(tvm, wrong)).toEqual([403, 'SignatureDoesNotMatch']);
  });

  it('cannot mint another key', async () => {
    const key = keyOf(await postKeys(tvm));
    const second = await postKeys(tvm, '{}', key, { 'x-amz-security-token': key.token });
    expect([second.status, second.json['error']]).toEqual([403, 'AccessDenied']);
    expect(tvm.audit.at(-1)).toMatchObject({ event: 'key', effect: 'deny', outcome: 'denied' });
  });

  it('does not outlive the registered key that minted it', async () => {
    const end = `${new Date(Date.now() + 2 * MINUTE).toISOString().slice(0, 19)}Z`;
    await desk.put(ALICE, alice({ expires_at: end }), 'SecureString');
    const other = await start();
    expect((await postKeys(other, '{"duration":3600}')).json['Expiration']).toBe(end);
  });

  it('vends credentials beyond its own end, but not beyond that of the registered key', async () => {
    const end = `${new Date(Date.now() + 2 * MINUTE).toISOString().slice(0, 19)}Z`;
    await desk.put(ALICE, alice({ expires_at: end }), 'SecureString');
    const other = await start();
    const key = keyOf(await postKeys(other, '{"duration":60}'));
    const own = await get(other, { profile: 'dev', duration: '900' });
    expect([own.status, own.json['Expiration']], own.body).toEqual([200, end]);
    expect(other.audit.at(-1)).toMatchObject({ outcome: 'vended', expiration: end });
    const listed = (await call(other, { path: '/profiles' })).json['profiles'] as {
      max_duration: number;
    }[];
    expect(listed.map(({ max_duration: seconds }) => seconds <= 120)).not.toContain(false);
    const minted = await sendAs(other, key, { query: 'duration=900&profile=dev' });
    expect(minted.status, minted.body).toBe(200);
    expect(Date.parse(String(minted.json['Expiration'])) - Date.now()).toBeGreaterThan(14 * MINUTE);
  });

  it.each([
    ['a longer duration asked for', '30m', '{"duration":3600}', 30 * MINUTE],
    ['a shorter duration asked for', '30m', '{"duration":60}', MINUTE],
    ['no duration asked for', '5m', '{}', 5 * MINUTE],
    ['an hour asked for', '1h', '{"duration":3600}', 60 * MINUTE],
  ])('lives, with %s, no longer than SENTINEL_KEY_LIFE=%s', async (_, life, body, expected) => {
    const other = await start({ SENTINEL_KEY_LIFE: life });
    const before = Math.floor(Date.now() / 1_000) * 1_000;
    const { status, json } = await postKeys(other, body);
    const after = Date.now();
    expect(status).toBe(200);
    const end = Date.parse(String(json['Expiration']));
    expect(end).toBeGreaterThanOrEqual(before + expected);
    expect(end).toBeLessThanOrEqual(after + expected);
    expect(other.audit.at(-1)).toMatchObject({
      event: 'key',
      outcome: 'minted',
      expiration: json['Expiration'],
    });
  });

  it.each([
    ['is disabled', alice({ disabled: true })],
    ['has expired', alice({ expires_at: '2026-01-01T00:00:00Z' })],
    ['has another secret', alice({ secret: 'another-secret' })],
    ['is broken', '{'],
  ])('is refused when the registered key that minted it %s', async (_, document) => {
    const key = keyOf(await postKeys(tvm));
    await desk.put(ALICE, document, 'SecureString');
    expect(await vend(await start(), key)).toEqual(UNKNOWN);
  });

  it('vends once for each signed request', async () => {
    const key = keyOf(await postKeys(tvm));
    const headers = { 'x-amz-security-token': key.token, 'x-sentinel-nonce': 'once' };
    const signed = sign({ host: tvm.host, query: 'profile=dev', ...key, headers });
    function shot() {
      return sendRaw(tvm.port, { target: '/?profile=dev', headers: signed.headers });
    }
    const statuses = (await Promise.all([shot(), shot(), shot()])).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, 403, 403]);
  });
});

describe('the token of a minted key', () => {
  it('does not show the secret or the name', async () => {
    const key = keyOf(await postKeys(tvm));
    const [prefix, kid, sealed = ''] = key.token.split('.');
    expect([prefix, kid]).toEqual(['TVM1', 'local']);
    const bytes = Buffer.from(sealed, 'base64url').toString('latin1');
    for (const secret of [key.secret, 'alice', 'TVMDEMOALICE', key.accessKeyId]) {
      expect(`${bytes}${key.token}`).not.toContain(secret);
    }
  });

  it('is useless without the secret', async () => {
    const key = keyOf(await postKeys(tvm));
    for (const secret of [
      '',
      key.token,
      'demo-alice-not-a-secret',
      key.accessKeyId,
      'no key of this server has this secret',
    ]) {
      expect(await vend(tvm, { ...key, secret })).toEqual([403, 'SignatureDoesNotMatch']);
    }
  });

  it('is refused with any other key, minted or registered', async () => {
    const [one, two] = [keyOf(await postKeys(tvm)), keyOf(await postKeys(tvm))];
    expect(await vend(tvm, { ...one, token: two.token })).toEqual(UNKNOWN);
    expect(await vend(tvm, { ...one, accessKeyId: two.accessKeyId })).toEqual(UNKNOWN);
    const registered = {
      accessKeyId: 'TVMDEMOALICE',
      secret: 'demo-alice-not-a-secret',
      token: one.token,
    };
    expect(await vend(tvm, registered)).toEqual(UNKNOWN);
    expect(await vend(tvm, { ...registered, secret: one.secret })).toEqual(UNKNOWN);
  });

  it('must be sent and signed', async () => {
    const key = keyOf(await postKeys(tvm));
    const signed = sign({ host: tvm.host, query: 'profile=dev', ...key });
    const bare = await sendRaw(tvm.port, { target: '/?profile=dev', headers: signed.headers });
    expect([bare.status, bare.json['error']]).toEqual(UNKNOWN);
    const added = { ...signed.headers, 'x-amz-security-token': key.token };
    const unsigned = await sendRaw(tvm.port, { target: '/?profile=dev', headers: added });
    expect([unsigned.status, unsigned.json['error']]).toEqual([403, 'AccessDenied']);
  });
});

describe('sealing keys', () => {
  function put(id: string, activeFrom?: string) {
    return desk.put(
      `/sentinel-secrets/keys/${id}`,
      JSON.stringify({
        key: randomBytes(32).toString('base64'),
        ...(activeFrom && { active_from: activeFrom }),
      }),
      'SecureString',
    );
  }
  function kidOf({ token }: Minted) {
    return token.split('.')[1];
  }

  it('rotate: both are valid, the newest active one mints, and keys end with the old one', async () => {
    const old = keyOf(await postKeys(tvm));
    await put('next', '2026-01-01T00:00:00Z');
    await put('future', `${new Date(Date.now() + 10 * MINUTE).toISOString().slice(0, 19)}Z`);
    const rotated = await start();
    const fresh = keyOf(await postKeys(rotated));
    expect([kidOf(old), kidOf(fresh)]).toEqual(['local', 'next']);
    expect(await vend(rotated, old)).toEqual([200, undefined]);
    expect(await vend(rotated, fresh)).toEqual([200, undefined]);
    expect(await vend(tvm, fresh)).toEqual(UNKNOWN);
    await desk.put('/sentinel-secrets/keys/local', '{}', 'SecureString');
    const without = await start();
    expect(await vend(without, old)).toEqual(UNKNOWN);
    expect(await vend(without, fresh)).toEqual([200, undefined]);
    expect(without.log()).toContain('/sentinel-secrets/keys/local');
  });

  it('are bound to SENTINEL_SERVER_ID', async () => {
    const key = keyOf(await postKeys(await start()));
    expect(await vend(await start({ SENTINEL_SERVER_ID: 'tvm-2' }), key)).toEqual(UNKNOWN);
    expect(await vend(await start({ SENTINEL_SERVER_ID: '' }), key)).toEqual(UNKNOWN);
    expect(await vend(await start(), key)).toEqual([200, undefined]);
  });

  it('are named in the 503 of POST /keys when there is none', async () => {
    // This needs tables that were never signed; with signed ones, nobody is served without the key.
    const unsigned = await startDesk();
    await unsigned.put('/elsewhere/clients/TVMDEMOALICE', alice(), 'SecureString');
    const other = await startTvm(unsigned.url, {
      environment: { SENTINEL_SECRETS_ROOT: '/elsewhere' },
    });
    const { status, json, headers } = await postKeys(other);
    expect([status, json['error'], headers['retry-after']]).toEqual([
      503,
      'ServiceUnavailable',
      '5',
    ]);
    expect(json['message']).toContain('keys/');
    await other.close();
    await unsigned.close();
  });
});

describe('POST /keys', () => {
  it.each([
    '{"duration":59}',
    '{"duration":3601}',
    '{"duration":"900"}',
    '{"duration":900.5}',
    '{"life":900}',
    '[]',
    '',
  ])('refuses %s', async (body) => {
    const { status, json } = await postKeys(tvm, body);
    expect([status, json['error']]).toEqual([400, 'ValidationError']);
    expect(JSON.stringify(json)).not.toContain('SecretAccessKey');
  });

  it('mints once for each signed request', async () => {
    const headers = { 'content-type': 'application/json', 'x-sentinel-nonce': 'just-this-once' };
    const signed = sign({ host: tvm.host, method: 'POST', path: '/keys', headers, body: '{}' });
    function shot() {
      return sendRaw(tvm.port, {
        method: 'POST',
        target: '/keys',
        headers: signed.headers,
        body: '{}',
      });
    }
    const answers = await Promise.all([shot(), shot()]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 403]);
    expect(answers.find(({ status }) => status === 403)?.json['error']).toBe('RequestReplayed');
  });

  it('answers 503 without a key when the record cannot be written', async () => {
    const mute = await startTvm(desk.url, { writeAudit: () => undefined });
    const { status, json } = await postKeys(mute);
    expect([status, json['error']]).toEqual([503, 'ServiceUnavailable']);
    await mute.close();
  });

  it('records the key’s id and end, and no secret in any log', async () => {
    const other = await startTvm(desk.url, { environment: { SENTINEL_LOG_LEVEL: 'trace' } });
    const answer = await postKeys(other);
    const key = keyOf(answer);
    await sendAs(other, key, { query: 'profile=dev' });
    await sendAs(other, { ...key, secret: 'x' }, { query: 'profile=dev' });
    expect(other.audit[0]).toEqual({
      type: 'audit',
      timestamp: expect.any(String),
      event: 'key',
      http_request_id: answer.headers['x-request-id'],
      source_ip: '127.0.0.1',
      user: 'alice',
      principal: 'sentinel:key/TVMDEMOALICE',
      subject: 'sentinel:key/TVMDEMOALICE',
      account: '000000000000',
      via: 'key',
      access_key_id: 'TVMDEMOALICE',
      minted_access_key_id: key.accessKeyId,
      expiration: answer.json['Expiration'],
      effect: 'allow',
      outcome: 'minted',
    });
    const said = JSON.stringify(other.audit) + other.log();
    for (const secret of [key.secret, key.token, 'demo-alice-not-a-secret'])
      expect(said).not.toContain(secret);
    await other.close();
  });
});
