import { DynamoDBClient, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  actBy,
  approvalPolicy,
  approveBy,
  askBy,
  idOf,
  keyOfName,
  outcomeOf,
  putRow,
  register,
  rowOf,
  sendBy,
  showBy,
  vendBy,
} from '../support/approvals.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { policyDocument, profileDocument } from './support.ts';

/** Whoever can write the table of requests, and has not the TVM's keys, can only take away. */
let desk: Desk;
let dynamodb: DynamoDBClient;
let tvm: RunningTvm;

const ann = keyOfName('ann');
const ben = keyOfName('ben');
const cid = keyOfName('cid');
const PROFILES = ['one', 'two', 'later'];

beforeAll(async () => {
  desk = await startDesk();
  dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
  for (const who of [ann, ben, cid]) await register(desk, who);
  for (const profile of PROFILES) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument());
    await desk.put(
      `/sentinel/policies/${profile}`,
      policyDocument({ effect: 'require_approval', conditions: { users: ['ann', 'cid'] } }),
    );
  }
  const owners = [{ group: 'owners', from: ['ben', 'cid'], approvals: 2 }];
  await desk.put(
    '/sentinel/approval-policy',
    approvalPolicy(
      { profiles: ['one'], approvers: ['ben', 'cid'] },
      { profiles: ['two'], require: owners },
      { profiles: ['later'], approvers: ['ben'], start: 'first_use' },
    ),
  );
  await desk.put(
    '/sentinel/operators',
    JSON.stringify({ version: '1', rules: [{ name: 'b', users: ['ben'], actions: ['list'] }] }),
  );
  tvm = await startTvm(desk.url);
});

afterEach(async () => {
  for (const who of [ann, cid]) {
    const { json } = await sendBy(tvm, who, ['GET', '/requests?view=mine']);
    for (const { request_id } of json['requests'] as { request_id: string }[]) {
      await actBy(tvm, who, [request_id, 'cancel']);
    }
  }
});

afterAll(async () => {
  await tvm.close();
  dynamodb.destroy();
  await desk.close();
});

type Row = Record<string, AttributeValue>;

async function ask(profile: string, who = ann): Promise<string> {
  const asked = await askBy(tvm, who, profile);
  expect(asked.status, asked.body).toBe(201);
  return idOf(asked);
}

async function approved(profile: string): Promise<string> {
  const id = await ask(profile);
  expect((await approveBy(tvm, ben, id)).json).toMatchObject({ status: 'approved' });
  return id;
}

async function vends(profile: string, who = ann): Promise<boolean> {
  const answer = await vendBy(tvm, who, profile);
  expect([200, 403], answer.body).toContain(answer.status);
  return answer.status === 200;
}

/** A row as Sentinel's own program writes it. */
function sentinelRow(change: Row = {}): Row {
  return {
    id: { S: '00112233445566aa' },
    requester: { S: 'key/ann' },
    profile: { S: 'one' },
    justification: { S: 'deploy release 42' },
    duration: { N: '3600000000000' },
    status: { S: 'approved' },
    created_at: { S: '2026-01-02T03:04:05.123456789Z' },
    updated_at: { S: '2026-01-02T03:04:05.123456789Z' },
    expires_at: { S: '2099-01-02T03:04:05.123456789Z' },
    approver: { S: 'key/ben' },
    approver_comment: { S: 'ok' },
    ttl: { N: '4102444800' },
    ...change,
  };
}

