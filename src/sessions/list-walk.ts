import { attributes, textAt, type Item } from '../aws/attributes.ts';
import { readPage, type IndexQuery, type Table } from '../aws/table.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import type { Leg, Plan } from './list-plan.ts';
import { isSpeakable, toSpeakable, type Place } from './list-token.ts';

/** How many rows a page has at most. */
const PAGE = 100;

/**
 * How many queries one page may cost, of which a day takes 16; then the page ends with what was
 * found so far.
 */
const MAX_QUERIES = 128;

/** How many rows may be read for one page, of which few may match; then the same. */
const MAX_ROWS = 2_000;

/** How long a page may take until no further query begins; then the same. */
const PATIENCE = 2 * SECOND;

/** How many rows one query reads: as many as a page has. */
const ROWS_AT_ONCE = 100;

/** The same where many lanes are read side by side: several times a lane's share of a page. */
const ROWS_AT_ONCE_OF_MANY = 25;

/** From how many lanes on they are many. */
const MANY = 4;

/** What is read, where it begins, and what of it is wanted. */
export type Walk<Row> = {
  readonly plan: Plan;
  readonly leg: Leg;
  /** Where an earlier page stopped in this leg; undefined to begin it. */
  readonly from: Place | undefined;
  /** The row of an item; undefined for one that is not wanted. */
  readonly toRow: (item: Item) => Row | undefined;
};

/** The rows of a page, and where it stopped; undefined at the end of the list. */
export type Found<Row> = { readonly rows: readonly Row[]; readonly next: Place | undefined };

/** One key of the index, with the rows that were read and are not used yet. */
type Lane = {
  readonly value: string;
  readonly items: Item[];
  /** Where the next query starts; undefined at the beginning and at the end. */
  start: Item | undefined;
  isOver: boolean;
  /** The last row that was used. */
  last: { readonly at: string; readonly id: string };
};

/** A leg that is being read. */
type Course = {
  readonly leg: Leg;
  readonly from: Place | undefined;
  readonly lanes: readonly Lane[];
  /** Everything newer has been used; empty at the beginning. */
  at: string;
};

type Budget = {
  /** Asks for more queries. The first are always granted, so that each page makes progress. */
  readonly spend: (queries: number) => boolean;
  readonly count: (rows: number) => void;
};

function createBudget(monotonic: Clock): Budget {
  const end = monotonic() + PATIENCE;
  let [queries, rows] = [0, 0];

  function spend(more: number): boolean {
    const isTooMuch = queries + more > MAX_QUERIES || rows >= MAX_ROWS || monotonic() >= end;
    if (queries > 0 && isTooMuch) return false;
    queries += more;
    return true;
  }

  function count(more: number): void {
    rows += more;
  }

  return { spend, count };
}

function textOf(item: Item | undefined, name: string): string {
  return textAt(item, name) ?? '';
}

/** The moment at which a row's session was opened, as the text that the indexes sort by. */
function openedAt(item: Item | undefined): string {
  return textOf(item, 'created_at');
}

/** Begins a leg, or continues it from a place. */
function beginLeg({ way }: Plan, leg: Leg, from: Place | undefined): Course {
  const at = from?.at ?? '';
  // The lower bound follows the clock, and may have passed the place since the last page.
  const isOver = leg.low > leg.high || (at !== '' && at < leg.low);
  const lanes = leg.lanes.map((value, index) => {
    const id = from?.ids[index] ?? '';
    const start = attributes({ id, created_at: at, [way]: value });
    return { value, items: [], start: id === '' ? undefined : start, isOver, last: { at, id } };
  });
  return { leg, from, lanes, at };
}

