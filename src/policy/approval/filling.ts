import type { ApprovalRule } from '../documents/approval-policy.ts';
import { firstOfEachPerson, isOnePerson, type Identity, type People } from './person.ts';
import { groupsOf, tallyVotes, type ApprovalGroup, type Tally } from './rule.ts';

/** Somebody whom an entry of a list means. */
export type Candidate = Identity & {
  /** Whether it means any number of persons: a pattern, or a role behind which are persons. */
  readonly isMany: boolean;
  readonly isBot: boolean;
};

/** Whom the entries of lists mean, as far as that is known. */
export type Candidates = {
  readonly people: People;
  /** Undefined where it can mean nobody. */
  readonly toCandidate: (entry: string) => Candidate | undefined;
};

/** Whether the groups of a rule can be filled. */
export type Filling = {
  /** Why nobody's request can ever be approved; undefined where somebody's can. */
  readonly never: string | undefined;
  /**
   * Those of its own approvers, or of the requesters whom it names, whose requests nobody could
   * approve, because they may not approve them themselves.
   */
  readonly lone: readonly string[];
};

/** Somebody who may approve, and where. */
type Seat = {
  readonly entry: string;
  readonly who: Candidate;
  readonly groups: ReadonlySet<string>;
};

/** All who could approve in some group, each person once. */
function seatsOf(
  groups: readonly ApprovalGroup[],
  { people, toCandidate }: Candidates,
): readonly Seat[] {
  const found = groups.flatMap(({ name, from, bot, need }) =>
    from.flatMap((entry): Seat[] => {
      const who = toCandidate(entry);
      if (who === undefined || (who.isBot && !bot)) return [];
      return Array.from({ length: who.isMany ? need : 1 }, () => ({
        entry,
        who,
        groups: new Set([name]),
      }));
    }),
  );
  const ones = found.filter(({ who }) => !who.isMany);
  const persons = firstOfEachPerson(
    people,
    ones.map(({ who }) => who),
  );
  const single = persons.flatMap((who): Seat[] => {
    const theirs = ones.filter((seat) => isOnePerson(people, seat.who, who));
    const [first] = theirs;
    if (first === undefined) return [];
    const { entry } = first;
    return [{ entry, who, groups: new Set(theirs.flatMap((seat) => Array.from(seat.groups))) }];
  });
  return [...single, ...found.filter(({ who }) => who.isMany)];
}

/** Counts as if all approved who may. Persons go first, for bots alone may not suffice. */
function countAll(rule: ApprovalRule, groups: readonly ApprovalGroup[], seats: readonly Seat[]) {
  const votes = seats.map((seat) => ({ of: seat, groups: seat.groups, isBot: seat.who.isBot }));
  return tallyVotes(rule, groups, [
    ...votes.filter(({ isBot }) => !isBot),
    ...votes.filter(({ isBot }) => isBot),
  ]);
}

function toWords({ needs }: Tally<unknown>): string {
  const short = needs.find(({ have, need }) => have < need);
  if (short === undefined) return 'only bots could approve, who alone never suffice';
  const { group, have, need } = short;
  return (
    `group ${group} wants ${need}, and can have ${have} at most: each person counts once, in one ` +
    'group, and never for what they asked for themselves'
  );
}

/** Whether a rule may approve somebody's requests by itself. */
function mayPassAlone({ auto_approve: auto, require, start }: ApprovalRule, name: string): boolean {
  return require === undefined && start !== 'first_use' && auto?.users?.includes(name) === true;
}

/**
 * Checks whether the groups of a rule can be filled at all, when everybody approves who may, those
 * included whom escalation adds.
 */
export function checkFilling(rule: ApprovalRule, candidates: Candidates): Filling {
  const { people, toCandidate } = candidates;
  const groups = groupsOf(rule, Number.POSITIVE_INFINITY);
  const seats = seatsOf(groups, candidates);

  function countWithout(requester: Candidate): Tally<Seat> {
    const others = seats.filter(({ who }) => who.isMany || !isOnePerson(people, who, requester));
    return countAll(rule, groups, others);
  }

  const whole = countAll(rule, groups, seats);
  if (!whole.isMet) return { never: toWords(whole), lone: [] };
  const named = rule.requesters?.users;
  // Whom patterns of principals mean is not known: it may be somebody who approves nothing.
  if (named === undefined && rule.requesters !== undefined) return { never: undefined, lone: [] };
  const asking =
    named ?? seats.filter(({ who }) => !who.isMany && !who.isBot).map(({ entry }) => entry);
  const left = asking.flatMap((entry) => {
    const requester = mayPassAlone(rule, entry) ? undefined : toCandidate(entry);
    const count = requester === undefined ? whole : countWithout(requester);
    return count.isMet ? [] : [{ entry, count }];
  });
  const [first] = left;
  if (named !== undefined && first !== undefined && left.length === named.length)
    return { never: toWords(first.count), lone: [] };
  return { never: undefined, lone: left.map(({ entry }) => entry) };
}
