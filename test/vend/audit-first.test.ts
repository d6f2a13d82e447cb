import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { WriteBytes } from '../../src/audit/log.ts';
import { call, get, startFakeSts } from '../http/support.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

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

const start = async (writeAudit: WriteBytes): Promise<RunningTvm> => {
  tvm = await startTvm(desk.url, { writeAudit, environment: { AWS_ENDPOINT_URL_STS: sts.url } });
  return tvm;
};

/** A writer whose completions the test decides upon. */
const heldWriter = () => {
  const text: string[] = [];
  const held: (() => void)[] = [];
  const write: WriteBytes = (bytes, done) => {
    text.push(Buffer.from(bytes).toString());
    held.push(() => done(null, bytes.length));
  };
  const records = (): readonly Record<string, unknown>[] =>
    text
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { write, records, complete: () => held.shift()?.() };
};

const expectNoCredentials = (answer: Awaited<ReturnType<typeof get>>): void => {
  expect(answer.status, answer.body).toBe(503);
  expect(answer.json).toMatchObject({ error: 'ServiceUnavailable', retry_after: 5 });
  expect(answer.body).not.toMatch(/fake-secret-key|fake-session-token|ASIAFAKE/u);
};

describe('credentials leave only after their record is written', () => {
  it('they wait for the write', async () => {
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

  it('a write that never completes: 503, and STS’s answer is thrown away', async () => {
    const writer = heldWriter();
    const before = sts.assumed().length;
    expectNoCredentials(await get(await start(writer.write), { profile: 'dev' }));
    expect(sts.assumed().length).toBe(before + 1);
  });

  it('a write that fails: 503', async () => {
    const running = await start((_bytes, done) => done(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }), 0));
    expectNoCredentials(await get(running, { profile: 'dev' }));
    expect(running.log()).toContain('the audit log cannot be written');
    expect(running.log()).not.toMatch(/fake-secret-key|fake-session-token/u);
  });

  it('a write that comes too late: 503, and the log says of the begun record that it failed', async () => {
    const writer = heldWriter();
    expectNoCredentials(await get(await start(writer.write), { profile: 'dev' }));
    writer.complete();
    await expect.poll(() => writer.records().length).toBe(2);
    const [vended, failed] = writer.records();
    expect(vended).toMatchObject({ outcome: 'vended' });
    expect(failed).toMatchObject({ outcome: 'failed', error: 'the audit log took too long' });
    for (const key of ['request_id', 'session_id', 'vended_access_key_id', 'expiration', 'http_request_id']) {
      expect(failed?.[key]).toBe(vended?.[key]);
      expect(failed?.[key]).toBeDefined();
    }
  });

  it('behind a write that is stuck: a record not begun is withdrawn, and only its failure is told', async () => {
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

  it('a refusal is answered though its record cannot be written', async () => {
    const running = await start((_bytes, done) => done(new Error('full'), 0));
    expect((await get(running, { profile: 'vault' })).status).toBe(403);
    expect((await call(running, { query: 'profile=prod' })).json['error']).toBe('PolicyRequiresApproval');
  });

  it('writing works again: the next vend goes through', async () => {
    let broken = true;
    const running = await start((bytes, done) => (broken ? done(new Error('full'), 0) : done(null, bytes.length)));
    expectNoCredentials(await get(running, { profile: 'dev' }));
    broken = false;
    expect((await get(running, { profile: 'dev' })).status).toBe(200);
  });
});
