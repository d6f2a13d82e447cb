import { attributes, textAt, type Item } from '../aws/attributes.ts';
import { readPage, type IndexQuery, type Table } from '../aws/table.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import type { Leg, Plan } from './list-plan.ts';
import { isSpeakable, toSpeakable, type Place } from './list-token.ts';

/** How many rows a page has. */
const PAGE = 100;

/**
 * What one page may cost, whatever is asked: queries, of which a day takes 16; rows read, of which
 * few may match; and the time after which no further query begins. A page that comes to such an end
 * holds what was found so far.
 */
const MAX_QUERIES = 128;
const MAX_ROWS = 2_000;
const PATIENCE = 2 * SECOND;

/** Rows that one query reads: of few lanes a page, of one among sixteen several times its share. */
const ROWS_AT_ONCE = 100;
const ROWS_AT_ONCE_OF_MANY = 25;
const MANY = 4;

/** What is read, where it begins, and what of it is wanted. */
export type Walk<Row> = {
  readonly plan: Plan;
  readonly leg: Leg;
  /** Where an earlier page stopped in this leg; undefined for its beginning. */
  readonly from: Place | undefined;
  /** The row of an item; undefined for one that is not wanted. */
  readonly toRow: (item: Item) => Row | undefined;
};

/** The rows of a page, and where it stopped; undefined at the end of the list. */
export type Found<Row> = { readonly rows: readonly Row[]; readonly next: Place | undefined };

/** One value of the index: what was read of it and is not used yet. */
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
  /**
   * Asks for so many queries more. The first ones are always granted: each page goes on by
   * something.
   */
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

  return {
    spend,
    count: (more) => {
      rows += more;
    },
  };
}

function textOf(item: Item | undefined, name: string): string {
  return textAt(item, name) ?? '';
}

function openedAt(item: Item | undefined): string {
  return textOf(item, 'created_at');
}

/** Begins a leg, or goes on in it from a place. */
function beginLeg({ way }: Plan, leg: Leg, from: Place | undefined): Course {
  const at = from?.at ?? '';
  // Bounds that follow the clock may have left a place behind.
  const isOver = leg.low > leg.high || (at !== '' && at < leg.low);
  const lanes = leg.lanes.map((value, index) => {
    const id = from?.ids[index] ?? '';
    const start = attributes({ id, created_at: at, [way]: value });
    return { value, items: [], start: id === '' ? undefined : start, isOver, last: { at, id } };
  });
  return { leg, from, lanes, at };
}

/** Reads the next rows of a lane, and says how many there were. */
async function fill(table: Table, { way }: Plan, { leg, from }: Course, lane: Lane): Promise<number> {
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
  // A row that an earlier page ended with lies in another lane where its state changed since.
  function isUsed(item: Item): boolean {
    return openedAt(item) === from?.at && from.ids.includes(textOf(item, 'id'));
  }
  lane.items.push(...items.filter((item) => !isUsed(item)));
  lane.start = next;
  lane.isOver = next === undefined;
  return items.length;
}

/** Of the lanes the one whose next row is the newest. Each has one at hand, or is at its end. */
function newestOf(lanes: readonly Lane[]): Lane | undefined {
  let newest: Lane | undefined;
  for (const lane of lanes) {
    const [item] = lane.items;
    if (item === undefined) continue;
    if (newest === undefined || openedAt(item) > openedAt(newest.items[0])) newest = lane;
  }
  return newest;
}

/** Uses the newest row that is left; undefined for one that is not wanted. */
function useNext<Row>(course: Course, lane: Lane, toRow: Walk<Row>['toRow']): Row | undefined {
  const item = lane.items.shift();
  if (item === undefined) return undefined;
  const [id, opened] = [textOf(item, 'id'), openedAt(item)];
  course.at = toSpeakable(opened);
  if (!isSpeakable(id, opened)) return undefined;
  lane.last = { at: opened, id };
  return toRow(item);
}

/** Where a leg stopped: at a later one if it is at its end, and undefined if there is none. */
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
 * How the reading of a leg ended: the page is full, it may cost no more, or the leg has no more.
 */
type End = 'full' | 'spent' | 'over';

/** Reads on from a place, at a bounded cost. Rejects when DynamoDB fails. */
export async function readRows<Row>(table: Table, walk: Walk<Row>, monotonic: Clock): Promise<Found<Row>> {
  const { plan, toRow } = walk;
  const budget = createBudget(monotonic);
  const rows: Row[] = [];

  async function readLeg(course: Course): Promise<End> {
    for (;;) {
      // Each lane must show its next row before the newest of them can be used.
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

/** A page must have gone on, or whoever asks for the next one would ask without end. */
function toFound<Row>({ from }: Walk<Row>, rows: readonly Row[], next: Place | undefined): Found<Row> {
  if (next === undefined || JSON.stringify(next) !== JSON.stringify(from)) return { rows, next };
  throw new Error(`too many rows that are no sessions say that they were opened at ${next.at}: they cannot be listed`);
}
