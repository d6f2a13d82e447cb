import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/vend/decide.ts';
import { effectiveSeconds } from '../../src/vend/duration.ts';
import { toVended } from '../../src/vend/plan.ts';
import { ALICE, NOON, planOf, rule, snapshotOf } from './support.ts';

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

  it('never passes what is asked, a cap, or one hour', () => {
    const cap = fc.option(fc.integer({ min: 60, max: 90_000 }), { nil: undefined });
    fc.assert(
      fc.property(fc.option(fc.integer({ min: 900, max: 3600 }), { nil: undefined }), fc.array(cap), (asked, caps) => {
        const seconds = effectiveSeconds(asked, caps);
        expect(Number.isInteger(seconds)).toBe(true);
        const limits = [asked ?? 900, 3600, ...caps.filter((one) => one !== undefined)];
        expect(seconds).toBe(Math.min(...limits));
      }),
    );
  });
});

const planFor = (more: { readonly cap?: string; readonly profileCap?: string; readonly asked?: number }) => {
  const snapshot = snapshotOf({
    dev: {
      rules: [rule('allow', more.cap === undefined ? {} : { max_server_duration: more.cap })],
      profile: more.profileCap === undefined ? {} : { max_duration: more.profileCap },
    },
  });
  const { outcome } = decide(snapshot, ALICE, 'dev', NOON);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.refusal));
  const request = {
    caller: ALICE,
    replay: { key: 'k', signedAt: NOON, forgetAt: NOON },
    profile: 'dev',
    httpRequestId: 'r',
    ...(more.asked === undefined ? {} : { duration: more.asked }),
  };
  const plan = planOf(request, outcome.value);
  if (!plan.ok) throw new Error(JSON.stringify(plan.refusal));
  return plan.value;
};

/** What STS would answer at noon. */
const assumedFor = (seconds: number) => ({
  accessKeyId: 'A',
  secretAccessKey: 'S',
  sessionToken: 'T',
  expiration: NOON + seconds * 1000 + 400,
});

describe('a plan', () => {
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
  ])('%j asks STS for its 900 and ends at %i by the session policy', (more, seconds) => {
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
    expect(policy.Statement).toContainEqual({ Effect: 'Deny', Action: 'sts:AssumeRole', Resource: '*' });
    expect(toVended(assumedFor(900), plan).expiration).toBe(NOON + seconds * 1000);
  });

  it('at exactly 900 needs no end of ours, at 899 it does', () => {
    expect(planFor({ cap: '900s' }).input.Policy).toBeUndefined();
    expect(planFor({ cap: '899s' }).input.Policy).toContain('aws:CurrentTime');
  });
});
