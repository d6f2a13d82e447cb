import { statusAt, type AccessRequest, type Review } from '../../approvals/request.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Documents } from './documents.ts';

/**
 * A pending request without the approvals of those who were revoked since, lifted or not, and of
 * keys that are not what they were: they count for nothing, so that whoever may approve by now may
 * do so again. Denials stay, for they only take away.
 */
export function withStanding(
  request: AccessRequest,
  documents: Documents,
  revocations: Pick<Revocations, 'wasRevokedAfter'>,
  now: number,
): AccessRequest {
  function stands({ reviewer, seen, verdict }: Review): boolean {
    if (verdict === 'deny') return true;
    return (
      documents.isStill(reviewer, now) &&
      !revocations.wasRevokedAfter(documents.toSubject(reviewer), seen)
    );
  }

  if (statusAt(request, now) !== 'pending') return request;
  return { ...request, reviews: request.reviews.filter(stands) };
}
