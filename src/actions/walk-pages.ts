/** The row that a page of a table stopped at. */
type RowPlace = { readonly id: string; readonly createdAt: string };

/** Where a list stopped: in which of its legs, and at which row. */
export type Place = { readonly leg: number; readonly at: RowPlace | undefined };

/** A list of which parts of a table are read, one after the other. */
export type Walk<Leg> = {
  /** The parts of the table in which the rows of the list are. */
  readonly legs: readonly Leg[];
  /** What was asked for: a token of something else is none of this list. */
  readonly mark: string;
};

/** What one page of the table has for a list, and where it stopped; undefined behind its last. */
type Found<Item> = { readonly items: readonly Item[]; readonly next: RowPlace | undefined };

/** A page of a list; one that is not full may have a next one. */
export type WalkedPage<Item> = {
  readonly items: readonly Item[];
  readonly next: string | undefined;
};

/** So many pages of the table are read for one page of a list, of which few rows may match. */
const MAX_READS = 10;
/** A page of a list ends with the page of the table in which it reached this many. */
const PAGE = 50;

function toToken({ leg, at }: Place, mark: string): string {
  return Buffer.from(JSON.stringify([mark, leg, at?.id, at?.createdAt])).toString('base64url');
}

/** Where a page of a list begins; undefined for a token that is none of this list. */
export function toPlace(
  { legs, mark }: Walk<unknown>,
  token: string | undefined,
): Place | undefined {
  if (token === undefined) return { leg: 0, at: undefined };
  try {
    const read = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown;
    const [of, leg, id, createdAt] = Array.isArray(read) ? (read as unknown[]) : [];
    if (of !== mark || typeof leg !== 'number' || !Number.isInteger(leg)) return undefined;
    if (leg < 0 || leg >= legs.length) return undefined;
    const isRow =
      typeof id === 'string' && /^[\w-]{1,64}$/u.test(id) && typeof createdAt === 'string';
    if (isRow && /^[\d:.TZ+-]{1,40}$/u.test(createdAt)) return { leg, at: { id, createdAt } };
    return id === undefined || id === null ? { leg, at: undefined } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads one page of a list: pages of the table, leg by leg, until it is full or enough was read.
 *
 * @param read reads one page of a leg, and keeps of it what belongs in the list
 */
export async function walkPages<Leg, Item>(
  { legs, mark }: Walk<Leg>,
  from: Place,
  read: (leg: Leg, at: RowPlace | undefined) => Promise<Found<Item>>,
): Promise<WalkedPage<Item>> {
  const items: Item[] = [];
  let place = from;
  for (let reads = 0; reads < MAX_READS && items.length < PAGE; reads += 1) {
    const { leg, at }: Place = place;
    const part = legs[leg];
    if (part === undefined) return { items, next: undefined };
    const found = await read(part, at);
    items.push(...found.items);
    place = found.next === undefined ? { leg: leg + 1, at: undefined } : { leg, at: found.next };
    if (place.leg >= legs.length) return { items, next: undefined };
  }
  return { items, next: toToken(place, mark) };
}
