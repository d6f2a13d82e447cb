import type { Identity, People } from '../approval/person.ts';

/**
 * The names under which the uses of a person are on record: all names that the person is known by,
 * and what else stands for the person, so that two identities of one person share at least one.
 * Sorted: whoever writes several of the ledgers writes them in this order.
 */
export function ledgerNamesOf(people: People, identity: Identity): readonly string[] {
  return [...new Set([...people.namesOf(identity), ...people.keysOf(identity)])].toSorted();
}