describe('a row that somebody else wrote', () => {
  it('approved as Sentinel has it grants nothing, is not listed, and stays as it was', async () => {
    const row = sentinelRow();
    await putRow(dynamodb, row);
    await putRow(
      dynamodb,
      sentinelRow({ id: { S: '00112233445566ab' }, status: { S: 'pending' } }),
    );
    expect(await vends('one')).toBe(false);
    for (const view of ['mine', 'review', 'all']) {
      const { body, status } = await sendBy(tvm, ben, ['GET', `/requests?view=${view}`]);
      expect(status).toBe(200);
      expect(body).not.toContain('00112233445566a');
    }
    expect(outcomeOf(await approveBy(tvm, ben, '00112233445566ab'))).toEqual([403, 'NotPermitted']);
    expect(await rowOf(dynamodb, '00112233445566aa')).toEqual(row);
  });

  it('with the state and status of an approval of its own making grants nothing', async () => {
    const id = await ask('one');
    const genuine = await rowOf(dynamodb, id);
    const state = JSON.parse(genuine['state']?.S ?? '') as Record<string, unknown>;
    const now = Date.now();
    const digest = (await showBy(tvm, ann, id)).json['digest'];
    const grant = {
      approvedAt: now,
      auto: false,
      digest,
      seconds: 3_600,
      useBy: now + 3_600_000,
      startsAt: now,
      endsAt: now + 3_600_000,
    };
    const forged = JSON.stringify({ ...state, status: 'approved', grant, reviews: [] });
    for (const row of [
      { ...genuine, status: { S: 'approved' } },
      { ...genuine, status: { S: 'approved' }, state: { S: forged } },
      { ...genuine, status: { S: 'approved' }, state: { S: forged }, signature: { S: '' } },
      { ...genuine, status: { S: 'approved' }, state: { S: 'null' } },
      { ...genuine, state: { S: '{' }, version: { N: '99' } },
    ]) {
      await putRow(dynamodb, row);
      expect(await vends('one')).toBe(false);
    }
    await putRow(dynamodb, genuine);
  });

  it('copied under another id, or to the request of somebody else, grants nothing', async () => {
    const id = await approved('one');
    const row = await rowOf(dynamodb, id);
    const other = await ask('two');
    const theirs = await ask('one', cid);
    for (const to of ['00112233445566ff', other, theirs])
      await putRow(dynamodb, { ...row, id: { S: to } });
    expect(await vends('two')).toBe(false);
    expect(await vends('one', cid)).toBe(false);
    expect((await showBy(tvm, ben, '00112233445566ff')).status).toBe(403);
    expect(await vends('one')).toBe(true);
  });

  it('of another table grants nothing', async () => {
    const id = await approved('one');
    const row = await rowOf(dynamodb, id);
    const elsewhere = await startTvm(desk.url, {
      environment: { SENTINEL_APPROVAL_TABLE: 'sentinel-breakglass' },
    });
    await putRow(dynamodb, row, 'sentinel-breakglass');
    expect((await vendBy(elsewhere, ann, 'one')).status).toBe(403);
    await elsewhere.close();
    expect(await vends('one')).toBe(true);
  });

  it.each(['denied', 'cancelled', 'expired'])(
    'that says %s over an approval takes it away',
    async (status) => {
      const id = await approved('one');
      expect(await vends('one')).toBe(true);
      await putRow(dynamodb, { ...(await rowOf(dynamodb, id)), status: { S: status } });
      expect(await vends('one')).toBe(false);
      expect((await showBy(tvm, ann, id)).json).toMatchObject({ status, phase: 'ended' });
    },
  );

  it('that says denied over a pending request takes it away, and the next is new', async () => {
    const id = await ask('one');
    await putRow(dynamodb, { ...(await rowOf(dynamodb, id)), status: { S: 'denied' } });
    expect(outcomeOf(await approveBy(tvm, ben, id))).toEqual([409, 'Conflict']);
    expect(await ask('one')).not.toBe(id);
  });

  it('that is garbage makes no answer a fault', async () => {
    const garbage: readonly Row[] = [
      {
        id: { S: 'x' },
        status: { S: 'pending' },
        created_at: { S: 'never' },
        requester: { S: 'key/ann' },
      },
      {
        id: { S: '0011223344556601' },
        status: { N: '1' },
        created_at: { S: '' },
        profile: { S: 'one' },
      },
      {
        id: { S: '0011223344556602' },
        status: { S: 'pending' },
        created_at: { S: '9' },
        state: { N: '1' },
      },
      {
        id: { S: '0011223344556603' },
        status: { S: 'pending' },
        created_at: { S: 'é' },
        requester: { S: '' },
      },
    ];
    for (const row of garbage) await putRow(dynamodb, row).catch(() => undefined);
    for (const view of ['mine', 'review', 'all']) {
      for (const who of [ann, ben]) {
        const { status, body } = await sendBy(tvm, who, ['GET', `/requests?view=${view}`]);
        expect([200, 403], body).toContain(status);
      }
    }
    const id = await ask('one');
    expect(
      (await sendBy(tvm, ben, ['GET', '/requests?view=review'])).json['requests'],
    ).toMatchObject([{ request_id: id }]);
  });
});

describe('an older row of the TVM that somebody put back', () => {
  it.each(['end', 'cancel'] as const)('revives nothing after %s', async (action) => {
    const id = await ask('one');
    const pendingRow = await rowOf(dynamodb, id);
    await approveBy(tvm, ben, id);
    const approvedRow = await rowOf(dynamodb, id);
    expect(await vends('one')).toBe(true);
    const ended = await actBy(
      tvm,
      ann,
      [id, action],
      action === 'end' ? { reason: 'the work is done' } : {},
    );
    expect(ended.status, ended.body).toBe(200);
    for (const row of [approvedRow, pendingRow]) {
      await putRow(dynamodb, row);
      expect(await vends('one')).toBe(false);
      expect((await showBy(tvm, ann, id)).json['phase']).toBe('ended');
      expect(outcomeOf(await actBy(tvm, cid, [id, 'approve'], { digest: 'a'.repeat(64) }))).toEqual(
        [409, 'Conflict'],
      );
    }
    const restarted = await startTvm(desk.url);
    await putRow(dynamodb, approvedRow);
    expect((await vendBy(restarted, ann, 'one')).status).toBe(403);
    await restarted.close();
  });

  it('revives nothing after deny', async () => {
    const id = await ask('one');
    const row = await rowOf(dynamodb, id);
    expect(
      (await actBy(tvm, ben, [id, 'deny'], { comment: 'not before the audit' })).json['status'],
    ).toBe('denied');
    await putRow(dynamodb, row);
    expect(outcomeOf(await approveBy(tvm, cid, id))).toEqual([409, 'Conflict']);
    expect((await sendBy(tvm, cid, ['GET', '/requests?view=review'])).json['requests']).toEqual([]);
    expect(await vends('one')).toBe(false);
  });

  it('does not begin the time of a grant anew that its first use began', async () => {
    const id = await approved('later');
    const unstarted = await rowOf(dynamodb, id);
    expect(await vends('later')).toBe(true);
    const { json } = await showBy(tvm, ann, id);
    await putRow(dynamodb, unstarted);
    await new Promise((wake) => setTimeout(wake, 1_100));
    const again = await vendBy(tvm, ann, 'later', { duration: '3600' });
    expect(again.status).toBe(200);
    expect(Date.parse(String(again.json['Expiration']))).toBeLessThanOrEqual(
      Date.parse(String(json['effective_end'])),
    );
  });

  it('of before a review costs the review, and grants nothing', async () => {
    const id = await ask('two');
    const fresh = await rowOf(dynamodb, id);
    await approveBy(tvm, ben, id);
    await putRow(dynamodb, fresh);
    expect((await approveBy(tvm, cid, id)).json['status']).toBe('pending');
    expect(await vends('two')).toBe(false);
  });
});
