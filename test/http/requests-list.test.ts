import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessRequest } from '../../src/approvals/request.ts';
import { toRequest } from '../../src/approvals/request-changes.ts';
import { toRequestItem } from '../../src/approvals/row.ts';
import type { SealingKey } from '../../src/lib/sealing.ts';
import { party } from '../approvals/support.ts';
import {
  actBy,
  approvalPolicy,
  askBy,
  idOf,
  keyOfName,
  outcomeOf,
  putRow,
  register,
  REQUESTS,
  sendBy,
  showBy,
  type Who,
} from '../support/approvals.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { policyDocument, profileDocument, queryOf } from './support.ts';

/** Who sees which requests, and that a list ends with the last of them, however many there are. */
let desk: Desk;
let dynamodb: DynamoDBClient;
let tvm: RunningTvm;

const SEALING: SealingKey = { id: 'local', key: randomBytes(32), activeFrom: 0 };
const MANY = 5_000;
const OTHERS = 300;

const ann = keyOfName('ann');
const ben = keyOfName('ben');
/** Approves one profile only. */
const cid = keyOfName('cid');
const carol = keyOfName('carol2');
const ops = keyOfName('ops');

/** A request of ann's key as the TVM writes it. */
function made(n: number, profile: string, requester = 'ann'): AccessRequest {
  const id = n.toString(16).padStart(16, '0');
  const who = party(requester, { principal: `sentinel:key/TVMT${requester.toUpperCase()}1` });
  const wish = {
    requester: { ...who, subject: who.principal },
    profile,
    seconds: 3_600,
    justification: `deploy release ${n}`,
    ticket: undefined,
    start: 'approval',
    extends: undefined,
    chain: undefined,
    root: id,
    origin: 'request',
    seen: 0,
  } as const;
  // Many have one time, so that a page may end between two of them.
  const now = Date.now() - Math.floor(n / 7) * 1_000;
  return toRequest(wish, { id, rule: 'rule-0', shown: '{}', now, life: 7 * 86_400_000 });
}

beforeAll(async () => {
  desk = await startDesk();
  dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
  const key = JSON.stringify({ key: Buffer.from(SEALING.key).toString('base64') });
  await desk.put('/sentinel-secrets/keys/local', key, 'SecureString');
  for (const who of [ann, ben, cid, carol, ops]) await register(desk, who);
  for (const profile of ['one', 'rare', 'fresh']) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument());
    const rule = { effect: 'require_approval', conditions: { users: ['ann', 'dan'] } };
    await desk.put(`/sentinel/policies/${profile}`, policyDocument(rule));
  }
  await desk.put(
    '/sentinel/approval-policy',
    approvalPolicy(
      { profiles: ['one', 'fresh'], approvers: ['ben'] },
      { profiles: ['rare'], approvers: ['ben', 'cid'] },
    ),
  );
  await desk.put(
    '/sentinel/operators',
    JSON.stringify({ version: '1', rules: [{ name: 'ops', users: ['ops'], actions: ['list'] }] }),
  );
  const rows = [
    ...Array.from({ length: MANY }, (_, n) => made(n, n % 1_000 === 999 ? 'rare' : 'one')),
    ...Array.from({ length: OTHERS }, (_, n) => made(100_000 + n, 'one', 'dan')),
  ];
  for (let at = 0; at < rows.length; at += 50) {
    await Promise.all(
      rows.slice(at, at + 50).map((row) => putRow(dynamodb, toRequestItem(row, REQUESTS, SEALING))),
    );
  }
  tvm = await startTvm(desk.url, { environment: { SENTINEL_RATE_LIMIT_REQUESTS: '100000' } });
}, 120_000);

afterAll(async () => {
  await tvm.close();
  dynamodb.destroy();
  await desk.close();
});

function list(who: Who, query: Readonly<Record<string, string>>): Promise<RawAnswer> {
  return sendBy(tvm, who, ['GET', `/requests?${queryOf(query)}`]);
}

type Listed = { readonly request_id: string; readonly profile: string };

/** All pages of a list. */
async function listAll(
  who: Who,
  query: Readonly<Record<string, string>>,
): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  let token: unknown;
  for (let page = 0; page < 1_000; page += 1) {
    const { status, json, body } = await list(who, {
      ...query,
      ...(typeof token === 'string' ? { next_token: token } : {}),
    });
    expect(status, body).toBe(200);
    found.push(...(json['requests'] as Listed[]));
    token = json['next_token'];
    if (token === undefined) return found;
  }
  throw new Error('the list does not end');
}

function idsOf(found: readonly Listed[]): ReadonlySet<string> {
  return new Set(found.map(({ request_id }) => request_id));
}

