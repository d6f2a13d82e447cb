import type { Server } from 'node:http';
import { createAuditLog, writeToStdout, type WriteBytes } from './audit/log.ts';
import { isLocalEndpoint } from './aws/endpoint.ts';
import { createAwsClients, type AwsClients } from './aws/clients.ts';
import { createOwnAccount } from './aws/own-account.ts';
import { createCatalog, type Catalog } from './catalog/catalog.ts';
import { createCatalogLoader } from './catalog/load.ts';
import type { Snapshot } from './catalog/snapshot.ts';
import type { Config } from './config.ts';
import { createApp } from './http/app.ts';
import { createAuthenticate } from './http/authenticate.ts';
import { chooseAuthenticator, type Authenticators } from './http/authenticators.ts';
import { clientAddress } from './http/client-address.ts';
import { createHttpServer } from './http/server.ts';
import { switchedOff } from './identity/authenticator.ts';
import { createForwardedStsAuthenticator } from './identity/forwarded-sts.ts';
import { createLambdaAuthenticator, frontAddress } from './identity/lambda-context.ts';
import { createSignedRequestAuthenticator } from './identity/signed-request.ts';
import { createStsClient } from './identity/sts-call.ts';
import { MINUTE, systemClock, type Clock } from './lib/clock.ts';
import { createSourceLimit } from './limits/source-limit.ts';
import { createDynamoDbGuard } from './replay/dynamodb.ts';
import type { ReplayGuard } from './replay/guard.ts';
import { createMemoryGuard } from './replay/memory.ts';
import { stsHosts } from './sigv4/sts-hosts.ts';
import { createLogger, describeError, type Logger } from './telemetry/logger.ts';
import { createAssumeRole } from './vend/assume-role.ts';
import { createMint } from './vend/mint.ts';
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
      authenticatorFor: chooseAuthenticator(
        createAuthenticators(config, {
          clock,
          window: instanceGuard ? Math.min(config.clockSkew, INSTANCE_WINDOW) : config.clockSkew,
          guard,
          onFault: onFault('AWS STS could not be asked who signed'),
        }),
      ),
      addressOf: ({ head, incoming, lambdaContext }) =>
        config.front === undefined
          ? clientAddress(head.headers, incoming.socket.remoteAddress, config.trustedHops)
          : frontAddress(lambdaContext),
      hosts: config.hosts,
      currentSnapshot: catalog.current,
      audit,
    }),
    mint: createMint({ clock, guard, serverId: config.serverId, audit }),
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
  const server = createHttpServer(app, { isDraining: () => draining, behindFront: config.front !== undefined });
  // Once it listens: a start that fails says one sentence, and nothing else.
  server.once('listening', () =>
    logger.info({ authenticators: authenticatorNames(config) }, 'callers prove who they are in these ways'),
  );
  return {
    server,
    catalog,
    logger,
    startDraining: () => {
      draining = true;
    },
  };
};

type AuthenticatorParts = {
  readonly clock: Clock;
  readonly window: number;
  readonly guard: ReplayGuard;
  readonly onFault: (error: unknown) => void;
};

/** The ways of authenticating that the configuration switches on; nothing in a request changes them. */
const createAuthenticators = (
  config: Config,
  { clock, window, guard, onFault }: AuthenticatorParts,
): Authenticators => {
  const { region, serverId, front } = config;
  const { allowedAccounts, ssoAccounts, trustedSessionRoles } = config;
  const admission = { allowedAccounts, ssoAccounts, trustedSessionRoles };
  if (front !== undefined) {
    return { front: createLambdaAuthenticator({ front: front.kind, frontId: front.id, admission }) };
  }
  const signed = createSignedRequestAuthenticator({ clock, region, service: SERVICE, window, serverId, admission });
  if (serverId === undefined) return { signed, forwarded: switchedOff(NO_SERVER_ID) };
  const forwarded = createForwardedStsAuthenticator({
    clock,
    serverId,
    hosts: stsHosts(region, config.stsExtraRegions),
    window,
    admission,
    askSts: createStsClient(isLocalEndpoint(config.endpoints.sts) ? config.endpoints.sts : undefined),
    reserveLocally: createMemoryGuard(0).reserve,
    reserveForAll: guard.reserve,
    limit: createSourceLimit({ points: config.rateLimit.requests, window: config.rateLimit.window }),
    onFault,
  });
  return { signed, forwarded };
};

/** API Gateway's service name, which clients sign for: https://docs.aws.amazon.com/general/latest/gr/apigateway.html */
const SERVICE = 'execute-api';

const NO_SERVER_ID =
  'Forwarded STS is switched off here: its operator has set no SENTINEL_SERVER_ID. Sign with a key of this server.';

/** The names of what is switched on, for the start log. */
const authenticatorNames = ({ front, serverId }: Config): readonly string[] => {
  if (front !== undefined) return [front.kind];
  return ['registered-key', 'minted-key', ...(serverId === undefined ? [] : ['forwarded-sts'])];
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
