import { SECOND } from '../lib/clock.ts';
import type { Logger } from './logger.ts';
import type { AwsCall } from './meter.ts';

/** So many calls in a row that did not end well are an outage; one alone may be anything. */
const FAILURES = 3;

/** What comes and goes all the time is told of so often at most. */
const PAUSE = 10 * SECOND;

type Service = { failures: number; failingSince: number | undefined; toldAt: number };

/**
 * Tells the log when a service of AWS stops answering and when it is back: faults themselves are logged where they are
 * met, but that they have ended is seen only here. A refused condition is an answer like any other.
 *
 * @param now the monotonic clock, in milliseconds
 */
export function createServiceWatch(
  logger: Pick<Logger, 'warn' | 'info'>,
  now: () => number = () => performance.now(),
): (call: Pick<AwsCall, 'service' | 'outcome'>) => void {
  const services = new Map<AwsCall['service'], Service>();

  return function watch({ service, outcome }) {
    const known = services.get(service) ?? { failures: 0, failingSince: undefined, toldAt: Number.NEGATIVE_INFINITY };
    services.set(service, known);
    if (outcome === 'ok' || outcome === 'refused') {
      const { failingSince } = known;
      known.failures = 0;
      if (failingSince === undefined) return;
      known.failingSince = undefined;
      const seconds = Math.round((now() - failingSince) / SECOND);
      logger.info({ service, seconds }, `${service} of AWS answers again, after ${seconds} s`);
      return;
    }
    known.failures += 1;
    if (known.failures < FAILURES || known.failingSince !== undefined || now() - known.toldAt < PAUSE) return;
    known.failingSince = now();
    known.toldAt = now();
    logger.warn(
      { service, outcome },
      `${service} of AWS does not answer as it should: ${FAILURES} calls in a row have failed`,
    );
  };
}
