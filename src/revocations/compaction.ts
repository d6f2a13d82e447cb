import { attributes, numberAt, textAt, type Item } from '../aws/attributes.ts';
import {
  isSignedRow,
  signingKeyOf,
  signRow,
  type SealingKey,
  type SealingKeys,
} from '../lib/sealing.ts';

/** Ranges of numbers, both ends included, in rising order and with a gap between any two. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/**
 * The numbers of the log that are gone for good, as the TVM signed them; version 0 if there is no
 * such list yet.
 */
export type Compaction = {
  readonly version: number;
  readonly ranges: Ranges;
  /** Whether it is signed with a key that is no longer the one that signs. */
  readonly stale: boolean;
};

/** The id of the item of a compaction. */
export const COMPACTION_ID = 'compaction';

/** What compactions are signed for; see `subkey`. */
const PURPOSE = 'compacted revocations';

/**
 * How many ranges an item can have, because DynamoDB limits it to 400 KB; beyond that nothing more
 * is compacted.
 */
const MAX_RANGES = 12_000;

function textOf(ranges: Ranges): string {
  return ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(',');
}

function parse(text: string): Ranges {
  return text === ''
    ? []
    : text.split(',').map((one) => {
        const [from = 0, to = from] = one.split('-').map(Number);
        return [from, to];
      });
}

/** How many numbers one chunk of a set holds, a byte each. */
const CHUNK = 65_536;

/**
 * A set of numbers of the log, which turns a hundred thousand of them into ranges within a
 * millisecond.
 */
export function createNumberSet() {
  const chunks = new Map<number, Uint8Array>();

  function add(n: number): void {
    const index = Math.floor(n / CHUNK);
    const chunk = chunks.get(index) ?? new Uint8Array(CHUNK);
    chunks.set(index, chunk);
    chunk[n % CHUNK] = 1;
  }

  function ranges(): Ranges {
    const found: [number, number][] = [];
    for (const [index, chunk] of [...chunks].toSorted(([one], [other]) => one - other)) {
      for (let from = chunk.indexOf(1); from !== -1;) {
        const end = chunk.indexOf(0, from);
        const to = end === -1 ? CHUNK : end;
        found.push([index * CHUNK + from, index * CHUNK + to - 1]);
        from = chunk.indexOf(1, to);
      }
    }
    return mergeRanges(found, []);
  }

  return { add, ranges };
}

/** A set of numbers of the log. */
export type NumberSet = ReturnType<typeof createNumberSet>;

/** The ranges of numbers that come in any order. */
export function toRanges(numbers: Iterable<number>): Ranges {
  const set = createNumberSet();
  for (const n of numbers) set.add(n);
  return set.ranges();
}

/** The union of two lists of ranges, which may overlap and come in any order. */
export function mergeRanges(one: Ranges, other: Ranges): Ranges {
  const merged: [number, number][] = [];
  for (const [from, to] of [...one, ...other].toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** The numbers of 1 … `end` that are in no range. */
export function gapsOf(ranges: Ranges, end: number): Ranges {
  const gaps: [number, number][] = [];
  let next = 1;
  for (const [from, to] of ranges) {
    if (from > end) break;
    if (from > next) gaps.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= end) gaps.push([next, end]);
  return gaps;
}

/** Whether a number is in one of the ranges. */
export function includes(ranges: Ranges, n: number): boolean {
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const [from, to] = ranges[middle] ?? [0, 0];
    if (n >= from && n <= to) return true;
    if (n < from) high = middle - 1;
    else low = middle + 1;
  }
  return false;
}

/** The item of a compaction; undefined if it would become too large. */
export function toCompactionItem(
  version: number,
  ranges: Ranges,
  sealing: SealingKey | undefined,
): Item | undefined {
  if (ranges.length > MAX_RANGES) return undefined;
  const text = textOf(ranges);
  const signature = sealing === undefined ? undefined : signRow(sealing, PURPOSE, [version, text]);
  return attributes({ id: COMPACTION_ID, version, numbers: text, signature });
}

/**
 * Reads a compaction. One that the TVM did not sign names no numbers.
 *
 * @param active the key that signs now
 * @param believed whether it counts as genuine without a signature: where the log has never been
 *   signed
 */
export function readCompaction(
  item: Item | undefined,
  keys: SealingKeys,
  active: SealingKey | undefined,
  believed: boolean,
): Compaction & { readonly genuine: boolean } {
  const none = { version: 0, ranges: [], stale: false, genuine: item === undefined };
  if (item === undefined) return none;
  const [version, text, signature] = [
    numberAt(item, 'version'),
    textAt(item, 'numbers') ?? '',
    textAt(item, 'signature') ?? '',
  ];
  if (version === undefined || !Number.isSafeInteger(version)) return none;
  const genuine = believed || isSignedRow(signature, keys, PURPOSE, [version, text]);
  if (!genuine) return { ...none, version };
  return {
    version,
    ranges: parse(text),
    stale: active !== undefined && signingKeyOf(signature) !== active.id,
    genuine,
  };
}
