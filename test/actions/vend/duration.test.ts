import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Caller } from '../../../src/identity/caller.ts';
import { decide } from '../../../src/actions/vend/decide.ts';
import { effectiveSeconds, keySecondsLeft } from '../../../src/actions/vend/duration.ts';
import { listProfiles } from '../../../src/actions/list-profiles.ts';
import { toVended } from '../../../src/actions/vend/plan.ts';
import { ALICE, NOON, planOf, requestOf, rule, snapshotOf } from '../support.ts';

describe('effectiveSeconds', () => {
  it.each([
    ['nothing asked', undefined, [], 900],
    ['an hour asked', 3600, [], 3600],
    ['cap 15m, asked 3600', 3600, [900], 900],
    ['cap 1h, nothing asked: the cap is no default', undefined, [3600], 900],
    ['two caps: the least counts', 3600, [1800, 1200], 1200],
    ['cap beyond the hour of role chaining', 3600, [43_200], 3600],
    ['cap below what STS gives', 900, [300], 300],
    ['cap of a minute, nothing asked', undefined, [60, undefined], 60],
  ])('%s', (_, asked, caps, expected) => {
    expect(effectiveSeconds(asked, caps)).toBe(expected);
  });

  it('never exceeds what is asked, a cap, or one hour', () => {
    const cap = fc.option(fc.integer({ min: 60, max: 90_000 }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 900, max: 3600 }), { nil: undefined }),
        fc.array(cap),
        (asked, caps) => {
          const seconds = effectiveSeconds(asked, caps);
          expect(Number.isInteger(seconds)).toBe(true);
          const limits = [asked ?? 900, 3600, ...caps.filter((one) => one !== undefined)];
          expect(seconds).toBe(Math.min(...limits));
        },
      ),
    );
  });
});

type Case = {
  readonly cap?: string;
  readonly profileCap?: string;
  readonly asked?: number;
  readonly caller?: Caller;
};

function planFor({ caller = ALICE, ...more }: Case) {
  const snapshot = snapshotOf({
    dev: {
      rules: [rule('allow', more.cap === undefined ? {} : { max_server_duration: more.cap })],
      profile: more.profileCap === undefined ? {} : { max_duration: more.profileCap },
    },
  });
  const { outcome } = decide(snapshot, caller, 'dev', NOON);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.refusal));
  const plan = planOf(requestOf({ caller, duration: more.asked }), outcome.value);
  if (!plan.ok) throw new Error(JSON.stringify(plan.refusal));
  return plan.value;
}

/** What STS would answer at noon. */
function assumedFor(seconds: number) {
  return {
    accessKeyId: 'A',
    secretAccessKey: 'S',
    sessionToken: 'T',
    expiration: NOON + seconds * 1000 + 400,
  };
}

describe('toPlan', () => {
  it.each([
    [{ cap: '15m', asked: 3600 }, 900],
    [{ cap: '1h' }, 900],
    [{ profileCap: '20m', asked: 3600 }, 1200],
    [{ cap: '30m', profileCap: '20m', asked: 3600 }, 1200],
    [{ cap: '12h', profileCap: '12h', asked: 3600 }, 3600],
  ])('%j asks STS for %i seconds and sends no policy', (more, seconds) => {
    const plan = planFor(more);
    expect(plan.input.DurationSeconds).toBe(seconds);
    expect(plan.seconds).toBe(seconds);
    expect(plan.input).not.toHaveProperty('Policy');
    expect(toVended(assumedFor(seconds), plan).expiration).toBe(NOON + seconds * 1000 + 400);
  });

  it.each([
    [{ cap: '1m' }, 60],
    [{ cap: '5m', asked: 3600 }, 300],
    [{ profileCap: '14m59s', asked: 900 }, 899],
    [{ cap: '10m', profileCap: '2m' }, 120],
  ])('%j asks STS for its minimum and ends at %i by the session policy', (more, seconds) => {
    const plan = planFor(more);
    expect(plan.input.DurationSeconds).toBe(900);
    const policy = JSON.parse(plan.input.Policy ?? '') as { readonly Statement: readonly object[] };
    const end = new Date(NOON + seconds * 1000).toISOString().replace('.000Z', 'Z');
    expect(policy.Statement).toContainEqual({
      Effect: 'Deny',
      Action: '*',
      Resource: '*',
      Condition: { DateGreaterThan: { 'aws:CurrentTime': end } },
    });
    expect(policy.Statement).toContainEqual({
      Effect: 'Deny',
      Action: 'sts:AssumeRole',
      Resource: '*',
    });
    expect(toVended(assumedFor(900), plan).expiration).toBe(NOON + seconds * 1000);
  });

  it('sends an end in the policy for 899 seconds, and none for 900', () => {
    expect(planFor({ cap: '900s' }).input.Policy).toBeUndefined();
    expect(planFor({ cap: '899s' }).input.Policy).toContain('aws:CurrentTime');
  });
});

