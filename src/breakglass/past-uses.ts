import type { Use, UseLedger } from './ledger.ts';

/** The uses that are on record. */
export type PastUses = {
  /** Of the person, of whatever profile. */
  readonly byPerson: readonly Use[];
  /** Of the profile, by whomever. */
  readonly byProfile: readonly Use[];
};

/**
 * Each use once, whatever ledgers it stands in, and without the one that is being put on record.
 */
function unionOf(ledgers: readonly UseLedger[], own: string): readonly Use[] {
  const byId = new Map<string, Use>();
  for (const use of ledgers.flatMap(({ uses }) => uses)) {
    const other = byId.get(use.id);
    byId.set(use.id, other?.opened === true ? { ...use, opened: true } : use);
  }
  byId.delete(own);
  return [...byId.values()];
}

/** What ledgers have on record, without the use that is being put there. */
export function toPast(ledgers: readonly UseLedger[], own: string): PastUses {
  return {
    byPerson: unionOf(
      ledgers.filter(({ name }) => name.of === 'person'),
      own,
    ),
    byProfile: unionOf(
      ledgers.filter(({ name }) => name.of === 'profile'),
      own,
    ),
  };
}
