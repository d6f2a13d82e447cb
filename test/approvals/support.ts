import { toDigest } from '../../src/approvals/digest.ts';
import type { AccessRequest, Party, Review, Wish } from '../../src/approvals/request.ts';
import { toRequest } from '../../src/approvals/request-changes.ts';
import { newHexId } from '../../src/lib/ids.ts';

export const NOW = Date.parse('2026-03-10T12:00:00Z');
export const HOUR = 3_600_000;

/** A registered key's owner. */
export function party(name: string, more: Partial<Party> = {}): Party {
  const principal = `sentinel:key/TVM${name.toUpperCase()}`;
  return {
    subject: principal,
    principal,
    name: `key/${name}`,
    account: '000000000000',
    uniqueId: undefined,
    ...more,
  };
}

export const ALICE = party('alice');
export const BOB = party('bob');

export const SHOWN =
  '{"profile":{"role_arn":"arn:aws:iam::000000000000:role/SentinelProtected-prod"}}';

/** A request of alice's for prod that nobody has decided. */
export function pending(more: Partial<Wish> = {}, now = NOW): AccessRequest {
  const id = newHexId();
  const wish: Wish = {
    requester: ALICE,
    profile: 'prod',
    seconds: 3_600,
    justification: 'deploy the release of today',
    ticket: undefined,
    start: 'approval',
    extends: undefined,
    chain: undefined,
    root: id,
    origin: 'request',
    seen: 0,
    ...more,
  };
  return toRequest(wish, { id, rule: 'prod', shown: SHOWN, now, life: 24 * HOUR });
}

/** A review of what was shown. */
export function review(reviewer: Party, more: Partial<Review> = {}): Review {
  return {
    reviewer,
    isBot: false,
    verdict: 'approve',
    groups: ['approvers'],
    digest: toDigest(SHOWN),
    seconds: undefined,
    comment: undefined,
    at: NOW,
    seen: 0,
    ...more,
  };
}
