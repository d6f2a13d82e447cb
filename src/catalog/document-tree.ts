import {
  isDenied,
  isThrottled,
  type ParameterPath,
  type ParameterReader,
  type Reading,
} from '../aws/paging.ts';
import type { StoredParameter } from '../aws/parameters.ts';
import { MINUTE, type Clock } from '../lib/clock.ts';

/**
 * Parameters up to which a tree is read as a whole, ten a page: listing versions would hardly save
 * calls.
 */
const SMALL = 100;

/** Versions in a page of a listing, which is assumed until the first listing. */
const MARKS_PAGE = 50;

/**
 * DescribeParameters pages through all parameters of the account and filters them. If the first
 * `MARKS_TRIAL` pages have fewer than `MARKS_PER_PAGE` of this tree on average, listing versions is
 * not worth it.
 */
const MARKS_PER_PAGE = 5;
const MARKS_TRIAL = 20;

/**
 * How long the whole tree is read after DescribeParameters was denied, throttled or not worth it.
 */
const MARKS_AVOIDED = 10 * MINUTE;

/** The parameters under one path of SSM, as far as they were read. */
export type DocumentTree = {
  /**
   * Brings the tree up to date. Rejects if the reading breaks off. What was read until then is
   * kept, so that the next reading need not fetch it again, but nobody may use the tree before a
   * reading succeeds.
   */
  readonly read: (reading: Reading) => Promise<void>;
  readonly documents: () => Iterable<StoredParameter>;
  readonly size: () => number;
  /**
   * A number that changes whenever a document is added, is removed, or has another text or type.
   */
  readonly version: () => number;
  /** About how many pages the next listing takes. */
  readonly pages: () => number;
};

type Options = ParameterPath & { readonly reader: ParameterReader; readonly clock: Clock };

/** Ends a listing of versions that takes too many pages. */
class NotWorthIt extends Error {}

/**
 * Keeps the parameters under a path, as long as they exist in SSM. A small tree is read as a whole
 * each time. Of a large one only the versions are listed, and what changed is fetched: for 20,000
 * parameters that takes 400 calls instead of 2,000. If versions cannot be listed, the whole tree is
 * read.
 *
 * SSM's listings are eventually consistent, and a proxy may answer in its place. So a parameter
 * that is missing from a listing is dropped only when SSM, asked for it by name, says that it does
 * not exist.
 */
export function createDocumentTree({ reader, path, decrypt, clock }: Options): DocumentTree {
  const known = new Map<string, StoredParameter>();
  let version = 0;
  let marksPages: number | undefined;
  let marksFrom = Number.NEGATIVE_INFINITY;

  function readsMarks(): boolean {
    return known.size > SMALL && clock() >= marksFrom;
  }

  function keep(parameter: StoredParameter): void {
    const before = known.get(parameter.name);
    if (before?.text !== parameter.text || before.type !== parameter.type) version += 1;
    known.set(parameter.name, parameter);
  }

  function drop(name: string): void {
    if (known.delete(name)) version += 1;
  }

  /** Fetches parameters by name, and drops those that no longer exist. */
  async function fetch(names: readonly string[], reading: Reading): Promise<void> {
    for await (const { found, missing } of reader.values(names, decrypt, reading)) {
      for (const parameter of found) keep(parameter);
      for (const name of missing) drop(name);
    }
  }

  function unseen(seen: ReadonlySet<string>): readonly string[] {
    return [...known.keys()].filter((name) => !seen.has(name));
  }

  /** Reads the whole tree, and asks by name for what is missing from it. */
  async function readTree(reading: Reading): Promise<void> {
    const seen = new Set<string>();
    for await (const page of reader.tree({ path, decrypt }, reading)) {
      for (const parameter of page) {
        seen.add(parameter.name);
        keep(parameter);
      }
    }
    const missing = unseen(seen);
    try {
      await fetch(missing, reading);
    } catch (error) {
      // A role that may only read the tree cannot ask by name, so the listing has to do.
      if (!isDenied(error)) throw error;
      for (const name of missing) drop(name);
    }
  }

  /** Lists the versions, and fetches what is new, changed or missing from the listing. */
  async function readMarks(reading: Reading): Promise<void> {
    const seen = new Set<string>();
    const changed: string[] = [];
    let pages = 0;
    for await (const page of reader.marks(path, reading)) {
      pages += 1;
      for (const { name, version: listed, modifiedAt } of page) {
        seen.add(name);
        const before = known.get(name);
        if (before?.version !== listed || before.modifiedAt !== modifiedAt) changed.push(name);
      }
      if (pages >= MARKS_TRIAL && seen.size < pages * MARKS_PER_PAGE) throw new NotWorthIt();
    }
    await fetch([...changed, ...unseen(seen)], reading);
    marksPages = pages;
  }

  async function read(reading: Reading): Promise<void> {
    if (readsMarks()) {
      try {
        await readMarks(reading);
        return;
      } catch (error) {
        if (!isDenied(error) && !isThrottled(error) && !(error instanceof NotWorthIt)) throw error;
        marksFrom = clock() + MARKS_AVOIDED;
      }
    }
    await readTree(reading);
  }

  function documents(): Iterable<StoredParameter> {
    return known.values();
  }

  function size(): number {
    return known.size;
  }

  function currentVersion(): number {
    return version;
  }

  function pages(): number {
    if (readsMarks()) return marksPages ?? Math.ceil(known.size / MARKS_PAGE);
    return Math.ceil((known.size + 1) / 10);
  }

  return { read, documents, size, version: currentVersion, pages };
}
