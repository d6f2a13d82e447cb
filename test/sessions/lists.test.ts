import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SealingKey } from '../../src/lib/sealing.ts';
import { markOf } from '../../src/sessions/list-token.ts';
import { ALL_SESSIONS, type SessionQuery, type Way } from '../../src/sessions/list-plan.ts';
import { createSessionList, type SessionPage } from '../../src/sessions/list.ts';
import {
  signSession,
  toSessionItem,
  type Session,
  type SessionRow,
} from '../../src/sessions/session.ts';
import { createFakeIndex, TABLE, type FakeIndex, type Item } from './fake-index.ts';

/** Lists of sessions, page by page: what they show, in which order, and what a page costs. */
const SEALING: SealingKey = { id: 'k', key: randomBytes(32), activeFrom: 0 };
const KEYS = new Map([[SEALING.id, SEALING]]);
const NOW = Date.parse('2026-03-10T12:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function hex(index: number): string {
  return index.toString(16).padStart(16, '0');
}

/** An id; first digits, and so shards, are spread evenly. */
function idOf(index: number): string {
  return `${(index % 16).toString(16)}${hex(index).slice(1)}`;
}

function sessionOf(index: number, startedAt: number, more: Partial<Session> = {}): Session {
  return {
    id: idOf(index),
    subject: 'sentinel:key/A',
    principal: 'sentinel:key/A',
    user: 'key/alice',
    account: '000000000000',
    profile: 'dev',
    label: '',
    grant: '',
    startedAt,
    endsAt: startedAt + 8 * HOUR,
    lastAccessAt: startedAt,
    requestCount: 1,
    sourceIdentity: 'sentinel=d=0000000000000000=alice',
    ...more,
  };
}

function itemOf(session: Session, more: Item = {}): Item {
  return {
    ...toSessionItem(session, signSession(session, KEYS, NOW) ?? '', 'i'),
    ...more,
  };
}

function listOf(index: FakeIndex, more: { monotonic?: () => number; clock?: () => number } = {}) {
  const told: unknown[] = [];
  const list = createSessionList({
    table: { client: index.client, name: TABLE, deadline: 3_000 },
    clock: more.clock ?? (() => NOW),
    monotonic: more.monotonic ?? (() => 0),
    onFallback: (error) => void told.push(error),
  });
  return { ...list, told };
}

type List = ReturnType<typeof listOf>;

function ALL(): boolean {
  return true;
}

type Steps = {
  readonly isWanted?: (row: SessionRow) => boolean;
  /** Called with each page, before the next one is asked for. */
  readonly onPage?: (page: SessionPage) => void;
};

/** All rows of a list, page by page. */
async function walk(
  list: List,
  query: Partial<SessionQuery>,
  { isWanted = ALL, onPage }: Steps = {},
) {
  const rows: SessionRow[] = [];
  let next: string | undefined;
  for (let pages = 1; pages < 1_000; pages += 1) {
    const page = await list.read({ ...ALL_SESSIONS, ...query }, KEYS, next, isWanted);
    if (page === undefined) throw new Error('a token of its own is refused');
    expect(page.rows.length).toBeLessThanOrEqual(100);
    expect((page.next ?? '').length).toBeLessThanOrEqual(2_048);
    rows.push(...page.rows);
    onPage?.(page);
    if (page.next === undefined) return { ids: rows.map(({ session }) => session.id), rows, pages };
    next = page.next;
  }
  throw new Error('the list has no end');
}

function expectNewestFirst(rows: readonly SessionRow[]): void {
  const times = rows.map(({ session }) => session.startedAt);
  expect(times).toEqual(times.toSorted((a, b) => b - a));
}

