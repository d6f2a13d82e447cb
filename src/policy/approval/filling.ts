import type { ApprovalRule } from '../documents/approval-policy.ts';
import type { Identity, People } from './person.ts';
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
  /** What the person is known by; empty for one of any number of persons. */
  readonly keys: readonly string[];
  readonly isBot: boolean;
  readonly groups: ReadonlySet<string>;
};

/**
 * With more approvals than this it is not counted again without each requester, which would take
 * longer than the event loop may wait. No rule that people live by wants as many.
 */
const MOST_PLACES = 50;

/** All who could approve in some group, each person once. */
function seatsOf(
  groups: readonly ApprovalGroup[],
  { people, toCandidate }: Candidates,
): readonly Seat[] {
  const seats: (Seat & { readonly groups: Set<string> })[] = [];
  const known = new Map<string, (typeof seats)[number]>();
  for (const { name, from, bot, need } of groups) {
    for (const entry of from) {
      const who = toCandidate(entry);
      if (who === undefined || (who.isBot && !bot)) continue;
      const { isBot, isMany } = who;
      const keys = isMany ? [] : people.keysOf(who);
      const there = keys.map((key) => known.get(key)).find((seat) => seat !== undefined);
      there?.groups.add(name);
      if (there !== undefined) continue;
      for (let n = 0; n < (isMany ? need : 1); n += 1) {
        const seat = { entry, keys, isBot, groups: new Set([name]) };
        seats.push(seat);
        for (const key of keys) known.set(key, seat);
      }
    }
  }
  return seats;
}

function placesOf(groups: readonly ApprovalGroup[]): number {
  return groups.reduce((sum, { need }) => sum + need, 0);
}

/**
 * Leaves out those who can make no difference: of those who may approve in the same groups no more
 * count than there are places. A list may have hundreds of names.
 */
function trim(seats: readonly Seat[], places: number): readonly Seat[] {
  const sizes = new Map<string, number>();
  return seats.filter(({ groups, isBot }) => {
    const kind = JSON.stringify([isBot, ...groups]);
    const size = sizes.get(kind) ?? 0;
    sizes.set(kind, size + 1);
    return size < places;
  });
}

/** Counts as if all approved who may. Persons go first, for bots alone may not suffice. */
function countAll(rule: ApprovalRule, groups: readonly ApprovalGroup[], seats: readonly Seat[]) {
  const votes = trim(seats, placesOf(groups)).map((seat) => ({
    of: seat,
    groups: seat.groups,
    isBot: seat.isBot,
  }));
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

  const whole = countAll(rule, groups, seats);

  /** Who does not count is not missed. */
  function countWithout(requester: Candidate): Tally<Seat> {
    const keys = new Set(people.keysOf(requester));
    function isOther(seat: Seat): boolean {
      return !seat.keys.some((key) => keys.has(key));
    }
    return whole.counted.every(isOther) ? whole : countAll(rule, groups, seats.filter(isOther));
  }

  if (!whole.isMet) return { never: toWords(whole), lone: [] };
  const named = rule.requesters?.users;
  // Whom patterns of principals mean is not known: it may be somebody who approves nothing.
  const isUnknown = named === undefined && rule.requesters !== undefined;
  if (isUnknown || placesOf(groups) > MOST_PLACES) return { never: undefined, lone: [] };
  const counted = new Set(whole.counted.filter(({ keys, isBot }) => keys.length > 0 && !isBot));
  const asking = named ?? seats.filter((seat) => counted.has(seat)).map(({ entry }) => entry);
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
