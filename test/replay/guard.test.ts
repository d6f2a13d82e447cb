import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAwsClients } from '../../src/aws/clients.ts';
import { DEFAULT_TABLE_NAMES } from '../../src/aws/tables.ts';
import { createDynamoDbGuard } from '../../src/replay/dynamodb.ts';
import type { ReplayGuard, Reservation } from '../../src/replay/guard.ts';
import { createMemoryGuard } from '../../src/replay/memory.ts';
import { forward, startFake, type Fake } from '../http/support.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

const NOW = Date.parse('2026-01-05T12:00:00Z');
const WINDOW = 60_000;

let desk: Desk;
let clients: DynamoDBClient[] = [];
let count = 0;

beforeAll(async () => {
  desk = await startDesk();
});

afterAll(async () => {
  for (const client of clients) client.destroy();
  clients = [];
  await desk.close();
});

function clientOf(url: string): DynamoDBClient {
  const { dynamodb } = createAwsClients({
    region: 'us-east-1',
    endpoints: { sts: url, ssm: url, dynamodb: url },
  });
  clients.push(dynamodb);
  return dynamodb;
}

function dynamoGuard(
  url: string,
  faults: unknown[] = [],
  table = DEFAULT_TABLE_NAMES.guard,
): ReplayGuard {
  return createDynamoDbGuard(clientOf(url), table, (error) => void faults.push(error));
}

/** A signed request as the guard sees it, each with another signature. */
function claim(signedAt = NOW, key = `key-${(count += 1)}`) {
  return { key, signedAt, forgetAt: signedAt + 2 * WINDOW };
}

function held(reserved: Awaited<ReturnType<ReplayGuard['reserve']>>): Reservation {
  if (!reserved.ok) throw new Error(reserved.refusal);
  return reserved.value;
}

const REPLAYED = { ok: false, refusal: 'replayed' };

