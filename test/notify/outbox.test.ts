import { randomBytes } from 'node:crypto';
import {
  CreateTableCommand,
  GetItemCommand,
  PutItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRequestOutbox } from '../../src/approvals/outbox.ts';
import type { AccessRequest } from '../../src/approvals/request.ts';
import { approved, denied, withReview } from '../../src/approvals/request-changes.ts';
import { toRequestItem } from '../../src/approvals/row.ts';
import { createRequestStore, type RequestStore } from '../../src/approvals/store.ts';
import type { Item } from '../../src/aws/attributes.ts';
import { DEFAULT_TABLE_NAMES, tableDefinitions } from '../../src/aws/tables.ts';
import { newHexId } from '../../src/lib/ids.ts';
import { createDispatcher } from '../../src/notify/dispatcher.ts';
import { createReceivers } from '../../src/notify/receivers.ts';
import { LEASE, type Source } from '../../src/notify/source.ts';
import { clientOf } from '../revocations/support.ts';
import { ALICE, BOB, NOW as MADE, pending, review, SHOWN } from '../approvals/support.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { startReceiver, type TestReceiver } from './support.ts';

const SEALING = { id: 'k', key: randomBytes(32), activeFrom: 0 };
const KEYS = new Map([['k', SEALING]]);

let desk: Desk;
let client: DynamoDBClient;
let table: string;
let store: RequestStore;
let receiver: TestReceiver;
/** What all instances take for the time. */
let now: number;

beforeAll(async () => {
  desk = await startDesk();
  client = clientOf(desk.url);
});
afterAll(async () => {
  client.destroy();
  await desk.close();
});

/**
 * A table of requests, as it is made here or as one that Sentinel made: without the index of the
 * outbox.
 */
async function makeTable(isSentinels: boolean): Promise<string> {
  const name = `requests-${newHexId()}`;
  const definition = tableDefinitions({ ...DEFAULT_TABLE_NAMES, requests: name }).find(
    ({ create }) => create.TableName === name,
  );
  const {
    GlobalSecondaryIndexes: indexes = [],
    AttributeDefinitions: attributes = [],
    ...create
  } = definition!.create;
  await client.send(
    new CreateTableCommand({
      ...create,
      GlobalSecondaryIndexes: indexes.filter(
        ({ IndexName }) => !isSentinels || IndexName !== 'gsi-outbox',
      ),
      AttributeDefinitions: attributes.filter(
        ({ AttributeName }) => !isSentinels || AttributeName !== 'outbox',
      ),
    }),
  );
  return name;
}

