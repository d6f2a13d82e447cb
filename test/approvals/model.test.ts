import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld, EVERYBODY, PROFILES, VARIANTS, type Command } from './model.ts';

/**
 * The state machine of requests, with actors that interleave, crashes, lost answers, and a writer
 * without the keys.
 */
const who = fc.constantFrom(...EVERYBODY);
const on = fc.nat(1);
const which = fc.nat(2);
const newest = fc.constantFrom(0, 0, 0, 1, 2);
const profile = fc.constantFrom(...PROFILES);

function command(
  what: Command['do'],
  fields: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<Command> {
  return fc.record({ do: fc.constant(what), ...fields }) as unknown as fc.Arbitrary<Command>;
}

const seconds = fc.option(fc.constantFrom(60, 600, 3_600), { nil: undefined });
const requester = fc.constantFrom('ann', 'ann', 'ann', 'anno', 'ann2', 'cid');
const fault = fc.oneof(
  { weight: 24, arbitrary: fc.constant('ok') },
  { weight: 1, arbitrary: fc.constantFrom('crash-before', 'crash-after', 'lost') },
);
const turn = command('turn', { which: fc.nat(5), fault });
const commands = fc.array(
  fc.oneof(
    { weight: 60, arbitrary: turn },
    { weight: 6, arbitrary: command('calm', {}) },
    { weight: 6, arbitrary: command('ask', { who: requester, on, profile }) },
    { weight: 14, arbitrary: command('vend', { who: requester, on, profile }) },
    { weight: 20, arbitrary: command('approve', { who, on, which: newest, seconds }) },
    {
      weight: 6,
      arbitrary: command('extend', { who: requester, on, which: newest, seconds }),
    },
    { weight: 1, arbitrary: command('deny', { who, on, which, seconds }) },
    { weight: 1, arbitrary: command('cancel', { who: requester, on, which, seconds }) },
    { weight: 1, arbitrary: command('end', { who, on, which, seconds }) },
    { weight: 1, arbitrary: command('revoke', { who, lift: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: command('learn', {
        on,
        variant: fc.option(fc.nat(VARIANTS.length - 1), { nil: undefined, freq: 2 }),
      }),
    },
    { weight: 1, arbitrary: command('put-back', { which, version: fc.nat(5) }) },
    {
      weight: 2,
      arbitrary: command('pass', {
        ms: fc.constantFrom(10, 10, 500, 500, 4_000, 11_000, 1_200_000),
      }),
    },
  ),
  { minLength: 120, maxLength: 260, size: 'max' },
);

/** Something that was approved, and an extension of it that was approved once of twice. */
const EXTENDED: readonly Command[] = [
  { do: 'ask', who: 'ann', on: 0, profile: 'pair' },
  { do: 'calm' },
  { do: 'approve', who: 'ben', on: 0, which: 0, seconds: undefined },
  { do: 'calm' },
  { do: 'approve', who: 'dot', on: 0, which: 0, seconds: undefined },
  { do: 'calm' },
  { do: 'extend', who: 'ann', on: 0, which: 0, seconds: 600 },
  { do: 'calm' },
  { do: 'approve', who: 'cid', on: 0, which: 0, seconds: undefined },
  { do: 'calm' },
];

const MIN_STEPS = 100_000;

describe('the actions of approvals', () => {
  it('never vend without the quorum, lose no acknowledged word, and revive nothing', async () => {
    const total = { steps: 0, vends: 0 };
    await fc.assert(
      fc.asyncProperty(commands, async (all) => {
        const world = createWorld();
        for (const one of all) await world.perform(one);
        await world.drain();
        total.steps += world.steps();
        total.vends += world.vends();
        expect(world.check()).toEqual([]);
      }),
      { numRuns: 1_000, endOnFailure: false },
    );
    expect(total.steps).toBeGreaterThanOrEqual(MIN_STEPS);
    // Something was vended, so that the promise means something.
    expect(total.vends).toBeGreaterThan(500);
  }, 120_000);

  it('keep all of that for extensions, which end with their chain', async () => {
    let extended = 0;
    await fc.assert(
      fc.asyncProperty(commands, async (all) => {
        const world = createWorld();
        for (const one of [...EXTENDED, ...all]) await world.perform(one);
        await world.drain();
        extended += world.extendedVends();
        expect(world.check()).toEqual([]);
      }),
      { numRuns: 500, endOnFailure: false },
    );
    expect(extended).toBeGreaterThan(200);
  }, 120_000);

  it('go from an ask to a vend where nothing fails', async () => {
    const world = createWorld();
    const story: readonly Command[] = [
      { do: 'ask', who: 'ann', on: 0, profile: 'pair' },
      { do: 'approve', who: 'ben', on: 1, which: 0, seconds: undefined },
      { do: 'vend', who: 'ann', on: 0, profile: 'pair' },
      { do: 'approve', who: 'cid', on: 0, which: 0, seconds: 600 },
      { do: 'vend', who: 'ann', on: 1, profile: 'pair' },
      { do: 'vend', who: 'ann2', on: 1, profile: 'pair' },
      { do: 'pass', ms: 600_000 },
      { do: 'vend', who: 'ann', on: 1, profile: 'pair' },
    ];
    const vends: number[] = [];
    for (const one of story) {
      await world.perform(one);
      await world.drain();
      vends.push(world.vends());
    }
    expect(vends).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(world.check()).toEqual([]);
  });
});
