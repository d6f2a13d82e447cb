import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBreakGlass, type BreakGlassWorld, type Who } from '../support/break-glass.ts';

/** Five instances on one AWS: what one of them gives, none of the others gives again. */
const INSTANCES = 5;
let world: BreakGlassWorld;

beforeAll(async () => {
  world = await startBreakGlass({ instances: INSTANCES });
}, 60_000);

afterAll(() => world.stop());

/** Opens at the same moment on all instances, and counts the answers by their status. */
async function openAtOnce(
  profile: string,
  whos: readonly Who[],
): Promise<Readonly<Record<string, number>>> {
  const all = whos.flatMap((who) =>
    Array.from({ length: INSTANCES }, (_, on) => world.open(who, profile, {}, on)),
  );
  const answers = await Promise.all(all);
  const count: Record<string, number> = {};
  for (const { status } of answers) count[status] = (count[status] ?? 0) + 1;
  return count;
}

describe('POST /break-glass on five instances at once', () => {
  it.each(Array.from({ length: 6 }, (_, round) => round))(
    'never gives more than the quota of a person, of a profile, or within a cooldown (round %i)',
    async () => {
      const often = await openAtOnce('often', ['ann', 'amy']);
      expect(often['201'] ?? 0).toBeLessThanOrEqual(2);
      const shared = await openAtOnce('shared', ['ann', 'ben', 'cid']);
      expect(shared['201'] ?? 0).toBeLessThanOrEqual(2);
      const cool = await openAtOnce('cool', ['ann', 'ann2', 'amy']);
      expect(cool['201'] ?? 0).toBeLessThanOrEqual(1);
      // What is left of a quota, nobody gets later either.
      const [again, first, second] = await Promise.all([
        openAtOnce('often', ['ann2']),
        openAtOnce('shared', ['amy']),
        openAtOnce('cool', ['amy']),
      ]);
      expect((often['201'] ?? 0) + (again['201'] ?? 0)).toBeLessThanOrEqual(2);
      expect((shared['201'] ?? 0) + (first['201'] ?? 0)).toBeLessThanOrEqual(2);
      expect((cool['201'] ?? 0) + (second['201'] ?? 0)).toBeLessThanOrEqual(1);
      expect(
        Object.keys({ ...often, ...shared, ...cool }).filter(
          (status) => !['201', '429', '503'].includes(status),
        ),
      ).toEqual([]);
      world.pass(24 * 60 + 1);
    },
    60_000,
  );
});

describe('POST /break-glass/{id}/close', () => {
  it('on one instance ends vends on all others within a second', async () => {
    const id = await world.opened('ann', 'plain');
    const on = Array.from({ length: INSTANCES }, (_, n) => n);
    const before = await Promise.all(
      on.map((n) => world.vend('ann', 'plain', `session_label=l${n}&`, n)),
    );
    expect(before.map(({ status }) => status)).toEqual(on.map(() => 200));
    // Wherever the row is read, it is consistent, so it is over at once.
    expect((await world.close('ann', id, 2)).status).toBe(200);
    const after = await Promise.all(on.map((n) => world.vend('ann', 'plain', '', n)));
    expect(after.map(({ status }) => status)).toEqual(on.map(() => 403));
  });

  it('at the same moment by many closes once', async () => {
    const id = await world.opened('ann', 'plain');
    const path = `/break-glass/${id}/close`;
    const answers = await Promise.all(
      Array.from({ length: INSTANCES }, (_, on) =>
        world.send('ops', ['POST', path, { reason: `reason ${on}` }], on),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409, 409]);
    expect((await world.show('ann', id)).json).toMatchObject({ status: 'closed' });
  });
});

describe('POST /break-glass/{id}/confirm', () => {
  it('at the same moment by two counts once', async () => {
    const id = await world.opened('ann', 'two');
    const answers = await Promise.all([world.confirm('ben', id, 0), world.confirm('cid', id, 1)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  });
});
