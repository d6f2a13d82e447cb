import { describe, expect, it } from 'vitest';
import { toHead } from '../../src/revocations/head.ts';
import {
  createFakeTable,
  entry,
  feedOf,
  FRESH,
  logOf,
  rawEntry,
  rawHead,
  SEALING,
  UNAVAILABLE,
  user,
  type FakeTable,
} from './fake-table.ts';
import type { Item } from './support.ts';

/** A reader notices that it does not know everything up to the head, whatever the table holds. */
const HOUR = 3_600_000;

/** A table in which these users are revoked. */
async function tableWith(...names: readonly string[]): Promise<FakeTable> {
  const table = createFakeTable();
  for (const name of names) await logOf(table).append(entry(user(name)));
  return table;
}

/** Lets a test change the answer to each query; undefined leaves it as it is. */
function answering(
  table: FakeTable,
  change: (id: string) => object | undefined,
): Pick<FakeTable, 'client'> {
  async function send(command: { input: { ExpressionAttributeValues?: Item; TableName: string } }) {
    const answer = await table.client.send(command as never);
    const id = command.input.ExpressionAttributeValues?.[':id']?.S;
    const other = id === undefined ? undefined : change(id);
    return other === undefined ? answer : { ...(answer as object), ...other };
  }
  return { client: { send } as unknown as FakeTable['client'] };
}

describe('a missing entry in the log', () => {
  it('stops an instance that follows the log, which still learns of the entries after it', async () => {
    const table = await tableWith('one');
    const feed = feedOf(table);
    await feed.ensure();
    for (const name of ['two', 'three', 'four']) await logOf(table).append(entry(user(name)));
    table.items.delete('rev#2');
    expect(await feed.poll()).toEqual(UNAVAILABLE);
    expect(feed.state()).toMatchObject({ usable: false, broken: true });
    expect(feed.names(), 'what can be read is honoured').toEqual(['one', 'three', 'four']);
    expect(String(feed.faults[0])).toContain('revocation 2 is missing from the table');
    expect(feed.isBroken(2)).toBe(true);
    expect(feed.isBroken(3)).toBe(false);
  });

  it('stops an instance that starts, and no grace is given for it', async () => {
    const table = await tableWith('one', 'two', 'three');
    table.items.delete('rev#2');
    const feed = feedOf(table, { grace: HOUR });
    expect(await feed.ensure()).toEqual(UNAVAILABLE);
    expect(feed.names()).toEqual(['one', 'three']);
  });

  it('is read once more, and not reported if that was only one bad answer', async () => {
    const table = await tableWith('one');
    let bad = 0;
    const feed = feedOf(
      answering(table, (id) => {
        if (id !== 'rev#2' || bad === 0) return undefined;
        bad -= 1;
        return { Items: [] };
      }),
    );
    await feed.ensure();
    await logOf(table).append(entry(user('two')));
    bad = 1;
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'two']);
    expect(feed.faults).toEqual([]);
  });

  it('is put aside by an operator by its number; then all instances are fresh again', async () => {
    const table = await tableWith('one', 'two', 'three');
    table.items.delete('rev#2');
    const [feed, other] = [feedOf(table), feedOf(table)];
    expect([await feed.ensure(), await other.ensure()]).toEqual([UNAVAILABLE, UNAVAILABLE]);
    await feed.putAside(2);
    expect(await feed.poll()).toEqual(FRESH);
    expect(await other.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'three']);
  });

  it('is noticed at the end of the log as well', async () => {
    const table = await tableWith('one', 'two');
    table.items.delete('rev#2');
    expect(await feedOf(table).ensure()).toEqual(UNAVAILABLE);
  });
});

describe('an answer with another entry’s id', () => {
  it('is an error, and the number is read again', async () => {
    const table = await tableWith('one');
    let bad = false;
    const feed = feedOf(
      answering(table, (id) => (bad && id === 'rev#2' ? { Items: [rawEntry(1)] } : undefined)),
    );
    await feed.ensure();
    await logOf(table).append(entry(user('two')));
    bad = true;
    expect(await feed.poll()).toEqual(UNAVAILABLE);
    bad = false;
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'two']);
  });
});

describe('a head that went back', () => {
  it('is not believed, is corrected, and hides nothing', async () => {
    const table = await tableWith('one', 'two', 'three');
    const feed = feedOf(table);
    await feed.ensure();
    table.items.set('head', toHead(1, SEALING));
    feed.time.monotonic += 4_000;
    await feed.ensure();
    expect(feed.faults.map(String)).toEqual([expect.stringContaining('went back from 3 to 1')]);
    expect(table.items.get('head')?.['n']).toEqual({ N: '3' });
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'two', 'three']);
  });

  it.each<readonly [string, Item | undefined]>([
    ['signed by the TVM, once', toHead(1, SEALING)],
    ['forged', rawHead(1)],
    ['deleted', undefined],
  ])(
    'is noticed by an instance that starts after it and the last entries went (%s)',
    async (_, head) => {
      const table = await tableWith('one', 'two', 'three');
      for (const n of [2, 3]) table.items.delete(`rev#${n}`);
      if (head === undefined) table.items.delete('head');
      else table.items.set('head', head);
      const feed = feedOf(table);
      for (let time = 0; time < 3; time += 1) expect(await feed.poll()).toEqual(UNAVAILABLE);
      expect(feed.faults.map(String).join('\n')).toContain('revocation 2 to 3 is missing');
    },
  );
});

