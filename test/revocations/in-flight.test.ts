import { describe, expect, it } from 'vitest';
import { get, startFakeSts, stsCredentials, type FakeAnswer } from '../http/support.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startTvm, type RunningTvm } from '../support/tvm.ts';
import { openSession, revoke, SECRET_REASON, until, useDesk } from './support.ts';

/** Revocations that come while STS makes the credentials. */
const world = useDesk();

/** An STS that holds its answer back until the test lets it go. */
async function startHeldSts() {
  let letGo: (answer: FakeAnswer) => void = () => undefined;
  let held = false;
  const sts = world.kept(await startFakeSts());
  return {
    ...sts,
    hold: (): void => {
      held = false;
      sts.control.assumeRole = () => {
        held = true;
        return new Promise((resolve) => {
          letGo = resolve;
        });
      };
    },
    isHolding: () => Promise.resolve(held),
    letGo: (): void => letGo(stsCredentials()),
  };
}

function vends(tvm: RunningTvm) {
  return tvm.audit.filter(({ event }) => event === 'vend');
}

describe.each([
  ['user', () => 'alice'],
  ['principal', () => 'sentinel:key/TVMDEMOALICE'],
  ['profile', () => 'dev'],
  ['session', (id: string) => id],
  ['all', () => undefined],
] as const)('a %s that is revoked while STS makes the credentials', (kind, valueOf) => {
  it('does not get the credentials that STS has just made, but the audit log has their vend', async () => {
    const sts = await startHeldSts();
    const tvm = world.kept(
      await startTvm(world.desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } }),
    );
    const session = await openSession(tvm);
    sts.hold();
    const asked = get(tvm, { profile: 'dev' });
    await until(sts.isHolding, 3_000);
    const id = await revoke(tvm, kind, valueOf(session));
    sts.letGo();
    const answer = await asked;
    expect([answer.status, answer.json['error']], answer.body).toEqual([403, 'SessionRevoked']);
    expect(answer.body).not.toMatch(/ASIAFAKE|fake-secret|fake-session|pastebin/u);
    expect(answer.body).not.toContain(SECRET_REASON);
    expect(id).toMatch(/^\d+$/u);
    expect(vends(tvm)).toHaveLength(2);
    expect(vends(tvm).at(-1)).toMatchObject({
      outcome: 'denied',
      effect: 'allow',
      error: 'revoked',
      vended_access_key_id: 'ASIAFAKEFAKEFAKE',
      expiration: expect.stringMatching(/Z$/u),
      session_id: session,
    });
    expect(JSON.stringify(tvm.audit)).not.toMatch(/fake-secret|fake-session/u);
  });
});

describe('during a slow AssumeRole', () => {
  it('changes nothing when somebody else is revoked', async () => {
    const sts = await startHeldSts();
    const tvm = world.kept(
      await startTvm(world.desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } }),
    );
    sts.hold();
    const asked = get(tvm, { profile: 'dev' });
    await until(sts.isHolding, 3_000);
    await revoke(tvm, 'user', 'bob');
    sts.letGo();
    expect((await asked).status).toBe(200);
  });

  it('refuses a caller who is revoked on another instance', async () => {
    const sts = await startHeldSts();
    const tvm = world.kept(
      await startTvm(world.desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } }),
    );
    sts.hold();
    const asked = get(tvm, { profile: 'dev' });
    await until(sts.isHolding, 3_000);
    await revoke(world.tvm, 'user', 'alice');
    await new Promise((resolve) => {
      setTimeout(resolve, 1_200);
    });
    sts.letGo();
    expect((await asked).json['error']).toBe('SessionRevoked');
  });

  it('vends nothing if DynamoDB cannot be read for longer than the bound', async () => {
    const sts = await startHeldSts();
    const proxy = world.kept(await startFaultProxy(world.desk.url));
    let offset = 0;
    const environment = { AWS_ENDPOINT_URL_STS: sts.url, AWS_ENDPOINT_URL_DYNAMODB: proxy.url };
    const tvm = world.kept(
      await startTvm(world.desk.url, { environment, clock: () => Date.now() + offset }),
    );
    sts.hold();
    const asked = get(tvm, { profile: 'dev' });
    await until(sts.isHolding, 3_000);
    proxy.set('dynamodb', 'down');
    await revoke(world.tvm, 'user', 'alice');
    offset = 10_000;
    sts.letGo();
    const answer = await asked;
    expect(answer.status, 'vended ten seconds after the last look into the revocations').not.toBe(
      200,
    );
  });
});
