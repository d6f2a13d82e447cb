import type { Server } from 'node:http';
import type { createApp } from '../http/app.ts';
import {
  METRICS_LIMITS,
  readDescriptorLimit,
  toConnectionLimits,
} from '../http/connection-limits.ts';
import { guardConnections } from '../http/connections.ts';
import { createWorkGate, WORK_LIMITS } from '../http/gate.ts';
import { createHttpServer, toAdapter } from '../http/server.ts';
import { createTurnedAway } from '../http/turned-away.ts';
import { mechanismNames } from '../identity/mechanisms.ts';
import type { Audit } from './audit.ts';
import type { Runtime } from './runtime.ts';

/** What the server tells and asks of the rest. */
type Life = { readonly isDraining: () => boolean; readonly onArrival: () => void };

/** Constructs the front door, and guards the connections of the metrics' port. */
export function assembleServer(
  {
    config,
    logger,
    meter,
    metricsServer,
  }: Runtime & { readonly metricsServer: Server | undefined },
  app: ReturnType<typeof createApp>,
  { refusals }: Audit,
  { isDraining, onArrival }: Life,
): Server {
  const onTurnedAway = createTurnedAway({ logger, meter, refusals });
  const server = createHttpServer(app, {
    isDraining,
    adapter: toAdapter(config),
    onArrival,
    onAnswer: meter.answered,
    // A proxy's address says nothing of who is behind it.
    connections: toConnectionLimits(
      readDescriptorLimit(),
      config.trustedHops === 0 && !config.onLambda,
    ),
    gate: createWorkGate(WORK_LIMITS),
    onTurnedAway,
  });
  if (metricsServer !== undefined) guardConnections(metricsServer, METRICS_LIMITS, onTurnedAway);
  const authenticators = mechanismNames(config.front?.kind, config.serverId);
  // Once it listens: a start that fails says one sentence, and nothing else.
  server.once('listening', () =>
    logger.info({ authenticators }, 'callers prove who they are in these ways'),
  );
  return server;
}
