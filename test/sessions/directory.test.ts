import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSessionDirectory } from '../../src/sessions/directory.ts';
import { ALL_SESSIONS, type SessionQuery } from '../../src/sessions/list-plan.ts';
import { signSession, toSessionItem, type Session } from '../../src/sessions/session.ts';
import type { SessionStore } from '../../src/sessions/store.ts';
import { createFakeIndex, TABLE } from './fake-index.ts';

/** The query cache of the directory; and many who ask the same cost one reading. */
const SEALING = { id: 'k', key: randomBytes(32), activeFrom: 0 };
const KEYS = new Map([[SEALING.id, SEALING]]);
const NOW = Date.parse('2026-03-10T12:00:00Z');
function ALL(): boolean {
  return true;
}

const session: Session = {
  id: '0123456789abcdef',
  subject: 'sentinel:key/A',
  principal: 'sentinel:key/A',
  user: 'key/alice',
  account: '000000000000',
  profile: 'dev',
  label: '',
  grant: '',
  startedAt: NOW,
  endsAt: NOW + 3_600_000,
  lastAccessAt: NOW,
  requestCount: 1,
  sourceIdentity: 'x',
};

function open(onQuery: () => Promise<void> = () => Promise.resolve()) {
  const item = toSessionItem(session, signSession(session, KEYS, NOW) ?? '', 'i');
  const index = createFakeIndex([item], { onQuery });
  const time = { now: NOW, monotonic: 0 };
  const directory = createSessionDirectory({
    client: index.client,
    table: TABLE,
    store: {} as SessionStore,
    clock: () => time.now,
    monotonic: () => time.monotonic,
    capacity: 10,
    onFallback: (error) => {
      throw error;
    },
  });
  function list(query: Partial<SessionQuery> = { user: 'key/alice' }) {
    return directory.list({ ...ALL_SESSIONS, ...query }, KEYS, undefined, ALL);
  }
  return { ...directory, list, index, time };
}

describe('the query cache of createSessionDirectory', () => {
  it('reads a page once for all who ask at the same time, and for two seconds afterwards', async () => {
    const { list, index, time, counts } = open();
    const pages = await Promise.all(Array.from({ length: 50 }, () => list()));
    expect(new Set(pages).size).toBe(1);
    expect(index.counts.queries).toBe(1);
    time.now += 1_999;
    time.monotonic += 1_999;
    expect(await list()).toBe(pages[0]);
    time.monotonic += 1;
    await list();
    expect(index.counts.queries).toBe(2);
    expect(counts()).toEqual({ hits: 1, misses: 51 });
  });

  it('keeps a page no longer when the clock is set back', async () => {
    const { list, index, time } = open();
    await list();
    time.now -= 600_000;
    time.monotonic += 2_000;
    await list();
    expect(index.counts.queries).toBe(2);
  });

  it('keeps queries apart that differ in anything', async () => {
    const { list, index } = open();
    const queries: readonly Partial<SessionQuery>[] = [
      {},
      { status: 'active' },
      { status: 'expired' },
      { since: 1 },
      { until: 1 },
      { profile: 'dev' },
    ];
    for (const more of queries) await list({ user: 'key/alice', ...more });
    // The query until 1970 is asked too: sessions of a user have no oldest day.
    expect(index.counts.queries).toBe(queries.length);
  });

  it.each(['put', 'forget'] as const)(
    'is emptied by %s, and keeps no page that was being read then',
    async (what) => {
      const waiting: (() => void)[] = [];
      const world = open(() => new Promise((resolve) => waiting.push(resolve)));
      function change(): void {
        return what === 'put' ? world.put(session) : world.forget(session.id);
      }
      const before = world.list();
      change();
      const after = world.list();
      expect(waiting).toHaveLength(2);
      // The older reading ends last, and must not replace the newer one.
      waiting[1]?.();
      const current = await after;
      waiting[0]?.();
      const old = await before;
      expect(await world.list()).toBe(current);
      expect(current).not.toBe(old);
      change();
      const anew = world.list();
      expect(waiting).toHaveLength(3);
      waiting[2]?.();
      expect((await anew)?.rows).toHaveLength(1);
    },
  );

  it('keeps no failure: the next question is asked again', async () => {
    let isDown = true;
    const { list, index } = open(() =>
      isDown ? Promise.reject(new Error('down')) : Promise.resolve(),
    );
    await Promise.all([1, 2, 3].map(() => expect(list()).rejects.toThrow('down')));
    expect(index.counts.queries).toBe(1);
    isDown = false;
    expect((await list())?.rows).toHaveLength(1);
  });
});