/** Reads the next rows of a lane, and returns how many there were. */
async function fill(
  table: Table,
  { way }: Plan,
  { leg, from }: Course,
  lane: Lane,
): Promise<number> {
  const high = from === undefined || from.at === '' ? leg.high : from.at;
  const newestFirst: IndexQuery = {
    index: `gsi-${way}`,
    condition: '#key = :key AND created_at BETWEEN :low AND :high',
    names: { '#key': way },
    values: attributes({ ':key': lane.value, ':low': leg.low, ':high': high }),
    order: 'falling',
    limit: leg.lanes.length < MANY ? ROWS_AT_ONCE : ROWS_AT_ONCE_OF_MANY,
  };
  const [items, next] = await readPage(table, newestFirst, lane.start);
  // The row that an earlier page ended with is in another lane if its state has changed since.
  function isUsed(item: Item): boolean {
    return openedAt(item) === from?.at && from.ids.includes(textOf(item, 'id'));
  }
  lane.items.push(...items.filter((item) => !isUsed(item)));
  lane.start = next;
  lane.isOver = next === undefined;
  return items.length;
}

/** The lane whose next row is the newest. Each lane has its next row at hand, or is at its end. */
function newestOf(lanes: readonly Lane[]): Lane | undefined {
  let newest: Lane | undefined;
  for (const lane of lanes) {
    const [item] = lane.items;
    if (item === undefined) continue;
    if (newest === undefined || openedAt(item) > openedAt(newest.items[0])) newest = lane;
  }
  return newest;
}

/** Takes the next row of a lane; undefined if the row is not wanted. */
function useNext<Row>(course: Course, lane: Lane, toRow: Walk<Row>['toRow']): Row | undefined {
  const item = lane.items.shift();
  if (item === undefined) return undefined;
  const [id, opened] = [textOf(item, 'id'), openedAt(item)];
  course.at = toSpeakable(opened);
  if (!isSpeakable(id, opened)) return undefined;
  lane.last = { at: opened, id };
  return toRow(item);
}

/**
 * Where a page stopped in a leg. At the end of the leg it is the beginning of the next; undefined
 * if there is none.
 */
function placeOf(plan: Plan, { leg, lanes, at }: Course): Place | undefined {
  const isOver = at !== '' && at < leg.low;
  if (isOver || lanes.every((lane) => lane.isOver && lane.items.length === 0)) {
    const after = plan.after(leg);
    return after === undefined ? undefined : { leg: after.name, at: '', ids: [] };
  }
  const ids = at === '' ? [] : lanes.map(({ last }) => (last.at === at ? last.id : ''));
  return { leg: leg.name, at, ids };
}

/**
 * How the reading of a leg ended: the page is full, the page may cost no more, or the leg has no
 * more rows.
 */
type End = 'full' | 'spent' | 'over';

/** Reads one page from a place on, at a bounded cost. Rejects when DynamoDB fails. */
export async function readRows<Row>(
  table: Table,
  walk: Walk<Row>,
  monotonic: Clock,
): Promise<Found<Row>> {
  const { plan, toRow } = walk;
  const budget = createBudget(monotonic);
  const rows: Row[] = [];

  async function readLeg(course: Course): Promise<End> {
    for (;;) {
      // Before the newest row can be chosen, each lane needs its next row.
      const dry = course.lanes.filter(({ isOver, items }) => !isOver && items.length === 0);
      if (dry.length > 0) {
        if (!budget.spend(dry.length)) return 'spent';
        const counts = await Promise.all(dry.map((lane) => fill(table, plan, course, lane)));
        for (const count of counts) budget.count(count);
        continue;
      }
      const lane = newestOf(course.lanes);
      if (lane === undefined) return 'over';
      const row = useNext(course, lane, toRow);
      if (row !== undefined && rows.push(row) === PAGE) return 'full';
    }
  }

  let course = beginLeg(plan, walk.leg, walk.from);
  for (;;) {
    const end = await readLeg(course);
    if (end !== 'over') return toFound(walk, rows, placeOf(plan, course));
    const after = plan.after(course.leg);
    if (after === undefined) return { rows, next: undefined };
    course = beginLeg(plan, after, undefined);
  }
}

/** The page; throws if it made no progress, because asking for the next one would never end. */
function toFound<Row>(
  { from }: Walk<Row>,
  rows: readonly Row[],
  next: Place | undefined,
): Found<Row> {
  if (next === undefined || JSON.stringify(next) !== JSON.stringify(from)) return { rows, next };
  throw new Error(
    `too many rows that are no sessions say that they were opened at ${next.at}: they cannot be listed`,
  );
}
