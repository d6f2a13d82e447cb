import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SealingKey, SealingKeys } from '../../src/lib/sealing.ts';
import { createRevocationUpkeep } from '../../src/revocations/upkeep.ts';
import {
  createFakeTable,
  entry,
  feedOf,
  FRESH,
  logOf,
  NOW,
  UNAVAILABLE,
  user,
  type FakeTable,
} from './fake-table.ts';

/** A lifted revocation stays lifted, whatever happens to the key that signed the lifting. */
const HOUR = 3_600_000;
/** When nothing is kept any more for the sake of grants. */
const LATER = 240 * HOUR;
function keyOf(id: string, activeFrom: number): SealingKey {
  return { id, key: randomBytes(32), activeFrom };
}
const OLD = keyOf('old', 0);
const NEW = keyOf('new', NOW - 1);
function only(...keys: readonly SealingKey[]): SealingKeys {
  return new Map(keys.map((key) => [key.id, key]));
}

/** An instance with these keys, and the clock of its upkeep. */
function instanceOf(table: FakeTable, keys: { now: SealingKeys }, time = { now: NOW }) {
  const upkeep = createRevocationUpkeep({
    log: logOf(table, () => keys.now),
    lease: (_, __, run) => run(),
    clock: () => time.now,
  });
  return { ...feedOf(table, { keys: () => keys.now, upkeep }), upkeep };
}

/** Revocations one and four in force, two and three lifted, all signed with the old key. */
async function tableWithLifted(): Promise<FakeTable> {
  const table = createFakeTable();
  const feed = instanceOf(table, { now: only(OLD) });
  await feed.ensure();
  for (const name of ['one', 'two', 'three', 'four']) await feed.append(entry(user(name)));
  for (const lifts of [2, 3]) await feed.append({ what: 'lift', lifts, sealing: OLD });
  return table;
}

describe('rotating the sealing key', () => {
  it('brings no lifted revocation back: everything is signed again before the old key goes, and the count says when', async () => {
    const table = await tableWithLifted();
    const keys = { now: only(OLD) };
    const feed = instanceOf(table, keys);
    await feed.ensure();
    expect(feed.state().underOldKeys).toBe(0);
    keys.now = only(OLD, NEW);
    await feed.poll();
    await expect.poll(() => feed.state().underOldKeys).toBeGreaterThan(5);
    expect(await feed.upkeep()).toBe(0);
    const rest = [...table.items.values()].filter((item) => JSON.stringify(item).includes('"old.'));
    expect(rest, 'nothing is left under the old key').toEqual([]);
    keys.now = only(NEW);
    expect(await feed.poll()).toEqual(FRESH);
    const later = feedOf(table, { keys: () => only(NEW) });
    expect(await later.ensure()).toEqual(FRESH);
    expect([feed.names(), later.names()]).toEqual([
      ['one', 'four'],
      ['one', 'four'],
    ]);
    expect(later.state().underOldKeys).toBe(0);
  });

  it('closes the entry that a lifting names, so that the lifting itself is no longer needed', async () => {
    const table = await tableWithLifted();
    const lift = table.items.get('rev#5') ?? {};
    table.items.set('rev#5', { ...lift, what: { S: 'void' } });
    const feed = feedOf(table, { keys: () => only(OLD) });
    await feed.ensure();
    expect(feed.names(), 'entry 2 is closed under a signature').toEqual(['one', 'four']);
  });

  it('refuses everybody while the old key is gone too early, and recovers when it is back', async () => {
    const table = await tableWithLifted();
    const keys = { now: only(NEW) };
    const feed = instanceOf(table, keys);
    expect(await feed.ensure()).toEqual(UNAVAILABLE);
    keys.now = only(OLD, NEW);
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'four']);
  });
});

