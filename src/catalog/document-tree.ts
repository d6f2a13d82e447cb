import {
  isDenied,
  isThrottled,
  type ParameterPath,
  type ParameterReader,
  type Reading,
  type StoredParameter,
} from '../aws/paging.ts';
import { MINUTE, type Clock } from '../lib/clock.ts';

/** A tree of up to so many parameters is read whole, ten a page: as few calls as asking for its versions. */
const SMALL = 100;

/** Versions come fifty a page; this is assumed until a listing has shown it. */
const MARKS_PAGE = 50;

/** DescribeParameters, filtered, pages through all parameters of the account; below this it is not worth it. */
const MARKS_PER_PAGE = 5;
const MARKS_TRIAL = 20;

/** For so long the tree itself is read, after DescribeParameters was denied, throttled or not worth it. */
const MARKS_AVOIDED = 10 * MINUTE;

/** What lies under one path of SSM, as far as it was read. */
export type DocumentTree = {
  /**
   * Brings what is known up to date. Rejects if it could not be read to its end; what was read until then is kept, so
   * that the next reading need not fetch it again, but it is no whole: nobody may use it before a reading succeeds.
   */
  readonly read: (reading: Reading) => Promise<void>;
  readonly documents: () => Iterable<StoredParameter>;
  readonly size: () => number;
  /** Changes whenever a document comes, goes, or has another text or type. */
  readonly version: () => number;
  /** About how many pages the next listing will take. */
  readonly pages: () => number;
};

type Options = ParameterPath & { readonly reader: ParameterReader; readonly clock: Clock };

class NotWorthIt extends Error {}

/**
 * Keeps the parameters beneath a path. A small tree is read whole each time. Of a large one only the versions are
 * listed, and what changed is fetched: a listing of 20,000 takes 400 calls instead of 2,000. Where versions cannot be
 * had, the tree is read.
 *
 * SSM's listings are eventually consistent, and whatever stands in between may answer too: what is missing from a
 * listing is gone only when SSM, asked for it by name, says so.
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

  /** Fetches what is new or changed, and drops what is not there any more. */
  async function fetch(names: readonly string[], reading: Reading): Promise<void> {
    for await (const { found, missing } of reader.values(names, decrypt, reading)) {
      for (const parameter of found) keep(parameter);
      for (const name of missing) drop(name);
    }
  }

  function unseen(seen: ReadonlySet<string>): readonly string[] {
    return [...known.keys()].filter((name) => !seen.has(name));
  }

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
      // A role that may read the tree only has nothing but the tree to go by.
      if (!isDenied(error)) throw error;
      for (const name of missing) drop(name);
    }
  }

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

  function documents() {
    return known.values();
  }

  function size() {
    return known.size;
  }

  return {
    read,
    documents,
    size,
    version: () => version,
    pages: () => (readsMarks() ? (marksPages ?? Math.ceil(known.size / MARKS_PAGE)) : Math.ceil((known.size + 1) / 10)),
  };
}
