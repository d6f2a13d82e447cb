import { describe, expect, it } from 'vitest';
import {
  closed,
  confirmed,
  endOf,
  expired,
  owesBlockingReview,
  reviewed,
  statusAt,
} from '../../src/breakglass/event.ts';
import { toEventItem, toEventRow } from '../../src/breakglass/row.ts';
import { signRow } from '../../src/lib/sealing.ts';
import { ALICE, BOB, KEYS, NOW, SEALING, TABLE, eventOf, valueOf } from './support.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const WAITING = { confirmWithin: 300 };

describe('an event', () => {
  it('is active until its end, and expired from then on', () => {
    const event = eventOf();
    expect([NOW, NOW + HOUR - 1, NOW + HOUR].map((now) => statusAt(event, now))).toEqual([
      'active',
      'active',
      'expired',
    ]);
    expect(expired(event, NOW + HOUR - 1)).toBeUndefined();
    expect(expired(event, NOW + HOUR)).toMatchObject({ status: 'expired', version: 2 });
  });

  it('ends when nobody confirms it in time', () => {
    const event = eventOf(WAITING);
    expect(endOf(event)).toBe(NOW + 5 * MINUTE);
    expect(statusAt(event, NOW + 5 * MINUTE)).toBe('expired');
    expect(endOf(eventOf({ confirmWithin: 7_200 })), 'a deadline behind its end').toBe(NOW + HOUR);
  });

  it('lasts to its end once it is confirmed', () => {
    const event = valueOf(confirmed(eventOf(WAITING), { by: BOB, at: NOW + MINUTE, seen: 9 }));
    expect(endOf(event)).toBe(NOW + HOUR);
    expect(event).toMatchObject({ version: 2, confirmed: { at: NOW + MINUTE, by: BOB } });
    expect(confirmed(event, { by: BOB, at: NOW + MINUTE, seen: 9 })).toEqual({
      ok: false,
      refusal: 'already',
    });
  });

  it('is not revived by a confirmation that comes late, or so that it may be written late', () => {
    const event = eventOf(WAITING);
    const over = { ok: false, refusal: 'over' };
    expect(confirmed(event, { by: BOB, at: NOW + 5 * MINUTE, seen: 9 })).toEqual(over);
    expect(confirmed(event, { by: BOB, at: NOW + 5 * MINUTE - 3 * SECOND, seen: 9 })).toEqual(over);
    expect(confirmed(event, { by: BOB, at: NOW + 5 * MINUTE - 3 * SECOND - 1, seen: 9 }).ok).toBe(
      true,
    );
    expect(
      confirmed(valueOf(closed(event, ALICE, 'done', NOW)), { by: BOB, at: NOW + 1, seen: 9 }),
    ).toEqual(over);
    expect(confirmed(eventOf(), { by: BOB, at: NOW, seen: 9 })).toEqual({
      ok: false,
      refusal: 'not-needed',
    });
  });

  it('is closed once, before its end', () => {
    const event = valueOf(closed(eventOf(), BOB, 'solved', NOW + MINUTE));
    expect(event).toMatchObject({
      status: 'closed',
      closed: { by: BOB, reason: 'solved', at: NOW + MINUTE },
    });
    expect(closed(event, BOB, 'again', NOW + MINUTE)).toEqual({ ok: false, refusal: 'over' });
    expect(closed(eventOf(), BOB, 'late', NOW + HOUR)).toEqual({ ok: false, refusal: 'over' });
  });

  it('is reviewed once, when it is over', () => {
    const event = eventOf({ reviewWithin: 3_600, overdueBlocks: true });
    expect(event.reviewBy).toBe(NOW + 2 * HOUR);
    expect(owesBlockingReview(event)).toBe(true);
    expect(reviewed(event, BOB, 'fine', NOW)).toEqual({ ok: false, refusal: 'active' });
    const done = valueOf(reviewed(event, BOB, 'fine', NOW + HOUR));
    expect(done).toMatchObject({ status: 'expired', reviewed: { by: BOB, comment: 'fine' } });
    expect(owesBlockingReview(done)).toBe(false);
    expect(reviewed(done, BOB, 'fine', NOW + HOUR)).toEqual({ ok: false, refusal: 'already' });
    const early = valueOf(closed(event, ALICE, 'done', NOW + MINUTE));
    expect(reviewed(early, BOB, 'fine', NOW + MINUTE)).toMatchObject({
      value: { status: 'closed' },
    });
  });

  it('owes no review as a drill', () => {
    const drill = eventOf({ drill: true, reviewWithin: 3_600, overdueBlocks: true });
    expect(drill.reviewBy).toBeUndefined();
    expect(owesBlockingReview(drill)).toBe(false);
  });
});

