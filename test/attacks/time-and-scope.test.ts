import { describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { amzDateOf } from '../support/sign.ts';
import { add, change, drop, fire, messageOf, refused, shot, useTvm, VENDED } from './support.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const INCOMPLETE = refused(400, 'IncompleteSignature');
const MISMATCH = refused(403, 'SignatureDoesNotMatch');

/** A whole second, at which the clock of the TVM stands unless a test moves it. */
const NOON = Math.floor(Date.now() / SECOND) * SECOND;
const clock = { now: NOON };

function at(ms: number) {
  return { amzDate: amzDateOf(NOON + ms) };
}

describe('the time of a signature', () => {
  const world = useTvm({ clock: () => clock.now });

  it.each([-5 * MINUTE, -1 * SECOND, 0, 1 * SECOND, 5 * MINUTE])(
    '33 is accepted %i ms from now',
    async (ms) => {
      const { tvm } = world;
      expect(await fire(tvm, shot(tvm, at(ms)))).toEqual(VENDED);
    },
  );

  it.each([-5 * MINUTE - SECOND, 5 * MINUTE + SECOND, -24 * 60 * MINUTE, 24 * 60 * MINUTE])(
    '33 is refused %i ms from now',
    async (ms) => {
      const { tvm } = world;
      expect(await fire(tvm, shot(tvm, at(ms)))).toEqual(MISMATCH);
    },
  );

  it("33 is refused in AWS's words", async () => {
    const { tvm } = world;
    const now = amzDateOf(NOON);
    const early = amzDateOf(NOON - 5 * MINUTE - SECOND);
    expect(await messageOf(tvm, shot(tvm, at(-5 * MINUTE - SECOND)))).toBe(
      `Signature expired: ${early} is now earlier than ${amzDateOf(NOON - 5 * MINUTE)} (${now} - 5 min.)`,
    );
    const late = amzDateOf(NOON + 5 * MINUTE + SECOND);
    expect(await messageOf(tvm, shot(tvm, at(5 * MINUTE + SECOND)))).toBe(
      `Signature not yet current: ${late} is still later than ${amzDateOf(NOON + 5 * MINUTE)} (${now} + 5 min.)`,
    );
  });

  it('33 is compared with the clock at each request', async () => {
    const { tvm } = world;
    clock.now = NOON + 5 * MINUTE;
    expect(await fire(tvm, shot(tvm, at(0)))).toEqual(VENDED);
    clock.now += 1;
    expect(await fire(tvm, shot(tvm, at(0)))).toEqual(MISMATCH);
    clock.now = NOON;
    expect(await fire(tvm, shot(tvm, at(0)))).toEqual(VENDED);
  });

  it('33 is refused with the Date by which SDKs correct their clocks', async () => {
    const { tvm } = world;
    const { headers } = await sendRaw(tvm.port, shot(tvm, at(60 * MINUTE)));
    expect(Math.abs(Date.parse(headers['date'] ?? '') - Date.now())).toBeLessThan(MINUTE);
  });

  it('36 is refused when the scope has another day than X-Amz-Date', async () => {
    const { tvm } = world;
    const day = 24 * 60 * MINUTE;
    for (const ms of [-day, day]) {
      const scopeDate = amzDateOf(NOON + ms).slice(0, 8);
      expect(await fire(tvm, shot(tvm, { ...at(0), scopeDate }))).toEqual(MISMATCH);
      expect(await messageOf(tvm, shot(tvm, { ...at(0), scopeDate }))).toBe(
        `Date in Credential scope does not match X-Amz-Date: '${scopeDate}' != '${amzDateOf(NOON).slice(0, 8)}'.`,
      );
    }
    expect(await fire(tvm, shot(tvm, { ...at(0), scopeDate: '00000000' }))).toEqual(MISMATCH);
  });
});

describe('SENTINEL_CLOCK_SKEW', () => {
  const world = useTvm({ clock: () => NOON, environment: { SENTINEL_CLOCK_SKEW: '90s' } });

  it('33 narrows the window', async () => {
    const { tvm } = world;
    for (const ms of [-90 * SECOND, 90 * SECOND])
      expect(await fire(tvm, shot(tvm, at(ms)))).toEqual(VENDED);
    for (const ms of [-91 * SECOND, 91 * SECOND])
      expect(await fire(tvm, shot(tvm, at(ms)))).toEqual(MISMATCH);
    expect(await messageOf(tvm, shot(tvm, at(-91 * SECOND)))).toContain('- 90 s.)');
  });
});

describe('the scope around midnight', () => {
  const midnight = Math.floor(NOON / 86_400_000) * 86_400_000;
  const world = useTvm({ clock: () => midnight });

  it('36 has the day of X-Amz-Date, not that of the clock', async () => {
    const { tvm } = world;
    const before = amzDateOf(midnight - 1 * SECOND);
    const after = amzDateOf(midnight);
    expect(await fire(tvm, shot(tvm, { amzDate: before }))).toEqual(VENDED);
    expect(await fire(tvm, shot(tvm, { amzDate: after }))).toEqual(VENDED);
    expect(await fire(tvm, shot(tvm, { amzDate: before, scopeDate: after.slice(0, 8) }))).toEqual(
      MISMATCH,
    );
    expect(await fire(tvm, shot(tvm, { amzDate: after, scopeDate: before.slice(0, 8) }))).toEqual(
      MISMATCH,
    );
  });
});

describe('dates and scopes of a signature', () => {
  const world = useTvm();

  it.each([
    '20261331T000000Z',
    '20260230T000000Z',
    '20260001T000000Z',
    '20260100T000000Z',
    '20260101T240000Z',
    '20260101T006000Z',
    '20260101T000060Z',
    '20260101T000000+0000',
    '20260101T000000z',
    '20260101t000000Z',
    '20260101000000',
    '20260101T000000',
    '20260101T000000Z,20260101T000000Z',
    '2026-01-01T00:00:00Z',
    'Thu, 01 Jan 2026 00:00:00 GMT',
    '1767225600',
    '',
  ])('34 are refused with X-Amz-Date: %s', async (amzDate) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { amzDate, scopeDate: '20260101' }))).toEqual(INCOMPLETE);
  });

  it('35 are judged by X-Amz-Date, not by Date', async () => {
    const { tvm } = world;
    const stale = new Date(Date.now() - 60 * MINUTE);
    expect(await fire(tvm, shot(tvm, { headers: { date: stale.toUTCString() } }))).toEqual(VENDED);
    expect(await fire(tvm, add(shot(tvm), 'date', stale.toUTCString()))).toEqual(VENDED);
    const fresh = { date: new Date().toUTCString() };
    expect(
      await fire(tvm, shot(tvm, { headers: fresh, amzDate: amzDateOf(stale.getTime()) })),
    ).toEqual(MISMATCH);
  });

  it('35 are refused with a Date header and no X-Amz-Date', async () => {
    const { tvm } = world;
    for (const date of [new Date().toUTCString(), amzDateOf(Date.now())]) {
      const dated = shot(tvm, { headers: { date }, signedHeaders: 'date;host;x-sentinel-nonce' });
      expect(await fire(tvm, drop(dated, 'x-amz-date'))).toEqual(INCOMPLETE);
    }
    const inQuery = `X-Amz-Date=${amzDateOf(Date.now())}&profile=dev`;
    const query = shot(tvm, { query: inQuery, signedHeaders: 'host;x-sentinel-nonce' });
    expect(await fire(tvm, drop(query, 'x-amz-date'))).toEqual(MISMATCH);
  });

  it.each([
    ['region', { region: 'eu-west-1' }],
    ['region, in upper case', { region: 'US-EAST-1' }],
    ['region, of all regions', { region: 'aws-global' }],
    ['service', { service: 'sts' }],
    ['service, in mixed case', { service: 'Execute-Api' }],
    ['terminator', { terminator: 'aws5_request' }],
    ['terminator, in upper case', { terminator: 'AWS4_REQUEST' }],
  ] as const)('37 are refused with another %s', async (_, scope) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
    expect(await fire(tvm, shot(tvm, scope))).toEqual(MISMATCH);
    expect(await messageOf(tvm, shot(tvm, scope))).toMatch(/^Credential should be scoped /u);
  });

  it('37 are refused with a scope that was changed after signing', async () => {
    const { tvm } = world;
    const foreign = shot(tvm, { region: 'eu-west-1' });
    expect(
      await fire(
        tvm,
        change(foreign, 'authorization', (value) => value.replace('eu-west-1', 'us-east-1')),
      ),
    ).toEqual(MISMATCH);
  });
});
