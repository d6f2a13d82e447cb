import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf, startBreakGlass, type BreakGlassWorld } from '../support/break-glass.ts';

/** What Sentinel does with break-glass, as a table; `†` where its Go code does something else. */
let world: BreakGlassWorld;

beforeEach(async () => {
  world = await startBreakGlass();
});

afterEach(() => world.stop());

/** Ends of vends, in seconds from now. */
async function secondsOf(profile: string, query = ''): Promise<number> {
  const answer = await world.vend('ann', profile, query);
  expect(answer.status, answer.body).toBe(200);
  return (Date.parse(String(answer.json['Expiration'])) - world.time.now) / 1_000;
}

const CLOSED = [403, 'PolicyRequiresApproval'];

type Case = readonly [name: string, run: () => Promise<void>];

const CASES: readonly Case[] = [
  [
    'active, not over, same profile: vends',
    async () => {
      await world.opened('ann', 'plain');
      expect((await world.vend('ann', 'plain')).status).toBe(200);
    },
  ],
  [
    '† never past an explicit deny',
    async () => {
      expect(outcomeOf(await world.open('ann', 'denied'))).toEqual([403, 'PolicyDenied']);
      expect(outcomeOf(await world.vend('ann', 'denied'))).toEqual([403, 'PolicyDenied']);
    },
  ],
  [
    'closed: no',
    async () => {
      await world.close('ann', await world.opened('ann', 'plain'));
      expect(outcomeOf(await world.vend('ann', 'plain'))).toEqual(CLOSED);
    },
  ],
  [
    'expired: no',
    async () => {
      await world.opened('ann', 'plain', { duration: 3_600 });
      world.pass(60);
      expect(outcomeOf(await world.vend('ann', 'plain'))).toEqual(CLOSED);
    },
  ],
  [
    'another profile: no',
    async () => {
      await world.opened('ann', 'plain');
      expect(outcomeOf(await world.vend('ann', 'other'))).toEqual(CLOSED);
    },
  ],
  [
    '† two hours left, nothing asked: 900 seconds',
    async () => {
      await world.opened('ann', 'plain', { duration: 7_200 });
      expect(await secondsOf('plain')).toBe(900);
      expect(world.assumed().get('DurationSeconds')).toBe('900');
      expect((await world.vend('ann', 'plain', 'duration=3600&')).status).toBe(200);
      expect(world.assumed().get('DurationSeconds')).toBe('3600');
    },
  ],
  [
    '† less than fifteen minutes left: the credentials end with the window',
    async () => {
      await world.opened('ann', 'plain', { duration: 3_600 });
      world.time.now += 3_600_000 - 61_000;
      expect(await secondsOf('plain')).toBe(61);
      expect(world.assumed().get('DurationSeconds')).toBe('900');
      const end = new Date(world.time.now + 61_000).toISOString().replace('.000', '');
      expect(world.assumed().get('Policy')).toContain(`"aws:CurrentTime":"${end}"`);
    },
  ],
  [
    '† no policy, no rule that matches: denied',
    async () => {
      expect(outcomeOf(await world.open('ann', 'bare'))).toEqual([403, 'PolicyDenied']);
      expect(outcomeOf(await world.open('eve', 'plain'))).toEqual([403, 'PolicyDenied']);
    },
  ],
  [
    'cooldown of an hour, last use 30 minutes ago: blocked, again in 30 minutes; after exactly an hour: open',
    async () => {
      await world.opened('ann', 'cool', { duration: 60 });
      world.pass(30);
      const blocked = await world.open('ann', 'cool');
      expect(outcomeOf(blocked)).toEqual([429, 'QuotaExceeded']);
      expect(blocked.headers['retry-after']).toBe('1800');
      // The other identity of the same person waits as long, another person does not.
      expect((await world.open('amy', 'cool')).status).toBe(429);
      expect((await world.open('ben', 'cool')).status).toBe(201);
      world.time.now += 30 * 60_000 - 1_000;
      expect((await world.open('ann', 'cool')).headers['retry-after']).toBe('1');
      world.time.now += 1_000;
      expect((await world.open('ann', 'cool')).status).toBe(201);
    },
  ],
  [
    'as many uses as the person may have: quota exceeded',
    async () => {
      await world.opened('ann', 'often');
      await world.opened('amy', 'often');
      for (const who of ['ann', 'amy'] as const) {
        const answer = await world.open(who, 'often');
        expect(outcomeOf(answer), answer.body).toEqual([429, 'QuotaExceeded']);
        expect(answer.headers['retry-after']).toBe(String(24 * 3_600));
      }
      expect((await world.open('ben', 'often')).status).toBe(201);
      expect((await world.open('ann', 'often', { drill: true })).status).toBe(201);
    },
  ],
  [
    'as many uses as the profile may have: quota exceeded for everybody',
    async () => {
      await world.opened('ann', 'shared');
      await world.opened('ben', 'shared');
      expect(outcomeOf(await world.open('cid', 'shared'))).toEqual([429, 'QuotaExceeded']);
      world.pass(24 * 60);
      expect((await world.open('cid', 'shared')).status).toBe(201);
    },
  ],
  [
    '† a threshold without a quota escalates',
    async () => {
      expect((await world.open('ann', 'loud')).json).not.toHaveProperty('escalated');
      expect((await world.open('ann', 'loud')).json).toMatchObject({ escalated: true });
      expect(world.tvm.audit.at(-1)).toMatchObject({ escalated: true });
    },
  ],
  [
    "† another profile's newest event hides nothing",
    async () => {
      await world.opened('ann', 'plain');
      world.pass(1);
      await world.opened('ann', 'other');
      expect((await world.vend('ann', 'plain')).status).toBe(200);
    },
  ],
  [
    '† an event that ended and was never closed blocks nothing',
    async () => {
      await world.opened('ann', 'plain', { duration: 60 });
      world.pass(2);
      expect((await world.open('ann', 'plain')).status).toBe(201);
      expect((await world.vend('ann', 'plain')).status).toBe(200);
    },
  ],
];

describe('break-glass, by the cases of Sentinel', () => {
  it.each(CASES)('%s', async (_, run) => {
    await run();
    expect(world.tvm.log()).not.toContain('bug');
  });
});
