import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDocumentsOf } from '../../src/actions/approvals/documents.ts';
import { toDigest } from '../../src/approvals/digest.ts';
import { createLedgers } from '../../src/approvals/ledger.ts';
import { secretTag } from '../../src/approvals/party.ts';
import type { AccessRequest, Wish } from '../../src/approvals/request.ts';
import { toRequest } from '../../src/approvals/request-changes.ts';
import { toRequestItem } from '../../src/approvals/row.ts';
import { newHexId } from '../../src/lib/ids.ts';
import type { SealingKey } from '../../src/lib/sealing.ts';
import { policyDocument, profileDocument } from '../http/support.ts';
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
  REQUESTS,
  showBy,
  vendBy,
  type Who,
} from '../support/approvals.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { party, review } from './support.ts';

/**
 * The cases of approvals by which Sentinel is known, each through HTTP. A case marked † differs from
 * its Go code, on purpose: there it was wrong.
 */
let desk: Desk;
let dynamodb: DynamoDBClient;
let tvm: RunningTvm;

const SEALING: SealingKey = { id: 'local', key: randomBytes(32), activeFrom: 0 };
const KEYS = new Map([[SEALING.id, SEALING]]);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const ann = keyOfName('ann');
const ben = keyOfName('ben');
const cid = keyOfName('cid');
const WHO = [ann, ben, cid];

beforeAll(async () => {
  desk = await startDesk();
  dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
  const key = JSON.stringify({ key: Buffer.from(SEALING.key).toString('base64') });
  await desk.put('/sentinel-secrets/keys/local', key, 'SecureString');
  for (const who of WHO) await register(desk, who);
  const rule = { effect: 'require_approval', conditions: { users: ['ann', 'ben'] } };
  for (const profile of ['usual', 'other', 'ruleless', 'denied', 'auto']) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument());
    const effect = profile === 'denied' ? { effect: 'deny' } : {};
    await desk.put(`/sentinel/policies/${profile}`, policyDocument({ ...rule, ...effect }));
  }
  const approvers = ['ann', 'ben', 'cid'];
  const auto = {
    users: ['ann'],
    max_duration: '30m',
    time: { hours: { start: '00:00', end: '23:59' } },
  };
  await desk.put(
    '/sentinel/approval-policy',
    approvalPolicy(
      { profiles: ['usual', 'other', 'denied'], approvers },
      { profiles: ['auto'], approvers, auto_approve: auto },
    ),
  );
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  dynamodb.destroy();
  await desk.close();
});

function partyOf({ name, accessKeyId, secret }: Who) {
  const principal = `sentinel:key/${accessKeyId}`;
  const uniqueId = secretTag(accessKeyId, secret, KEYS, Date.now());
  return party(name, { principal, subject: principal, uniqueId });
}

type Made = {
  readonly who: Who;
  readonly profile: string;
  readonly status: AccessRequest['status'];
  /** Milliseconds before now. */
  readonly createdAgo: number;
  readonly approvedAgo: number;
  readonly seconds: number;
};

/** Writes a request as the TVM writes it, whatever its past. */
async function make(more: Partial<Made> = {}): Promise<string> {
  const made: Made = {
    who: ann,
    profile: 'usual',
    status: 'approved',
    createdAgo: MINUTE,
    approvedAgo: 0,
    seconds: 3_600,
    ...more,
  };
  const [id, now] = [newHexId(), Date.now()];
  const wish = {
    requester: partyOf(made.who),
    profile: made.profile,
    seconds: made.seconds,
    justification: 'deploy release 42',
    ticket: undefined,
    start: 'approval',
    extends: undefined,
    chain: undefined,
    root: id,
    origin: 'request',
    seen: 0,
  } as const;
  const begun = now - made.createdAgo;
  const shown = await shownOf(id, wish);
  const pending = toRequest(wish, { id, rule: 'rule-0', shown, now: begun, life: 24 * HOUR });
  const approvedAt = now - made.approvedAgo;
  const grant = {
    approvedAt,
    auto: false,
    digest: toDigest(shown),
    seconds: made.seconds,
    useBy: approvedAt + made.seconds * 1_000,
    startsAt: approvedAt,
    endsAt: approvedAt + made.seconds * 1_000,
  };
  const isApproved = made.status === 'approved';
  const request: AccessRequest = {
    ...pending,
    status: made.status,
    reviews: isApproved ? [review(partyOf(ben), { digest: toDigest(shown), at: approvedAt })] : [],
    grant: isApproved ? grant : undefined,
  };
  await putRow(dynamodb, toRequestItem(request, REQUESTS, SEALING));
  const ledgers = createLedgers(dynamodb, 'sentinel-guard');
  const { entries, version } = await ledgers.read(`key/${made.who.name}`, 0);
  const entry = {
    id,
    profile: made.profile,
    at: begun,
    until: now + 24 * HOUR,
    pending: !isApproved,
  };
  await ledgers.write(`key/${made.who.name}`, [...entries, entry], version);
  return id;
}