describe('the row of an event', () => {
  const event = eventOf({ ...WAITING, ticket: 'INC-1' });
  const item = toEventItem(event, TABLE, SEALING);
  function read(changed: typeof item, table = TABLE) {
    return toEventRow(changed, table, KEYS);
  }

  it('has the attributes of Sentinel', () => {
    expect(item).toMatchObject({
      id: { S: event.id },
      invoker: { S: 'key/alice' },
      profile: { S: 'prod' },
      reason_code: { S: 'incident' },
      duration: { N: '3600000000000' },
      status: { S: 'active' },
      created_at: { S: '2026-03-10T12:00:00.000Z' },
      expires_at: { S: '2026-03-10T12:05:00.000Z' },
      request_id: { S: event.id },
    });
    const over = valueOf(closed(event, BOB, 'solved', NOW + MINUTE));
    expect(toEventItem(over, TABLE, SEALING)).toMatchObject({
      status: { S: 'closed' },
      closed_by: { S: 'key/bob' },
      closed_reason: { S: 'solved' },
    });
  });

  it('is read as it was written', () => {
    expect(read(item)).toEqual({ genuine: true, event: JSON.parse(JSON.stringify(event)) });
  });

  it.each([
    ['another state', { state: { S: JSON.stringify({ ...event, endsAt: NOW + 9 * HOUR }) } }],
    ['another signature', { signature: { S: 'k.00' } }],
    ['no signature', { signature: { S: '' } }],
    ['another id', { id: { S: '0123456789abcdef' } }],
  ])('is not believed with %s', (_what, change) => {
    expect(read({ ...item, ...change })).toMatchObject({
      genuine: false,
      foreign: { status: 'active' },
    });
  });

  it('is not believed in another table', () => {
    expect(read(item, 'other')).toMatchObject({ genuine: false });
  });

  it('is closed by whoever writes so over it, and opened by nobody', () => {
    expect(read({ ...item, status: { S: 'closed' } })).toMatchObject({
      event: { status: 'closed' },
    });
    expect(read({ ...item, status: { S: 'expired' } })).toMatchObject({
      event: { status: 'expired' },
    });
    const over = toEventItem(valueOf(closed(event, BOB, 'solved', NOW)), TABLE, SEALING);
    expect(read({ ...over, status: { S: 'active' } })).toMatchObject({
      event: { status: 'closed' },
    });
  });

  it('never passes a drill for a use, and is over in the eyes of Sentinel’s programs', () => {
    const drill = eventOf({ drill: true });
    const row = toEventItem(drill, TABLE, SEALING);
    expect(row).toMatchObject({ status: { S: 'closed' }, closed_reason: { S: 'a drill' } });
    expect(read(row)).toMatchObject({ genuine: true, event: { drill: true, status: 'active' } });
    const state = JSON.stringify({ ...drill, drill: false });
    const signature = signRow(SEALING, 'break-glass drill', [TABLE, state]);
    expect(read({ ...row, state: { S: state }, signature: { S: signature } })).toMatchObject({
      genuine: false,
    });
  });

  it('stays until a review that is owed is done', () => {
    const owing = eventOf({ reviewWithin: 3_600, overdueBlocks: true });
    expect(toEventItem(owing, TABLE, SEALING)['ttl']).toBeUndefined();
    const done = valueOf(reviewed(owing, BOB, 'fine', NOW + HOUR));
    expect(toEventItem(done, TABLE, SEALING)['ttl']?.N).toBe(
      String((NOW + HOUR) / 1_000 + 90 * 86_400),
    );
  });

  it('is no event at all without a status of Sentinel', () => {
    expect(read({ id: { S: 'x' }, status: { S: 'open' } })).toBeUndefined();
  });
});
