import { UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closed, confirmed, type BreakGlassEvent } from '../../src/breakglass/event.ts';
import { createUseLedgers } from '../../src/breakglass/ledger.ts';
import { createUseQuota } from '../../src/breakglass/quota.ts';
import type { RowPlace } from '../../src/aws/versioned-rows.ts';
import { createEventStore } from '../../src/breakglass/store.ts';
import { newHexId } from '../../src/lib/ids.ts';
import { ok, refuse } from '../../src/lib/result.ts';
import { clientOf, tableOf } from '../revocations/support.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import {
  ALICE,
  BOB,
  GUARD,
  KEYS,
  NOW,
  SEALING,
  TABLE,
  eventOf,
  party,
  valueOf,
} from './support.ts';

let desk: Desk;
let proxy: FaultProxy;
let clients: readonly DynamoDBClient[];
let client: DynamoDBClient;

beforeAll(async () => {
  desk = await startDesk();
  proxy = await startFaultProxy(desk.url);
  clients = Array.from({ length: 5 }, () => clientOf(proxy.url));
  client = clientOf(proxy.url);
});

afterAll(async () => {
  for (const one of [...clients, client]) one.destroy();
  await proxy.close();
  await desk.close();
});

function storeOf(of = client) {
  return createEventStore(of, TABLE);
}

async function create(event: BreakGlassEvent): Promise<BreakGlassEvent> {
  expect(await storeOf().create(event, SEALING)).toBe('created');
  return event;
}

async function read(id: string): Promise<BreakGlassEvent> {
  const row = await storeOf().read(id, KEYS);
  if (row?.genuine !== true) throw new Error('not genuine');
  return row.event;
}

/** Writes a status over a row, past the TVM. */
async function setStatus(id: string, status: string): Promise<void> {
  await client.send(
    new UpdateItemCommand({
      TableName: TABLE,
      Key: { id: { S: id } },
      UpdateExpression: 'SET #s = :s',
      ExpressionAttributeNames: { '#s': 'status' },
      ExpressionAttributeValues: { ':s': { S: status } },
    }),
  );
}