describe.each([
  ['in memory', () => createMemoryGuard(NOW - 1_000_000)],
  ['in DynamoDB', () => dynamoGuard(desk.url)],
] as const)('a replay guard, %s', (_, create) => {
  it('lets a request through once', async () => {
    const guard = create();
    const request = claim();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
    expect(await guard.reserve({ ...request }, NOW + WINDOW)).toEqual(REPLAYED);
  });

  it('lets requests of other signatures through', async () => {
    const guard = create();
    for (const request of [claim(), claim(), claim()])
      expect((await guard.reserve(request, NOW)).ok).toBe(true);
  });

  it('lets one of many simultaneous copies through', async () => {
    const guard = create();
    const request = claim();
    const results = await Promise.all(
      Array.from({ length: 10 }, () => guard.reserve(request, NOW)),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(results.filter(({ ok }) => !ok)).toEqual(Array.from({ length: 9 }, () => REPLAYED));
  });

  it('lets a released request through again, once', async () => {
    const guard = create();
    const request = claim();
    await held(await guard.reserve(request, NOW)).release();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('does not release a hold that is another’s by now', async () => {
    const guard = create();
    const request = claim();
    const first = held(await guard.reserve(request, NOW));
    await first.release();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
    await first.release();
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('releases only the request that it holds', async () => {
    const guard = create();
    const [one, other] = [claim(), claim()];
    const reservation = held(await guard.reserve(one, NOW));
    await guard.reserve(other, NOW);
    await reservation.release();
    expect(await guard.reserve(other, NOW)).toEqual(REPLAYED);
  });
});

describe('createMemoryGuard', () => {
  it('refuses what was signed before the process started, or in the second of its start', async () => {
    const guard = createMemoryGuard(NOW + 1);
    expect(await guard.reserve(claim(NOW - 1_000), NOW)).toEqual(REPLAYED);
    expect(await guard.reserve(claim(NOW), NOW)).toEqual(REPLAYED);
    expect((await guard.reserve(claim(NOW + 1_000), NOW)).ok).toBe(true);
    expect((await createMemoryGuard(NOW).reserve(claim(NOW), NOW)).ok).toBe(true);
  });

  it('refuses a request that it has no room for, and makes room as signatures expire', async () => {
    const guard = createMemoryGuard(NOW, 2);
    const early = claim();
    expect((await guard.reserve(early, NOW)).ok).toBe(true);
    expect((await guard.reserve(claim(), NOW)).ok).toBe(true);
    expect(await guard.reserve(claim(), NOW)).toEqual({ ok: false, refusal: 'unavailable' });
    expect(await guard.reserve(early, NOW)).toEqual(REPLAYED);
    expect(await guard.reserve(early, early.forgetAt)).toEqual(REPLAYED);
    const later = early.forgetAt + 1;
    expect((await guard.reserve(claim(later), later)).ok).toBe(true);
  });

  it('has room again after a release', async () => {
    const guard = createMemoryGuard(NOW, 1);
    await held(await guard.reserve(claim(), NOW)).release();
    expect((await guard.reserve(claim(), NOW)).ok).toBe(true);
  });
});

/** DynamoDB behind a wire that the test can cut. */
async function startWire(answer: Fake['answer']): Promise<Fake> {
  return startFake(answer);
}

describe('createDynamoDbGuard', () => {
  it('refuses on one instance what another has seen', async () => {
    const request = claim();
    expect((await dynamoGuard(desk.url).reserve(request, NOW)).ok).toBe(true);
    expect(await dynamoGuard(desk.url).reserve(request, NOW)).toEqual(REPLAYED);
  });

  it('lets a request through whose first answer was lost, although the SDK repeats the write', async () => {
    let calls = 0;
    const wire = await startWire(async (body, incoming) => {
      calls += 1;
      const answer = await forward(desk.port, body, incoming);
      return calls === 1 ? 'close' : answer;
    });
    const request = claim();
    const guard = dynamoGuard(wire.url);
    const reservation = await guard.reserve(request, NOW);
    expect(reservation.ok).toBe(true);
    expect(calls).toBe(2);
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
    await held(reservation).release();
    expect((await guard.reserve(request, NOW)).ok).toBe(true);
    await wire.close();
  });

  it('refuses a replay whose first answer was lost', async () => {
    let calls = 0;
    const wire = await startWire(async (body, incoming) => {
      calls += 1;
      return calls === 1 ? 'close' : forward(desk.port, body, incoming);
    });
    const request = claim();
    expect((await dynamoGuard(desk.url).reserve(request, NOW)).ok).toBe(true);
    expect(await dynamoGuard(wire.url).reserve(request, NOW)).toEqual(REPLAYED);
    expect(calls).toBe(2);
    await wire.close();
  });

  it('keeps the item longer than any verifier accepts the signature', async () => {
    const request = claim(NOW + 1);
    await dynamoGuard(desk.url).reserve(request, NOW);
    const key = { id: { S: `replay#${request.key}` } };
    const get = new GetItemCommand({
      TableName: DEFAULT_TABLE_NAMES.guard,
      Key: key,
      ConsistentRead: true,
    });
    const { Item } = await clientOf(desk.url).send(get);
    expect(Number(Item?.['ttl']?.N)).toBeGreaterThan(request.forgetAt / 1_000);
    expect(Item?.['ttl']?.N).toMatch(/^\d{10}$/u);
    expect(Object.keys(Item ?? {}).toSorted()).toEqual(['attempt', 'id', 'ttl']);
  });

  it('refuses as unavailable when DynamoDB cannot be reached or read, and reports why', async () => {
    const broken = await startWire(() => 'close');
    for (const [url, table] of [
      [broken.url, DEFAULT_TABLE_NAMES.guard],
      [desk.url, 'no-such-table'],
    ] as const) {
      const faults: unknown[] = [];
      expect(await dynamoGuard(url, faults, table).reserve(claim(), NOW)).toEqual({
        ok: false,
        refusal: 'unavailable',
      });
      expect(faults).toHaveLength(1);
    }
    await broken.close();
  });

  it('does not throw when a release fails; the request stays used', async () => {
    let open = true;
    const wire = await startWire((body, incoming) =>
      open ? forward(desk.port, body, incoming) : 'close',
    );
    const faults: unknown[] = [];
    const guard = dynamoGuard(wire.url, faults);
    const request = claim();
    const reservation = held(await guard.reserve(request, NOW));
    open = false;
    await expect(reservation.release()).resolves.toBeUndefined();
    expect(faults).toHaveLength(1);
    open = true;
    expect(await guard.reserve(request, NOW)).toEqual(REPLAYED);
    await wire.close();
  });
});