describe('GET /requests of 5,000', () => {
  it.each([
    ['mine, for whom asked', ann, { view: 'mine' }, MANY],
    ['review, for whom approves all', ben, { view: 'review' }, MANY + OTHERS],
    ['review, for whom approves a few of them', cid, { view: 'review' }, 5],
    ['review of a profile', ben, { view: 'review', profile: 'rare' }, 5],
    ['all, for an operator', ops, { view: 'all' }, MANY + OTHERS],
    ['all of a profile', ops, { view: 'all', profile: 'rare' }, 5],
    ['all that are pending', ops, { view: 'all', status: 'pending' }, MANY + OTHERS],
    ['all that are approved', ops, { view: 'all', status: 'approved' }, 0],
    ['mine, for whom asked for none', ben, { view: 'mine' }, 0],
    ['review, for whom approves none', carol, { view: 'review' }, 0],
    ['review of their own', ann, { view: 'review' }, 0],
  ])(
    'shows %s to the end, each once',
    async (_, who, query, count) => {
      const found = await listAll(who, query);
      expect(found.length).toBe(count);
      expect(idsOf(found).size).toBe(count);
    },
    60_000,
  );

  it('shows nothing of a list of all to whom is no operator', async () => {
    for (const who of [carol, ben, ann]) {
      expect(outcomeOf(await list(who, { view: 'all' }))).toEqual([403, 'NotPermitted']);
    }
  });

  it('lists what has expired, which no row says', async () => {
    const old = { ...made(900_000, 'rare'), expiresAt: Date.now() - 1_000 };
    await putRow(dynamodb, toRequestItem(old, REQUESTS, SEALING));
    for (const query of [
      { view: 'all', status: 'expired' },
      { view: 'all', status: 'expired', profile: 'rare' },
    ]) {
      expect(idsOf(await listAll(ops, query))).toEqual(new Set([old.id]));
    }
    expect(idsOf(await listAll(cid, { view: 'review' })).has(old.id)).toBe(false);
    expect(
      outcomeOf(await actBy(tvm, cid, [old.id, 'approve'], { digest: 'a'.repeat(64) })),
    ).toEqual([409, 'Conflict']);
  });

  it('never misses the newest, which has just been asked for', async () => {
    const id = idOf(await askBy(tvm, ann, 'fresh'));
    const first = (await list(ben, { view: 'review' })).json['requests'] as Listed[];
    expect(first[0]?.request_id).toBe(id);
    expect(idsOf((await list(ann, { view: 'mine' })).json['requests'] as Listed[]).has(id)).toBe(
      true,
    );
  });
});

describe('next_token', () => {
  it('is good for its own view and filters only', async () => {
    const { json } = await list(ben, { view: 'review' });
    const next_token = String(json['next_token']);
    for (const query of [
      { view: 'mine' },
      { view: 'review', profile: 'one' },
      { view: 'review', status: 'pending' },
    ]) {
      expect(outcomeOf(await list(ben, { ...query, next_token }))).toEqual([
        400,
        'ValidationError',
      ]);
    }
  });

  it("shows nobody more than they may see, be it another's or made up", async () => {
    const { json } = await list(ann, { view: 'mine' });
    const theirs = await list(carol, { view: 'mine', next_token: String(json['next_token']) });
    expect([theirs.status, theirs.json['requests']]).toEqual([200, []]);
    for (const place of [
      ['review  ', 0, made(5, 'one').id, '2026-01-02T03:04:05Z'],
      ['review  ', 0, 'x', '9'],
    ]) {
      const next_token = Buffer.from(JSON.stringify(place)).toString('base64url');
      const answer = await list(carol, { view: 'review', next_token });
      expect(answer.body).not.toContain('"request_id"');
      expect([200, 400]).toContain(answer.status);
    }
  });

  it('that is anything else is refused, and is never a fault', async () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.constant({}),
      fc.double(),
      fc.constant([]),
    );
    const token = fc.oneof(
      fc.string(),
      fc.string({ minLength: 1 }).map((text) => Buffer.from(text).toString('base64url')),
      fc
        .tuple(fc.constantFrom('review  ', 'mine  ', ''), value, value, value)
        .map((place) => Buffer.from(JSON.stringify(place)).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(token, async (next_token) => {
        const { status, body } = await list(carol, { view: 'review', next_token });
        expect([200, 400], body).toContain(status);
        expect(body).not.toContain('"request_id"');
      }),
      { numRuns: 150 },
    );
  });
});

describe('a request that is none of the caller’s business', () => {
  it('answers the same bytes as one that does not exist, at every endpoint', async () => {
    const { id } = made(7, 'one');
    const unknown = 'fedcba9876543210';
    const calls: readonly (readonly [string, string, object?])[] = [
      ['GET', ''],
      ['POST', '/approve', { digest: 'a'.repeat(64) }],
      ['POST', '/deny', { comment: 'not before the audit' }],
      ['POST', '/cancel', {}],
      ['POST', '/end', { reason: 'the work is done' }],
    ];
    // cid approves another profile, and carol nothing.
    for (const who of [carol, cid]) {
      for (const [method, path, body] of calls) {
        const [mine, none] = await Promise.all(
          [id, unknown].map((one) => sendBy(tvm, who, [method, `/requests/${one}${path}`, body])),
        );
        expect(outcomeOf(mine as RawAnswer), path).toEqual([403, 'NotPermitted']);
        expect(mine?.body.replaceAll(id, unknown)).toBe(none?.body);
      }
    }
  });

  it('is shown to its requester, its approvers and operators', async () => {
    const { id } = made(7, 'one');
    for (const who of [ann, ben, ops])
      expect((await showBy(tvm, who, id)).status, who.name).toBe(200);
    expect(outcomeOf(await actBy(tvm, ops, [id, 'approve'], { digest: 'a'.repeat(64) }))).toEqual([
      403,
      'NotPermitted',
    ]);
  });
});
