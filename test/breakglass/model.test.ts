import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld, tallied, type Command, type Fault } from './model.ts';

const MINUTE = 60_000;
const RUNS = 700;

const who = fc.constantFrom('alice', 'bob', 'olivia', 'olivia');
const invoker = fc.constantFrom('alice', 'also', 'bob', 'dora');
const profile = fc.constantFrom('p', 'p', 'q');
const which = fc.nat({ max: 3 });

const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('open'),
      who: invoker,
      profile,
      drill: fc.constantFrom(false, false, false, false, true),
      needs: fc.nat({ max: 1 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('vend'), who: invoker, profile }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('confirm', 'confirm', 'confirm', 'close', 'review', 'review', 'expire'),
      who,
      which,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('foreign'),
      what: fc.constantFrom('put-back', 'open', 'close', 'delete', 'copy'),
      which,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pass'),
      ms: fc.constantFrom(
        1_000,
        2_999,
        298_000,
        0.5 * MINUTE,
        2 * MINUTE,
        4 * MINUTE,
        5 * MINUTE,
        11 * MINUTE,
        45 * MINUTE,
      ),
    }),
  },
);

/** Two instances, and somebody to whom neither belongs: each does one thing after the other. */
const plans = fc.array(fc.array(commands, { minLength: 8, maxLength: 30 }), {
  minLength: 3,
  maxLength: 3,
});

/** Mostly nothing goes wrong, or nothing would come to be. */
const faults: fc.Arbitrary<readonly Fault[]> = fc.array(
  fc.oneof(
    { weight: 24, arbitrary: fc.constant('ok' as const) },
    { weight: 1, arbitrary: fc.constantFrom('crash' as const, 'lost' as const, 'twice' as const) },
  ),
  { minLength: 1, maxLength: 150 },
);

describe('break-glass, whatever happens in whatever order', () => {
  it('never gives more than its rules allow', async () => {
    let steps = 0;
    const property = fc.asyncProperty(
      fc.scheduler(),
      plans,
      faults,
      async (scheduler, plan, broken) => {
        const world = createWorld(() => scheduler.schedule(Promise.resolve()), broken);
        const running = plan.map(async (list) => {
          for (const command of list) {
            await scheduler.schedule(Promise.resolve());
            await world.run(command);
          }
        });
        await scheduler.waitFor(Promise.all(running));
        steps += world.clock.calls + plan.flat().length;
        expect(world.wrong).toEqual([]);
      },
    );
    await fc.assert(property, { numRuns: RUNS });
    expect(steps).toBeGreaterThan(100_000);
    for (const what of [
      'opened',
      'drill',
      'vended',
      'confirmed',
      'vended after a confirmation',
      'closed',
      'expired',
    ]) {
      expect(tallied.get(what), what).toBeGreaterThan(20);
    }
    for (const what of [
      'cooldown',
      'user-quota',
      'profile-quota',
      'review-overdue',
      'reviewed',
      'unconfirmed',
    ]) {
      expect(tallied.get(what), what).toBeGreaterThan(20);
    }
  }, 120_000);

  it('writes no confirmation after its deadline, however close to it somebody confirms', async () => {
    const moments = fc.constantFrom(295_000, 296_999, 297_000, 297_001, 298_500, 299_999, 300_000);
    const delays = fc.constantFrom(1, 1_500, 2_999, 3_000);
    const property = fc.asyncProperty(
      fc.scheduler(),
      moments,
      delays,
      async (scheduler, moment, delay) => {
        let isRacing = false;
        const world = createWorld(
          async () => void (isRacing && (await scheduler.schedule(Promise.resolve()))),
          [],
        );
        await world.run({ do: 'open', who: 'alice', profile: 'p', drill: false, needs: 1 });
        await world.run({ do: 'pass', ms: moment });
        isRacing = true;
        const racing: readonly Command[] = [
          { do: 'confirm', who: 'bob', which: 0 },
          { do: 'pass', ms: delay },
          { do: 'vend', who: 'alice', profile: 'p' },
          { do: 'vend', who: 'alice', profile: 'p' },
        ];
        const running = racing.map(async (command) => {
          await scheduler.schedule(Promise.resolve());
          await world.run(command);
        });
        await scheduler.waitFor(Promise.all(running));
        isRacing = false;
        await world.run({ do: 'vend', who: 'alice', profile: 'p' });
        expect(world.wrong).toEqual([]);
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });
});
