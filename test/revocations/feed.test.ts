import { describe, expect, it } from 'vitest';
import { mergeRanges, toRanges } from '../../src/revocations/compaction.ts';
import { toItem, toLift } from '../../src/revocations/entry.ts';
import {
  ALICE,
  createFakeTable,
  entry,
  feedOf,
  logOf,
  FRESH,
  NOW,
  rawEntry,
  rawHead,
  SEALING,
  STRANGE,
  UNAVAILABLE,
  user,
  type FakeTable,
} from './fake-table.ts';

/** What an instance makes of the entries in the table. */
const HOUR = 3_600_000;
const SUBJECT = {
  name: 'alice',
  storedName: 'key/alice',
  principal: 'sentinel:key/A',
  subject: 'sentinel:key/A',
};

/** Deletes entries as the TVM does: first it names them as gone. */
async function forget(table: FakeTable, numbers: readonly number[]): Promise<void> {
  const log = logOf(table);
  const { version, item, ranges } = await log.readCompaction();
  await log.writeCompaction(version + 1, mergeRanges(ranges, toRanges(numbers)), item);
  for (const n of numbers) await log.remove(n);
}

describe('createRevocations', () => {
  it('knows the entries from before its start, and those since', async () => {
    const table = createFakeTable();
    await logOf(table).append(entry(user('one')));
    const feed = feedOf(table);
    expect(await feed.ensure()).toEqual(FRESH);
    await logOf(table).append(entry(user('two')));
    await logOf(table).append(entry(user('three')));
    expect(feed.names()).toEqual(['one']);
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'two', 'three']);
    expect(feed.told.map(({ n }) => n)).toEqual([1, 2, 3]);
  });

  it('knows its own entries at once, and others’ entries between them after a reading', async () => {
    const table = createFakeTable();
    const [one, other] = [feedOf(table), feedOf(table)];
    await Promise.all([one.ensure(), other.ensure()]);
    await other.append(entry(user('theirs')));
    await one.append(entry());
    expect(one.ofCaller(SUBJECT)).toMatchObject({ n: 2 });
    expect(one.names()).toEqual(['alice']);
    await Promise.all([one.poll(), other.poll()]);
    expect([one.numbers(), other.numbers()]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('reads nothing while what it knows is young enough', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    table.control.step = () => Promise.reject(new Error('asked'));
    feed.time.now += 3_000;
    expect(await feed.ensure()).toEqual(FRESH);
    feed.time.now += 1;
    expect(await feed.ensure()).toEqual(UNAVAILABLE);
    expect(feed.state()).toMatchObject({ usable: false, failing: true, inGrace: false });
    expect(feed.faults).toHaveLength(1);
  });

  it('raises a head that lags because a writer died between entry and head', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    table.items.set('rev#1', rawEntry(1));
    table.items.set('rev#2', rawEntry(2, { value: { S: 'bob' } }));
    await feed.poll();
    expect(feed.numbers()).toEqual([1, 2]);
    expect(table.items.get('head')?.['n']?.N).toBe('2');
    expect(await logOf(table).append(entry())).toMatchObject({ n: 3 });
  });

  it('finds at its start the entries beyond a head that lags', async () => {
    const table = createFakeTable();
    await logOf(table).append(entry(user('one')));
    for (const n of [2, 3, 4])
      table.items.set(`rev#${n}`, rawEntry(n, { value: { S: `late-${n}` } }));
    const feed = feedOf(table);
    await feed.ensure();
    expect(feed.names()).toEqual(['one', 'late-2', 'late-3', 'late-4']);
    expect(await logOf(table).append(entry())).toMatchObject({ n: 5 });
    await feed.poll();
    expect(feed.numbers()).toEqual([1, 2, 3, 4, 5]);
  });

  it('skips numbers that are named as gone under the TVM’s signature, and reuses none', async () => {
    const table = createFakeTable();
    for (const name of ['one', 'two', 'three']) await logOf(table).append(entry(user(name)));
    await forget(table, [1, 3]);
    const feed = feedOf(table);
    expect(await feed.ensure()).toEqual(FRESH);
    expect(feed.names()).toEqual(['two']);
    expect(await logOf(table).append(entry(user('four')))).toMatchObject({ n: 4 });
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['two', 'four']);
  });

  it('reads everything again after hours in a frozen process, although entries are gone meanwhile', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    await logOf(table).append(entry(user('short'), { until: NOW + HOUR }));
    await logOf(table).append(entry());
    await forget(table, [1]);
    expect(await feed.poll(30 * HOUR)).toEqual(FRESH);
    expect(feed.names()).toEqual(['alice']);
  });

  it('does not count a reading that began before a freeze as fresh', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    let thaw: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => {
      thaw = resolve;
    });
    table.control.step = (_, when) => (when === 'after' ? frozen : Promise.resolve());
    const hanging = feed.poll();
    await Promise.resolve();
    table.items.set('rev#1', rawEntry(1));
    feed.time.now += HOUR;
    table.control.step = () => Promise.resolve();
    const asked = feed.ensure();
    thaw();
    await hanging;
    expect(await asked).toEqual(FRESH);
    expect(feed.ofCaller(SUBJECT)).toBeDefined();
  });
});

