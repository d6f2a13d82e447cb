import { createHash } from 'node:crypto';
import { attributes, textAt, type Item } from './attributes.ts';
import { putSure } from './put-sure.ts';
import { readPage, type Condition, type Table, type WriteOutcome } from './table.ts';

/**
 * Rows with a `version` that counts their writings and a `created_at` that their indexes are sorted
 * by.
 */

/** The row that a page stopped at. */
export type RowPlace = { readonly id: string; readonly createdAt: string };

/** One value of an index. */
export type IndexKey = {
  readonly index: string;
  /** The attribute that is the index's hash key. */
  readonly attribute: string;
  readonly key: string;
};

/** So many rows are read at a time for a list. */
const PAGE = 100;

/**
 * Writes what a state came to under a condition, see `putSure`. The attempt is made of the state:
 * whoever repeats a write finds their own.
 */
export function putState(
  table: Table,
  item: Item,
  condition: Condition,
  state: unknown,
): Promise<WriteOutcome> {
  const attempt = createHash('sha256').update(JSON.stringify(state)).digest('hex');
  return putSure(table, item, condition, attempt);
}

/** That nobody has written a row since the version before this one was read. */
export function follows(version: number): Condition {
  return {
    condition: '#version = :before',
    names: { '#version': 'version' },
    values: attributes({ ':before': version - 1 }),
  };
}

/** Reads one page of an index, newest first, and where it stopped; undefined behind the last. */
export async function readNewest(
  table: Table,
  { index, attribute, key }: IndexKey,
  from: RowPlace | undefined,
): Promise<readonly [items: readonly Item[], next: RowPlace | undefined]> {
  const newestFirst = {
    index,
    condition: '#key = :key',
    names: { '#key': attribute },
    values: attributes({ ':key': key }),
    order: 'falling',
    limit: PAGE,
  } as const;
  const start =
    from === undefined
      ? undefined
      : attributes({ id: from.id, created_at: from.createdAt, [attribute]: key });
  const [items, next] = await readPage(table, newestFirst, start);
  return [items, toPlace(next)];
}

function toPlace(key: Item | undefined): RowPlace | undefined {
  const [id, createdAt] = [textAt(key, 'id'), textAt(key, 'created_at')];
  return id === undefined || createdAt === undefined ? undefined : { id, createdAt };
}
