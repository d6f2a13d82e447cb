import { describe, expect, it } from 'vitest';
import {
  createUseLedgers,
  MAX_USES,
  withUse,
  type LedgerName,
  type Use,
} from '../../src/breakglass/ledger.ts';
import { createFakeTables, GUARD, NOW } from './support.ts';

const DAY = 86_400_000;
const NAME: LedgerName = { of: 'person', name: 'key/alice', drill: false };

function use(id: string, change: Partial<Use> = {}): Use {
  return { id, profile: 'prod', at: NOW, until: NOW, reviewBy: undefined, opened: true, ...change };
}

/** As many uses as there is room for, the oldest first. */
function full(change: Partial<Use> = {}): readonly Use[] {
  return Array.from({ length: MAX_USES }, (_, n) =>
    use(`u${n}`, { at: NOW - DAY + n, until: NOW - DAY + n, ...change }),
  );
}

describe('withUse', () => {
  it('adds a use while there is room', () => {
    expect(withUse([use('a')], use('b'), NOW)).toEqual([use('a'), use('b')]);
  });

  it('forgets the oldest that is over where there is none', () => {
    const uses = withUse(full(), use('new'), NOW);
    expect(uses).toHaveLength(MAX_USES);
    expect(uses).toEqual([...full().slice(1), use('new')]);
  });

  it('keeps what is open, owes a review or is the last of its profile', () => {
    const [first, second, third, ...rest] = full() as readonly [Use, Use, Use, ...Use[]];
    const kept = [
      { ...first, until: NOW + 1 },
      { ...second, reviewBy: NOW },
      { ...third, profile: 'rare' },
    ];
    const uses = withUse([...kept, ...rest], use('new'), NOW);
    expect(uses).toEqual([...kept, ...rest.slice(1), use('new')]);
  });

  it('is full when nothing can be forgotten', () => {
    expect(withUse(full({ until: NOW + 1 }), use('new'), NOW)).toBe('full');
    expect(withUse(full({ reviewBy: NOW }), use('new'), NOW)).toBe('full');
  });
});

describe('the ledgers', () => {
  it('give back what was written, under the version that was read', async () => {
    const ledgers = createUseLedgers(createFakeTables().client, GUARD);
    const empty = await ledgers.read(NAME, NOW);
    expect(empty).toEqual({ name: NAME, uses: [], version: 0 });
    const uses = [use('a', { reviewBy: NOW + 5 }), use('b', { opened: false, profile: 'dev' })];
    expect(await ledgers.write(empty, uses)).toBe('written');
    expect(await ledgers.write(empty, [])).toBe('lost');
    const read = await ledgers.read(NAME, NOW);
    expect(read).toEqual({ name: NAME, uses, version: 1 });
    expect(await ledgers.write(read, [])).toBe('written');
    expect(await ledgers.write(read, uses)).toBe('lost');
  });

  it('are one for each person and each profile, and others for drills', async () => {
    const ledgers = createUseLedgers(createFakeTables().client, GUARD);
    await ledgers.write(await ledgers.read(NAME, NOW), [use('a')]);
    for (const other of [{ of: 'profile' as const }, { name: 'key/bob' }, { drill: true }]) {
      expect((await ledgers.read({ ...NAME, ...other }, NOW)).uses).toEqual([]);
    }
  });

  it('forget uses after 90 days, unless a review is owed', async () => {
    const ledgers = createUseLedgers(createFakeTables().client, GUARD);
    const owing = use('owing', { reviewBy: NOW });
    await ledgers.write(await ledgers.read(NAME, NOW), [use('a'), owing]);
    expect((await ledgers.read(NAME, NOW + 90 * DAY - 1)).uses).toHaveLength(2);
    expect((await ledgers.read(NAME, NOW + 90 * DAY)).uses).toEqual([owing]);
  });

  it('are deleted by DynamoDB a day after nothing in them counts, and not while a review is owed', async () => {
    const { client, tableOf } = createFakeTables();
    const ledgers = createUseLedgers(client, GUARD);
    await ledgers.write(await ledgers.read(NAME, NOW), [use('a')]);
    const [item] = tableOf(GUARD).values();
    expect(item?.['ttl']?.N).toBe(String((NOW + 91 * DAY) / 1_000));
    await ledgers.write(await ledgers.read(NAME, NOW), [use('a', { reviewBy: NOW })]);
    expect([...tableOf(GUARD).values()][0]?.['ttl']).toBeUndefined();
  });
});