describe('a lifting', () => {
  it('counts with the TVM’s signature', async () => {
    const table = createFakeTable();
    const [one, other] = [feedOf(table), feedOf(table)];
    await Promise.all([one.ensure(), other.ensure()]);
    await one.append(entry());
    await other.poll();
    await other.append({ what: 'lift', lifts: 1, sealing: SEALING });
    expect(other.numbers()).toEqual([]);
    await one.poll();
    expect(one.numbers()).toEqual([]);
    const late = feedOf(table);
    await late.ensure();
    expect(late.numbers()).toEqual([]);
  });

  it('counts from then on, also while its writer reads its own entries again', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    await feed.append(entry());
    await feed.append({ what: 'lift', lifts: 1, sealing: SEALING });
    const seen: number[] = [];
    table.control.step = (what, when) => {
      if (what === 'QueryCommand' && when === 'before') seen.push(feed.numbers().length);
      return Promise.resolve();
    };
    await feed.poll();
    expect(seen.length).toBeGreaterThan(2);
    expect(Math.max(...seen), 'a lifted revocation was in force again').toBe(0);
  });

  it('does not count without a signature, with a wrong one, or with that of another entry', async () => {
    const table = createFakeTable();
    const log = logOf(table);
    await log.append(entry());
    const copied = await log.append({ what: 'lift', lifts: 99, sealing: SEALING });
    function lifting(n: number, signature: object) {
      return rawEntry(n, { what: { S: 'lift' }, lifts: { N: '1' }, ...signature });
    }
    table.items.set('rev#3', lifting(3, {}));
    table.items.set(
      'rev#4',
      lifting(4, { signature: { S: 'signature' in copied ? copied.signature : '' } }),
    );
    table.items.set('rev#5', toItem(toLift(5, 1, STRANGE), undefined));
    const feed = feedOf(table);
    await feed.ensure();
    await feed.poll();
    expect(feed.numbers()).toEqual([1]);
    expect(feed.faults.map(String)).toEqual(
      [3, 4, 5].map((n) =>
        expect.stringContaining(`entry ${n} of the revocations was not written by this TVM`),
      ),
    );
    expect(feed.state()).toMatchObject({ usable: true, failing: false });
  });

  it('is applied after the entry that it lifts when both are beyond a head that lags', async () => {
    const table = createFakeTable();
    await logOf(table).append(entry());
    await logOf(table).append({ what: 'lift', lifts: 1, sealing: SEALING });
    table.items.set('head', rawHead(0));
    const feed = feedOf(table);
    await feed.ensure();
    expect(feed.numbers(), 'revocation 1 was lifted by entry 2').toEqual([]);
  });
});

describe('entries that others wrote', () => {
  const UNREADABLE: readonly (readonly [string, Parameters<typeof rawEntry>[1]])[] = [
    ['no kind', { kind: { NULL: true } }],
    ['another kind', { kind: { S: 'planet' } }],
    ['an empty value', { value: { S: '' } }],
    ['a value of another type', { value: { L: [{ S: 'alice' }] } }],
    ['a session of nobody', { kind: { S: 'session' } }],
    ['a number of another type', { n: { S: '1' } }],
    ['another number', { n: { N: '7' } }],
    ['a lift of nothing', { what: { S: 'lift' } }],
    ['a lift of a text', { what: { S: 'lift' }, lifts: { S: 'x' } }],
  ];

  it.each(UNREADABLE)('stop no reader: %s', async (_, more) => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    table.items.set('rev#1', rawEntry(1, more));
    table.items.set('rev#2', rawEntry(2));
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.numbers()).toEqual([2]);
    const late = feedOf(table);
    expect(await late.ensure()).toEqual(FRESH);
    expect(late.numbers()).toEqual([2]);
  });

  it('count if they revoke, whatever attributes they lack', async () => {
    const table = createFakeTable();
    table.items.set('rev#1', rawEntry(1, { until: { S: 'soon' }, created_at: { S: 'never' } }));
    const feed = feedOf(table);
    await feed.ensure();
    expect(feed.ofCaller(SUBJECT)).toMatchObject({
      n: 1,
      target: ALICE,
      by: '',
      reason: '',
      createdAt: 0,
    });
    expect(feed.ofCaller(SUBJECT)).toMatchObject({ until: undefined });
  });
});
