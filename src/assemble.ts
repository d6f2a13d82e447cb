import type { Server } from 'node:http';
import { createAuditLog, writeToStdout, type WriteBytes } from './audit/log.ts';
import { createAwsClients, type AwsClients } from './aws/clients.ts';
import { createOwnAccount } from './aws/own-account.ts';
import { createCatalog, type Catalog } from './catalog/catalog.ts';
import { createCatalogLoader } from './catalog/load.ts';
import type { Snapshot } from './catalog/snapshot.ts';
import type { Config } from './config.ts';
import { createApp } from './http/app.ts';
import { createAuthenticate } from './http/authenticate.ts';
import { createHttpServer } from './http/server.ts';
import { MINUTE, systemClock, type Clock } from './lib/clock.ts';
import { createDynamoDbGuard } from './replay/dynamodb.ts';
import { createMemoryGuard } from './replay/memory.ts';
import { createLogger, describeError, type Logger } from './telemetry/logger.ts';
import { createAssumeRole } from './vend/assume-role.ts';
import { createVend } from './vend/vend.ts';

/** One TVM, put together and not yet listening. */
export type Tvm = {
  readonly server: Server;
  readonly catalog: Catalog;
  readonly logger: Logger;
  /** From now on `/healthz` refuses and connections end with their next answer. */
  readonly startDraining: () => void;
};

/** What a test may put in the place of the real thing. */
export type Overrides = {
  readonly clock?: Clock;
  readonly clients?: AwsClients;
  readonly writeAudit?: WriteBytes;
  readonly logger?: Logger;
};

/** A guard of one instance sees less, so what it guards lives shorter. */
const INSTANCE_WINDOW = 1 * MINUTE;

/** The composition root: the only place that constructs clients and stores and hands them to whoever needs them. */
export const assemble = (config: Config, overrides: Overrides = {}): Tvm => {
  const clock = overrides.clock ?? systemClock;
  const logger = overrides.logger ?? createLogger(config.logLevel);
  const clients = overrides.clients ?? createAwsClients(config);
  const onFault = (message: string) => (error: unknown) => logger.error({ error: describeError(error) }, message);
  let draining = false;

  const audit = createAuditLog(
    clock,
    overrides.writeAudit ?? writeToStdout,
    onFault('the audit log cannot be written'),
  );
  const where = config.endpoints.ssm ?? `AWS in ${config.region}`;
  const catalog = createCatalog({
    load: createCatalogLoader({
      ssm: clients.ssm,
      ownAccount: createOwnAccount(clients.sts),
      root: config.root,
      secretsRoot: config.secretsRoot,
      demoKeys: config.local,
      now: clock,
    }),
    clock,
    maxAge: config.catalogMaxAge,
    onLoad: (snapshot, previous) => reportCatalog(logger, snapshot, previous),
    onFault: onFault(`the documents cannot be read from ${where}; trying again`),
  });
  const instanceGuard = config.replayGuard === 'instance';
  const guard = instanceGuard
    ? createMemoryGuard(clock())
    : createDynamoDbGuard(clients.dynamodb, config.tables.guard, onFault('the replay guard cannot be written'));
  const app = createApp({
    authenticate: createAuthenticate({
      clock,
      region: config.region,
      window: instanceGuard ? Math.min(config.clockSkew, INSTANCE_WINDOW) : config.clockSkew,
      trustedHops: config.trustedHops,
      hosts: config.hosts,
      allowedAccounts: config.allowedAccounts,
      currentSnapshot: catalog.current,
      audit,
    }),
    vend: createVend({ clock, guard, assumeRole: createAssumeRole(clients.sts, onFault('AssumeRole failed')), audit }),
    clock,
    health: () => ({ draining, catalog: catalog.state() }),
    onBug: (error, requestId) => {
      const stack = error instanceof Error ? error.stack : undefined;
      logger.error(
        { error: describeError(error), stack, request_id: requestId },
        'a request ran into a bug of the server',
      );
    },
  });
  return {
    server: createHttpServer(app, () => draining),
    catalog,
    logger,
    startDraining: () => {
      draining = true;
    },
  };
};

/** Says what changed, once, not what is so at every refresh. */
const reportCatalog = (logger: Logger, snapshot: Snapshot, previous: Snapshot | undefined): void => {
  const known = new Set(previous?.rejections.map((rejection) => JSON.stringify(rejection)));
  for (const rejection of snapshot.rejections) {
    if (known.has(JSON.stringify(rejection))) continue;
    logger.error(
      rejection,
      `the document ${rejection.parameter} is broken and gives nobody anything until it is mended`,
    );
  }
  const counts = {
    profiles: snapshot.profiles.size,
    clients: snapshot.clients.size,
    rejected: snapshot.rejections.length,
  };
  if (previous === undefined) logger.info(counts, 'the documents are loaded');
  else logger.debug(counts, 'the documents are loaded again');
};