describe('sealing keys that are read later than the log', () => {
  it('are waited for: nobody is served before liftings can be verified, and everybody right after', async () => {
    const table = await tableWithLifted();
    const keys: { now: SealingKeys } = { now: new Map() };
    const feed = instanceOf(table, keys);
    expect(await feed.ensure()).toEqual(UNAVAILABLE);
    expect(String(feed.faults[0])).toContain('no sealing key is known yet');
    keys.now = only(OLD);
    expect(await feed.ensure()).toEqual(FRESH);
    expect(feed.names()).toEqual(['one', 'four']);
  });
});

describe('a forged closing of an entry', () => {
  it('does not count', async () => {
    const table = await tableWithLifted();
    const two = table.items.get('rev#2') ?? {};
    const one = table.items.get('rev#1') ?? {};
    for (const closing of [two['closing'] ?? { S: '' }, { S: 'old.00' }, { S: '' }]) {
      table.items.set('rev#1', { ...one, closed_by: { N: '5' }, closing });
      const feed = feedOf(table, { keys: () => only(OLD) });
      expect(await feed.ensure()).toEqual(FRESH);
      expect(feed.names()).toEqual(['one', 'four']);
    }
  });
});

describe('createRevocationUpkeep', () => {
  it('deletes entries that no longer matter once every instance has read them, under the TVM’s signature', async () => {
    const table = await tableWithLifted();
    const [keys, time] = [{ now: only(OLD) }, { now: NOW + LATER }];
    const feed = instanceOf(table, keys, time);
    await feed.ensure();
    await feed.append(entry(user('short'), { createdAt: time.now, until: time.now + HOUR }));
    await feed.upkeep();
    expect([...table.items.keys()], 'not at once').toContain('rev#2');
    await feed.upkeep();
    expect([...table.items.keys()].toSorted()).toEqual([
      'compaction',
      'head',
      'rev#1',
      'rev#4',
      'rev#7',
    ]);
    time.now += LATER;
    await feed.upkeep();
    expect([...table.items.keys()]).not.toContain('rev#7');
    expect(await feed.poll()).toEqual(FRESH);
    const later = feedOf(table, { keys: () => only(OLD) });
    expect(await later.ensure()).toEqual(FRESH);
    expect(later.names()).toEqual(['one', 'four']);
    expect((await later.append(entry())).n, 'no number is used twice').toBe(8);
  });

  it('keeps for 9 days who was revoked, be it lifted: it ends what they approved before', async () => {
    const table = await tableWithLifted();
    const time = { now: NOW };
    const feed = instanceOf(table, { now: only(OLD) }, time);
    await feed.ensure();
    for (const later of [0, 216 * HOUR]) {
      time.now = NOW + later;
      for (let run = 0; run < 2; run += 1) await feed.upkeep();
      expect([...table.items.keys()]).toContain('rev#2');
      const started = feedOf(table, { keys: () => only(OLD) });
      await started.ensure();
      const two = { name: 'two', storedName: 'two', principal: '', subject: '' };
      expect(started.wasRevokedAfter(two, 0)).toBe(true);
      expect(started.names()).toEqual(['one', 'four']);
    }
  });

  it('closes an entry that a writer left open when it died', async () => {
    const table = await tableWithLifted();
    const { closing: _, closed_by: __, ...open } = table.items.get('rev#2') ?? {};
    table.items.set('rev#2', open);
    await instanceOf(table, { now: only(OLD) }).upkeep();
    expect(table.items.get('rev#2')).toHaveProperty('closing');
  });

  it('may die between naming and deleting: what is named is gone, and is deleted the next time', async () => {
    const table = await tableWithLifted();
    const feed = instanceOf(table, { now: only(OLD) }, { now: NOW + LATER });
    await feed.ensure();
    await feed.upkeep();
    table.control.step = (what) =>
      what === 'DeleteItemCommand' ? Promise.reject(new Error('killed')) : Promise.resolve();
    await expect(feed.upkeep()).rejects.toThrow('killed');
    table.control.step = () => Promise.resolve();
    const later = feedOf(table, { keys: () => only(OLD) });
    expect(await later.ensure()).toEqual(FRESH);
    expect(later.names()).toEqual(['one', 'four']);
    await feed.upkeep();
    expect([...table.items.keys()]).not.toContain('rev#2');
  });
});
