import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignVotes, type Group, type Vote } from '../../../src/policy/approval/quorum.ts';

function votes(...groups: readonly (readonly string[])[]): readonly Vote<number>[] {
  return groups.map((names, of) => ({ of, groups: new Set(names) }));
}

/** The most votes that can count, by trying every way to place them. */
function mostByTrying(groups: readonly Group[], cast: readonly Vote<number>[]): number {
  const [first, ...rest] = cast;
  if (first === undefined) return 0;
  const ways = groups
    .filter(({ name, need }) => need > 0 && first.groups.has(name))
    .map(({ name }) =>
      mostByTrying(
        groups.map((group) => (group.name === name ? { ...group, need: group.need - 1 } : group)),
        rest,
      ),
    );
  return Math.max(mostByTrying(groups, rest), ...ways.map((count) => count + 1));
}

const NAMES = ['leads', 'security', 'owners'];

const groupLists = fc
  .uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) => fc.integer({ min: 1, max: 3 }).map((need): Group => ({ name, need }))),
    ),
  );

const voteLists = fc
  .array(fc.uniqueArray(fc.constantFrom(...NAMES)), { maxLength: 7 })
  .map((lists) => votes(...lists));

describe('assignVotes', () => {
  it('counts somebody of two groups where they are needed', () => {
    const groups = [
      { name: 'leads', need: 1 },
      { name: 'security', need: 1 },
    ];
    const { counted, isMet } = assignVotes(groups, votes(['leads', 'security'], ['leads']));
    expect(isMet).toBe(true);
    expect([...counted]).toEqual([
      ['leads', [1]],
      ['security', [0]],
    ]);
  });

  it('counts nobody twice', () => {
    const groups = [
      { name: 'leads', need: 1 },
      { name: 'security', need: 1 },
    ];
    expect(assignVotes(groups, votes(['leads', 'security'])).isMet).toBe(false);
  });

  it('is never met without groups', () => {
    expect(assignVotes([], votes(['leads'])).isMet).toBe(false);
  });

  it('is not met by votes of groups that there are not', () => {
    expect(assignVotes([{ name: 'leads', need: 1 }], votes(['others'])).isMet).toBe(false);
  });

  it('counts as many votes as any way to place them would', () => {
    fc.assert(
      fc.property(groupLists, voteLists, (groups, cast) => {
        const { counted, isMet } = assignVotes(groups, cast);
        const all = [...counted.values()].flat();
        expect(all).toHaveLength(mostByTrying(groups, cast));
        expect(new Set(all).size).toBe(all.length);
        for (const { name, need } of groups) {
          const here = counted.get(name) ?? [];
          expect(here.length).toBeLessThanOrEqual(need);
          for (const of of here) expect(cast[of]?.groups.has(name)).toBe(true);
        }
        expect(isMet).toBe(groups.every(({ name, need }) => counted.get(name)?.length === need));
      }),
      { numRuns: 500 },
    );
  });

  it('comes to the same number whatever the order of the votes', () => {
    fc.assert(
      fc.property(groupLists, voteLists, (groups, cast) => {
        function count(list: readonly Vote<number>[]): number {
          return [...assignVotes(groups, list).counted.values()].flat().length;
        }
        expect(count(cast.toReversed())).toBe(count(cast));
      }),
    );
  });
});
