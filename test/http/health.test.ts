import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WriteBytes } from '../../src/audit/log.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, putProfile, startFake } from './support.ts';

let desk: Desk;

beforeAll(async () => {
  desk = await startDesk();
});

afterAll(async () => {
  await desk.close();
});

/** Sends an unsigned request, because these endpoints need no identity. */
function ask(tvm: RunningTvm, target: string, method = 'GET'): Promise<RawAnswer> {
  return sendRaw(tvm.port, { method, target, headers: { host: 'whatever.example' } });
}

async function withTvm(
  options: Parameters<typeof startTvm>[1],
  use: (tvm: RunningTvm) => Promise<void>,
  url = desk.url,
): Promise<void> {
  const tvm = await startTvm(url, options);
  try {
    await use(tvm);
  } finally {
    await tvm.close();
  }
}

describe('GET /healthz', () => {
  it('answers 503 until the first reading of the documents is over, then 200', async () => {
    await withTvm({ start: false }, async (tvm) => {
      expect(await ask(tvm, '/healthz')).toMatchObject({
        status: 503,
        json: { status: 'starting' },
      });
      const stop = new AbortController();
      await tvm.start(stop.signal);
      expect(await ask(tvm, '/healthz')).toMatchObject({ status: 200, json: { status: 'ok' } });
      stop.abort();
    });
  });

  it('answers 200 when the first reading failed, because a new instance would not repair AWS', async () => {
    const ssm = await startFake(() => 'close');
    await withTvm({ environment: { AWS_ENDPOINT_URL_SSM: ssm.url } }, async (tvm) => {
      expect(await ask(tvm, '/healthz')).toMatchObject({ status: 200, json: { status: 'ok' } });
      expect(await ask(tvm, '/readyz')).toMatchObject({ status: 503, json: { status: 'unready' } });
    });
    await ssm.close();
  });

  it('answers 503 with Connection: close while draining', async () => {
    await withTvm({}, async (tvm) => {
      tvm.startDraining();
      const answer = await ask(tvm, '/healthz');
      expect(answer).toMatchObject({ status: 503, json: { status: 'draining' } });
      expect(answer.headers['connection']).toBe('close');
      expect(await ask(tvm, '/readyz')).toMatchObject({
        status: 503,
        json: { status: 'unready', draining: true },
      });
    });
  });

  it('answers nothing but its status', async () => {
    await withTvm({}, async (tvm) => {
      expect((await ask(tvm, '/healthz')).json).toEqual({ status: 'ok' });
    });
  });
});

describe('GET /readyz', () => {
  const counts = { age_seconds: expect.any(Number), profiles: 3, rejected: 0, findings: 0 };

  it('answers ready with the demo documents, in exactly the documented shape', async () => {
    await withTvm({}, async (tvm) => {
      const answer = await ask(tvm, '/readyz');
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        status: 'ready',
        catalog: counts,
        revocations: { age_seconds: 0, under_old_keys: 0 },
        audit: { writable: true, lost: 0 },
        draining: false,
      });
    });
  });

  it('answers unready with the age null before the documents are read', async () => {
    await withTvm({ start: false }, async (tvm) => {
      const answer = await ask(tvm, '/readyz');
      expect(answer.status).toBe(503);
      expect(answer.json).toMatchObject({
        status: 'unready',
        catalog: { age_seconds: null, profiles: 0, rejected: 0 },
      });
    });
  });

  it('answers 200 degraded when a document is broken, and names no document', async () => {
    const own = await startDesk();
    await putProfile(own, 'a-telling-name', { effect: 'alow', conditions: { users: ['mallory'] } });
    await withTvm(
      {},
      async (tvm) => {
        const answer = await ask(tvm, '/readyz');
        expect(answer.status).toBe(200);
        expect(answer.json).toMatchObject({
          status: 'degraded',
          catalog: { profiles: 3, rejected: 1 },
        });
        expect(answer.body).not.toMatch(/telling|mallory|alow|dev|sentinel/u);
      },
      own.url,
    );
    await own.close();
  });

  it('answers the age of the documents', async () => {
    let offset = 0;
    await withTvm({ monotonic: () => performance.now() + offset }, async (tvm) => {
      offset = 42_000;
      const { catalog } = (await ask(tvm, '/readyz')).json as { catalog: { age_seconds: number } };
      expect(catalog.age_seconds).toBeGreaterThanOrEqual(42);
      offset = 301_000;
      expect((await ask(tvm, '/readyz')).status).toBe(503);
    });
  });
});

describe('GET /healthz and GET /readyz while audit records cannot be written', () => {
  async function status(tvm: RunningTvm, path: string) {
    const { status: code, json } = await ask(tvm, path);
    return [code, json['status'], json['audit']];
  }

  it('answer 503 from the first lost record until records can be written again', async () => {
    let code: string | undefined = 'ENOSPC';
    const writeAudit: WriteBytes = (bytes, done) =>
      code === undefined
        ? done(null, bytes.length)
        : done(Object.assign(new Error(code), { code }), 0);
    await withTvm({ writeAudit }, async (tvm) => {
      expect(await status(tvm, '/readyz')).toEqual([200, 'ready', { writable: true, lost: 0 }]);
      expect((await call(tvm, { query: 'profile=vault' })).status).toBe(403);
      expect(await status(tvm, '/healthz')).toEqual([503, 'audit_unwritable', undefined]);
      expect(await status(tvm, '/readyz')).toEqual([503, 'unready', { writable: false, lost: 1 }]);
      code = undefined;
      // The TVM notices by itself, because a load balancer no longer sends requests that leave
      // records.
      await expect
        .poll(() => status(tvm, '/healthz'), { timeout: 5_000 })
        .toEqual([200, 'ok', undefined]);
      expect(await status(tvm, '/readyz')).toEqual([200, 'degraded', { writable: true, lost: 1 }]);
    });
  });

  it('answer 503 while nobody reads stdout', async () => {
    let wake: () => void = () => undefined;
    const writeAudit: WriteBytes = (bytes, done) => {
      wake = () => done(null, bytes.length);
    };
    await withTvm({ writeAudit }, async (tvm) => {
      expect((await call(tvm, { query: 'profile=dev' })).status).toBe(503);
      const unready = [503, 'unready', { writable: false, lost: 0 }];
      await expect.poll(() => status(tvm, '/readyz'), { timeout: 5_000 }).toEqual(unready);
      expect(await status(tvm, '/healthz')).toEqual([503, 'audit_unwritable', undefined]);
      wake();
      await expect
        .poll(() => status(tvm, '/healthz'), { timeout: 5_000 })
        .toEqual([200, 'ok', undefined]);
    });
  });
});

describe.each(['/healthz', '/readyz'])('%s', (path) => {
  it('answers HEAD with the status of GET and no body', async () => {
    await withTvm({}, async (tvm) => {
      expect(await ask(tvm, path, 'HEAD')).toMatchObject({ status: 200, body: '' });
      tvm.startDraining();
      expect(await ask(tvm, path, 'HEAD')).toMatchObject({ status: 503, body: '' });
    });
  });

  it('ignores signatures, good or bad, and leaves no audit record', async () => {
    await withTvm({}, async (tvm) => {
      const headers = { host: tvm.host, authorization: 'AWS4-HMAC-SHA256 garbage' };
      expect((await sendRaw(tvm.port, { target: path, headers })).status).toBe(200);
      expect((await call(tvm, { path })).status).toBe(200);
      expect(tvm.audit).toEqual([]);
    });
  });
});
