import { describe, expect, it } from 'vitest';
import { toldBy, toRequestEvent, withUntold } from '../../src/approvals/event.ts';
import type { AccessRequest } from '../../src/approvals/request.ts';
import {
  approved,
  cancelled,
  denied,
  expired,
  replaced,
  started,
  withReview,
} from '../../src/approvals/request-changes.ts';
import { ALICE, BOB, NOW, party, pending, review, SHOWN } from './support.ts';

const AT = NOW + 1_000;

function reviewedBy(
  request: AccessRequest,
  more: Parameters<typeof review>[1] = {},
): AccessRequest {
  return withReview(request, review(BOB, { at: AT, comment: 'looks right', ...more }), SHOWN);
}

function approvedNow(request: AccessRequest, auto = false): AccessRequest {
  return approved(request, { reviews: request.reviews, digest: 'd', now: request.updatedAt, auto });
}

const FIELDS = {
  justification: 'another',
  ticket: undefined,
  seconds: 60,
  start: 'approval',
  origin: 'request',
} as const;

describe('toldBy', () => {
  const given = approvedNow(reviewedBy(pending()));
  const firstUse = approvedNow(reviewedBy(pending({ start: 'first_use' })));

  it.each<readonly [string, AccessRequest, ReturnType<typeof toldBy>]>([
    [
      'created',
      pending(),
      { version: 1, type: 'request.created', at: NOW, actor: 'key/alice', comment: undefined },
    ],
    [
      'approved by its rule',
      approvedNow(pending(), true),
      { version: 1, type: 'request.approved', at: NOW, actor: undefined, comment: undefined },
    ],
    [
      'reviewed',
      reviewedBy(pending()),
      { version: 2, type: 'request.reviewed', at: AT, actor: 'key/bob', comment: 'looks right' },
    ],
    [
      'approved',
      given,
      { version: 2, type: 'request.approved', at: AT, actor: 'key/bob', comment: 'looks right' },
    ],
    [
      'denied',
      denied(reviewedBy(pending(), { verdict: 'deny', comment: 'not today' }), BOB, 'denied', AT),
      { version: 2, type: 'request.denied', at: AT, actor: 'key/bob', comment: 'not today' },
    ],
    [
      'cancelled',
      cancelled(pending(), ALICE, 'a mistake', AT),
      { version: 2, type: 'request.cancelled', at: AT, actor: 'key/alice', comment: 'a mistake' },
    ],
    [
      'cancelled after a review',
      cancelled(reviewedBy(pending()), ALICE, 'a mistake', AT + 1),
      {
        version: 3,
        type: 'request.cancelled',
        at: AT + 1,
        actor: 'key/alice',
        comment: 'a mistake',
      },
    ],
    [
      'ended',
      cancelled(given, party('olivia'), 'incident', AT + 1),
      { version: 3, type: 'request.ended', at: AT + 1, actor: 'key/olivia', comment: 'incident' },
    ],
    [
      'expired',
      expired(reviewedBy(pending()), AT + 1),
      { version: 3, type: 'request.expired', at: AT + 1, actor: undefined, comment: undefined },
    ],
    [
      'replaced, which is a new one to those who decide',
      replaced(reviewedBy(pending()), FIELDS, SHOWN, AT + 1),
      { version: 3, type: 'request.created', at: AT + 1, actor: 'key/alice', comment: undefined },
    ],
    [
      'used for the first time, which nobody is told of',
      started(firstUse, firstUse.grant!, AT + 1),
      undefined,
    ],
  ])('tells of a request that was %s', (_, request, told) => {
    expect(toldBy(request)).toEqual(told);
  });
});

describe('withUntold', () => {
  it('adds what a version tells to what was not sent before it, and forgets all that was sent', () => {
    const first = withUntold(pending(), true);
    const second = withUntold(reviewedBy(first), true);
    expect(second.untold.map(({ version, type }) => [version, type])).toEqual([
      [1, 'request.created'],
      [2, 'request.reviewed'],
    ]);
    expect(withUntold(second, false).untold).toEqual([]);
    expect(reviewedBy(withUntold(pending(), false)).untold).toEqual([]);
  });

  it('keeps the latest eight', () => {
    let request = pending();
    for (let n = 0; n < 20; n += 1) request = reviewedBy(withUntold(request, true), { at: AT + n });
    const versions = withUntold(request, true).untold.map(({ version }) => version);
    expect(versions).toEqual([14, 15, 16, 17, 18, 19, 20, 21]);
  });
});

describe('toRequestEvent', () => {
  it('tells until when an approved request can be used, and how long a pending one waits', () => {
    const request = pending();
    const created = toRequestEvent(request, toldBy(request)!);
    expect(created.matter).toMatchObject({
      status: 'pending',
      seconds: 3_600,
      endsAt: request.expiresAt,
    });
    const given = approvedNow(reviewedBy(request, { seconds: 900 }));
    expect(toRequestEvent(given, toldBy(given)!).matter).toMatchObject({
      status: 'approved',
      seconds: 900,
      endsAt: AT + 900_000,
      requester: 'key/alice',
      actor: 'key/bob',
    });
  });
});
