import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuditLog, writeToStdout, type WriteBytes } from '../audit/log.ts';
import { countRecord, meterAuditLog } from '../audit/metered.ts';
import { createRefusals } from '../audit/refusals.ts';
import { isLocalEndpoint } from '../aws/endpoint.ts';
import { createAwsClients, type AwsClients } from '../aws/clients.ts';
import { createOwnIdentity } from '../aws/own-identity.ts';
import { createRolePolicies } from '../aws/role-policy.ts';
import { createCatalog, type Catalog } from '../catalog/catalog.ts';
import { createCatalogLoader } from '../catalog/load.ts';
import { createNamesSetting } from '../catalog/names-setting.ts';
import { createVendedRoles } from '../catalog/vended-roles.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { Config } from '../config/config.ts';
import { createApp } from '../http/app.ts';
import { createAuthenticate } from '../http/authenticate.ts';
import { chooseAuthenticator, type Authenticators } from '../http/authenticators.ts';
import { clientAddress } from '../http/client-address.ts';
import { METRICS_LIMITS, readDescriptorLimit, toConnectionLimits } from '../http/connection-limits.ts';
import { guardConnections, SERVER_OPTIONS } from '../http/connections.ts';
import { createWorkGate, WORK_LIMITS } from '../http/gate.ts';
import { createReadinessWatch, readinessOf, type Health } from '../http/readiness.ts';
import { reasonOf } from '../http/refusal-words.ts';
import { createHttpServer } from '../http/server.ts';
import { createTally } from '../http/tally.ts';
import { switchedOff } from '../identity/authenticator.ts';
import { createForwardedStsAuthenticator } from '../identity/forwarded-sts.ts';
import { createLambdaAuthenticator, frontAddress } from '../identity/lambda-context.ts';
import { createSignedRequestAuthenticator } from '../identity/signed-request.ts';
import { createStsClient } from '../identity/sts-call.ts';
import { createThawClock, MINUTE, monotonicClock, SECOND, systemClock, type Clock } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import {
  createGraceCallerLimit,
  createMemoryCallerLimit,
  createSharedCallerLimit,
  type CallerLimit,
} from '../limits/caller-limit.ts';
import { createSourceLimit } from '../limits/source-limit.ts';
import { createDynamoDbGuard } from '../replay/dynamodb.ts';
import type { ReplayGuard } from '../replay/guard.ts';
import { createGraceGuard } from '../replay/grace.ts';
import { createKnownHereGuard } from '../replay/known-here.ts';
import { createMemoryGuard } from '../replay/memory.ts';
import { createSessionDirectory } from '../sessions/directory.ts';
import { createRevocations } from '../revocations/feed.ts';
import { createForeignRevocations } from '../revocations/sentinel-rows.ts';
import { createLease } from '../aws/lease.ts';
import { createOpenSession } from '../sessions/open-session.ts';
import { createRevocationLog } from '../revocations/log.ts';
import { createRevocationUpkeep } from '../revocations/upkeep.ts';
import { createSessionStore } from '../sessions/store.ts';
import { createSessionTracker } from '../sessions/tracker.ts';
import { stsHosts } from '../sigv4/sts-hosts.ts';
import { createEmfMeter } from '../telemetry/emf.ts';
import { createLogger, describeError, type Logger } from '../telemetry/logger.ts';
import { createServiceWatch } from '../telemetry/service-watch.ts';
import { silentMeter, timed, type Counted, type Meter, type Readings } from '../telemetry/meter.ts';
import { createMetricsServer } from '../telemetry/metrics-server.ts';
import { createPrometheusMeter } from '../telemetry/prometheus.ts';
import { createAssumeRole, meterAssumeRole } from '../actions/vend/assume-role.ts';
import { createHardRevocation } from '../actions/hard-revocation.ts';
import { createMint } from '../actions/mint-key.ts';
import { createAdmit } from '../actions/admit.ts';
import { createLift } from '../actions/lift.ts';
import { createListRevocations } from '../actions/list-revocations.ts';
import { createListSessions } from '../actions/list-sessions.ts';
import { createRevocationRecords } from '../actions/revocation-records.ts';
import { createRevoke } from '../actions/revoke.ts';
import { createShowSession } from '../actions/show-session.ts';
import { createSessionView } from '../actions/shown-session.ts';
import { createVend } from '../actions/vend/vend.ts';

