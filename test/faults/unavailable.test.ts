import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { call, get } from '../http/support.ts';
import { send } from '../revocations/support.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/** Every 503 leaves a record that says what was unavailable. */
let desk: Desk;
let proxy: FaultProxy;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  proxy = await startFaultProxy(desk.url);
  tvm = await startTvm(proxy.url);
  expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
});

afterEach(() => {
  for (const service of ['sts', 'ssm', 'dynamodb'] as const) proxy.set(service, 'ok');
});

afterAll(async () => {
  await tvm.close();
  await proxy.close();
  await desk.close();
});

/** The causes in the records after the first `before`. */
function causesSince(before: number): readonly unknown[] {
  return tvm.audit.slice(before).map(({ cause }) => cause);
}

describe('the audit record of a 503', () => {
  it.each(['down', 'hang'] as const)(
    'is one for each vend, with its cause, while DynamoDB is %s',
    async (fault) => {
      await expect
        .poll(async () => (await get(tvm, { profile: 'dev' })).status, { timeout: 10_000 })
        .toBe(200);
      const before = tvm.audit.length;
      proxy.set('dynamodb', fault);
      const answers = [await get(tvm, { profile: 'dev' }), await get(tvm, { profile: 'dev' })];
      expect(answers.map(({ status }) => status)).toEqual([503, 503]);
      const records = tvm.audit.slice(before);
      expect(records).toHaveLength(2);
      expect(records.map(({ http_request_id: id }) => id)).toEqual(
        answers.map(({ headers }) => headers['x-request-id']),
      );
      for (const { error, cause } of records) {
        expect(error).toBe('unavailable');
        expect(['guard', 'revocations']).toContain(cause);
      }
    },
  );

  it('has the cause sts while STS is down, and sts_throttled while it throttles', async () => {
    await expect
      .poll(async () => (await get(tvm, { profile: 'dev' })).status, { timeout: 10_000 })
      .toBe(200);
    const before = tvm.audit.length;
    proxy.set('sts', 'down');
    expect((await get(tvm, { profile: 'dev' })).status).toBe(503);
    proxy.set('sts', 'throttled');
    expect((await get(tvm, { profile: 'dev' })).status).toBe(503);
    expect(causesSince(before)).toEqual(['sts', 'sts_throttled']);
  });

  it('has the path and the claimed key while the revocations are unknown', async () => {
    await expect
      .poll(async () => (await get(tvm, { profile: 'dev' })).status, { timeout: 10_000 })
      .toBe(200);
    proxy.set('dynamodb', 'down');
    await expect
      .poll(async () => (await call(tvm, { path: '/whoami' })).status, { timeout: 10_000 })
      .toBe(503);
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'unavailable',
      effect: 'deny',
      error: 'unavailable',
      cause: 'revocations',
      reason: 'the list of revocations is not available',
      method: 'GET',
      path: '/whoami',
      claimed_access_key_id: 'TVMDEMOALICE',
    });
  });

  it('names the caller of GET /sessions and of POST /sessions/{id}/revoke', async () => {
    await expect
      .poll(async () => (await get(tvm, { profile: 'dev' })).status, { timeout: 10_000 })
      .toBe(200);
    const before = tvm.audit.length;
    proxy.set('dynamodb', 'down');
    const listed = await call(tvm, { path: '/sessions', as: 'olivia' });
    const revoked = await send(tvm, '/sessions/0123456789abcdef/revoke', { reason: 'a mistake' });
    expect([listed.status, revoked.status]).toEqual([503, 503]);
    expect(tvm.audit.slice(before)).toMatchObject([
      { event: 'unavailable', cause: 'sessions', user: 'olivia' },
      {
        event: 'revocation',
        action: 'revoked',
        cause: expect.stringMatching(/sessions|guard/u),
        user: 'olivia',
      },
    ]);
  });

  it('has the cause catalog while an instance has no documents yet', async () => {
    proxy.set('ssm', 'down');
    const fresh = await startTvm(proxy.url);
    expect((await get(fresh, { profile: 'dev' })).status).toBe(503);
    expect(fresh.audit).toMatchObject([{ event: 'unavailable', cause: 'catalog', path: '/' }]);
    await fresh.close();
  });
});
