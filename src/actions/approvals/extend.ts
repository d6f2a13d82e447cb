import type { AccessRequest, Chain } from '../../approvals/request.ts';
import { APPROVAL_SECONDS } from '../../contract/bounds.ts';
import { SECOND } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { MAX_WINDOW_SECONDS, type ApprovalRule } from '../../policy/documents/approval-policy.ts';
import type { RequestField } from './refusal.ts';

/** What an approval can be extended by, and for how long at most, in seconds. */
export type Extension = { readonly chain: Chain; readonly longest: number };

/**
 * What an extension of a request in force goes on with, and how long it may be: by the rule, and so
 * that from the start of the first request to the end of the last there are never more than 8 h.
 * How often it was extended stands in the signed rows of the chain; two extensions of one request
 * add nothing to each other.
 */
export function toExtension(
  { grant, chain }: AccessRequest,
  rule: ApprovalRule,
): Result<Extension, RequestField> {
  const { extend, max_duration: longestAtOnce = MAX_WINDOW_SECONDS } = rule;
  // What has not begun yet has no end that could be later.
  if (grant?.startsAt === undefined || grant.endsAt === undefined) return refuse('extends');
  if (extend === undefined) return refuse('extends-never');
  const times = (chain?.times ?? 0) + 1;
  if (times > extend.times) return refuse('extends-often');
  const startsAt = chain?.startsAt ?? grant.startsAt;
  const used = chain === undefined ? 0 : chain.used + grant.seconds;
  const room = Math.floor((startsAt + MAX_WINDOW_SECONDS * SECOND - grant.endsAt) / SECOND);
  const longest = Math.min(longestAtOnce, (extend.max ?? MAX_WINDOW_SECONDS) - used, room);
  if (longest < APPROVAL_SECONDS.shortest) return refuse('extends-full');
  return ok({ chain: { startsAt, endsAt: grant.endsAt, times, used }, longest });
}
