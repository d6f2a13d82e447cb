import type { Refusals } from '../audit/refusals.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Counted, Meter } from '../telemetry/meter.ts';
import { createTally } from './tally.ts';

/** The record of those who are answered 503 for want of room: one line counts them all. */
const OVERLOADED = {
  event: 'unavailable',
  error: 'overloaded',
  cause: 'overloaded',
  reason: 'there are more connections or requests than there is room for',
} as const;

const MESSAGE =
  'there are more connections or requests than there is room for; these were turned away';

type Options = {
  readonly logger: Logger;
  readonly meter: Meter;
  readonly refusals: Pick<Refusals, 'count'>;
};

/**
 * Makes what counts connections and requests that are turned away, in the log, the metrics and the
 * audit log.
 */
export function createTurnedAway({
  logger,
  meter,
  refusals,
}: Options): (what: Counted['turned_away']) => void {
  const countForLog = createTally<Counted['turned_away']>((counts) => logger.warn(counts, MESSAGE));

  function countTurnedAway(what: Counted['turned_away']): void {
    meter.count('turned_away', what);
    countForLog(what);
    // A connection that is closed got no answer, so there is nothing to record.
    if (what !== 'connection_closed') refusals.count(OVERLOADED);
  }

  return countTurnedAway;
}
