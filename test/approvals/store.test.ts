import { randomBytes } from 'node:crypto';
import { PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLedgers, type LedgerEntry } from '../../src/approvals/ledger.ts';
import type { AccessRequest } from '../../src/approvals/request.ts';
import { approved, cancelled, withReview } from '../../src/approvals/request-changes.ts';
import { toRequestItem } from '../../src/approvals/row.ts';
import { createRequestStore, type RequestStore } from '../../src/approvals/store.ts';
import { DEFAULT_TABLE_NAMES } from '../../src/aws/tables.ts';
import { newHexId } from '../../src/lib/ids.ts';
import type { SealingKey } from '../../src/lib/sealing.ts';
import { clientOf } from '../revocations/support.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { ALICE, BOB, HOUR, NOW, party, pending, review, SHOWN } from './support.ts';

const TABLE = DEFAULT_TABLE_NAMES.requests;
const SEALING: SealingKey = { id: 'k', key: randomBytes(32), activeFrom: 0 };
const KEYS = new Map([['k', SEALING]]);

let desk: Desk;
let client: DynamoDBClient;
let store: RequestStore;

beforeAll(async () => {
  desk = await startDesk();
  client = clientOf(desk.url);
  store = createRequestStore(client, TABLE);
});

afterAll(async () => {
  client.destroy();
  await desk.close();
});

function given(request: AccessRequest): AccessRequest {
  const reviewed = withReview(request, review(BOB), SHOWN);
  return approved(reviewed, { reviews: reviewed.reviews, digest: 'd', now: NOW, auto: false });
}

async function stored(id: string) {
  const row = await store.read(id, KEYS);
  return row?.genuine === true ? row.request : undefined;
}

async function forge(request: AccessRequest, change: Record<string, string>): Promise<void> {
  const item = toRequestItem(request, TABLE, SEALING);
  const attributes = Object.entries(change).map(([name, value]) => [name, { S: value }] as const);
  await client.send(
    new PutItemCommand({ TableName: TABLE, Item: { ...item, ...Object.fromEntries(attributes) } }),
  );
}

describe('the store of requests', () => {
  it('reads what it wrote, in every state', async () => {
    const request = pending();
    expect(await store.create(request, SEALING)).toBe('created');
    expect(await stored(request.id)).toEqual(request);
    const next = given(request);
    expect(await store.replace(next, SEALING)).toBe('replaced');
    expect(await stored(request.id)).toEqual(next);
    const over = cancelled(next, ALICE, 'done early', NOW + 1);
    expect(await store.replace(over, SEALING)).toBe('replaced');
    expect(await stored(request.id)).toEqual(over);
  });

  it('does not create an id twice', async () => {
    const request = pending();
    await store.create(request, SEALING);
    expect(await store.create({ ...request, profile: 'dev', createdAt: NOW + 1 }, SEALING)).toBe(
      'there',
    );
    expect(await stored(request.id)).toEqual(request);
  });

  it('lets exactly one of concurrent changes of one version win', async () => {
    const request = pending();
    await store.create(request, SEALING);
    const reviewers = Array.from({ length: 8 }, (_, index) => party(`r${index}`));
    const outcomes = await Promise.all(
      reviewers.map((reviewer) =>
        store.replace(withReview(request, review(reviewer), SHOWN), SEALING),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'replaced')).toHaveLength(1);
  });

  it('takes a repeated change for its own', async () => {
    const request = pending();
    await store.create(request, SEALING);
    const next = given(request);
    await store.replace(next, SEALING);
    expect(await store.replace(next, SEALING)).toBe('replaced');
  });

  it('finds nothing where there is nothing', async () => {
    expect(await store.read(newHexId(), KEYS)).toBeUndefined();
  });
});

describe('a row that somebody else wrote', () => {
  it('is not believed when it says approved, whatever it was copied from', async () => {
    const request = pending();
    await forge(request, { status: 'approved' });
    // The state is what was signed: still pending.
    expect((await stored(request.id))?.status).toBe('pending');
    await forge(request, { state: JSON.stringify(given(request)), status: 'approved' });
    expect(await store.read(request.id, KEYS)).toMatchObject({
      genuine: false,
      foreign: { status: 'approved' },
    });
  });

  it('is not believed under another id, or of another table', async () => {
    const request = given(pending());
    await forge(request, { id: 'ffffffffffffffff' });
    expect((await store.read('ffffffffffffffff', KEYS))?.genuine).toBe(false);
    const elsewhere = toRequestItem(request, 'other-table', SEALING);
    await client.send(new PutItemCommand({ TableName: TABLE, Item: elsewhere }));
    expect((await store.read(request.id, KEYS))?.genuine).toBe(false);
  });

  it.each(['denied', 'cancelled', 'expired'] as const)(
    'takes away when it says %s',
    async (status) => {
      const request = given(pending());
      await forge(request, { status });
      expect((await stored(request.id))?.status).toBe(status);
    },
  );

  it('is shown as Sentinel wrote it', async () => {
    const id = newHexId();
    await client.send(
      new PutItemCommand({
        TableName: TABLE,
        Item: {
          id: { S: id },
          requester: { S: 'dana' },
          profile: { S: 'prod' },
          justification: { S: 'of the Go project' },
          duration: { N: '3600000000000' },
          status: { S: 'approved' },
          created_at: { S: '2026-03-10T12:00:00.123456789Z' },
        },
      }),
    );
    const foreign = {
      id,
      requester: 'dana',
      profile: 'prod',
      status: 'approved',
      createdAt: NOW + 123,
    };
    expect(await store.read(id, KEYS)).toMatchObject({ genuine: false, foreign });
  });
});

