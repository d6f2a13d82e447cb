import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { WriteBytes } from '../../../src/audit/log.ts';
import { call, get, signedCall, startFakeSts } from '../../http/support.ts';
import { send } from '../../revocations/support.ts';
import { sendRaw } from '../../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../../support/tvm.ts';

let desk: Desk;
let sts: Awaited<ReturnType<typeof startFakeSts>>;
let tvm: RunningTvm | undefined;

beforeAll(async () => {
  desk = await startDesk();
  sts = await startFakeSts();
});

afterEach(async () => {
  await tvm?.close();
  tvm = undefined;
});

afterAll(async () => {
  await sts.close();
  await desk.close();
});

async function start(writeAudit: WriteBytes): Promise<RunningTvm> {
  tvm = await startTvm(desk.url, { writeAudit, environment: { AWS_ENDPOINT_URL_STS: sts.url } });
  return tvm;
}

/** A writer whose writes the test completes. */
function heldWriter() {
  const text: string[] = [];
  const held: (() => void)[] = [];
  const write: WriteBytes = (bytes, done) => {
    text.push(Buffer.from(bytes).toString());
    held.push(() => done(null, bytes.length));
  };
  function records(): readonly Record<string, unknown>[] {
    return text
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
  return { write, records, complete: () => held.shift()?.() };
}

function expectNoCredentials(answer: Awaited<ReturnType<typeof get>>): void {
  expect(answer.status, answer.body).toBe(503);
  expect(answer.json).toMatchObject({ error: 'ServiceUnavailable', retry_after: 5 });
  expect(answer.body).not.toMatch(/fake-secret-key|fake-session-token|ASIAFAKE/u);
}

describe('GET / answers only after the record is written', () => {
  it('waits for the write', async () => {
    const writer = heldWriter();
    const pending = get(await start(writer.write), { profile: 'dev' });
    let answered = false;
    void pending.finally(() => {
      answered = true;
    });
    await expect.poll(() => writer.records().length).toBe(1);
    expect(answered).toBe(false);
    writer.complete();
    expect((await pending).status).toBe(200);
    expect(writer.records()).toMatchObject([{ outcome: 'vended', effect: 'allow' }]);
  });

  it('answers 503 if the write never completes, and discards what STS gave', async () => {
    const writer = heldWriter();
    const before = sts.assumed().length;
    expectNoCredentials(await get(await start(writer.write), { profile: 'dev' }));
    expect(sts.assumed().length).toBe(before + 1);
  });

  it('answers 503 if the write fails', async () => {
    const running = await start((_bytes, done) =>
      done(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }), 0),
    );
    expectNoCredentials(await get(running, { profile: 'dev' }));
    expect(running.log()).toContain('the audit log cannot be written');
    expect(running.log()).not.toMatch(/fake-secret-key|fake-session-token/u);
  });

  it('answers 503 if the write is too late, and records that the vend failed', async () => {
    const writer = heldWriter();
    expectNoCredentials(await get(await start(writer.write), { profile: 'dev' }));
    writer.complete();
    await expect.poll(() => writer.records().length).toBe(2);
    const [vended, failed] = writer.records();
    expect(vended).toMatchObject({ outcome: 'vended' });
    expect(failed).toMatchObject({ outcome: 'failed', error: 'the audit log took too long' });
    for (const key of [
      'vend_id',
      'session_id',
      'vended_access_key_id',
      'expiration',
      'http_request_id',
    ]) {
      expect(failed?.[key]).toBe(vended?.[key]);
      expect(failed?.[key]).toBeDefined();
    }
  });

  it('withdraws a record behind a stuck write, and records the failure only', async () => {
    const writer = heldWriter();
    const running = await start(writer.write);
    expect((await get(running, { profile: 'vault' })).status).toBe(403);
    const answer = await get(running, { profile: 'dev' });
    expectNoCredentials(answer);
    writer.complete();
    await expect.poll(() => writer.records().length).toBe(2);
    expect(writer.records()).toMatchObject([
      { outcome: 'denied', profile: 'vault' },
      { outcome: 'failed', profile: 'dev', http_request_id: answer.headers['x-request-id'] },
    ]);
  });

  it('answers a refusal although its record cannot be written', async () => {
    const running = await start((_bytes, done) => done(new Error('full'), 0));
    expect((await get(running, { profile: 'vault' })).status).toBe(403);
    // A request for an approval is made, which its caller hears of only once it is on record.
    expect((await call(running, { query: 'profile=prod' })).json['error']).toBe(
      'ServiceUnavailable',
    );
  });

  it('vends again once writing works again', async () => {
    let broken = true;
    const running = await start((bytes, done) =>
      broken ? done(new Error('full'), 0) : done(null, bytes.length),
    );
    expectNoCredentials(await get(running, { profile: 'dev' }));
    broken = false;
    expect((await get(running, { profile: 'dev' })).status).toBe(200);
  });
});

