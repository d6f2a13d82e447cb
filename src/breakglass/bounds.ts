import { DAY, SECOND } from '../lib/clock.ts';

/**
 * How long one call for an event or a ledger may take: somebody waits, and nothing is vended
 * without its answer.
 */
export const CALL_DEADLINE = 3 * SECOND;

/**
 * How long an event is kept after its end, and a use on record after it began: the longest that
 * rate rules count over.
 */
export const KEPT = 90 * DAY;
