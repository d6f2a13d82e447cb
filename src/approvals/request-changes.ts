import type { AccessRequest, Grant, Party, Review, Wish } from './request.ts';

/**
 * What can become of a request: each function makes the next writing of it, or the same one anew.
 */

/** An approved request may begin with its first use within this time. */
export const USE_WITHIN = 24 * 3_600_000;

function changed(
  request: AccessRequest,
  now: number,
  change: Partial<AccessRequest>,
): AccessRequest {
  return { ...request, ...change, version: request.version + 1, updatedAt: now };
}

/** Makes a request. */
export function toRequest(
  wish: Wish,
  made: {
    readonly id: string;
    readonly rule: string;
    readonly shown: string;
    readonly now: number;
    /** Milliseconds until it expires undecided. */
    readonly life: number;
  },
): AccessRequest {
  const { id, rule, shown, now, life } = made;
  return {
    ...wish,
    id,
    version: 1,
    rule,
    shown,
    status: 'pending',
    createdAt: now,
    updatedAt: now,
    expiresAt: now + life,
    reviews: [],
    grant: undefined,
    ended: undefined,
    untold: [],
  };
}

/** Adds a review. What the same reviewer said before it replaces. */
export function withReview(request: AccessRequest, review: Review, shown: string): AccessRequest {
  const others = request.reviews.filter(
    ({ reviewer }) => reviewer.subject !== review.reviewer.subject,
  );
  return changed(request, review.at, { reviews: [...others, review], shown });
}

/**
 * The same writing of a request, approved: its time is the shortest that was asked for or agreed to
 * by `reviews`.
 */
export function approved(
  request: AccessRequest,
  {
    reviews,
    digest,
    now,
    auto,
  }: { reviews: readonly Review[]; digest: string; now: number; auto: boolean },
): AccessRequest {
  const seconds = Math.min(
    request.seconds,
    ...reviews.map((review) => review.seconds ?? request.seconds),
  );
  const startsAt = request.start === 'approval' ? now : undefined;
  // What is extended is longer by so much, whenever that was approved.
  const from = request.chain?.endsAt ?? startsAt;
  const endsAt = from === undefined ? undefined : from + seconds * 1_000;
  const grant = {
    approvedAt: now,
    auto,
    digest,
    seconds,
    useBy: endsAt ?? now + USE_WITHIN,
    startsAt,
    endsAt,
  };
  return { ...request, status: 'approved', grant };
}

/** Sets the start of a grant that begins with its first use. */
export function started(request: AccessRequest, grant: Grant, now: number): AccessRequest {
  return changed(request, now, {
    grant: { ...grant, startsAt: now, endsAt: now + grant.seconds * 1_000 },
  });
}

/** The same writing of a request, denied. */
export function denied(
  request: AccessRequest,
  by: Party,
  reason: string,
  now: number,
): AccessRequest {
  return { ...request, status: 'denied', ended: { at: now, by, reason } };
}

/** A request that nobody decided in time. */
export function expired(request: AccessRequest, now: number): AccessRequest {
  return changed(request, now, { status: 'expired' });
}

/** A request that is withdrawn, or ended before its time. */
export function cancelled(
  request: AccessRequest,
  by: Party,
  reason: string,
  now: number,
): AccessRequest {
  return changed(request, now, { status: 'cancelled', ended: { at: now, by, reason } });
}

/** A pending request whose fields are replaced: it is another one for those who reviewed it. */
export function replaced(
  request: AccessRequest,
  fields: Pick<Wish, 'justification' | 'ticket' | 'seconds' | 'start' | 'origin'>,
  shown: string,
  now: number,
): AccessRequest {
  return changed(request, now, { ...fields, shown, reviews: [] });
}