/** What an approval of this wish allows, by the documents of the TVM. */
async function shownOf(id: string, wish: Wish): Promise<string> {
  const snapshot = await tvm.catalog.current();
  if (snapshot === undefined) throw new Error('there are no documents');
  return createDocumentsOf('key')(snapshot).shownFor(id, wish, Date.now()) ?? '{}';
}

function vend(
  profile = 'usual',
  who = ann,
  more: Readonly<Record<string, string>> = {},
): Promise<RawAnswer> {
  return vendBy(tvm, who, profile, more);
}

/** Ends or withdraws everything of somebody. */
async function clear(who: Who = ann): Promise<void> {
  const ledgers = createLedgers(dynamodb, 'sentinel-guard');
  const { version } = await ledgers.read(`key/${who.name}`, 0);
  await ledgers.write(`key/${who.name}`, [], version);
}

type Case = readonly [
  what: string,
  act: () => Promise<readonly unknown[]>,
  expected: readonly unknown[],
];

const REFUSED = [403, 'PolicyRequiresApproval'];

async function vendAfter(
  made: Partial<Made>,
  profile = 'usual',
  who = ann,
): Promise<readonly unknown[]> {
  await make(made);
  return outcomeOf(await vend(profile, who));
}

async function asked(more: object): Promise<readonly unknown[]> {
  const answer = await askBy(tvm, ann, 'usual', more);
  return [answer.status];
}

async function autoStatus(
  profile: string,
  who: Who,
  duration: number,
): Promise<readonly unknown[]> {
  return [(await askBy(tvm, who, profile, { duration })).json['status']];
}

/** How long what is vended lives at most, in whole minutes, and its marker. */
async function lifeOf(made: Partial<Made>, duration: string): Promise<readonly unknown[]> {
  await make(made);
  const { status, json } = await vend('usual', ann, { duration });
  return [status, Math.round((Date.parse(String(json['Expiration'])) - Date.now()) / MINUTE)];
}

