import { toDigest } from '../../approvals/digest.ts';
import type { AccessRequest, Wish } from '../../approvals/request.ts';
import { approved, replaced, toRequest } from '../../approvals/request-changes.ts';
import { SECOND } from '../../lib/clock.ts';
import type { SealingKey, SealingKeys } from '../../lib/sealing.ts';
import { isAutoApproved } from '../../policy/approval/rule.ts';
import type { ApprovalRule } from '../../policy/documents/approval-policy.ts';
import type { Documents } from './documents.ts';

/**
 * How long a request waits for its approvers, in seconds, unless the rule says otherwise:
 * Sentinel's.
 */
const USUAL_TTL = 24 * 3_600;

/** What is asked for, by a request that has no id yet. */
export type AskedWish = Omit<Wish, 'root'> & { readonly root: string | undefined };

/** A request that is to be made, and all that its making depends on. */
export type Ask = {
  /** Its root is undefined where it extends nothing. */
  readonly wish: AskedWish;
  readonly rule: ApprovalRule;
  readonly documents: Documents;
  readonly keys: SealingKeys;
  readonly sealing: SealingKey;
  /** Epoch milliseconds. */
  readonly now: number;
};

/**
 * The request as it begins: approved at once where the rule does that by itself; undefined where
 * the profile is gone.
 */
export function begin(asking: Ask, id: string): AccessRequest | undefined {
  const { wish, rule, documents, now } = asking;
  const whole: Wish = { ...wish, root: wish.root ?? id };
  const shown = documents.shownFor(id, whole, now);
  if (shown === undefined) return undefined;
  // An extension is approved before the end of what it extends, or not at all.
  const expiresAt = now + (rule.request_ttl ?? USUAL_TTL) * SECOND;
  const life = Math.min(expiresAt, wish.chain?.endsAt ?? expiresAt) - now;
  const request = toRequest(whole, { id, rule: rule.name, shown, now, life });
  return isAuto(asking) ? byRule(request, now) : request;
}

/** The next writing of a request, with the fields of whoever asks now. */
export function renew(before: AccessRequest, asking: Ask): AccessRequest | undefined {
  const { wish, documents, now } = asking;
  const { justification, ticket, seconds, start, origin } = wish;
  const fields = { justification, ticket, seconds, start, origin };
  const shown = documents.shownFor(before.id, { ...before, ...fields }, now);
  if (shown === undefined) return undefined;
  const request = replaced(before, fields, shown, now);
  return isAuto(asking) ? byRule(request, now) : request;
}

function isAuto({ wish, rule, documents, now }: Ask): boolean {
  const requester = documents.toApprover(wish.requester);
  const { seconds, ticket, extends: extended } = wish;
  return isAutoApproved(rule, { requester, seconds, ticket, extends: extended, now });
}

function byRule(request: AccessRequest, now: number): AccessRequest {
  return approved(request, { reviews: [], digest: toDigest(request.shown), now, auto: true });
}
