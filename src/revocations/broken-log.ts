import type { Ranges } from './compaction.ts';

/** Why a log is broken, in the words of the error. */
export const MISSING = 'is missing from the table';
export const CHANGED = 'is not signed with a key that this TVM has';

/**
 * The error of a log in which entries are missing or were changed by others: nobody knows what is
 * revoked.
 */
export class BrokenLog extends Error {
  readonly numbers: Ranges;

  constructor(numbers: Ranges, why: string) {
    const [first, ...others] = numbers.map(([from, to]) =>
      from === to ? `${from}` : `${from} to ${to}`,
    );
    const more = others.length === 0 ? '' : ` (and ${others.slice(0, 5).join(', ')})`;
    super(
      `revocation ${first ?? '?'}${more} ${why}: nothing is vended until it is restored, or an operator closes it with ` +
        'DELETE /revocations/{number}',
    );
    this.name = 'BrokenLog';
    this.numbers = numbers;
  }
}