describe('an entry that was changed by others', () => {
  const changes: readonly (readonly [string, (item: Item) => Item])[] = [
    ['its end', (item) => ({ ...item, until: { S: '2026-01-05T12:00:01.000Z' } })],
    ['whom it names', (item) => ({ ...item, value: { S: 'nobody' } })],
    ['what it says', (item) => ({ ...item, what: { S: 'void' } })],
    ['all of it, without a signature', () => rawEntry(2, { value: { S: 'nobody' } })],
    ['the type of a value', (item) => ({ ...item, value: { N: '7' } })],
  ];

  it.each(changes)(
    '(%s) stops an instance that starts then, and changes nothing for one that knew it',
    async (_, change) => {
      const table = await tableWith('one', 'two');
      const knew = feedOf(table);
      await knew.ensure();
      const item = table.items.get('rev#2');
      table.items.set('rev#2', change(item ?? {}));
      const feed = feedOf(table);
      expect(await feed.ensure()).toEqual(UNAVAILABLE);
      expect(String(feed.faults.at(-1))).toContain(
        'revocation 2 is not signed with a key that this TVM has',
      );
      expect(await knew.poll()).toEqual(FRESH);
      knew.time.now += HOUR;
      await knew.poll(HOUR);
      await knew.poll();
      expect(knew.names(), 'what was known once stays known').toEqual(['one', 'two']);
    },
  );

  it('is put aside by an operator by its number', async () => {
    const table = await tableWith('one', 'two');
    table.items.set('rev#2', rawEntry(2, { value: { S: 'nobody' } }));
    const feed = feedOf(table);
    await feed.ensure();
    await feed.putAside(2);
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one']);
  });
});

describe('an entry that others added', () => {
  it('revokes for good: its end is ignored, also by an instance that starts later', async () => {
    const table = await tableWith('one');
    const feed = feedOf(table);
    await feed.ensure();
    table.items.set('rev#2', rawEntry(2, { until: { S: '2026-01-05T12:00:01.000Z' } }));
    expect(await feed.poll(HOUR)).toEqual(FRESH);
    expect(feed.list().at(-1)).toMatchObject({ until: undefined });
    const later = feedOf(table);
    expect(await later.ensure()).toEqual(FRESH);
    later.time.now += HOUR;
    expect(later.names()).toEqual(['one', 'alice']);
  });

  it('keeps its number when a writer meets it, and both entries are in force', async () => {
    const table = await tableWith('one');
    table.items.set('rev#2', rawEntry(2));
    expect(await logOf(table).append(entry(user('three')))).toMatchObject({ n: 3 });
    const feed = feedOf(table);
    expect(await feed.ensure()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'alice', 'three']);
  });
});

describe('the list of numbers that are gone', () => {
  it('names nothing if the TVM did not sign it', async () => {
    const table = await tableWith('one', 'two');
    table.items.delete('rev#1');
    table.items.set('compaction', {
      id: { S: 'compaction' },
      version: { N: '1' },
      numbers: { S: '1' },
    });
    const feed = feedOf(table);
    expect(await feed.ensure()).toEqual(UNAVAILABLE);
    expect(feed.faults.map(String).join('\n')).toContain('is not signed by this TVM');
  });
});

describe('a log that was never signed', () => {
  it('is signed as it stands at the first start, and what is missing is named as gone', async () => {
    const table = createFakeTable();
    table.items.set('rev#1', rawEntry(1, { until: { S: '2026-01-05T13:00:00.000Z' } }));
    table.items.set('rev#3', rawEntry(3, { value: { S: 'bob' } }));
    table.items.set('head', rawHead(3));
    const feed = feedOf(table);
    expect(await feed.ensure()).toEqual(FRESH);
    expect(feed.names()).toEqual(['alice', 'bob']);
    expect(feed.list()[0]).toHaveProperty('until');
    table.items.delete('rev#3');
    expect(await feedOf(table).ensure(), 'from then on it is held to its word').toEqual(
      UNAVAILABLE,
    );
  });

  it('works without any sealing key, also with revocations that end', async () => {
    const table = createFakeTable();
    const feed = feedOf(table, { keys: () => new Map() });
    expect(await feed.ensure()).toEqual(FRESH);
    await feed.append(entry(user('short'), { until: Date.parse('2026-01-05T13:00:00Z') }));
    const other = feedOf(table, { keys: () => new Map() });
    expect(await other.ensure()).toEqual(FRESH);
    expect(other.names()).toEqual(['short']);
    await other.poll(2 * HOUR);
    expect(other.names()).toEqual([]);
    // The first key signs the entries that are there.
    expect(await feedOf(table).ensure()).toEqual(FRESH);
  });
});