/** Alice with a key that ends so many milliseconds after noon. */
function endingIn(ms: number, via: Caller['via'] = 'key'): Caller {
  return { ...ALICE, via, keyExpiresAt: NOON + ms };
}

function endOf(policy: string | undefined): string {
  return /"aws:CurrentTime":"([^"]*)"/u.exec(policy ?? '')?.[1] ?? 'no end in the policy';
}

describe('the life of credentials for a registered key', () => {
  it.each([
    [
      'less than STS gives',
      { left: 300_000, asked: undefined, seconds: 300, ofSts: 900, end: '2026-01-05T12:05:00Z' },
    ],
    [
      'a fraction of a second less than STS gives',
      { left: 899_999, asked: undefined, seconds: 899, ofSts: 900, end: '2026-01-05T12:14:59Z' },
    ],
    [
      'a fraction of a second more than was asked',
      { left: 900_999, asked: undefined, seconds: 900, ofSts: 900, end: '2026-01-05T12:15:00Z' },
    ],
    [
      'exactly what STS gives',
      { left: 900_000, asked: undefined, seconds: 900, ofSts: 900, end: '2026-01-05T12:15:00Z' },
    ],
    [
      'less than was asked',
      { left: 1_800_000, asked: 3600, seconds: 1800, ofSts: 1800, end: '2026-01-05T12:30:00Z' },
    ],
    [
      'as much as was asked',
      { left: 3_600_000, asked: 3600, seconds: 3600, ofSts: 3600, end: '2026-01-05T13:00:00Z' },
    ],
    [
      'more than is given',
      {
        left: 900_001_000,
        asked: undefined,
        seconds: 900,
        ofSts: 900,
        end: 'no end in the policy',
      },
    ],
    [
      'a second',
      { left: 1_000, asked: undefined, seconds: 1, ofSts: 900, end: '2026-01-05T12:00:01Z' },
    ],
    [
      'no whole second',
      { left: 999, asked: undefined, seconds: 0, ofSts: 900, end: '2026-01-05T12:00:00Z' },
    ],
  ])('ends with the key that has %s left', (_, { left, asked, seconds, ofSts, end }) => {
    const plan = planFor({ caller: endingIn(left), ...(asked === undefined ? {} : { asked }) });
    expect([plan.seconds, plan.input.DurationSeconds]).toEqual([seconds, ofSts]);
    expect(endOf(plan.input.Policy)).toBe(end);
    // STS answers 2.5 s late.
    const { expiration } = toVended(
      { ...assumedFor(ofSts), expiration: NOON + ofSts * 1000 + 2_500 },
      plan,
    );
    if (end !== 'no end in the policy') expect(expiration).toBeLessThanOrEqual(NOON + left);
  });

  it('ends earlier if policy says so', () => {
    expect(planFor({ caller: endingIn(300_000), cap: '1m' }).seconds).toBe(60);
    expect(planFor({ caller: endingIn(60_900), cap: '1m' })).toMatchObject({
      seconds: 60,
      endsAt: NOON + 60_000,
    });
    expect(planFor({ caller: endingIn(59_900), cap: '1m' })).toMatchObject({
      seconds: 59,
      endsAt: NOON + 59_900,
    });
    expect(planFor({ caller: endingIn(3_600_000), profileCap: '20m', asked: 3600 }).seconds).toBe(
      1200,
    );
  });

  it('never exceeds that of the key, whatever is asked and left', () => {
    const asked = fc.option(fc.integer({ min: 900, max: 3600 }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5_000_000 }),
        asked,
        fc.nat(8_000),
        (left, wanted, latency) => {
          const plan = planFor({
            caller: endingIn(left),
            ...(wanted === undefined ? {} : { asked: wanted }),
          });
          const ofSts = plan.input.DurationSeconds ?? 0;
          const { expiration } = toVended(
            { ...assumedFor(0), expiration: NOON + ofSts * 1000 + latency },
            plan,
          );
          const isShort = plan.seconds < (wanted ?? 900);
          if (isShort) expect(expiration).toBeLessThanOrEqual(NOON + left);
          else expect(plan.seconds * 1000).toBeLessThanOrEqual(left);
        },
      ),
    );
  });

  it.each(['minted-key', 'sts', 'lambda'] as const)(
    'does not end with the key of a caller by %s',
    (via) => {
      const plan = planFor({ caller: endingIn(60_000, via), asked: 3600 });
      expect([plan.seconds, plan.input.Policy]).toEqual([3600, undefined]);
      expect(keySecondsLeft(endingIn(60_000, via), NOON)).toBeUndefined();
    },
  );

  it('is what GET /profiles shows', () => {
    const snapshot = snapshotOf({ dev: { rules: [rule('allow')] } });
    expect(listProfiles(snapshot, ALICE, NOON)[0]?.maxSeconds).toBe(3600);
    expect(listProfiles(snapshot, endingIn(120_500), NOON)[0]?.maxSeconds).toBe(120);
    expect(listProfiles(snapshot, endingIn(120_500, 'minted-key'), NOON)[0]?.maxSeconds).toBe(3600);
  });
});
