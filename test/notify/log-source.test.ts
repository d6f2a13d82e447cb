import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { newHexId } from '../../src/lib/ids.ts';
import type { Event } from '../../src/notify/event.ts';
import { createLogSource } from '../../src/notify/log-source.ts';
import { LEASE, type Source } from '../../src/notify/source.ts';
import { clientOf } from '../revocations/support.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { event, NOW } from './support.ts';

let desk: Desk;
let client: DynamoDBClient;
let now: number;
let name: string;
/** Entries from number 1 on; undefined for one that nobody vouches for. */
let log: (readonly Event[] | undefined)[];

beforeAll(async () => {
  desk = await startDesk();
  client = clientOf(desk.url);
});
afterAll(async () => {
  client.destroy();
  await desk.close();
});
beforeEach(() => {
  now = NOW;
  name = `log-${newHexId()}`;
  log = [];
});

function source(): Source {
  return createLogSource({
    client,
    guard: 'sentinel-guard',
    name,
    clock: () => now,
    last: () => Promise.resolve(log.length),
    toEvents: (n) => Promise.resolve(log[n - 1]),
  });
}

function append(): void {
  log.push([event({ version: log.length + 1, type: 'revocation.created' })]);
}

async function take(from: Source) {
  const [ref] = await from.pending(10);
  return ref && from.claim(ref);
}

describe('the outbox of a log', () => {
  it('begins with what is written after the first look', async () => {
    append();
    expect(await source().pending(10)).toEqual([]);
    append();
    expect(await source().pending(10)).toEqual([{ id: '2', version: 2, attempts: 0 }]);
  });

  it('gives the entries one after the other, each when the one before was sent or given up', async () => {
    await source().pending(10);
    for (let n = 0; n < 3; n += 1) append();
    const one = source();
    const first = await take(one);
    expect(first).toMatchObject({ version: 1, events: log[0] });
    expect(await one.pending(10)).toEqual([]);
    await one.done(first!);
    const second = await take(one);
    expect(second).toMatchObject({ version: 2, attempts: 1, sent: [] });
    await one.dead(second!);
    await one.done((await take(one))!);
    expect(await one.pending(10)).toEqual([]);
  });

  it('gives an entry to one of two instances, and to the other when the first has died', async () => {
    await source().pending(10);
    append();
    const [one, other] = [source(), source()];
    const [ref] = await one.pending(10);
    const claims = await Promise.all([one.claim(ref!), other.claim(ref!)]);
    expect(claims.filter((claimed) => claimed !== undefined)).toHaveLength(1);
    expect(await other.pending(10)).toEqual([]);
    now += LEASE + 1;
    expect(await take(other)).toMatchObject({ version: 1, attempts: 2 });
  });

  it('keeps for the next try what was sent, and when it is due', async () => {
    await source().pending(10);
    append();
    const one = source();
    await one.again((await take(one))!, now + 5_000, ['sns#1']);
    expect(await one.pending(10)).toEqual([]);
    now += 5_000;
    expect(await take(one)).toMatchObject({ attempts: 2, sent: ['sns#1'] });
  });

  it('has no events for an entry that no TVM wrote', async () => {
    await source().pending(10);
    log.push(undefined);
    expect(await take(source())).toMatchObject({ events: undefined });
  });
});
