import { SECOND } from '../lib/clock.ts';
import type { Logger } from './logger.ts';
import type { AwsCall } from './meter.ts';

/** Failed calls in a row that are reported as an outage; a single one has many causes. */
const FAILURES = 3;

/**
 * The least time between two reports of one service, so that one that comes and goes does not fill
 * the log.
 */
const PAUSE = 10 * SECOND;

type Service = { failures: number; failingSince: number | undefined; reportedAt: number };

/**
 * Logs when a service of AWS stops answering and when it is back. Single faults are logged where
 * they occur; only here it is seen that they have ended. A refused condition is an answer like any
 * other.
 *
 * @param now the monotonic clock, in milliseconds
 */
export function createServiceWatch(
  logger: Pick<Logger, 'warn' | 'info'>,
  now: () => number = () => performance.now(),
): (call: Pick<AwsCall, 'service' | 'outcome'>) => void {
  const services = new Map<AwsCall['service'], Service>();

  return function watch({ service, outcome }) {
    const known = services.get(service) ?? {
      failures: 0,
      failingSince: undefined,
      reportedAt: Number.NEGATIVE_INFINITY,
    };
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
    if (
      known.failures < FAILURES ||
      known.failingSince !== undefined ||
      now() - known.reportedAt < PAUSE
    )
      return;
    known.failingSince = now();
    known.reportedAt = now();
    logger.warn(
      { service, outcome },
      `${service} of AWS does not answer as it should: ${FAILURES} calls in a row have failed`,
    );
  };
}