describe('createSessionList', () => {
  /** Few moments and many rows, so that pages end between rows of one moment. */
  const row = fc.record({
    at: fc.oneof(
      fc.integer({ min: 0, max: 3 * DAY }),
      fc.integer({ min: 0, max: 3 }).map((ms) => 12 * HOUR + ms),
      fc.constantFrom(0, DAY, 2 * DAY, 2 * DAY - 1),
    ),
    user: fc.constantFrom('key/alice', 'key/bob'),
    profile: fc.constantFrom('dev', 'prod'),
    status: fc.constantFrom('active', 'active', 'expired', 'revoked'),
  });
  const query = fc.record(
    {
      user: fc.constantFrom('key/alice', 'key/bob', 'key/nobody'),
      profile: fc.constantFrom('dev', 'prod'),
      since: fc.integer({ min: NOW - 3 * DAY, max: NOW - DAY }),
      until: fc.integer({ min: NOW - DAY, max: NOW + DAY }),
    },
    { requiredKeys: [] },
  );

  it('lists exactly the rows that match, newest first and once each, wherever pages end and whatever opens meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 90, maxLength: 420 }),
        query,
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        async (wanted, asked, cut, hasShards) => {
          const made = wanted.map(({ at, user, profile, status }, index) => {
            const session = sessionOf(index, NOW - at, { user, profile });
            return { session, status, item: itemOf(session, { status: { S: status } }) };
          });
          let calls = 0;
          const index = createFakeIndex(
            made.map(({ item }) => item),
            {
              indexes: ['user', 'profile', 'status', ...(hasShards ? ['shard'] : [])],
              cut: () => 1 + (((calls += 1) * 7 + cut) % (3 * cut)),
            },
          );
          let added = 10_000;
          const walked = await walk(listOf(index), asked, {
            isWanted: ({ session }) => !session.id.endsWith('3'),
            onPage: () => {
              for (const user of ['key/alice', 'key/bob']) {
                added += 1;
                index.put(itemOf(sessionOf(added, NOW + added, { user })));
              }
            },
          });
          const expected = made
            .map(({ session }) => session)
            .filter(({ id, user, profile, startedAt }) => {
              const isOf = (asked.user ?? user) === user && (asked.profile ?? profile) === profile;
              const isThen =
                startedAt >= (asked.since ?? 0) && startedAt < (asked.until ?? Infinity);
              return isOf && isThen && !id.endsWith('3');
            });
          // A session that opens meanwhile is newer than all that were shown, unless none was.
          const old = walked.rows.filter(({ session }) => session.startedAt <= NOW);
          expectNewestFirst(walked.rows);
          expect(new Set(walked.ids).size).toBe(walked.ids.length);
          expect(old.map(({ session }) => session.id).toSorted()).toEqual(
            expected.map(({ id }) => id).toSorted(),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('shows no row twice that changes its state between pages, in a table without gsi-shard', async () => {
    const sessions = Array.from({ length: 350 }, (_, n) => sessionOf(n, NOW - n * 1_000));
    const index = createFakeIndex(
      sessions.map((session) => itemOf(session)),
      { indexes: ['user', 'profile', 'status'] },
    );
    const { ids, rows } = await walk(
      listOf(index),
      {},
      {
        onPage: (page) => {
          for (const { session } of page.rows.slice(-3))
            index.put(itemOf(session, { status: { S: 'expired' } }));
        },
      },
    );
    expect(ids.toSorted()).toEqual(sessions.map(({ id }) => id).toSorted());
    expectNewestFirst(rows);
  });

  it('lists in order across midnight, and across days without any session', async () => {
    const midnight = Date.parse('2026-03-08T00:00:00Z');
    const times = [
      NOW,
      midnight + 1,
      midnight,
      midnight - 1,
      midnight - 9 * DAY,
      midnight - 25 * DAY,
    ];
    const index = createFakeIndex(times.map((at, n) => itemOf(sessionOf(n * 5, at))));
    const { rows } = await walk(listOf(index), {});
    expect(rows.map(({ session }) => session.startedAt)).toEqual(times);
  });

  it('finds what an instance opened whose clock is ahead', async () => {
    const index = createFakeIndex([itemOf(sessionOf(1, Date.parse('2026-03-11T00:00:01Z')))]);
    const late = Date.parse('2026-03-10T23:59:00Z');
    expect((await walk(listOf(index, { clock: () => late }), {})).ids).toEqual([idOf(1)]);
  });

  it('accepts a token of yesterday today', async () => {
    const sessions = Array.from({ length: 250 }, (_, n) => sessionOf(n, NOW - n * MINUTE));
    const index = createFakeIndex(sessions.map((session) => itemOf(session)));
    let now = NOW;
    const list = listOf(index, { clock: () => now });
    const { ids } = await walk(list, {}, { onPage: () => (now += DAY) });
    expect(ids).toEqual(sessions.map(({ id }) => id));
  });

  it('ends the list when a token has grown older than every session of it', async () => {
    const index = createFakeIndex(
      Array.from({ length: 150 }, (_, n) => itemOf(sessionOf(n, NOW - n))),
    );
    let now = NOW;
    const list = listOf(index, { clock: () => now });
    const first = await list.read({ ...ALL_SESSIONS, status: 'active' }, KEYS, undefined, ALL);
    now += 60 * DAY;
    expect(await list.read({ ...ALL_SESSIONS, status: 'active' }, KEYS, first?.next, ALL)).toEqual({
      rows: [],
      next: undefined,
    });
  });
});

describe('the cost of a page', () => {
  const MOST_QUERIES = 128;
  /** The bound, and the last round of sixteen queries, which may begin just below it. */
  const MOST_ROWS = 2_000 + 16 * 25;

  function costs(index: FakeIndex) {
    const pages: { queries: number; read: number }[] = [];
    let before = { ...index.counts };
    return {
      pages,
      onPage: () => {
        const { queries, read } = index.counts;
        pages.push({ queries: queries - before.queries, read: read - before.read });
        before = { ...index.counts };
      },
    };
  }

  const CROWD = Array.from({ length: 5_000 }, (_, n) =>
    itemOf(sessionOf(n, NOW - n * 10_000, n % 1_000 === 999 ? { profile: 'rare' } : {})),
  );

  it.each<[string, Partial<SessionQuery>]>([
    ['by user', { user: 'key/alice' }],
    ['by profile', { profile: 'dev' }],
    ['of all', {}],
  ])('is bounded where few of 5,000 sessions match, %s', async (_, query) => {
    const index = createFakeIndex(CROWD);
    const { pages, onPage } = costs(index);
    function isRare({ session }: SessionRow): boolean {
      return Number.parseInt(session.id.slice(1), 16) % 1_000 === 7;
    }
    const { ids } = await walk(listOf(index), query, { isWanted: isRare, onPage });
    expect(ids).toHaveLength(5);
    expect(Math.max(...pages.map(({ queries }) => queries))).toBeLessThanOrEqual(MOST_QUERIES);
    expect(Math.max(...pages.map(({ read }) => read))).toBeLessThanOrEqual(MOST_ROWS);
    expect(pages.length, 'and goes on by as much as it may').toBeLessThanOrEqual(8);
  });

  it('is bounded where the index finds a user and few of the rows are on the profile', async () => {
    const index = createFakeIndex(CROWD);
    const { pages, onPage } = costs(index);
    const { ids } = await walk(listOf(index), { user: 'key/alice', profile: 'rare' }, { onPage });
    expect(ids).toHaveLength(5);
    expect(Math.max(...pages.map(({ queries }) => queries))).toBeLessThanOrEqual(20);
  });

  it('is one query for each shard of a busy day', async () => {
    const index = createFakeIndex(CROWD);
    const page = await listOf(index).read(ALL_SESSIONS, KEYS, undefined, ALL);
    expect(page?.rows.map(({ session }) => session.id)).toEqual(
      CROWD.slice(0, 100).map(({ id }) => id?.S),
    );
    expect(index.counts.queries).toBe(16);
  });

  it('is bounded where there is no session: empty pages with a token, and an end', async () => {
    const index = createFakeIndex([]);
    const { pages, onPage } = costs(index);
    const walked = await walk(listOf(index), {}, { onPage });
    expect(walked.ids).toEqual([]);
    expect(walked.pages).toBeGreaterThan(1);
    expect(Math.max(...pages.map(({ queries }) => queries))).toBe(MOST_QUERIES);
    // Rows are kept for 30 days after their session's end: earlier days are not looked at.
    expect(index.counts.queries).toBeLessThanOrEqual(36 * 16);
  });

  it('is less with since and until, and with status active, which reaches back one session’s life', async () => {
    async function cost(query: Partial<SessionQuery>): Promise<number> {
      const index = createFakeIndex([]);
      await walk(listOf(index), query);
      return index.counts.queries;
    }
    expect(await cost({ since: NOW - 2 * DAY, until: NOW - DAY })).toBe(2 * 16);
    expect(await cost({ since: NOW - HOUR })).toBe(16);
    expect(await cost({ status: 'active' })).toBe(2 * 16);
    expect(await cost({ since: NOW + DAY })).toBe(0);
    expect(await cost({ until: NOW - 90 * DAY })).toBe(0);
    expect(await cost({ since: NOW - 900 * DAY, until: NOW - 90 * DAY })).toBe(0);
  });

  it('is bounded in time: the page has what was found so far, and a token', async () => {
    let elapsed = 0;
    const index = createFakeIndex(CROWD, { onQuery: () => void (elapsed += 700) });
    const list = listOf(index, { monotonic: () => elapsed });
    function isRare({ session }: SessionRow): boolean {
      return session.profile === 'rare';
    }
    const first = await list.read({ ...ALL_SESSIONS, user: 'key/alice' }, KEYS, undefined, isRare);
    expect(index.counts.queries).toBe(3);
    expect(first?.rows).toEqual([]);
    expect(first?.next).toBeTypeOf('string');
    expect((await walk(list, { user: 'key/alice' }, { isWanted: isRare })).ids).toHaveLength(5);
  });
});

describe('a token of a list', () => {
  const sessions = Array.from({ length: 300 }, (_, n) => sessionOf(n, NOW - n * HOUR));
  function world() {
    const index = createFakeIndex(sessions.map((session) => itemOf(session)));
    return { index, list: listOf(index) };
  }
  function encode(value: unknown): string {
    return Buffer.from(JSON.stringify(value)).toString('base64url');
  }

  it('stays short with the longest ids that a row may have', async () => {
    const at = new Date(NOW).toISOString().padEnd(40, 'Z');
    const rows = Array.from({ length: 16 * 30 }, (_, n) => {
      const id = `${n}`.padEnd(48, 'i');
      return itemOf(sessionOf(n, NOW), {
        id: { S: id },
        created_at: { S: at },
        shard: { S: `2026-03-10#${n % 16}` },
      });
    });
    const { ids } = await walk(listOf(createFakeIndex(rows)), {});
    expect(ids.toSorted()).toEqual(rows.map(({ id }) => id?.S).toSorted());
  });

  it.each<[string, object]>([
    ['of another query', { mark: markOf({ ...ALL_SESSIONS, profile: 'dev' }, 'profile') }],
    ['of the day after tomorrow', { leg: '2026-03-13' }],
    ['of no day', { leg: '2026-02-30' }],
    ['of a day that is text', { leg: '2026-03-09T00' }],
    ['of another list’s leg', { leg: '' }],
    ['whose moment is of another day', { at: '2026-03-08T00:00:00.000Z' }],
    ['whose moment is behind its day', { at: '2026-03-10T00:00:00.000Z' }],
    ['with a long moment', { at: `2026-03-09T00${'0'.repeat(40)}` }],
    ['with a moment that is no text', { at: 7 }],
    ['with too few ids', { ids: Array.from({ length: 15 }, () => '') }],
    ['with too many ids', { ids: Array.from({ length: 17 }, () => '') }],
    ['with a long id', { ids: ['x'.repeat(49), ...Array.from({ length: 15 }, () => '')] }],
    ['with an id that no row has', { ids: ['\u0000', ...Array.from({ length: 15 }, () => '')] }],
    ['with ids that are none', { ids: Array.from({ length: 16 }, () => null) }],
    ['with ids at its beginning', { at: '' }],
    ['without ids', { ids: 'x' }],
    ['with something more', { more: 1 }],
  ])('is refused without a query: %s', async (_, more) => {
    const { index, list } = world();
    const ids = Array.from({ length: 16 }, () => '');
    const good = {
      mark: markOf(ALL_SESSIONS, 'shard'),
      leg: '2026-03-09',
      at: '2026-03-09T12:00:00.000Z',
      ids,
    };
    expect(await list.read(ALL_SESSIONS, KEYS, encode({ ...good, ...more }), ALL)).toBeUndefined();
    expect(index.counts.queries).toBe(0);
    expect(
      await list.read(ALL_SESSIONS, KEYS, encode(good), ALL),
      'the same, well made',
    ).toBeDefined();
  });

  it('is refused or read after it was tampered with, and never an error', async () => {
    const { list } = world();
    const queries: readonly (readonly [SessionQuery, Way])[] = [
      [ALL_SESSIONS, 'shard'],
      [ALL_SESSIONS, 'status'],
      [{ ...ALL_SESSIONS, user: 'key/alice' }, 'user'],
      [{ ...ALL_SESSIONS, profile: 'dev', since: NOW - 3 * DAY }, 'profile'],
      [{ ...ALL_SESSIONS, status: 'active' }, 'shard'],
      [{ ...ALL_SESSIONS, status: 'active', until: NOW - HOUR }, 'status'],
    ];
    const moment = fc.oneof(
      fc
        .integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })
        .map((ms) => new Date(ms).toISOString()),
      fc
        .integer({ min: NOW - 3 * DAY, max: NOW + 3 * DAY })
        .map((ms) => new Date(ms).toISOString()),
      fc.string({ maxLength: 45 }),
    );
    const leg = fc.oneof(
      fc.constant(''),
      moment.map((text) => text.slice(0, 10)),
    );
    const id = fc.oneof(fc.constant(''), fc.constant(idOf(3)), fc.string({ maxLength: 50 }));
    const lanes = fc
      .constantFrom(0, 1, 3, 16)
      .chain((length) => fc.array(id, { minLength: length, maxLength: length }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...queries),
        leg,
        moment,
        lanes,
        async ([query, way], name, at, ids) => {
          const page = await list.read(
            query,
            KEYS,
            encode({ mark: markOf(query, way), leg: name, at, ids }),
            ALL,
          );
          for (const { session } of page?.rows ?? [])
            expect(session.startedAt).toBeLessThan(query.until ?? Infinity);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('rows that no program wrote', () => {
  const strange: readonly Item[] = [
    { id: { S: 'x'.repeat(2_048) } },
    { id: { S: '\u0000' } },
    { id: { S: 'ü' } },
    { created_at: { S: '2026-03-10T11:59:59.999Z\u0000' } },
    { created_at: { S: '2026-03-10T11\uffff' } },
    { created_at: { S: `2026-03-10T11:30${'0'.repeat(900)}` } },
    { status: { S: 'nonsense' } },
  ];

  it('are skipped, and hide no others', async () => {
    const good = Array.from({ length: 260 }, (_, n) => sessionOf(n, NOW - n * 20_000));
    const bad = strange.flatMap((more, kind) =>
      Array.from({ length: 120 }, (_, n) => {
        const id =
          more['id'] === undefined
            ? idOf(5_000 + kind * 200 + n)
            : `${more['id'].S}${kind}-${n}`.slice(-2_048);
        const item = itemOf(sessionOf(n, NOW - n * 7_000), more);
        return { ...item, id: { S: id } };
      }),
    );
    for (const query of [ALL_SESSIONS, { ...ALL_SESSIONS, user: 'key/alice' }]) {
      const index = createFakeIndex([...good.map((session) => itemOf(session)), ...bad], {
        cut: () => 9,
      });
      expect((await walk(listOf(index), query)).ids).toEqual(good.map(({ id }) => id));
    }
  });

  it('end a list with an error when too many are of one moment, not with endless pages', async () => {
    const bad = Array.from({ length: 2_200 }, (_, n) => ({
      ...itemOf(sessionOf(n, NOW)),
      id: { S: `${'x'.repeat(100)}${n}` },
    }));
    await expect(walk(listOf(createFakeIndex(bad)), { user: 'key/alice' })).rejects.toThrow(
      'cannot be listed',
    );
  });
});

describe('createSessionList on a table of Sentinel’s without gsi-shard', () => {
  const rows = (['active', 'expired', 'revoked'] as const).flatMap((status, kind) =>
    Array.from({ length: 60 }, (_, n): Item => {
      const { shard: _shard, ...item } = itemOf(
        sessionOf(n * 3 + kind, NOW - (n * 3 + kind) * MINUTE),
      );
      return { ...item, status: { S: status } };
    }),
  );
  const NO_SHARD = ['user', 'profile', 'status'];

  it('lists by gsi-status with all states merged, and reports that once', async () => {
    const index = createFakeIndex(rows, { indexes: NO_SHARD });
    const list = listOf(index);
    const { ids, rows: found } = await walk(list, {});
    expect(ids.toSorted()).toEqual(rows.map(({ id }) => id?.S).toSorted());
    expectNewestFirst(found);
    await walk(list, { status: 'active' });
    expect(list.told).toMatchObject([
      { message: 'The table does not have the specified index: gsi-shard' },
    ]);
  });

  it('tries gsi-shard again after ten minutes', async () => {
    const index = createFakeIndex(rows, { indexes: NO_SHARD });
    let elapsed = 0;
    const list = listOf(index, { monotonic: () => elapsed });
    await list.read(ALL_SESSIONS, KEYS, undefined, ALL);
    index.control.indexes = [...NO_SHARD, 'shard'];
    index.put(itemOf(sessionOf(999, NOW)));
    expect(
      (await list.read({ ...ALL_SESSIONS, until: NOW - 175 * MINUTE }, KEYS, undefined, ALL))?.rows,
    ).toHaveLength(4);
    elapsed = 10 * MINUTE;
    const page = await list.read(ALL_SESSIONS, KEYS, undefined, ALL);
    expect(page?.rows.map(({ session }) => session.id)).toEqual([idOf(999)]);
    expect(list.told).toHaveLength(1);
  });

  it('continues a list by gsi-status when gsi-shard has been made', async () => {
    const index = createFakeIndex(rows, { indexes: NO_SHARD });
    let elapsed = 0;
    const { ids } = await walk(
      listOf(index, { monotonic: () => elapsed }),
      {},
      {
        onPage: () => {
          index.control.indexes = [...NO_SHARD, 'shard'];
          elapsed += 11 * MINUTE;
        },
      },
    );
    expect(ids).toHaveLength(180);
  });

  it('refuses a token of gsi-shard when that index is gone', async () => {
    const index = createFakeIndex(
      Array.from({ length: 150 }, (_, n) => itemOf(sessionOf(n, NOW - n))),
    );
    const list = listOf(index);
    const first = await list.read(ALL_SESSIONS, KEYS, undefined, ALL);
    index.control.indexes = NO_SHARD;
    expect(await list.read(ALL_SESSIONS, KEYS, first?.next, ALL)).toBeUndefined();
    expect((await walk(list, {})).ids).toHaveLength(150);
  });
});

it('rejects a page when one of its queries fails', async () => {
  const index = createFakeIndex([], { onQuery: () => Promise.reject(new Error('down')) });
  for (const query of [ALL_SESSIONS, { ...ALL_SESSIONS, user: 'key/alice' }]) {
    await expect(listOf(index).read(query, KEYS, undefined, ALL)).rejects.toThrow('down');
  }
});
