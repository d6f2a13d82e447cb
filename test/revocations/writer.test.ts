import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { toItem } from '../../src/revocations/entry.ts';
import { signEntry } from '../../src/revocations/entry-signature.ts';
import {
  createFakeTable,
  entry,
  feedOf,
  FRESH,
  logOf,
  SEALING,
  user,
  type FakeTable,
} from './fake-table.ts';

/** When an append resolves, its entry is in the table, at a number that every reader reaches. */
async function namesOf(table: FakeTable): Promise<readonly string[]> {
  const feed = feedOf(table);
  expect(await feed.ensure()).toEqual(FRESH);
  return feed.names().toSorted();
}

/** A client of which the first writes are acknowledged and not done. */
function losing(table: FakeTable, what: string, times: number): Pick<FakeTable, 'client'> {
  let left = times;
  function send(command: {
    constructor: { name: string };
    input: { TableName: string; Item?: object };
  }) {
    const isEntry = JSON.stringify(command.input.Item ?? {}).includes('rev#');
    if (command.constructor.name !== what || !isEntry || left === 0)
      return table.client.send(command as never);
    left -= 1;
    return Promise.resolve({ ConsumedCapacity: { TableName: command.input.TableName } });
  }
  return { client: { send } as unknown as DynamoDBClient };
}

describe('createRevocationWriter', () => {
  it('writes 200 entries of five instances at once, in few batches each, and loses none', async () => {
    const table = createFakeTable();
    let puts = 0;
    table.control.step = async (what, when) => {
      if (what === 'PutItemCommand' && when === 'before') puts += 1;
      await sleep(1);
    };
    const names = Array.from({ length: 200 }, (_, index) => `user-${index}`);
    const logs = Array.from({ length: 5 }, () => logOf(table));
    const written = await Promise.all(
      names.map((name, index) => (logs[index % 5] ?? logOf(table)).append(entry(user(name)))),
    );
    table.control.step = () => Promise.resolve();
    expect(written.map((one) => one.n).toSorted((a, b) => a - b)).toEqual(
      names.map((_, index) => index + 1),
    );
    expect(await namesOf(table)).toEqual(names.toSorted());
    expect(puts, 'writes of entries and heads').toBeLessThan(300);
  });

  it('continues after what another writer announced, and fills what that does not write', async () => {
    const table = createFakeTable();
    const announced = toItem({ ...entry(user('one')), n: 1 } as never, 4);
    table.items.set('rev#1', { ...signEntry(announced, SEALING), attempt: { S: 'dead' } });
    const late = logOf(table).append(entry(user('five')));
    expect(await late).toMatchObject({ n: 5 });
    expect([2, 3, 4].map((n) => table.items.get(`rev#${n}`)?.['what'])).toEqual([
      { S: 'void' },
      { S: 'void' },
      { S: 'void' },
    ]);
    expect(await namesOf(table)).toEqual(['five', 'one']);
  });

  it('does not believe an announcement that nobody signed', async () => {
    const table = createFakeTable();
    table.items.set('rev#1', toItem({ ...entry(user('one')), n: 1 } as never, 900_000));
    expect(await logOf(table).append(entry(user('two')))).toMatchObject({ n: 2 });
  });
});

describe('an entry that DynamoDB acknowledged and did not write', () => {
  it('is written again before the append resolves', async () => {
    const table = createFakeTable();
    expect(
      await logOf(losing(table, 'PutItemCommand', 1)).append(entry(user('one'))),
    ).toMatchObject({ n: 1 });
    expect(await namesOf(table)).toEqual(['one']);
  });

  it('rejects the append if that happens again and again', async () => {
    const table = createFakeTable();
    const append = logOf(losing(table, 'PutItemCommand', 99)).append(entry(user('one')));
    await expect(append).rejects.toThrow('does not stand where it was written');
  });

  it('is put again if others overwrote it before the append resolves', async () => {
    const table = createFakeTable();
    let isOver = false;
    table.control.step = (what, when) => {
      // After the head is raised and before the entry is read back.
      if (what === 'UpdateItemCommand' && when === 'after' && !isOver) {
        isOver = true;
        table.items.set('rev#1', toItem({ ...entry(user('nobody')), n: 1 } as never, undefined));
      }
      return Promise.resolve();
    };
    expect(await logOf(table).append(entry(user('one')))).toMatchObject({ n: 1 });
    expect(isOver).toBe(true);
    expect(await namesOf(table)).toEqual(['one']);
  });
});

describe('an append that fails', () => {
  it('does not stop the appends after it', async () => {
    const table = createFakeTable();
    const log = logOf(table);
    let fails = 1;
    table.control.step = (what, when) => {
      if (what !== 'PutItemCommand' || when !== 'before' || fails === 0) return Promise.resolve();
      fails -= 1;
      return Promise.reject(new Error('throttled'));
    };
    const outcomes = await Promise.allSettled([
      log.append(entry(user('one'))),
      log.append(entry(user('two'))),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await namesOf(table)).toEqual(['two']);
  });

  it('leaves no missing entry when it was in the middle of a batch', async () => {
    const table = createFakeTable();
    const log = logOf(table);
    await log.append(entry(user('zero')));
    let put = 0;
    table.control.step = (what, when) => {
      if (what !== 'PutItemCommand' || when !== 'before') return Promise.resolve();
      put += 1;
      // The first of five has a batch of its own; the third entry of the others' batch fails.
      return put === 5 ? Promise.reject(new Error('throttled')) : Promise.resolve();
    };
    const names = ['one', 'two', 'three', 'four', 'five'];
    const outcomes = await Promise.allSettled(names.map((name) => log.append(entry(user(name)))));
    table.control.step = () => Promise.resolve();
    const done = names.filter((_, index) => outcomes[index]?.status === 'fulfilled');
    expect(done).toHaveLength(4);
    expect(await namesOf(table)).toEqual(['zero', ...done].toSorted());
  });
});
