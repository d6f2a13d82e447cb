import type { Rate } from '../actions/admit.ts';

/**
 * What an answer says of its caller's rate.
 * The draft of the IETF: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */
export function toRateHeaders({ requests, windowSeconds, left, resetSeconds }: Rate) {
  return {
    'ratelimit-policy': `"caller";q=${requests};w=${windowSeconds}`,
    ratelimit: `"caller";r=${left};t=${resetSeconds}`,
  };
}