describe('lists of requests', () => {
  it('have every row once, newest first, to the last page', async () => {
    const requester = party(newHexId());
    const made = Array.from({ length: 230 }, (_, index) =>
      pending({ requester }, NOW + index * 1_000),
    );
    for (let at = 0; at < made.length; at += 23) {
      await Promise.all(made.slice(at, at + 23).map((request) => store.create(request, SEALING)));
    }
    const leg = { index: 'gsi-requester', key: requester.name } as const;
    const seen: string[] = [];
    let page = await store.page(leg, KEYS, undefined);
    for (let pages = 0; pages < 10; pages += 1) {
      seen.push(...page.rows.map((row) => (row.genuine ? row.request.id : '')));
      if (page.next === undefined) break;
      page = await store.page(leg, KEYS, page.next);
    }
    expect(seen).toEqual(made.map(({ id }) => id).toReversed());
  });
});

describe('when DynamoDB answers wrongly', () => {
  it.each(['down', 'empty', 'empty-json', 'foreign', 'error', 'throttled', 'garbled'] as const)(
    'rejects every call under %s',
    async (fault) => {
      const proxy = await startFaultProxy(desk.url);
      const faulty = clientOf(proxy.url);
      try {
        const ill = createRequestStore(faulty, TABLE);
        const ledgers = createLedgers(faulty, DEFAULT_TABLE_NAMES.guard);
        const request = pending();
        proxy.set('dynamodb', fault);
        await expect(ill.create(request, SEALING)).rejects.toThrow(/./u);
        await expect(ill.read(request.id, KEYS)).rejects.toThrow(/./u);
        await expect(ill.replace(given(request), SEALING)).rejects.toThrow(/./u);
        await expect(
          ill.page({ index: 'gsi-status', key: 'pending' }, KEYS, undefined),
        ).rejects.toThrow(/./u);
        await expect(ledgers.read('key/alice', NOW)).rejects.toThrow(/./u);
        await expect(ledgers.write('key/alice', [], 0)).rejects.toThrow(/./u);
      } finally {
        faulty.destroy();
        await proxy.close();
      }
    },
  );
});

describe('ledgers', () => {
  function entry(id: string, until = NOW + HOUR): LedgerEntry {
    return {
      id,
      profile: 'prod',
      at: NOW,
      until,
      pending: true,
    };
  }

  it('lets one of concurrent writers win', async () => {
    const ledgers = createLedgers(client, DEFAULT_TABLE_NAMES.guard);
    const name = `key/${newHexId()}`;
    const { version } = await ledgers.read(name, NOW);
    const ids = Array.from({ length: 6 }, () => newHexId());
    const outcomes = await Promise.all(ids.map((id) => ledgers.write(name, [entry(id)], version)));
    expect(outcomes.filter((outcome) => outcome === 'written')).toHaveLength(1);
    expect((await ledgers.read(name, NOW)).entries).toHaveLength(1);
  });

  it('forgets what has ended', async () => {
    const ledgers = createLedgers(client, DEFAULT_TABLE_NAMES.guard);
    const name = `key/${newHexId()}`;
    await ledgers.write(name, [entry('a'), entry('b', NOW + 1)], 0);
    expect((await ledgers.read(name, NOW)).entries.map(({ id }) => id)).toEqual(['a', 'b']);
    expect((await ledgers.read(name, NOW + 1)).entries.map(({ id }) => id)).toEqual(['a']);
  });

  it('are each of one name', async () => {
    const ledgers = createLedgers(client, DEFAULT_TABLE_NAMES.guard);
    const [one, two] = [`key/${newHexId()}`, `key/${newHexId()}`];
    await ledgers.write(one, [entry('a')], 0);
    expect((await ledgers.read(two, NOW)).entries).toEqual([]);
  });
});
