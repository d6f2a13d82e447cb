import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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
  showBy,
  vendBy,
  type Who,
} from '../support/approvals.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { policyDocument, profileDocument, startFakeSts } from './support.ts';

/** Extending what was approved: a request of its own, which goes on where the other one ends. */
let desk: Desk;
let sts: Awaited<ReturnType<typeof startFakeSts>>;
let tvm: RunningTvm;
let second: RunningTvm;
let dynamodb: DynamoDBClient;

const ben = keyOfName('ben');
const cid = keyOfName('cid');
const ops = keyOfName('ops');
const others = Array.from({ length: 28 }, (_, n) => keyOfName(`ann${n}`));
let used = 0;
/** Somebody who has asked for nothing yet. */
let ann: Who;

const extend = { times: 2, max: '90m' };
const RULES = {
  long: { approvers: ['ben'], max_duration: '2h', extend },
  pair: { require: [{ group: 'owners', from: ['ben', 'cid'], approvals: 2 }], extend },
  plain: { approvers: ['ben'] },
  later: { approvers: ['ben'], start: 'first_use', extend },
} as const;
type Profile = keyof typeof RULES;

beforeAll(async () => {
  desk = await startDesk();
  sts = await startFakeSts();
  dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
  for (const who of [ben, cid, ops, ...others]) await register(desk, who);
  for (const profile of Object.keys(RULES)) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument({ max_duration: '1h' }));
    await desk.put(
      `/sentinel/policies/${profile}`,
      policyDocument({
        effect: 'require_approval',
        conditions: { users: others.map(({ name }) => name) },
      }),
    );
  }
  const rules = Object.entries(RULES).map(([profile, rule]) => ({ profiles: [profile], ...rule }));
  await desk.put('/sentinel/approval-policy', approvalPolicy(...rules));
  await desk.put(
    '/sentinel/operators',
    JSON.stringify({
      version: '1',
      rules: [{ name: 'ops', users: ['ops'], actions: ['list', 'revoke'] }],
    }),
  );
  const options = { environment: { AWS_ENDPOINT_URL_STS: sts.url } };
  tvm = await startTvm(desk.url, options);
  second = await startTvm(desk.url, options);
});

afterAll(async () => {
  await tvm.close();
  await second.close();
  dynamodb.destroy();
  await sts.close();
  await desk.close();
});

beforeEach(() => {
  const next = others[used];
  if (next === undefined) throw new Error('too few people');
  used += 1;
  ann = next;
});

/** Asks for a profile and has it approved; gives the id. */
async function granted(profile: Profile, more: object = {}): Promise<string> {
  const asked = await askBy(tvm, ann, profile, more);
  expect(asked.status, asked.body).toBe(201);
  const id = idOf(asked);
  await approve(id);
  return id;
}

async function approve(id: string): Promise<RawAnswer> {
  const first = await approveBy(tvm, ben, id);
  expect(first.status, first.body).toBe(200);
  return first.json['status'] === 'pending' ? approveBy(tvm, cid, id) : first;
}

function extendBy(id: string, profile: Profile, more: object = {}, who = ann): Promise<RawAnswer> {
  return askBy(tvm, who, profile, { extends: id, ...more });
}

function endOf({ json }: RawAnswer): number {
  return Date.parse(json['effective_end'] as string);
}

