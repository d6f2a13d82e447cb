import {
  GetRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { role, sdk } from '../local/support.ts';
import { actBy, approvalPolicy, approveBy, askBy, idOf } from '../support/approvals.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, get, putProfile, startFake } from './support.ts';

/**
 * Issued credentials with an AWS that evaluates policies: a revocation ends them, and lifting it
 * restores them.
 */
let desk: Desk;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  const conditions = { profiles: ['hard'], users: ['alice', 'bob'] };
  const more = {
    role_arn: role('SentinelProtected-dev'),
    hard_revoke: true,
    revoker_role_arn: role('sentinel-revoker'),
  };
  await putProfile(desk, 'hard', { effect: 'allow', conditions }, more);
  const needed = { profiles: ['approved'], users: ['alice'] };
  await putProfile(desk, 'approved', { effect: 'require_approval', conditions: needed }, more);
  await desk.put('/sentinel/approval-policy', approvalPolicy({ approvers: ['bob'] }));
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

async function vend(as: 'alice' | 'bob' = 'alice', label?: string, profile = 'hard') {
  const query = label === undefined ? {} : { session_label: label };
  const { status, json, body } = await get(tvm, { profile, ...query }, { as });
  expect(status, body).toBe(200);
  const [accessKeyId, secretAccessKey, sessionToken] = [
    'AccessKeyId',
    'SecretAccessKey',
    'SessionToken',
  ].map((name) => String(json[name]));
  return {
    sessionId: String(json['SessionId']),
    credentials: {
      accessKeyId: accessKeyId ?? '',
      secretAccessKey: secretAccessKey ?? '',
      sessionToken: sessionToken ?? '',
    },
  };
}

type Vended = Awaited<ReturnType<typeof vend>>;

/** Whether the credentials still work; throws for every error but AccessDenied. */
async function works({ credentials }: Vended): Promise<boolean> {
  const client = new IAMClient(sdk(desk, credentials));
  try {
    await client.send(new GetRoleCommand({ RoleName: 'SentinelProtected-dev' }));
    return true;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AccessDenied') throw error;
    return false;
  } finally {
    client.destroy();
  }
}

function operate(method: string, path: string, body?: object): Promise<RawAnswer> {
  return call(tvm, {
    method,
    path,
    as: 'olivia',
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
}

const WHY = 'the laptop was stolen';

describe('hard revocation', () => {
  it('of a user ends the credentials of that user only, until it is lifted', async () => {
    const [hers, his] = [await vend('alice'), await vend('bob')];
    expect([await works(hers), await works(his)]).toEqual([true, true]);
    const revoked = await operate('POST', '/revocations', {
      kind: 'user',
      value: 'alice',
      reason: WHY,
    });
    expect(revoked.json['hard_revocation'], tvm.log().slice(-600)).toEqual([
      { role_arn: role('SentinelProtected-dev'), status: 'written' },
    ]);
    expect(revoked.json['note']).toContain('IAM');
    expect(tvm.audit.at(-1)).toMatchObject({ hard: [`written ${role('SentinelProtected-dev')}`] });
    expect([await works(hers), await works(his)]).toEqual([false, true]);
    const lifted = await operate('DELETE', `/revocations/${String(revoked.json['id'])}`);
    expect(lifted.json['hard_revocation']).toMatchObject([{ status: 'removed' }]);
    expect([await works(hers), await works(his)]).toEqual([true, true]);
  });

  it('of an approval ends what was vended under it when the approval is ended', async () => {
    const { alice, bob } = DEMO_CLIENTS;
    const id = idOf(await askBy(tvm, alice, 'approved'));
    expect((await approveBy(tvm, bob, id)).json['status']).toBe('approved');
    const [under, direct] = [await vend('alice', undefined, 'approved'), await vend('alice')];
    expect([await works(under), await works(direct)]).toEqual([true, true]);
    const ended = await actBy(tvm, bob, [id, 'end'], { reason: 'the deployment is done' });
    expect(ended.status, ended.body).toBe(200);
    expect(ended.json['credentials_end']).toBeUndefined();
    expect([await works(under), await works(direct)]).toEqual([false, true]);
  });

  it('leaves GetCallerIdentity allowed, as AWS does, and denies AssumeRole', async () => {
    const hers = await vend();
    const revoked = await operate('POST', '/revocations', {
      kind: 'user',
      value: 'alice',
      reason: WHY,
    });
    const sts = new STSClient(sdk(desk, hers.credentials));
    expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toContain(
      'SentinelProtected-dev/alice',
    );
    const chained = new AssumeRoleCommand({ RoleArn: role('deploy'), RoleSessionName: 'chained' });
    await expect(sts.send(chained)).rejects.toThrow('not authorized');
    sts.destroy();
    await operate('DELETE', `/revocations/${String(revoked.json['id'])}`);
  });

  it('of a session ends that session only, and of `all` every session', async () => {
    const [hers, his] = [await vend('alice'), await vend('bob')];
    const one = await operate('POST', `/sessions/${hers.sessionId}/revoke`, { reason: WHY });
    expect(one.json['hard_revocation']).toMatchObject([{ status: 'written' }]);
    expect([await works(hers), await works(his)]).toEqual([false, true]);
    const all = await operate('POST', '/revocations', { kind: 'all', reason: WHY });
    expect([await works(hers), await works(his)]).toEqual([false, false]);
    await operate('DELETE', `/revocations/${String(all.json['id'])}`);
    expect([await works(hers), await works(his)]).toEqual([false, true]);
    await operate('DELETE', `/revocations/${String(one.json['id'])}`);
    expect([await works(hers), await works(his)]).toEqual([true, true]);
  });

  it('by two instances at the same time loses neither', async () => {
    const other = await startTvm(desk.url);
    const names = ['alice', 'bob', 'mallory-1', 'mallory-2'];
    const [hers, his] = [await vend('alice'), await vend('bob')];
    const made = await Promise.all(
      names.map((value, n) =>
        call(n % 2 === 0 ? tvm : other, {
          method: 'POST',
          path: '/revocations',
          as: 'olivia',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ kind: 'user', value, reason: WHY }),
        }),
      ),
    );
    expect(made.map(({ json }) => json['hard_revocation'])).toMatchObject(
      names.map(() => [{ status: 'written' }]),
    );
    expect([await works(hers), await works(his)]).toEqual([false, false]);
    for (const { json } of made) {
      await expect
        .poll(async () => (await operate('DELETE', `/revocations/${String(json['id'])}`)).status)
        .toBe(200);
    }
    expect([await works(hers), await works(his)]).toEqual([true, true]);
    await other.close();
  });

  it('is answered as pending while IAM fails, and nothing is vended', async () => {
    const iam = await startFake(() => ({ status: 500, body: '' }));
    const broken = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_IAM: iam.url } });
    const hers = await vend();
    const body = JSON.stringify({ kind: 'user', value: 'alice', reason: WHY });
    const headers = { 'content-type': 'application/json' };
    const revoked = await call(broken, {
      method: 'POST',
      path: '/revocations',
      as: 'olivia',
      headers,
      body,
    });
    expect(revoked.status).toBe(201);
    expect(revoked.json['hard_revocation']).toMatchObject([
      { status: 'pending', credentials_end: expect.stringMatching(/^20.+Z$/u) },
    ]);
    expect(await works(hers)).toBe(true);
    // Another instance finds the pending revocation in the log at its start.
    const other = await startTvm(desk.url);
    await expect.poll(() => works(hers), { timeout: 5_000 }).toBe(false);
    await other.close();
    expect((await get(broken, { profile: 'hard' })).json['error']).toBe('SessionRevoked');
    await call(broken, {
      method: 'DELETE',
      path: `/revocations/${String(revoked.json['id'])}`,
      as: 'olivia',
    });
    await expect
      .poll(async () => (await get(tvm, { profile: 'hard' })).status, { timeout: 3_000 })
      .toBe(200);
    await broken.close();
    await iam.close();
  });

  it('of a caller’s own sessions under 101 labels ends those, and nobody else’s', async () => {
    const his = await vend('bob');
    const mine: Vended[] = [];
    for (let n = 0; n < 101; n += 1) mine.push(await vend('alice', `label-${n}`));
    const client = { as: 'alice', headers: { 'content-type': 'application/json' } } as const;
    const done = [];
    for (const { sessionId } of mine) {
      const path = `/sessions/${sessionId}/revoke`;
      done.push(
        await call(tvm, { method: 'POST', path, body: JSON.stringify({ reason: WHY }), ...client }),
      );
    }
    expect(
      done.map(({ status, json }) => [
        status,
        (json['hard_revocation'] as { status: string }[])[0]?.status,
      ]),
    ).toEqual(mine.map(() => [200, 'written']));
    expect([await works(mine[0] ?? his), await works(mine[100] ?? his), await works(his)]).toEqual([
      false,
      false,
      true,
    ]);
    for (const { json } of done) {
      const { id } = json as { readonly id?: string };
      if (id !== undefined) await operate('DELETE', `/revocations/${id}`);
    }
    expect(await works(mine[100] ?? his)).toBe(true);
    // This writes about a hundred policies, one after the other.
  }, 120_000);

  it('is possible for the revoker role only, not for the TVM’s role or vended credentials', async () => {
    const hers = await vend();
    const tvmKey = { accessKeyId: 'AKIADEMOTVM00000', secretAccessKey: 'demo-tvm-not-a-secret' };
    for (const credentials of [hers.credentials, tvmKey]) {
      const iam = new IAMClient(sdk(desk, credentials));
      const names = { RoleName: 'SentinelProtected-dev', PolicyName: 'SentinelRevocations' };
      await expect(iam.send(new GetRolePolicyCommand(names))).rejects.toThrow('not authorized');
      await expect(
        iam.send(new PutRolePolicyCommand({ ...names, PolicyDocument: '{}' })),
      ).rejects.toThrow('not authorized');
      iam.destroy();
    }
  });
});
