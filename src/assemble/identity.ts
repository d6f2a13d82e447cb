import { chooseAuthenticator, type Authenticators } from '../http/authenticators.ts';
import type { Arrival } from '../http/arrival.ts';
import { clientAddress } from '../http/client-address.ts';
import { isLocalEndpoint } from '../aws/endpoint.ts';
import { switchedOff } from '../identity/authenticator.ts';
import { createForwardedStsAuthenticator } from '../identity/forwarded-sts.ts';
import { createLambdaAuthenticator, frontAddress } from '../identity/lambda-context.ts';
import { NO_SERVER_ID, SERVICE } from '../identity/mechanisms.ts';
import { createSignedRequestAuthenticator } from '../identity/signed-request.ts';
import { createStsClient } from '../identity/sts-call.ts';
import {
  createGraceCallerLimit,
  createMemoryCallerLimit,
  createSharedCallerLimit,
  type CallerLimit,
} from '../limits/caller-limit.ts';
import { CALLERS_PER_SOURCE, createSourceLimit } from '../limits/source-limit.ts';
import { createDynamoDbGuard } from '../replay/dynamodb.ts';
import { createGraceGuard } from '../replay/grace.ts';
import type { ReplayGuard } from '../replay/guard.ts';
import { createKnownHereGuard } from '../replay/known-here.ts';
import { createMemoryGuard, guardWindow } from '../replay/memory.ts';
import type { Revocations } from '../revocations/feed.ts';
import { stsHosts } from '../sigv4/sts-hosts.ts';
import { timed } from '../telemetry/meter.ts';
import type { Runtime } from './runtime.ts';

/** What lets each signed request through once, by what comes of it. */
export type Guards = {
  /** Of credentials: the operator may keep it in the memory of each instance. */
  readonly ofVends: ReplayGuard;
  /** Of keys, which are few. */
  readonly ofKeys: ReplayGuard;
  /**
   * Of changes: they can be made only while the tables can be written, so no grace stands in for
   * the table.
   */
  readonly ofChanges: ReplayGuard;
};

/** Constructs the replay guards. */
export function assembleGuards(
  { config, clock, clients, meter, onFault }: Runtime,
  { inGrace }: Pick<Revocations, 'inGrace'>,
): Guards {
  const onGuardFault = onFault('the replay guard cannot be written');
  const table = createDynamoDbGuard(clients.dynamodb, config.tables.guard, onGuardFault);
  const ofChanges = createKnownHereGuard(table);
  const ofKeys = config.outageGrace === 0 ? ofChanges : createGraceGuard(table, inGrace, clock());
  const ofVends = config.replayGuard === 'instance' ? createMemoryGuard(clock()) : ofKeys;

  function measured(guard: ReplayGuard): ReplayGuard {
    return { reserve: timed(meter, 'guard', guard.reserve) };
  }

  return { ofVends: measured(ofVends), ofKeys: measured(ofKeys), ofChanges: measured(ofChanges) };
}

/** Constructs what counts the requests of each caller. */
export function assembleCallerLimit(
  { config, clients, clock, onFault }: Runtime,
  { inGrace }: Pick<Revocations, 'inGrace'>,
): CallerLimit {
  const { rateLimit, tables, outageGrace } = config;
  if (rateLimit.store === 'memory') return createMemoryCallerLimit(rateLimit);
  const place = { client: clients.dynamodb, table: tables.guard, clock };
  const shared = createSharedCallerLimit(rateLimit, place, onFault('requests cannot be counted'));
  return outageGrace === 0 ? shared : createGraceCallerLimit(shared, inGrace);
}

/** Constructs what counts, by address, those who cannot prove who they are. */
export function assembleStrangerLimit({ config: { rateLimit } }: Runtime) {
  return createSourceLimit({
    points: rateLimit.requests * CALLERS_PER_SOURCE,
    window: rateLimit.window,
  });
}

/** Constructs what tells the address of a caller. */
export function assembleAddressOf({ config }: Runtime): (arrival: Arrival) => string | undefined {
  return ({ head, incoming, lambdaContext }) =>
    config.front === undefined
      ? clientAddress(head.headers, incoming.socket.remoteAddress, config.trustedHops)
      : frontAddress(lambdaContext);
}

/** Constructs the choice among the ways to authenticate that the configuration switches on. */
export function assembleAuthenticators(runtime: Runtime, guard: ReplayGuard) {
  return chooseAuthenticator(createAuthenticators(runtime, guard));
}

function createAuthenticators(
  { config, clock, onFault }: Runtime,
  guard: ReplayGuard,
): Authenticators {
  const { region, serverId, front, rateLimit } = config;
  const { allowedAccounts, ssoAccounts, ssoRoles, trustedSessionRoles, bareNames } = config;
  const admission = { allowedAccounts, ssoAccounts, ssoRoles, trustedSessionRoles, bareNames };
  const window = guardWindow(config.replayGuard, config.clockSkew);
  if (front !== undefined) {
    return {
      front: createLambdaAuthenticator({ clock, front: front.kind, frontId: front.id, admission }),
    };
  }
  const signed = createSignedRequestAuthenticator({
    clock,
    region,
    service: SERVICE,
    window,
    serverId,
    admission,
  });
  if (serverId === undefined) return { signed, forwarded: switchedOff(NO_SERVER_ID) };
  const forwarded = createForwardedStsAuthenticator({
    clock,
    serverId,
    hosts: stsHosts(region, config.stsExtraRegions),
    window,
    admission,
    askSts: createStsClient(
      isLocalEndpoint(config.endpoints.sts) ? config.endpoints.sts : undefined,
    ),
    reserveLocally: createMemoryGuard(0).reserve,
    reserveForAll: guard.reserve,
    limit: createSourceLimit({ points: rateLimit.requests, window: rateLimit.window }),
    onFault: onFault('AWS STS could not be asked who signed'),
  });
  return { signed, forwarded };
}
