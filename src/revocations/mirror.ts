import { attributes, flagAt, numberAt } from '../aws/attributes.ts';
import { readItem, updateIf, type Table } from '../aws/table.ts';

/** A copy of the head in the guard table, which only the TVM writes, and whether it is signed. */
export type Mirror = { readonly n: number; readonly signed: boolean };

/** The id of the mirror. */
const MIRROR = 'revocations#head';

/**
 * The mirror of the head in the guard table.
 *
 * @param readDeadline how long a reading may take, in milliseconds
 * @param isSigned whether there is a key now that signs the log
 */
export function createMirror(table: Table, readDeadline: number, isSigned: () => boolean) {
  const reads = { ...table, deadline: readDeadline };

  /** The copy of the head in the guard table; undefined if there is none yet. */
  async function read(): Promise<Mirror | undefined> {
    const item = await readItem(reads, MIRROR);
    return item === undefined
      ? undefined
      : { n: numberAt(item, 'n') ?? 0, signed: flagAt(item, 'signed') === true };
  }

  /** Raises the copy of the head to n, unless it is there already. */
  async function raise(n: number): Promise<void> {
    const signed = isSigned();
    await updateIf(table, MIRROR, 'SET #n = :n, #signed = :signed', {
      // A log that is signed stays signed.
      condition: signed
        ? 'attribute_not_exists(id) OR #n < :n OR #signed <> :signed'
        : 'attribute_not_exists(id) OR (#n < :n AND #signed = :signed)',
      names: { '#n': 'n', '#signed': 'signed' },
      values: attributes({ ':n': n, ':signed': signed }),
    });
  }

  return { read, raise };
}
