import { SECOND } from '../lib/clock.ts';

/** Beyond it no grant is made or used: its end would be another one here than at AWS. */
const MAX_SKEW = 30 * SECOND;

/** Milliseconds by which the machine's clock is ahead of AWS's; undefined while that is unknown. */
export type Skew = () => number | undefined;

/** Whether the machine's clock differs so much from AWS's that nothing may rest on it. */
export function isClockOff(skew: Skew): boolean {
  return Math.abs(skew() ?? 0) > MAX_SKEW;
}
