import type { Table } from '../aws/table.ts';
import { MINUTE, type Clock } from '../lib/clock.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import { createStopwatch, type Moment } from '../lib/stopwatch.ts';
import { planList, waysOf, type SessionQuery, type Way } from './list-plan.ts';
import { fromToken, markOf, resume, toToken } from './list-token.ts';
import { readRows } from './list-walk.ts';
import { toSessionRow, type SessionRow } from './session.ts';

/**
 * One page; `next` is to be given back for the page behind it. A page may be empty and have one
 * behind it.
 */
export type SessionPage = { readonly rows: readonly SessionRow[]; readonly next: string | undefined };

/** Which rows are wanted, besides what the query says of user, profile and time. */
export type Wanted = (row: SessionRow) => boolean;

/** How long a table is believed to have no `gsi-shard`: an operator may make one at any time. */
const RECHECK = 10 * MINUTE;

type Options = {
  readonly table: Table;
  readonly clock: Clock;
  /** The clock that patience is measured with. */
  readonly monotonic: Clock;
  /** Told once that the table has no `gsi-shard`, in DynamoDB's words. */
  readonly onFallback: (error: unknown) => void;
};

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ValidationException';
}

/** Whether DynamoDB says that there is no such index, or that it is still being filled. */
function lacksShards(error: unknown): boolean {
  return isRefusal(error) && /index: gsi-shard\b/u.test(error.message);
}

/** Lists sessions from the table's indexes, a page at a time and each at a bounded cost. */
export function createSessionList({ table, clock, monotonic, onFallback }: Options) {
  const watch = createStopwatch(clock, monotonic);
  let lacked: Moment | undefined;
  let isTold = false;

  function noteNoShards(error: unknown): void {
    lacked = watch.now();
    if (!isTold) onFallback(error);
    isTold = true;
  }

  /** The way of a list that begins. */
  function chooseWay(query: SessionQuery): Way {
    const [best, other] = waysOf(query);
    return (watch.since(lacked) < RECHECK ? other : undefined) ?? best;
  }

  /**
   * Reads a page, newest sessions first. Rejects when DynamoDB fails.
   *
   * @param next what an earlier page gave; undefined for the first
   * @returns undefined if `next` is none that this server gave out for this query
   */
  async function read(
    query: SessionQuery,
    keys: SealingKeys,
    next: string | undefined,
    isWanted: Wanted,
  ): Promise<SessionPage | undefined> {
    const token = next === undefined ? undefined : fromToken(next);
    const asked =
      token === undefined ? chooseWay(query) : waysOf(query).find((way) => markOf(query, way) === token.mark);
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
      return { rows: found.rows, next: found.next === undefined ? undefined : toToken({ mark, place: found.next }) };
    }

    try {
      return await readBy(asked);
    } catch (error) {
      const isLacking = asked === 'shard' && lacksShards(error);
      if (isLacking) noteNoShards(error);
      // The same query without a start key is one that DynamoDB takes, so it is the token that it
      // refuses.
      if (token !== undefined && isRefusal(error)) return undefined;
      if (isLacking) return readBy('status');
      throw error;
    }
  }

  return { read };
}

/** Whether a row is of the query's user, subject and profile: an index knows only one of them. */
function isOf({ session }: SessionRow, query: SessionQuery): boolean {
  return (['user', 'subject', 'profile'] as const).every(
    (name) => query[name] === undefined || query[name] === session[name],
  );
}