const CASES: readonly Case[] = [
  [
    'no approval: 403 with a request and where to see it',
    async () => {
      const { status, json } = await vend();
      return [
        status,
        json['error'],
        typeof json['request_id'],
        String(json['approval_status_url']).endsWith(String(json['request_id'])),
      ];
    },
    [...REFUSED, 'string', true],
  ],
  [
    'approved and in its window: vends with the marker',
    async () => {
      const id = await make();
      return [String((await vend()).json['SourceIdentity']) === `sentinel=a=${id}=ann`];
    },
    [true],
  ],
  ['pending: no', () => vendAfter({ status: 'pending' }), REFUSED],
  ['denied: no', () => vendAfter({ status: 'denied' }), REFUSED],
  ['expired: no', () => vendAfter({ status: 'expired' }), REFUSED],
  ['cancelled: no', () => vendAfter({ status: 'cancelled' }), REFUSED],
  ['approved for another profile: no', () => vendAfter({ profile: 'other' }), REFUSED],
  ['approved for another requester: no', () => vendAfter({ who: ben }), REFUSED],
  [
    '† the window runs from the approval: asked for seven hours ago',
    () => vendAfter({ createdAgo: 7 * HOUR, approvedAgo: MINUTE }),
    [200, undefined],
  ],
  [
    '† the window runs from the approval: approved two hours ago for one',
    () => vendAfter({ createdAgo: 2 * HOUR, approvedAgo: 2 * HOUR }),
    REFUSED,
  ],
  [
    'the table cannot be read: never',
    async () => {
      await make();
      const proxy = await startFaultProxy(desk.url);
      const other = await startTvm(desk.url, {
        environment: { AWS_ENDPOINT_URL_DYNAMODB: proxy.url },
      });
      proxy.set('dynamodb', ({ body }) => (body.includes('"sentinel-requests"') ? 'error' : 'ok'));
      const answer = await vendBy(other, ann, 'usual');
      await other.close();
      await proxy.close();
      return outcomeOf(answer);
    },
    [503, 'ServiceUnavailable'],
  ],
  [
    '† an explicit deny and an approval: 403',
    () => vendAfter({ profile: 'denied' }, 'denied'),
    [403, 'PolicyDenied'],
  ],
  [
    '† lives no longer than what is left',
    () => lifeOf({ approvedAgo: 40 * MINUTE }, '3600'),
    [200, 20],
  ],
  [
    '† lives no longer than what is left, under STS’s minimum',
    () => lifeOf({ approvedAgo: 55 * MINUTE }, '3600'),
    [200, 5],
  ],
  ['a justification of 9 characters: no', () => asked({ justification: 'x'.repeat(9) }), [400]],
  ['a justification of 10 characters: yes', () => asked({ justification: 'x'.repeat(10) }), [201]],
  [
    'a justification of 500 characters: yes',
    () => asked({ justification: 'x'.repeat(500) }),
    [201],
  ],
  ['a justification of 501 characters: no', () => asked({ justification: 'x'.repeat(501) }), [400]],
  ['a duration of 0: no', () => asked({ duration: 0 }), [400]],
  ['a duration of 8h: yes', () => asked({ duration: 28_800 }), [201]],
  ['a duration of 8h and a second: no', () => asked({ duration: 28_801 }), [400]],
  [
    '† the approver is the requester: 403',
    async () => outcomeOf(await approveBy(tvm, ann, await make({ status: 'pending' }))),
    [403, 'NotPermitted'],
  ],
  ['† no approval rule: refused', async () => outcomeOf(await vend('ruleless')), REFUSED],
  [
    'auto-approve, all conditions match: approved',
    () => autoStatus('auto', ann, 1_800),
    ['approved'],
  ],
  ['auto-approve, longer than it says: pending', () => autoStatus('auto', ann, 1_801), ['pending']],
  ['auto-approve, somebody else: pending', () => autoStatus('auto', ben, 1_800), ['pending']],
  [
    '† approved after it expired: 409',
    async () => {
      const id = await make({ status: 'pending', createdAgo: 25 * HOUR });
      const { json } = await showBy(tvm, ben, id);
      const answer = await actBy(tvm, ben, [id, 'approve'], { digest: json['digest'] });
      return [json['status'], ...outcomeOf(answer), answer.json['status']];
    },
    ['expired', 409, 'Conflict', 'expired'],
  ],
  [
    'two approve at once where one is enough: exactly one wins',
    async () => {
      const id = idOf(await askBy(tvm, ann, 'usual'));
      const answers = await Promise.all([ben, cid].map((who) => approveBy(tvm, who, id)));
      const { json } = await showBy(tvm, ann, id);
      return [
        answers.map(({ status }) => status).toSorted(),
        json['status'],
        (json['reviews'] as unknown[]).length,
      ];
    },
    [[200, 409], 'approved', 1],
  ],
];

describe('approvals, case by case', () => {
  it.each(CASES)('%s', async (_, act, expected) => {
    try {
      expect(await act()).toEqual(expected);
    } finally {
      await clear();
      await clear(ben);
    }
  });
});
