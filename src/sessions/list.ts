import type { Table } from '../aws/table.ts';
import { MINUTE, type Clock } from '../lib/clock.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import { createStopwatch, type Moment } from '../lib/stopwatch.ts';
import { planList, waysOf, type SessionQuery, type Way } from './list-plan.ts';
import { fromToken, markOf, resume, toToken } from './list-token.ts';
import { readRows } from './list-walk.ts';
import { toSessionRow, type SessionRow } from './session.ts';

/** One page, and the token of the next; a page may be empty and still have a next one. */
export type SessionPage = {
  readonly rows: readonly SessionRow[];
  readonly next: string | undefined;
};

/** Whether a row is wanted, beyond the query's user, profile and time. */
export type Wanted = (row: SessionRow) => boolean;

/**
 * How long a table is taken to have no `gsi-shard`: asking costs a query, and an operator may add
 * the index any time.
 */
const RECHECK = 10 * MINUTE;

type Options = {
  readonly table: Table;
  readonly clock: Clock;
  /** Measures how long a page takes. */
  readonly monotonic: Clock;
  /** Is told once, in DynamoDB's words, that the table has no `gsi-shard`. */
  readonly onFallback: (error: unknown) => void;
};

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ValidationException';
}

/** Whether DynamoDB says that there is no index `gsi-shard`, or that it is still being filled. */
function lacksShards(error: unknown): boolean {
  return isRefusal(error) && /index: gsi-shard\b/u.test(error.message);
}

/** Lists sessions from the table's indexes, one page at a time, each at a bounded cost. */
export function createSessionList({ table, clock, monotonic, onFallback }: Options) {
  const watch = createStopwatch(clock, monotonic);
  /** Cache: when the table was last found without `gsi-shard`. */
  let lacked: Moment | undefined;
  let isTold = false;

  function noteNoShards(error: unknown): void {
    lacked = watch.now();
    if (!isTold) onFallback(error);
    isTold = true;
  }

  /** The way in which a new list finds its rows. */
  function chooseWay(query: SessionQuery): Way {
    const [best, other] = waysOf(query);
    return (watch.since(lacked) < RECHECK ? other : undefined) ?? best;
  }

  /**
   * Reads a page, newest sessions first. Rejects when DynamoDB fails.
   *
   * @param next the token that the page before gave; undefined for the first page
   * @returns undefined if this server did not give out `next` for this query
   */
  async function read(
    query: SessionQuery,
    keys: SealingKeys,
    next: string | undefined,
    isWanted: Wanted,
  ): Promise<SessionPage | undefined> {
    const token = next === undefined ? undefined : fromToken(next);
    const asked =
      token === undefined
        ? chooseWay(query)
        : waysOf(query).find((way) => markOf(query, way) === token.mark);
    if (asked === undefined || (next !== undefined && token === undefined)) return undefined;

    async function readBy(way: Way): Promise<SessionPage | undefined> {
      const plan = planList(query, way, clock());
      const leg = token === undefined ? plan.first : resume(plan, token.place);
      if (leg === undefined) return undefined;
      function toRow(item: Parameters<typeof toSessionRow>[0]): SessionRow | undefined {
        const row = toSessionRow(item, keys);
        return row !== undefined && isOf(row, query) && isWanted(row) ? row : undefined;
      }
      const found = await readRows(table, { plan, leg, from: token?.place, toRow }, monotonic);
      const mark = markOf(query, way);
      return {
        rows: found.rows,
        next: found.next === undefined ? undefined : toToken({ mark, place: found.next }),
      };
    }

    try {
      return await readBy(asked);
    } catch (error) {
      const isLacking = asked === 'shard' && lacksShards(error);
      if (isLacking) noteNoShards(error);
      // DynamoDB accepts this query without a start key, so it is the token that it refuses.
      if (token !== undefined && isRefusal(error)) return undefined;
      if (isLacking) return readBy('status');
      throw error;
    }
  }

  return { read };
}

/** Whether a row has the query's user, subject and profile: an index finds by one of them only. */
function isOf({ session }: SessionRow, query: SessionQuery): boolean {
  return (['user', 'subject', 'profile'] as const).every(
    (name) => query[name] === undefined || query[name] === session[name],
  );
}