describe('an extension', () => {
  it('is a request of its own with its own digest, and ends later by what was approved', async () => {
    const id = await granted('long', { duration: 3_600 });
    const before = endOf(await showBy(tvm, ann, id));
    const asked = await extendBy(id, 'long', { duration: 1_800 });
    expect(asked.status, asked.body).toBe(201);
    expect(asked.json).toMatchObject({ extends: id, status: 'pending', duration: 1_800 });
    expect(asked.json['facts']).toMatchObject({
      extends: id,
      extends_from: new Date(before).toISOString().replace('.000Z', 'Z'),
    });
    // It waits no longer than there is something to extend.
    expect(Date.parse(asked.json['expires_at'] as string)).toBeLessThanOrEqual(before);
    const approved = await approve(idOf(asked));
    expect(endOf(approved)).toBe(before + 1_800_000);
    const vended = await vendBy(second, ann, 'long');
    expect(vended.status, vended.body).toBe(200);
    expect(second.audit.at(-1)).toMatchObject({ event: 'vend', request_id: idOf(asked) });
  });

  it('takes a quorum of its own, without which only what was approved before vends', async () => {
    const id = await granted('pair');
    const asked = await extendBy(id, 'pair', { duration: 1_800 });
    const half = await approveBy(tvm, ben, idOf(asked));
    expect(half.json['status']).toBe('pending');
    const vended = await vendBy(tvm, ann, 'pair');
    expect(vended.status).toBe(200);
    expect(tvm.audit.at(-1)).toMatchObject({ request_id: id });
  });

  it('asked for twice is one request', async () => {
    const id = await granted('long');
    const [one, other] = await Promise.all([extendBy(id, 'long'), extendBy(id, 'long')]);
    expect(idOf(one)).toBe(idOf(other));
    expect([one.status, other.status].toSorted()).toEqual([200, 201]);
  });

  it('is possible as often and as long as the rule allows, and for no longer', async () => {
    const id = await granted('long');
    const tooLong = await extendBy(id, 'long', { duration: 5_401 });
    expect(outcomeOf(tooLong)).toEqual([400, 'ValidationError']);
    expect(tooLong.json['message']).toContain('5400');
    const first = idOf(await extendBy(id, 'long', { duration: 3_600 }));
    await approve(first);
    const more = await extendBy(first, 'long', { duration: 1_801 });
    expect(more.json['message']).toContain('1800');
    const last = idOf(await extendBy(first, 'long', { duration: 1_500 }));
    await approve(last);
    const third = await extendBy(last, 'long', { duration: 60 });
    expect(outcomeOf(third)).toEqual([400, 'ValidationError']);
    expect(third.json['message']).toContain('as often as');
  });

  it.each<readonly [what: string, extend: () => Promise<RawAnswer>]>([
    ['whose rule has no `extend`', async () => extendBy(await granted('plain'), 'plain')],
    ['of another profile', async () => extendBy(await granted('long'), 'pair')],
    [
      'of somebody else',
      async () => {
        const id = await granted('long');
        const [other = ann] = others.slice(-1);
        return extendBy(id, 'long', {}, other);
      },
    ],
    ['that nobody has approved', async () => extendBy(idOf(await askBy(tvm, ann, 'long')), 'long')],
    ['whose time has not begun', async () => extendBy(await granted('later'), 'later')],
    ['that does not exist', () => extendBy('0123456789abcdef', 'long')],
    [
      'that has ended',
      async () => {
        const id = await granted('long');
        await actBy(tvm, ann, [id, 'end'], { reason: 'the deployment is done' });
        return extendBy(id, 'long');
      },
    ],
    ['with an id that is none', () => extendBy('x', 'long')],
  ])('of a request %s is refused with a sentence', async (_, extending) => {
    const answer = await extending();
    expect(outcomeOf(answer)).toEqual([400, 'ValidationError']);
    expect(answer.json['field']).toBe('extends');
  });

  it('of a request that began with its first use goes on from its end', async () => {
    const id = await granted('later');
    expect((await vendBy(tvm, ann, 'later')).status).toBe(200);
    const before = endOf(await showBy(tvm, ann, id));
    const approved = await approve(idOf(await extendBy(id, 'later', { duration: 600 })));
    expect(endOf(approved)).toBe(before + 600_000);
    expect(approved.json['start']).toBe('approval');
  });

  it.each(['root', 'extension'] as const)(
    'ends with its chain, whichever request of it is ended: the %s',
    async (which) => {
      const id = await granted('long');
      const next = idOf(await extendBy(id, 'long', { duration: 1_800 }));
      await approve(next);
      expect((await vendBy(tvm, ann, 'long')).status).toBe(200);
      const waiting = idOf(await extendBy(next, 'long', { duration: 600 }));
      const ended = await actBy(tvm, ops, [which === 'root' ? id : next, 'end'], {
        reason: 'the deployment is done',
      });
      expect(ended.status, ended.body).toBe(200);
      expect((await vendBy(tvm, ann, 'long')).status).toBe(403);
      expect((await approveBy(tvm, ben, waiting)).status).toBe(409);
      for (const one of [id, next])
        expect((await showBy(tvm, ann, one)).json['phase']).toBe('ended');
      await expect
        .poll(async () => (await vendBy(second, ann, 'long')).status, { timeout: 2_000 })
        .toBe(403);
    },
  );

  it('that is withdrawn or denied leaves in force what it would have extended', async () => {
    const id = await granted('long');
    const one = idOf(await extendBy(id, 'long'));
    expect((await actBy(tvm, ann, [one, 'cancel'])).status).toBe(200);
    const other = idOf(await extendBy(id, 'long'));
    expect((await actBy(tvm, ben, [other, 'deny'], { comment: 'enough' })).status).toBe(200);
    expect((await showBy(tvm, ann, id)).json['phase']).toBe('active');
    expect((await vendBy(tvm, ann, 'long')).status).toBe(200);
  });

  it('whose row is put back pending vends no longer than it would have', async () => {
    const id = await granted('long');
    const before = endOf(await showBy(tvm, ann, id));
    const next = idOf(await extendBy(id, 'long', { duration: 1_800 }));
    const row = await rowOf(dynamodb, next);
    await approve(next);
    await putRow(dynamodb, row);
    const again = await approve(next);
    expect(endOf(again)).toBe(before + 1_800_000);
  });
});

describe('a request that a vend made', () => {
  it('takes on the fields of a request while nobody has reviewed it', async () => {
    const made = idOf(await vendBy(tvm, ann, 'pair'));
    const before = await showBy(tvm, ann, made);
    const asked = await askBy(tvm, ann, 'pair', { duration: 1_200, ticket: 'CHG-7' });
    expect(asked.status, asked.body).toBe(200);
    expect(asked.json).toMatchObject({
      request_id: made,
      justification: 'deploy release 42',
      duration: 1_200,
      ticket: 'CHG-7',
    });
    expect(asked.json['digest']).not.toBe(before.json['digest']);
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'approval',
      request_id: made,
      ticket: 'CHG-7',
    });
    // What was seen before is not what is approved now.
    const stale = await actBy(tvm, ben, [made, 'approve'], { digest: before.json['digest'] });
    expect(stale.status).toBe(409);
    expect((await approve(made)).json['status']).toBe('approved');
    expect((await vendBy(tvm, ann, 'pair')).status).toBe(200);
  });

  it('keeps its fields once somebody has reviewed it', async () => {
    const made = idOf(await vendBy(tvm, ann, 'pair'));
    expect((await approveBy(tvm, ben, made)).status).toBe(200);
    expect(outcomeOf(await askBy(tvm, ann, 'pair', { duration: 1_200 }))).toEqual([
      409,
      'Conflict',
    ]);
  });

  it('is updated by one of two that ask for different things at once', async () => {
    const made = idOf(await vendBy(tvm, ann, 'pair'));
    const answers = await Promise.all([
      askBy(tvm, ann, 'pair', { duration: 1_200 }),
      askBy(second, ann, 'pair', { duration: 1_300 }),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    const won = answers.find(({ status }) => status === 200)?.json['duration'];
    expect((await showBy(tvm, ann, made)).json['duration']).toBe(won);
  });
});