describe('a revocation whose record cannot be written', () => {
  const alice = { kind: 'user', value: 'alice', reason: 'the laptop was stolen' };

  it('is answered with 503 that says that it stands, and can be lifted', async () => {
    let isStuck = false;
    const writer = heldWriter();
    const running = await start((bytes, done) =>
      isStuck ? writer.write(bytes, done) : done(null, bytes.length),
    );
    isStuck = true;
    const revoked = await send(running, '/revocations', alice);
    expect(revoked.status, revoked.body).toBe(503);
    expect(revoked.json).toMatchObject({
      error: 'ServiceUnavailable',
      revocation_id: expect.stringMatching(/^\d+$/u),
    });
    expect(revoked.json['message']).toMatch(
      /^Revocation \d+ is in force, but the audit log is not available/u,
    );
    writer.complete();
    await expect.poll(() => writer.records().length).toBe(2);
    const [made, failed] = writer.records();
    expect(made).toMatchObject({
      event: 'revocation',
      action: 'revoked',
      effect: 'allow',
      value: 'alice',
    });
    expect(failed).toMatchObject({
      ...made,
      timestamp: expect.any(String),
      error: 'the audit log took too long',
      cause: 'audit',
    });
    isStuck = false;
    writer.complete();
    const { status, json } = await get(running, { profile: 'dev' });
    expect([status, json['error']]).toEqual([403, 'SessionRevoked']);
    const path = `/revocations/${String(revoked.json['revocation_id'])}`;
    isStuck = true;
    const lifted = await call(running, { method: 'DELETE', path, as: 'olivia' });
    expect(lifted.status, lifted.body).toBe(503);
    expect(lifted.json['message']).toMatch(
      /^Revocation \d+ is lifted, but the audit log is not available/u,
    );
    isStuck = false;
    writer.complete();
    await expect.poll(async () => (await get(running, { profile: 'dev' })).status).toBe(200);
  });

  it('stands for a session as well, and the session’s row says so', async () => {
    let broken = false;
    const running = await start((bytes, done) =>
      broken ? done(new Error('full'), 0) : done(null, bytes.length),
    );
    const id = String((await get(running, { profile: 'dev' })).json['SessionId']);
    broken = true;
    const revoked = await send(running, `/sessions/${id}/revoke`, { reason: 'a mistake' }, 'alice');
    expect([revoked.status, revoked.json['error']], revoked.body).toEqual([
      503,
      'ServiceUnavailable',
    ]);
    broken = false;
    const shown = await call(running, { path: `/sessions/${id}`, as: 'olivia' });
    expect(shown.json).toMatchObject({ status: 'revoked', active: false, revoked_by: 'alice' });
    const n = String(revoked.json['revocation_id']);
    expect(
      (await call(running, { method: 'DELETE', path: `/revocations/${n}`, as: 'olivia' })).status,
    ).toBe(200);
  });
});

describe('a refusal of identity', () => {
  const unsigned = { target: '/?profile=dev', headers: { host: 'tvm.example' } };

  it('waits for its record', async () => {
    const writer = heldWriter();
    const running = await start(writer.write);
    const pending = sendRaw(running.port, unsigned);
    await expect.poll(() => writer.records().length).toBe(1);
    writer.complete();
    expect((await pending).status).toBe(403);
  });

  const broken: readonly (readonly [string, WriteBytes])[] = [
    ['fails', (_bytes, done) => done(new Error('full'), 0)],
    ['never completes', () => undefined],
  ];

  it.each(broken)('is 503 if the write %s', async (_, write) => {
    const running = await start(write);
    expectNoCredentials(await sendRaw(running.port, unsigned));
  });
});

describe('the record of a replay', () => {
  it('says deny, although policy allowed the request', async () => {
    tvm = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } });
    const signed = signedCall(tvm, { query: 'profile=dev' });
    expect((await sendRaw(tvm.port, signed)).status).toBe(200);
    expect((await sendRaw(tvm.port, signed)).json['error']).toBe('RequestReplayed');
    expect(tvm.audit.map(({ effect, error }) => [effect, error])).toEqual([
      ['allow', undefined],
      ['deny', expect.stringMatching(/replay/iu)],
    ]);
  });
});
