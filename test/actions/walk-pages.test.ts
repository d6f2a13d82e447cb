import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toPlace, walkPages, type Place } from '../../src/actions/walk-pages.ts';

type At = Place['at'];

/** A table with so many rows in each leg, read a hundred at a time, of which every nth is wanted. */
function tableOf(sizes: readonly number[], wanted = 1) {
  let reads = 0;

  async function read(leg: number, at: At) {
    reads += 1;
    const begin = at === undefined ? 0 : Number(at.id) + 1;
    const end = Math.min(sizes[leg] ?? 0, begin + 100);
    const rows = Array.from({ length: Math.max(0, end - begin) }, (_, n) => begin + n);
    const items = rows.filter((row) => row % wanted === 0).map((row) => `${leg}/${row}`);
    const next =
      end < (sizes[leg] ?? 0)
        ? { id: String(end - 1), createdAt: '2026-01-02T03:04:05.000Z' }
        : undefined;
    return await Promise.resolve({ items, next });
  }

  return { walk: { legs: sizes.map((_, leg) => leg), mark: 'mine  ' }, read, reads: () => reads };
}

/** All pages of a list to its end. */
async function pagesOf({ walk, read }: ReturnType<typeof tableOf>) {
  const pages: (readonly string[])[] = [];
  let token: string | undefined;
  do {
    const from = toPlace(walk, token);
    if (from === undefined) throw new Error('a token of the list was refused');
    const { items, next } = await walkPages(walk, from, read);
    pages.push(items);
    token = next;
  } while (token !== undefined);
  return pages;
}

function tokenOf(...parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

describe('walkPages', () => {
  it('lists every row once, leg by leg, whatever their sizes', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 450 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 300 }), async (rows, wanted) => {
        const expected = rows.flatMap((size, leg) =>
          Array.from({ length: size }, (_, row) => row)
            .filter((row) => row % wanted === 0)
            .map((row) => `${leg}/${row}`),
        );
        expect((await pagesOf(tableOf(rows, wanted))).flat()).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('ends a page with the page of the table in which it is full', async () => {
    const pages = await pagesOf(tableOf([250], 2));
    expect(pages.map(({ length }) => length)).toEqual([50, 50, 25]);
  });

  it('reads ten pages of the table at most, even if it finds nothing', async () => {
    const table = tableOf([5_000], 10_000);
    const { items, next } = await walkPages(table.walk, { leg: 0, at: undefined }, table.read);
    expect([items, table.reads()]).toEqual([['0/0'], 10]);
    expect(toPlace(table.walk, next)).toMatchObject({ leg: 0, at: { id: '999' } });
  });

  it('gives no token behind the last leg, and one before a leg that is not begun', async () => {
    const full = tableOf([60, 0]);
    const { items, next } = await walkPages(full.walk, { leg: 0, at: undefined }, full.read);
    expect(items).toHaveLength(60);
    expect(toPlace(full.walk, next)).toEqual({ leg: 1, at: undefined });
    expect(await walkPages(full.walk, { leg: 1, at: undefined }, full.read)).toEqual({
      items: [],
      next: undefined,
    });
    const none = { legs: [], mark: '' };
    const empty = await walkPages(none, { leg: 0, at: undefined }, full.read);
    expect(empty).toEqual({ items: [], next: undefined });
  });

  it('passes on what a read fails with', async () => {
    const { walk } = tableOf([1]);
    const failing = walkPages(walk, { leg: 0, at: undefined }, () =>
      Promise.reject(new Error('no table')),
    );
    await expect(failing).rejects.toThrow('no table');
  });
});

describe('toPlace', () => {
  const walk = { legs: ['a', 'b'], mark: 'all pending ' };

  it('begins at the first leg without a token', () => {
    expect(toPlace(walk, undefined)).toEqual({ leg: 0, at: undefined });
  });

  it.each([
    ['a row', tokenOf('all pending ', 1, '0123456789abcdef', '2026-01-02T03:04:05.000Z')],
    ['a leg', tokenOf('all pending ', 1)],
    ['a leg by null', tokenOf('all pending ', 1, null, null)],
  ])('takes %s', (_, token) => {
    expect(toPlace(walk, token)?.leg).toBe(1);
  });

  it.each([
    ['nothing', ''],
    ['no base64', '!'],
    ['no JSON', Buffer.from('x').toString('base64url')],
    ['no list', Buffer.from('{"0":"all pending ","1":0}').toString('base64url')],
    ['another query', tokenOf('mine pending ', 0)],
    ['no leg', tokenOf('all pending ')],
    ['a leg behind the last', tokenOf('all pending ', 2)],
    ['a leg before the first', tokenOf('all pending ', -1)],
    ['half a leg', tokenOf('all pending ', 0.5)],
    ['a leg in words', tokenOf('all pending ', '0')],
    ['an id of other characters', tokenOf('all pending ', 0, 'a b', '2026-01-02T03:04:05.000Z')],
    ['an id that is too long', tokenOf('all pending ', 0, 'a'.repeat(65), '2026')],
    ['an id without a time', tokenOf('all pending ', 0, 'a')],
    ['a time of other characters', tokenOf('all pending ', 0, 'a', 'today')],
    ['a row that is an object', tokenOf('all pending ', 0, { S: 'a' }, '2026')],
  ])('refuses %s', (_, token) => {
    expect(toPlace(walk, token)).toBeUndefined();
  });
});
