import type { Server } from 'node:http';
import { createAwsClients, type AwsClients } from '../aws/clients.ts';
import { createServerDate } from '../aws/server-date.ts';
import type { WriteBytes } from '../audit/log.ts';
import type { Config } from '../config/config.ts';
import { SERVER_OPTIONS } from '../http/connections.ts';
import { createThawClock, monotonicClock, systemClock, type Clock } from '../lib/clock.ts';
import { createEmfMeter } from '../telemetry/emf.ts';
import { createLogger, describeError, type Logger } from '../telemetry/logger.ts';
import { silentMeter, type Meter, type Readings } from '../telemetry/meter.ts';
import { createMetricsServer } from '../telemetry/metrics-server.ts';
import { createPrometheusMeter } from '../telemetry/prometheus.ts';
import { createServiceWatch } from '../telemetry/service-watch.ts';

/** What a test may put in the place of the real thing. */
export type Overrides = {
  readonly clock?: Clock;
  /** What ages and pauses are measured with. */
  readonly monotonic?: Clock;
  readonly clients?: AwsClients;
  readonly writeAudit?: WriteBytes;
  readonly logger?: Logger;
  /**
   * Told, in a sentence, that the tables were used under another SENTINEL_BARE_NAMES: the process
   * must end.
   */
  readonly onMismatch?: (sentence: string) => void;
  /** Where the lines of metrics go on AWS Lambda. */
  readonly writeMetrics?: (line: string) => void;
};

/** Makes a reporter of faults: each is one line of the log, with the message given here. */
export type OnFault = (message: string) => (error: unknown) => void;

/** What every subsystem is given. */
export type Runtime = {
  readonly config: Config;
  readonly clock: Clock;
  readonly monotonic: Clock;
  readonly logger: Logger;
  readonly onFault: OnFault;
  readonly meter: Meter;
  readonly clients: AwsClients;
  /**
   * Milliseconds by which the machine's clock is ahead of AWS's; undefined while that is unknown.
   */
  readonly skew: () => number | undefined;
};

/**
 * Constructs what every subsystem is given.
 *
 * @param read gives the metrics that are looked up when somebody asks for them
 */
export function assembleRuntime(
  config: Config,
  overrides: Overrides,
  read: () => Readings,
): Runtime & { readonly metricsServer: Server | undefined } {
  const clock = overrides.clock ?? systemClock;
  const monotonic = overrides.monotonic ?? (config.onLambda ? createThawClock() : monotonicClock);
  const logger = overrides.logger ?? createLogger(config.logLevel, undefined, config.logLevelStyle);
  const { meter, metricsServer } = createMetrics(config, overrides, read);
  const watchService = createServiceWatch(logger);
  const { note, skew } = createServerDate();
  const clients =
    overrides.clients ??
    createAwsClients(
      config,
      (call) => {
        meter.called(call);
        watchService(call);
      },
      note,
    );

  function onFault(message: string) {
    return (error: unknown) => logger.error({ error: describeError(error) }, message);
  }

  return { config, clock, monotonic, logger, onFault, meter, clients, skew, metricsServer };
}

function writeToStderr(line: string): void {
  process.stderr.write(line);
}

/**
 * Metrics leave as lines of the log on AWS Lambda, else through a port of their own, or not at all.
 */
function createMetrics(
  { metricsPort, onLambda, region }: Config,
  { clock: now = systemClock, writeMetrics: write = writeToStderr }: Overrides,
  read: () => Readings,
): { readonly meter: Meter; readonly metricsServer: Server | undefined } {
  if (onLambda) {
    return { meter: createEmfMeter({ region, now, write }, read), metricsServer: undefined };
  }
  if (metricsPort === undefined) return { meter: silentMeter, metricsServer: undefined };
  const meter = createPrometheusMeter(region, read);
  return { meter, metricsServer: createMetricsServer(meter, SERVER_OPTIONS) };
}
