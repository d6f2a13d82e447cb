import { describe, expect, it } from 'vitest';
import { isLive, latestEnd, statusAt } from '../../src/approvals/request.ts';
import {
  approved,
  cancelled,
  replaced,
  started,
  USE_WITHIN,
  withReview,
} from '../../src/approvals/request-changes.ts';
import { ALICE, BOB, HOUR, NOW, party, pending, review, SHOWN } from './support.ts';

describe('a request', () => {
  it('expires when nobody decides it in time', () => {
    const request = pending();
    expect(statusAt(request, request.expiresAt - 1)).toBe('pending');
    expect(statusAt(request, request.expiresAt)).toBe('expired');
  });

  it('is not expired by time once it was approved', () => {
    const given = approved(pending(), { reviews: [], digest: 'd', now: NOW, auto: false });
    expect(statusAt(given, given.expiresAt)).toBe('approved');
  });

  it('keeps the last review of each reviewer', () => {
    const once = withReview(pending(), review(BOB, { verdict: 'deny' }), SHOWN);
    const twice = withReview(once, review(BOB, { at: NOW + 1 }), SHOWN);
    const both = withReview(twice, review(party('carol')), SHOWN);
    expect(twice.reviews.map(({ verdict }) => verdict)).toEqual(['approve']);
    expect(both.reviews).toHaveLength(2);
    expect(both.version).toBe(4);
  });

  it('loses its reviews when its fields are replaced', () => {
    const request = withReview(pending(), review(BOB), SHOWN);
    const other = {
      justification: 'something else',
      ticket: undefined,
      seconds: 60,
      start: 'approval',
      origin: 'vend',
    } as const;
    expect(replaced(request, other, SHOWN, NOW)).toMatchObject({
      reviews: [],
      seconds: 60,
      version: 3,
    });
  });
});

describe('a grant', () => {
  const reviews = [review(BOB, { seconds: 1_800 }), review(party('carol'), { seconds: 2_400 })];

  it('lasts the shortest time that was asked for or agreed to, from the approval', () => {
    const { grant } = approved(pending(), { reviews, digest: 'd', now: NOW, auto: false });
    expect(grant).toMatchObject({ seconds: 1_800, startsAt: NOW, endsAt: NOW + 1_800_000 });
  });

  it('is never longer than what was asked', () => {
    const longer = [review(BOB, { seconds: 7_200 })];
    expect(
      approved(pending(), { reviews: longer, digest: 'd', now: NOW, auto: false }).grant?.seconds,
    ).toBe(3_600);
  });

  it('is live to the millisecond before its end', () => {
    const { grant } = approved(pending(), { reviews, digest: 'd', now: NOW, auto: false });
    if (grant === undefined) throw new Error('no grant');
    expect(isLive(grant, NOW + 1_799_999)).toBe(true);
    expect(isLive(grant, NOW + 1_800_000)).toBe(false);
  });

  it('that begins with its first use waits for it a day, and then runs its time', () => {
    const given = approved(pending({ start: 'first_use' }), {
      reviews: [],
      digest: 'd',
      now: NOW,
      auto: false,
    });
    const { grant } = given;
    if (grant === undefined) throw new Error('no grant');
    expect(grant).toMatchObject({
      startsAt: undefined,
      endsAt: undefined,
      useBy: NOW + USE_WITHIN,
    });
    expect(isLive(grant, NOW + USE_WITHIN)).toBe(false);
    expect(latestEnd(grant)).toBe(NOW + USE_WITHIN + HOUR);
    const used = started(given, grant, NOW + HOUR);
    expect(used.grant).toMatchObject({ startsAt: NOW + HOUR, endsAt: NOW + 2 * HOUR });
    expect(used.version).toBe(given.version + 1);
  });

  it('is withdrawn with its request', () => {
    const given = approved(pending(), { reviews, digest: 'd', now: NOW, auto: false });
    expect(cancelled(given, ALICE, 'done', NOW)).toMatchObject({
      status: 'cancelled',
      ended: { reason: 'done' },
    });
  });
});