describe('the store of events', () => {
  it('reads what it wrote, and writes no other event of its id', async () => {
    const event = await create(eventOf());
    expect(JSON.stringify(await read(event.id))).toBe(JSON.stringify(event));
    expect(await storeOf().create(event, SEALING), 'this very one').toBe('created');
    expect(await storeOf().create({ ...eventOf(), id: event.id, openedAt: NOW + 1 }, SEALING)).toBe(
      'there',
    );
    expect(await storeOf().read(newHexId(), KEYS)).toBeUndefined();
    expect(await storeOf().isWritten(event.id)).toBe(true);
    expect(await storeOf().isWritten(newHexId())).toBe(false);
  });

  it('replaces a version once', async () => {
    const event = await create(eventOf());
    const next = valueOf(closed(event, BOB, 'done', NOW + 1));
    const other = valueOf(closed(event, ALICE, 'done too', NOW + 2));
    expect(await storeOf().replace(next, SEALING)).toBe('replaced');
    expect(await storeOf().replace(next, SEALING), 'the same again').toBe('replaced');
    expect(await storeOf().replace(other, SEALING)).toBe('lost');
    expect((await read(event.id)).closed?.reason).toBe('done');
  });

  it('finds its own writing when the answer is lost', async () => {
    const event = await create(eventOf());
    const next = valueOf(closed(event, BOB, 'done', NOW + 1));
    proxy.failNext('dynamodb', 'PutItem', 'lost');
    expect(await storeOf().replace(next, SEALING)).toBe('replaced');
    const another = eventOf();
    proxy.failNext('dynamodb', 'PutItem', 'lost');
    expect(await storeOf().create(another, SEALING)).toBe('created');
  });

  it('lets one of two racing writers win: who confirms, or who closes', async () => {
    const event = await create(eventOf({ confirmWithin: 300 }));
    const confirming = valueOf(confirmed(event, { by: BOB, at: NOW + 1, seen: 9 }));
    const closing = valueOf(closed(event, ALICE, 'done', NOW + 1));
    const outcomes = await Promise.all([
      storeOf(clients[0]).confirm(confirming, SEALING),
      storeOf(clients[1]).replace(closing, SEALING),
    ]);
    expect(outcomes.toSorted()).toEqual(['lost', 'replaced']);
  });

  it('confirms nothing that somebody else has closed, and nothing whose deadline has passed', async () => {
    const event = await create(eventOf({ confirmWithin: 300 }));
    const next = valueOf(confirmed(event, { by: BOB, at: NOW + 1, seen: 9 }));
    await setStatus(event.id, 'closed');
    expect(await storeOf().confirm(next, SEALING)).toBe('lost');
    await setStatus(event.id, 'active');
    const late = { ...next, confirmed: { by: BOB, at: NOW + 300_000, seen: 9 } };
    expect(await storeOf().confirm(late, SEALING)).toBe('lost');
    expect(await storeOf().confirm(next, SEALING)).toBe('replaced');
    expect((await read(event.id)).confirmed?.by).toEqual(BOB);
  });

  it('confirms a drill as well', async () => {
    const event = await create(eventOf({ drill: true, confirmWithin: 300 }));
    expect(
      await storeOf().confirm(
        valueOf(confirmed(event, { by: BOB, at: NOW + 1, seen: 9 })),
        SEALING,
      ),
    ).toBe('replaced');
  });

  it('lists the rows of an index to the end, the newest first, those of others too', async () => {
    const invoker = party('lister');
    const events = Array.from({ length: 205 }, (_, n) => eventOf({ invoker }, NOW + n));
    const queue = [...events];
    await Promise.all(
      clients.map(async (of) => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift())
          await storeOf(of).create(next, SEALING);
      }),
    );
    await tableOf(client, 'breakglass').put({
      id: { S: newHexId() },
      invoker: { S: invoker.name },
      created_at: { S: '2026-01-01T00:00:00Z' },
      status: { S: 'active' },
    });
    const found: string[] = [];
    let from: RowPlace | undefined;
    do {
      const { rows, next } = await storeOf().page(
        { index: 'gsi-invoker', key: invoker.name },
        KEYS,
        from,
      );
      found.push(...rows.map((row) => (row.genuine ? row.event.id : 'foreign')));
      from = next;
    } while (from !== undefined);
    expect(found).toEqual([...events.toReversed().map(({ id }) => id), 'foreign']);
  }, 60_000);

  it('rejects while DynamoDB is down', async () => {
    proxy.set('dynamodb', 'down');
    await expect(storeOf().read(newHexId(), KEYS)).rejects.toThrow(/./u);
    await expect(storeOf().create(eventOf(), SEALING)).rejects.toThrow(/./u);
    proxy.set('dynamodb', 'ok');
  }, 30_000);
});

describe('five instances that reserve at once', () => {
  /** Reserves on all instances, twenty at a time, by a rule of at most three. */
  async function rush(events: readonly BreakGlassEvent[], of: 'byPerson' | 'byProfile') {
    const quotas = clients.map((one) => createUseQuota(createUseLedgers(one, GUARD), storeOf(one)));
    const outcomes = await Promise.allSettled(
      events.map((event, index) =>
        (quotas[index % quotas.length] as (typeof quotas)[number]).reserve({
          event,
          keys: KEYS,
          judge: (past) => (past[of].length < 3 ? ok('yes') : refuse('no')),
        }),
      ),
    );
    return outcomes.filter((one) => one.status === 'fulfilled' && one.value.ok).length;
  }

  it('give no person more than the quota, by whatever names', async () => {
    const names = [newHexId(), newHexId()];
    const events = Array.from({ length: 12 }, (_, n) =>
      eventOf({ profile: `p${n}`, ledgers: names }),
    );
    const given = await rush(events, 'byPerson');
    expect(given).toBeLessThanOrEqual(3);
    expect(given).toBeGreaterThan(0);
  }, 60_000);

  it('give no profile more than the quota', async () => {
    const profile = newHexId();
    const events = Array.from({ length: 12 }, () => eventOf({ profile, ledgers: [newHexId()] }));
    const given = await rush(events, 'byProfile');
    expect(given).toBeLessThanOrEqual(3);
    expect(given).toBeGreaterThan(0);
  }, 60_000);
});
