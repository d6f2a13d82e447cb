import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toExtension } from '../../../src/actions/approvals/extend.ts';
import { approved } from '../../../src/approvals/request-changes.ts';
import type { AccessRequest, Wish } from '../../../src/approvals/request.ts';
import type { ApprovalRule } from '../../../src/policy/documents/approval-policy.ts';
import { pending } from '../../approvals/support.ts';

const NOW = Date.parse('2026-01-05T12:00:00Z');
const HOUR = 3_600;

function ruleOf(more: Partial<ApprovalRule>): ApprovalRule {
  return { name: 'rule', approvers: ['ben'], ...more };
}

/** An approved request. */
function grantedOf(seconds: number, more: Partial<Wish> = {}, now = NOW): AccessRequest {
  const request = pending({ seconds, ...more }, now);
  return approved(request, { reviews: [], digest: '', now, auto: false });
}

/** The extension of a request by as much as is asked for, approved; or why there is none. */
function extend(before: AccessRequest, rule: ApprovalRule, seconds: number, now: number) {
  const extension = toExtension(before, rule);
  if (!extension.ok) return extension.refusal;
  const { chain, longest } = extension.value;
  if (seconds > longest) return longest;
  return grantedOf(seconds, { chain, extends: before.id, root: before.root }, now);
}

describe('toExtension', () => {
  it('goes on where the time before ends, whenever that was approved', () => {
    const first = grantedOf(HOUR);
    const next = extend(first, ruleOf({ extend: { times: 1 } }), 600, NOW + 1_000);
    expect(next).toMatchObject({
      grant: { startsAt: NOW + 1_000, endsAt: NOW + 3_600_000 + 600_000 },
      chain: { startsAt: NOW, endsAt: NOW + 3_600_000, times: 1, used: 0 },
    });
  });

  it.each<readonly [what: string, request: AccessRequest, rule: ApprovalRule, why: string]>([
    ['whose rule has no `extend`', grantedOf(HOUR), ruleOf({}), 'extends-never'],
    [
      'whose time has not begun',
      grantedOf(HOUR, { start: 'first_use' }),
      ruleOf({ extend: { times: 1 } }),
      'extends',
    ],
    [
      'that was extended as often as may be',
      grantedOf(HOUR, { chain: { startsAt: NOW, endsAt: NOW, times: 2, used: 0 } }),
      ruleOf({ extend: { times: 2 } }),
      'extends-often',
    ],
    ['of eight hours', grantedOf(8 * HOUR), ruleOf({ extend: { times: 2 } }), 'extends-full'],
    [
      'that has used up what the rule allows',
      grantedOf(HOUR, { chain: { startsAt: NOW, endsAt: NOW, times: 1, used: 0 } }),
      ruleOf({ extend: { times: 2, max: HOUR } }),
      'extends-full',
    ],
  ])('refuses to extend a request %s', (_, request, rule, why) => {
    expect(toExtension(request, rule)).toEqual({ ok: false, refusal: why });
  });

  it('never allows more often, longer, or later than the rule, in any chain', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.option(fc.integer({ min: 900, max: 8 * HOUR }), { nil: undefined }),
        fc.integer({ min: 60, max: 8 * HOUR }),
        fc.array(fc.integer({ min: 60, max: 8 * HOUR }), { maxLength: 12 }),
        (times, max, first, asks) => {
          const rule = ruleOf({ extend: max === undefined ? { times } : { times, max } });
          let last = grantedOf(first);
          let extended = 0;
          let count = 0;
          for (const seconds of asks) {
            const next = extend(last, rule, seconds, last.grant?.startsAt ?? NOW);
            if (typeof next !== 'object') continue;
            [last, extended, count] = [next, extended + seconds, count + 1];
          }
          expect(count).toBeLessThanOrEqual(times);
          expect(extended).toBeLessThanOrEqual(max ?? 8 * HOUR);
          expect(last.grant?.endsAt).toBe(NOW + (first + extended) * 1_000);
          expect(last.grant?.endsAt).toBeLessThanOrEqual(NOW + 8 * HOUR * 1_000);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