beforeEach(async () => {
  now = MADE;
  table = await makeTable(false);
  store = createRequestStore(client, table, () => true);
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

type Counts = Record<string, number>;

/** One instance of the server, as far as events go. */
function instance(url = receiver.url, sources?: readonly Source[]) {
  const counts: Counts = {};
  const logged: string[] = [];
  function log(facts: unknown, message?: string): void {
    logged.push(`${message} ${JSON.stringify(facts)}`);
  }
  const source = createRequestOutbox({ client, table, clock: () => now, sealingKeys: () => KEYS });
  const receivers = createReceivers({
    webhookUrl: url,
    webhookFormat: 'json',
    document: () => ({ keys: [SEALING.key], url: undefined }),
    topic: undefined,
    publicUrl: 'https://tvm.example.com',
    clock: () => now,
    local: true,
    onLambda: false,
    way: undefined,
  });
  const dispatcher = createDispatcher({
    sources: sources ?? [source],
    receivers,
    clock: () => now,
    monotonic: () => performance.now(),
    meter: {
      count: (what, outcome) => {
        counts[`${what}.${outcome}`] = (counts[`${what}.${outcome}`] ?? 0) + 1;
      },
    },
    logger: { warn: log, error: log },
    random: () => 0.5,
  });
  return { ...dispatcher, source, counts, logged };
}

async function itemOf(id: string): Promise<Item | undefined> {
  return (
    await client.send(
      new GetItemCommand({ TableName: table, Key: { id: { S: id } }, ConsistentRead: true }),
    )
  ).Item;
}

async function put(item: Item): Promise<void> {
  await client.send(new PutItemCommand({ TableName: table, Item: item }));
}

async function made(): Promise<AccessRequest> {
  const request = pending();
  expect(await store.create(request, SEALING)).toBe('created');
  return request;
}

async function readNow(id: string): Promise<AccessRequest> {
  const row = await store.read(id, KEYS);
  if (row?.genuine !== true) throw new Error('no such request');
  return row.request;
}

/** The next version, by bob. */
async function approveNow(id: string): Promise<void> {
  const at = now + 1;
  const reviewed = withReview(await readNow(id), review(BOB, { at, comment: 'fine' }), SHOWN);
  const next = approved(reviewed, { reviews: reviewed.reviews, digest: 'd', now: at, auto: false });
  expect(await store.replace(next, SEALING)).toBe('replaced');
}

function typesSent(): readonly string[] {
  return receiver.arrived.map(({ body }) => (JSON.parse(body) as { type: string }).type);
}

describe('the outbox of requests', () => {
  it('sends what was written by an instance that was killed before it sent anything, and sends it once', async () => {
    const { id } = await made();
    const survivor = instance();
    await survivor.round();
    await survivor.round();
    expect(receiver.ids()).toEqual([`${id}.1`]);
    expect(survivor.counts).toEqual({ 'events.delivered': 1 });
    const item = await itemOf(id);
    for (const name of ['outbox', 'outbox_after', 'outbox_attempts', 'outbox_sent', 'outbox_claim'])
      expect(item).not.toHaveProperty(name);
    expect(await readNow(id)).toMatchObject({ status: 'pending', untold: [] });
  });

  it('sends again, after the lease, what an instance had claimed that was killed while it sent', async () => {
    const { id } = await made();
    const killed = instance();
    const [ref] = await killed.source.pending(10);
    expect(await killed.source.claim(ref!)).toMatchObject({ id, attempts: 1 });
    const survivor = instance();
    await survivor.round();
    expect(receiver.arrived).toEqual([]);
    now += LEASE + 1;
    await survivor.round();
    expect(receiver.ids()).toEqual([`${id}.1`]);
  });

  it('sends each event once where two instances look at the same time', async () => {
    const ids = [];
    for (let n = 0; n < 30; n += 1) ids.push((await made()).id);
    const [one, other] = [instance(), instance()];
    await Promise.all([one.round(), other.round()]);
    await Promise.all([one.round(), other.round()]);
    expect(receiver.ids().toSorted()).toEqual(ids.map((id) => `${id}.1`).toSorted());
  });

  it('sends at once what it was told of, without looking', async () => {
    const { id } = await made();
    const { notice, idle, source } = instance();
    notice(source, { id, version: 1 });
    await idle();
    expect(receiver.ids()).toEqual([`${id}.1`]);
  });

  it('carries to the next version what was not sent of the one before, in its order', async () => {
    const { id } = await made();
    await approveNow(id);
    await instance().round();
    expect(receiver.ids()).toEqual([`${id}.1`, `${id}.2`]);
    expect(typesSent()).toEqual(['request.created', 'request.approved']);
    const [created, decided] = receiver.arrived.map(
      ({ body }) => (JSON.parse(body) as { subject: object }).subject,
    );
    expect(created).toMatchObject({ requester: 'key/alice', actor: 'key/alice' });
    expect(decided).toMatchObject({
      requester: 'key/alice',
      actor: 'key/bob',
      comment: 'fine',
      status: 'approved',
    });
    expect(decided).not.toHaveProperty('drill');
  });

  it('does not send again what was sent before the next version was written', async () => {
    const { id } = await made();
    const { round } = instance();
    await round();
    await approveNow(id);
    await round();
    expect(receiver.ids()).toEqual([`${id}.1`, `${id}.2`]);
  });

  it('loses no event of a version that is written while the one before is sent', async () => {
    const { id } = await made();
    const { source, round } = instance();
    const [ref] = await source.pending(10);
    const claimed = await source.claim(ref!);
    await approveNow(id);
    await source.done(claimed!);
    await round();
    expect(typesSent()).toEqual(['request.created', 'request.approved']);
  });

  it('marks nothing where nobody listens', async () => {
    const silent = createRequestStore(client, table);
    const request = pending();
    await silent.create(request, SEALING);
    expect(await itemOf(request.id)).not.toHaveProperty('outbox');
  });

  it('finds what is pending by the status in a table that has no index for it', async () => {
    table = await makeTable(true);
    store = createRequestStore(client, table, () => true);
    const { id } = await made();
    await approveNow(id);
    const other = await made();
    await instance().round();
    expect(receiver.ids().toSorted()).toEqual([`${id}.1`, `${id}.2`, `${other.id}.1`].toSorted());
  });

  it('finds every one of many more than a page, also where others wait for their next try', async () => {
    for (let n = 0; n < 230; n += 1) {
      const item = toRequestItem(pending(), table, SEALING, true);
      await put(n % 2 === 0 ? item : { ...item, outbox_after: { N: String(now + 60_000) } });
    }
    const { round } = instance();
    await round();
    expect(new Set(receiver.ids()).size).toBe(115);
    now += 60_001;
    await round();
    expect(new Set(receiver.ids()).size).toBe(230);
    expect(receiver.arrived).toHaveLength(230);
  }, 60_000);
});

function without(item: Item, ...names: readonly string[]): Item {
  return Object.fromEntries(Object.entries(item).filter(([name]) => !names.includes(name)));
}

describe('a row that no TVM has signed', () => {
  it.each<readonly [string, (item: Item) => Item]>([
    ['without a signature', (item) => without(item, 'signature')],
    [
      'with a state that was changed',
      (item) => ({ ...item, state: { S: item['state']!.S!.replace('prod', 'root') } }),
    ],
    ['under another id', (item) => ({ ...item, id: { S: 'ffffffffffffffff' } })],
    ['of another table', () => toRequestItem(pending(), 'other-table', SEALING, true)],
    [
      'signed by another key',
      () => toRequestItem(pending(), table, { ...SEALING, key: randomBytes(32) }, true),
    ],
    ['that is Sentinel’s own', (item) => without(item, 'state', 'signature')],
  ])('sends nothing: %s', async (_, forge) => {
    await put(forge(toRequestItem(pending(), table, SEALING, true)));
    const { round, counts } = instance();
    for (let n = 0; n < 15; n += 1) {
      await round();
      now += 11 * 60_000;
    }
    expect(receiver.arrived).toEqual([]);
    expect(counts).toEqual({});
    expect(
      await createRequestOutbox({
        client,
        table,
        clock: () => now,
        sealingKeys: () => KEYS,
      }).pending(9),
    ).toEqual([]);
  });

  it('sends nothing for a status that somebody wrote over a signed row', async () => {
    const item = toRequestItem(pending(), table, SEALING, true);
    await put({ ...item, status: { S: 'denied' } });
    await instance().round();
    expect(typesSent()).toEqual(['request.created']);
  });

  it('is sent once this instance has read the key that it is signed with', async () => {
    const newer = { id: 'newer', key: randomBytes(32), activeFrom: 0 };
    await put(toRequestItem(pending(), table, newer, true));
    const { round } = instance();
    await round();
    expect(receiver.arrived).toEqual([]);
    KEYS.set('newer', newer);
    now += 5_001;
    await round();
    KEYS.delete('newer');
    expect(receiver.arrived).toHaveLength(1);
  });
});

describe('a receiver that does not take an event', () => {
  it('gets it again with growing pauses, and the event is dead after the last try', async () => {
    const broken = await startReceiver((response) => response.writeHead(500).end());
    const { id } = await made();
    const { round, counts, logged } = instance(broken.url);
    const pauses: number[] = [];
    let last = now;
    for (let n = 0; n < 5_000 && (await itemOf(id))?.['outbox']?.S === 'pending'; n += 1) {
      const before = broken.arrived.length;
      await round();
      if (broken.arrived.length > before) {
        pauses.push(now - last);
        last = now;
      }
      now += 2_500;
    }
    await broken.close();
    expect(broken.arrived).toHaveLength(12);
    expect(
      pauses.slice(1).every((pause, index) => index === 0 || pause >= (pauses[index] ?? 0) * 0.7),
    ).toBe(true);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(600_000);
    expect(counts).toEqual({ 'events.failed': 12, 'events.dead': 1 });
    const item = await itemOf(id);
    expect(item).toMatchObject({ outbox: { S: 'dead' } });
    for (const name of ['outbox_after', 'outbox_attempts', 'outbox_claim'])
      expect(item).not.toHaveProperty(name);
    expect(logged.at(-1)).toMatch(/given up/u);
    expect(logged.join('\n')).not.toContain(broken.url);
    expect(logged.join('\n')).not.toContain('/hook');
  }, 60_000);

  it('gets it in the end where it was down for a while', async () => {
    let isDown = true;
    const flaky = await startReceiver((response) => response.writeHead(isDown ? 503 : 200).end());
    const { id } = await made();
    const { round, counts } = instance(flaky.url);
    for (let n = 0; n < 3; n += 1) {
      await round();
      now += 60_000;
    }
    isDown = false;
    await round();
    await flaky.close();
    expect(counts).toEqual({ 'events.failed': 3, 'events.delivered': 1 });
    expect(flaky.ids()).toEqual(Array.from({ length: 4 }, () => `${id}.1`));
    expect(await itemOf(id)).not.toHaveProperty('outbox');
  });

  it('holds up no writing of the row', async () => {
    const hanging = await startReceiver(() => undefined);
    const { id } = await made();
    const { round } = instance(hanging.url);
    const running = round();
    const begun = performance.now();
    const next = denied(
      withReview(await readNow(id), review(BOB, { verdict: 'deny' }), SHOWN),
      ALICE,
      'no',
      MADE,
    );
    expect(await store.replace(next, SEALING)).toBe('replaced');
    expect(performance.now() - begun).toBeLessThan(2_000);
    await hanging.close();
    await running;
    expect((await itemOf(id))?.['outbox']).toEqual({ S: 'pending' });
  });
});
