import { SECOND } from '../../lib/clock.ts';
import type { LabelsFull } from '../../sessions/label-places.ts';
import { unavailable, type VendRefusal } from '../refusal.ts';
import type { AssumeRoleFault } from './assume-role.ts';
import type { Basis } from './plan.ts';
import type { Failure } from './record.ts';

/** A vend that may not be, with what more its record says. */
export function denied(refusal: Failure['refusal'], more: Partial<Failure> = {}): Failure {
  return { ...more, refusal, outcome: 'denied' };
}

/** A vend that could not be, with what more its record says. */
export function failed(refusal: Failure['refusal'], more: Partial<Failure> = {}): Failure {
  return { ...more, refusal, outcome: 'failed' };
}

/** What is not available where that which a vend rests on cannot be used. */
export function outageOf({ kind }: Basis) {
  return unavailable(kind === 'approval' ? 'approvals' : 'break_glass');
}

/** Too many labels; `now` in epoch milliseconds. */
export function toLabelsRefusal(
  { most, until }: LabelsFull,
  profile: string,
  now: number,
): VendRefusal {
  const retryAfterSeconds = Math.max(1, Math.ceil((until - now) / SECOND));
  return { kind: 'labels-full', profile, most, until, retryAfterSeconds };
}

/** A vend of which AssumeRole made nothing. */
export function toUpstreamFailure({ kind, code }: AssumeRoleFault, profile: string): Failure {
  return failed(toUpstreamRefusal(kind, profile), { upstream_code: code });
}

function toUpstreamRefusal(kind: AssumeRoleFault['kind'], profile: string): VendRefusal {
  switch (kind) {
    case 'throttled':
      return { kind: 'upstream-throttled' };
    case 'misconfigured':
      return { kind: 'misconfigured', profile };
    case 'unavailable':
      return unavailable('sts');
  }
}