/** One TVM, put together and not yet listening. */
export type Tvm = {
  readonly server: Server;
  /** What Prometheus asks; undefined where metrics are switched off, or are lines of the log. */
  readonly metricsServer: Server | undefined;
  readonly catalog: Catalog;
  readonly logger: Logger;
  /** Reads documents and revocations until the signal ends it; resolves when both were tried once. */
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

/** What a test may put in the place of the real thing. */
export type Overrides = {
  readonly clock?: Clock;
  /** What ages and pauses are measured with. */
  readonly monotonic?: Clock;
  readonly clients?: AwsClients;
  readonly writeAudit?: WriteBytes;
  readonly logger?: Logger;
  /** Told, in a sentence, that the tables were used under another SENTINEL_BARE_NAMES: the process must end. */
  readonly onMismatch?: (sentence: string) => void;
  /** Where the lines of metrics go on AWS Lambda. */
  readonly writeMetrics?: (line: string) => void;
};

/** A guard of one instance sees less, so what it guards lives shorter. */
const INSTANCE_WINDOW = 1 * MINUTE;

/** The composition root: the only place that constructs clients and stores and hands them to whoever needs them. */
export function assemble(config: Config, overrides: Overrides = {}): Tvm {
  const clock = overrides.clock ?? systemClock;
  const monotonic = overrides.monotonic ?? (config.onLambda ? createThawClock() : monotonicClock);
  const logger = overrides.logger ?? createLogger(config.logLevel, undefined, config.logLevelStyle);
  function onFault(message: string) {
    return (error: unknown) => logger.error({ error: describeError(error) }, message);
  }
  const { bareNames } = config;
  let draining = false;

  const countTurnedAway = createTally((counts) => logger.warn(counts, TURNED_AWAY));
  function onTurnedAway(what: Counted['turned_away']): void {
    meter.count('turned_away', what);
    countTurnedAway(what);
    if (what !== 'connection_closed') refusals.count(OVERLOADED);
  }
  const { meter, metricsServer } = createMetrics(config, overrides, () => {
    const [documents, list, { hits, misses }] = [catalog.state(), revocations.state(), directory.counts()];
    return {
      catalogAge: documents.ageSeconds,
      catalogRejected: documents.rejected,
      revocationsAge: list.ageMs === undefined ? undefined : list.ageMs / SECOND,
      inGrace: list.inGrace,
      draining,
      ready: readinessOf(health()) !== 'unready',
      auditWritable: audit.health().writable,
      auditLost: audit.health().lost,
      sessions: tracker.size(),
      cacheHits: hits,
      cacheMisses: misses,
    };
  });
  const watchService = createServiceWatch(logger);
  const clients =
    overrides.clients ??
    createAwsClients(config, (call) => {
      meter.called(call);
      watchService(call);
    });
  const auditLog = createAuditLog(
    clock,
    overrides.writeAudit ?? writeToStdout,
    onFault('the audit log cannot be written'),
  );
  const audit = meterAuditLog(auditLog, meter);
  const refusals = createRefusals({
    audit,
    clock,
    window: config.rateLimit.window,
    onCounted: (entry) => countRecord(meter, entry),
  });
  const where = config.endpoints.ssm ?? `AWS in ${config.region}`;
  const catalog = createCatalog({
    load: createCatalogLoader({
      ssm: clients.ssm,
      ownIdentity: createOwnIdentity(clients.sts),
      vendedRoles: createVendedRoles({
        client: clients.dynamodb,
        table: config.tables.guard,
        clock,
        onFault: onFault('the list of vended roles cannot be written'),
      }),
      confirmNames: createNamesSetting({
        client: clients.dynamodb,
        table: config.tables.guard,
        bareNames: config.bareNames,
        onMismatch: overrides.onMismatch ?? ((sentence) => logger.fatal(sentence)),
      }),
      root: config.root,
      secretsRoot: config.secretsRoot,
      demoKeys: config.local,
      names: config,
      maxAge: config.catalogMaxAge,
      now: monotonic,
    }),
    clock: monotonic,
    maxAge: config.catalogMaxAge,
    frozen: config.onLambda,
    onLoad: (snapshot, previous) => reportCatalog(logger, snapshot, previous),
    onFault: onFault(`the documents cannot be read from ${where}; trying again`),
  });
  function health(): Health {
    return {
      draining,
      catalog: catalog.state(),
      revocations: revocations.state(),
      audit: audit.health(),
    };
  }
  const rooms = createSessionRooms(config, clients, {
    clock,
    monotonic,
    onFault,
    sealingKeys: catalog.sealingKeys,
  });
  const { revocations, tracker, directory, store, lease } = rooms;
  const assumeRole = meterAssumeRole(createAssumeRole(clients.sts, onFault('AssumeRole failed')), meter);
  const hardRevocation = createHardRevocation({
    clock,
    monotonic,
    sleep,
    skew: config.clockSkew,
    readRevocations: async () => {
      await revocations.catchUp();
      return revocations.list();
    },
    assumeRole,
    rolePolicies: createRolePolicies(config.region, config.endpoints.iam),
    lease,
    onFault: onFault('the deny policy of a role cannot be written'),
  });
  async function reconcile(): Promise<void> {
    const snapshot = await catalog.current();
    if (snapshot !== undefined) await hardRevocation.reconcile(snapshot);
  }
  const onOperationFault = onFault('sessions and revocations cannot be read or written');
  const instanceGuard = config.replayGuard === 'instance';
  const guards = createGuards(config, clients, { clock, onFault, inGrace: revocations.inGrace });
  const guard = { reserve: timed(meter, 'guard', guards.ofVends.reserve) };
  const keyGuard = { reserve: timed(meter, 'guard', guards.ofKeys.reserve) };
  const changeGuard = { reserve: timed(meter, 'guard', guards.ofChanges.reserve) };
  const records = createRevocationRecords({ clock, guard: changeGuard, audit });
  const operation = { clock, revocations, hardRevocation, records, bareNames, onFault: onOperationFault };
  const view = createSessionView({ clock, revocations, audit, reasonOf, bareNames, onFault: onOperationFault });
  const app = createApp({
    authenticate: timed(
      meter,
      'authenticate',
      createAuthenticate({
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
        admission: createAdmit({
          currentSnapshot: catalog.current,
          revocations,
          callerLimit: createCallerLimit(config, clients, {
            clock,
            inGrace: revocations.inGrace,
            onFault: onFault('requests cannot be counted'),
          }),
          strangerLimit: createSourceLimit({
            points: config.rateLimit.requests * CALLERS_PER_SOURCE,
            window: config.rateLimit.window,
          }),
          refusals,
          reasonOf,
        }),
      }),
    ),
    mint: createMint({
      clock,
      guard: keyGuard,
      revocations,
      serverId: config.serverId,
      keyLife: config.keyLife,
      audit,
    }),
    vend: timed(
      meter,
      'vend',
      createVend({
        clock,
        guard,
        revocations,
        sessions: { use: timed(meter, 'session', tracker.use) },
        assumeRole,
        audit,
      }),
    ),
    ...createRevoke({ ...operation, store }),
    lift: createLift(operation),
    listRevocations: createListRevocations(revocations),
    listSessions: createListSessions({ directory, view, bareNames }),
    showSession: createShowSession({ directory, view }),
    clock,
    bareNames,
    names: config,
    health,
    onBug: (error, requestId) => {
      const stack = error instanceof Error ? error.stack : undefined;
      logger.error(
        { error: describeError(error), stack, http_request_id: requestId },
        'a request ran into a bug of the server',
      );
    },
  });
  let lastArrival = Number.NEGATIVE_INFINITY;
  const server = createHttpServer(app, {
    isDraining: () => draining,
    adapter: config.front !== undefined ? 'trusted' : config.onLambda ? 'dropped' : 'absent',
    onArrival: () => {
      lastArrival = performance.now();
    },
    onAnswer: meter.answered,
    // A proxy's address says nothing of who is behind it.
    connections: toConnectionLimits(readDescriptorLimit(), config.trustedHops === 0 && !config.onLambda),
    gate: createWorkGate(WORK_LIMITS),
    onTurnedAway,
  });
  if (metricsServer !== undefined) {
    guardConnections(metricsServer, METRICS_LIMITS, onTurnedAway);
  }
  // Once it listens: a start that fails says one sentence, and nothing else.
  server.once('listening', () =>
    logger.info({ authenticators: authenticatorNames(config) }, 'callers prove who they are in these ways'),
  );
  async function start(signal: AbortSignal): Promise<void> {
    const sweeping = setInterval(() => {
      void tracker.sweep();
      void reconcile();
    }, SWEEP).unref();
    signal.addEventListener('abort', () => clearInterval(sweeping), { once: true });
    // Revocations after the keys: what was lifted is recognised by the keys' signatures.
    await catalog.start(signal);
    await revocations.start(signal);
    void reconcile();
    const lookAtReadiness = createReadinessWatch(health, (sentence, isBetter) =>
      isBetter ? logger.info(sentence) : logger.warn(sentence),
    );
    lookAtReadiness();
    const looking = setInterval(lookAtReadiness, LOOK).unref();
    signal.addEventListener('abort', () => clearInterval(looking), { once: true });
  }

  function startDraining() {
    draining = true;
  }

  async function flush() {
    const writingSessions = tracker.flush();
    // Twice, for what found no room before the queue was written.
    for (let time = 0; time < 2; time += 1) {
      refusals.flush();
      await audit.drained();
    }
    await writingSessions;
  }

  function unwritten() {
    return audit.unwritten() + refusals.pending();
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

/** The record of those who are answered 503 because of it: one line counts them all. */
const OVERLOADED = {
  event: 'unavailable',
  error: 'overloaded',
  cause: 'overloaded',
  reason: 'there are more connections or requests than there is room for',
} as const;

const TURNED_AWAY = 'there are more connections or requests than there is room for; these were turned away';

/** How often it is looked whether readiness has changed, for the log. */
const LOOK = 1 * SECOND;

/** How often the ends of sessions are looked for, and how many sessions are kept in memory. */
const SWEEP = 1 * MINUTE;
const SESSIONS = 100_000;

/** Behind one address there may be an office, or a whole VPC. */
const CALLERS_PER_SOURCE = 10;

/** What is known of revocations may be so old, and not older, when something is vended. */
const STALENESS_BOUND = 3 * SECOND;
/** On AWS Lambda no timer brings it up to date, so requests do. */
const LAMBDA_BOUND = 1 * SECOND;

/** Metrics have one way out of each home, and none where they are switched off. */
function createMetrics(
  { metricsPort, onLambda, region }: Config,
  { clock: now = systemClock, writeMetrics: write = (line) => void process.stderr.write(line) }: Overrides,
  read: () => Readings,
): { readonly meter: Meter; readonly metricsServer: Server | undefined } {
  if (onLambda) return { meter: createEmfMeter({ region, now, write }, read), metricsServer: undefined };
  if (metricsPort === undefined) return { meter: silentMeter, metricsServer: undefined };
  const meter = createPrometheusMeter(region, read);
  return { meter, metricsServer: createMetricsServer(meter, SERVER_OPTIONS) };
}

type OnFault = (message: string) => (error: unknown) => void;

/** Sessions and revocations: what is known of them here, and what stands in the tables. */
function createSessionRooms(
  config: Config,
  { dynamodb, feed }: AwsClients,
  {
    clock,
    monotonic,
    onFault,
    sealingKeys,
  }: {
    readonly clock: Clock;
    readonly monotonic: Clock;
    readonly onFault: OnFault;
    readonly sealingKeys: () => SealingKeys;
  },
) {
  const { sessions, revocations: revocationTable, guard } = config.tables;
  const lease = createLease({ client: dynamodb, table: guard, clock, monotonic, sleep });
  const store = createSessionStore(dynamodb, { sessions, guard, instance: newHexId() });
  const directory = createSessionDirectory({
    client: dynamodb,
    table: sessions,
    store,
    clock,
    monotonic,
    capacity: SESSIONS,
    onFallback: onFault('lists of all sessions go by gsi-status: their table has no index gsi-shard'),
  });
  const tracker = createSessionTracker({
    store,
    openSession: createOpenSession(store),
    clock,
    life: config.sessionLife,
    capacity: SESSIONS,
    onOpen: directory.put,
    onFault: onFault('a session cannot be written to its table'),
  });
  const log = createRevocationLog({ client: feed, table: revocationTable, guard, sealingKeys, clock });
  const revocations = createRevocations({
    log,
    foreign: createForeignRevocations(feed, sessions),
    clock,
    monotonic,
    bound: config.onLambda ? LAMBDA_BOUND : STALENESS_BOUND,
    grace: config.outageGrace,
    keysAre: () => [...sealingKeys().keys(), log.active()?.id].join(' '),
    upkeep: createRevocationUpkeep({ log, lease, clock }),
    onRevocation: ({ target }) => {
      if (target.kind !== 'session') return;
      tracker.forget(target.value);
      directory.forget(target.value);
    },
    onFault: onFault('the revocations cannot be relied on'),
  });
  return { store, directory, tracker, revocations, lease };
}

/**
 * What lets each signed request through once, by what comes of it: credentials, where the operator may keep it in each
 * instance's memory; keys, which are few; and changes, which can be made only while the tables can be written, so that no
 * grace stands in for the table.
 */
function createGuards(
  config: Config,
  { dynamodb }: AwsClients,
  { clock, onFault, inGrace }: { readonly clock: Clock; readonly onFault: OnFault; readonly inGrace: () => boolean },
): { readonly ofVends: ReplayGuard; readonly ofKeys: ReplayGuard; readonly ofChanges: ReplayGuard } {
  const table = createDynamoDbGuard(dynamodb, config.tables.guard, onFault('the replay guard cannot be written'));
  const ofChanges = createKnownHereGuard(table);
  const ofKeys = config.outageGrace === 0 ? ofChanges : createGraceGuard(table, inGrace, clock());
  const ofVends = config.replayGuard === 'instance' ? createMemoryGuard(clock()) : ofKeys;
  return { ofVends, ofKeys, ofChanges };
}

function createCallerLimit(
  { rateLimit, tables, outageGrace }: Config,
  { dynamodb: client }: AwsClients,
  {
    clock,
    inGrace,
    onFault,
  }: { readonly clock: Clock; readonly inGrace: () => boolean; readonly onFault: (error: unknown) => void },
): CallerLimit {
  if (rateLimit.store === 'memory') return createMemoryCallerLimit(rateLimit);
  const shared = createSharedCallerLimit(rateLimit, { client, table: tables.guard, clock }, onFault);
  return outageGrace === 0 ? shared : createGraceCallerLimit(shared, inGrace);
}

type AuthenticatorParts = {
  readonly clock: Clock;
  readonly window: number;
  readonly guard: ReplayGuard;
  readonly onFault: (error: unknown) => void;
};

/** The ways of authenticating that the configuration switches on; nothing in a request changes them. */
function createAuthenticators(config: Config, { clock, window, guard, onFault }: AuthenticatorParts): Authenticators {
  const { region, serverId, front } = config;
  const { allowedAccounts, ssoAccounts, ssoRoles, trustedSessionRoles, bareNames } = config;
  const admission = { allowedAccounts, ssoAccounts, ssoRoles, trustedSessionRoles, bareNames };
  if (front !== undefined) {
    return { front: createLambdaAuthenticator({ clock, front: front.kind, frontId: front.id, admission }) };
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
}

/** API Gateway's service name, which clients sign for: https://docs.aws.amazon.com/general/latest/gr/apigateway.html */
const SERVICE = 'execute-api';

const NO_SERVER_ID =
  'Forwarded STS is switched off here: its operator has set no SENTINEL_SERVER_ID. Sign with a key of this server.';

/** The names of what is switched on, for the start log. */
function authenticatorNames({ front, serverId }: Config): readonly string[] {
  if (front !== undefined) return [front.kind];
  return ['registered-key', 'minted-key', ...(serverId === undefined ? [] : ['forwarded-sts'])];
}

/** So many new findings are said at once; the rest is counted. */
const TOLD_FINDINGS = 50;

/** Says what changed, once, not what is so at every refresh. */
function reportCatalog(logger: Logger, snapshot: Snapshot, previous: Snapshot | undefined): void {
  for (const rejection of newOnes(snapshot.rejections, previous?.rejections)) {
    logger.error(
      rejection,
      `the document ${rejection.parameter} is broken and gives nobody anything until it is mended`,
    );
  }
  const findings = newOnes(snapshot.findings, previous?.findings);
  for (const finding of findings.slice(0, TOLD_FINDINGS)) {
    logger.warn(finding, `the document ${finding.parameter} is in force, but hardly meant as it stands`);
  }
  if (findings.length > TOLD_FINDINGS) logger.warn(`${findings.length - TOLD_FINDINGS} more documents' rules are such`);
  const counts = {
    profiles: snapshot.profiles.size,
    clients: snapshot.clients.size,
    rejected: snapshot.rejections.length,
    findings: snapshot.findings.length,
  };
  if (previous === undefined) logger.info(counts, 'the documents are loaded');
  else logger.debug(counts, 'the documents are loaded again');
}

/** What a list has that the last one had not. */
function newOnes<Item>(items: readonly Item[], before: readonly Item[] = []): readonly Item[] {
  const known = new Set(before.map((item) => JSON.stringify(item)));
  return items.filter((item) => !known.has(JSON.stringify(item)));
}
