import type { Server } from 'node:http';
import type { Catalog } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import { createReadinessWatch, LOOK, readinessOf, type Health } from '../http/readiness.ts';
import { SECOND } from '../lib/clock.ts';
import { SWEEP } from '../sessions/bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Readings } from '../telemetry/meter.ts';
import { assembleApp } from './app.ts';
import { assembleAudit } from './audit.ts';
import { assembleCatalog } from './catalog.ts';
import { assembleEvents } from './events.ts';
import { assembleRuntime, type Overrides } from './runtime.ts';
import { assembleServer } from './server.ts';
import {
  assembleAssumeRole,
  assembleHardRevocation,
  assembleRevocations,
  assembleSessions,
} from './sessions.ts';

export type { Overrides } from './runtime.ts';

/** One TVM, put together and not yet listening. */
export type Tvm = {
  readonly server: Server;
  /** What Prometheus asks; undefined where metrics are switched off, or are lines of the log. */
  readonly metricsServer: Server | undefined;
  readonly catalog: Catalog;
  readonly logger: Logger;
  /**
   * Reads documents and revocations until the signal ends it; resolves when both were tried once.
   */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /** From now on `/healthz` refuses and connections end with their next answer. */
  readonly startDraining: () => void;
  /** When the last request but for health checks came, on the clock of `performance.now`. */
  readonly lastArrival: () => number;
  /** Writes what is only in memory yet. Never resolves if the reader of stdout sleeps for good. */
  readonly flush: () => Promise<void>;
  /** How many lines of the audit log are not written, and are told of by no line that is. */
  readonly unwritten: () => number;
};

/**
 * The composition root: the only place that constructs clients and stores and hands them to whoever
 * needs them.
 */
export function assemble(config: Config, overrides: Overrides = {}): Tvm {
  let draining = false;
  let lastArrival = Number.NEGATIVE_INFINITY;
  const runtime = assembleRuntime(config, overrides, readings);
  const { logger, metricsServer } = runtime;
  const audit = assembleAudit(runtime, overrides);
  const catalog = assembleCatalog(runtime, overrides);
  const sessions = assembleSessions(runtime);
  const followed = assembleRevocations(runtime, catalog, sessions);
  const { revocations } = followed;
  const events = assembleEvents(runtime, catalog, followed.log);
  const { tracker, directory } = sessions;
  const assumeRole = assembleAssumeRole(runtime);
  const hardRevocation = assembleHardRevocation(runtime, followed, assumeRole);
  const app = assembleApp({
    runtime,
    audit,
    catalog,
    sessions,
    revocations,
    assumeRole,
    hardRevocation,
    events,
    health,
  });
  const server = assembleServer(runtime, app, audit, { isDraining: () => draining, onArrival });

  function health(): Health {
    return {
      draining,
      catalog: catalog.state(),
      revocations: revocations.state(),
      audit: audit.log.health(),
    };
  }

  function readings(): Readings {
    const state = health();
    const { hits, misses } = directory.counts();
    const { ageMs, inGrace } = state.revocations;
    return {
      catalogAge: state.catalog.ageSeconds,
      catalogRejected: state.catalog.rejected,
      revocationsAge: ageMs === undefined ? undefined : ageMs / SECOND,
      inGrace,
      draining,
      ready: readinessOf(state) !== 'unready',
      auditWritable: state.audit.writable,
      auditLost: state.audit.lost,
      sessions: tracker.size(),
      cacheHits: hits,
      cacheMisses: misses,
    };
  }

  function onArrival(): void {
    lastArrival = performance.now();
    // Where the process is frozen between requests no timer can be relied on.
    if (config.onLambda) events.dispatcher.onRequest();
  }

  async function reconcile(): Promise<void> {
    const snapshot = await catalog.current();
    if (snapshot !== undefined) await hardRevocation.reconcile(snapshot);
  }

  async function start(signal: AbortSignal): Promise<void> {
    repeat(
      () => {
        void tracker.sweep();
        void reconcile();
      },
      SWEEP,
      signal,
    );
    // Revocations after the keys: what was lifted is recognised by the keys' signatures.
    await catalog.start(signal);
    await revocations.start(signal);
    void reconcile();
    if (!config.onLambda) events.dispatcher.start(signal);
    const lookAtReadiness = createReadinessWatch(health, (sentence, isBetter) =>
      isBetter ? logger.info(sentence) : logger.warn(sentence),
    );
    lookAtReadiness();
    repeat(lookAtReadiness, LOOK, signal);
  }

  function startDraining(): void {
    draining = true;
  }

  async function flush(): Promise<void> {
    const writingSessions = tracker.flush();
    // Twice, for what found no room before the queue was written.
    for (let time = 0; time < 2; time += 1) {
      audit.refusals.flush();
      await audit.log.drained();
    }
    await writingSessions;
  }

  function unwritten(): number {
    return audit.log.unwritten() + audit.refusals.pending();
  }

  return {
    server,
    metricsServer,
    catalog,
    logger,
    start,
    startDraining,
    lastArrival: () => lastArrival,
    flush,
    unwritten,
  };
}

/** Runs a task in this period until the signal ends it. */
function repeat(task: () => void, period: number, signal: AbortSignal): void {
  const timer = setInterval(task, period).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
