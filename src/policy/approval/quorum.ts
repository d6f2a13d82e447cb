/** A group of approvers, and how many of them must approve. */
export type Group = {
  readonly name: string;
  /** How many persons (or bots) of it must approve; at least 1. */
  readonly need: number;
};

/** Somebody who approved, and the groups in which that may count. */
export type Vote<Of = unknown> = { readonly of: Of; readonly groups: ReadonlySet<string> };

/** Where the votes count. */
export type Assignment<Of> = {
  /**
   * The votes that count, by group; no vote counts twice, and no group holds more than it needs.
   */
  readonly counted: ReadonlyMap<string, readonly Of[]>;
  /** Whether every group has what it needs. */
  readonly isMet: boolean;
};

/**
 * Assigns votes to groups, so that as many count as can: a maximum matching of votes to the places
 * of groups, by augmenting paths (Kuhn). Somebody who may vote in two groups thus never keeps a
 * quorum from being reached that they could fill otherwise. Costs votes × places × edges, of which
 * there are tens.
 *
 * @param votes one of each person
 */
export function assignVotes<Of>(
  groups: readonly Group[],
  votes: readonly Vote<Of>[],
): Assignment<Of> {
  const places = groups.flatMap(({ name, need }) => Array.from({ length: need }, () => name));
  /** The vote that holds each place. */
  const holders: (number | undefined)[] = places.map(() => undefined);

  /**
   * Gives a vote a place, moving others to where they may count as well; false if there is none to
   * be had.
   */
  function place(vote: number, tried: Set<number>): boolean {
    for (const [index, group] of places.entries()) {
      if (tried.has(index) || votes[vote]?.groups.has(group) !== true) continue;
      tried.add(index);
      const holder = holders[index];
      if (holder === undefined || place(holder, tried)) {
        holders[index] = vote;
        return true;
      }
    }
    return false;
  }

  for (const vote of votes.keys()) place(vote, new Set());
  const counted = new Map<string, Of[]>(groups.map(({ name }) => [name, []]));
  for (const [index, holder] of holders.entries()) {
    const vote = holder === undefined ? undefined : votes[holder];
    if (vote !== undefined) counted.get(places[index] ?? '')?.push(vote.of);
  }
  return { counted, isMet: places.length > 0 && holders.every((holder) => holder !== undefined) };
}
