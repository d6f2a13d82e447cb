import { createAdmit } from '../actions/admit.ts';
import { createEndGrant } from '../actions/end-grant.ts';
import type { HardRevocation } from '../actions/hard-revocation.ts';
import { createLift } from '../actions/lift.ts';
import { createListRevocations } from '../actions/list-revocations.ts';
import { createListSessions } from '../actions/list-sessions.ts';
import { createMint } from '../actions/mint-key.ts';
import { createRevocationRecords } from '../actions/revocation-records.ts';
import { createRevoke } from '../actions/revoke.ts';
import { createShowSession } from '../actions/show-session.ts';
import { createSessionView } from '../actions/shown-session.ts';
import type { AssumeRole } from '../actions/vend/assume-role.ts';
import { createVend } from '../actions/vend/vend.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { createApp } from '../http/app.ts';
import { createAuthenticate } from '../http/authenticate.ts';
import type { Health } from '../http/readiness.ts';
import { reasonOf } from '../http/refusal-words.ts';
import type { Revocations } from '../revocations/feed.ts';
import { describeError } from '../telemetry/logger.ts';
import { timed } from '../telemetry/meter.ts';
import type { Audit } from './audit.ts';
import type { Events } from './events.ts';
import { assembleApprovals, assembleBreakGlass } from './grants.ts';
import {
  assembleAddressOf,
  assembleAuthenticators,
  assembleCallerLimit,
  assembleGuards,
  assembleStrangerLimit,
  type Guards,
} from './identity.ts';
import type { Runtime } from './runtime.ts';
import type { Sessions } from './sessions.ts';

/** The subsystems that the endpoints work with. */
export type Parts = {
  readonly runtime: Runtime;
  readonly audit: Audit;
  readonly catalog: Catalog;
  readonly sessions: Sessions;
  readonly revocations: Revocations;
  readonly assumeRole: AssumeRole;
  readonly hardRevocation: HardRevocation;
  readonly events: Events;
  readonly health: () => Health;
};

/** Constructs the endpoints and all that they do. */
export function assembleApp(parts: Parts) {
  const { runtime, revocations, health } = parts;
  const { config, clock, logger } = runtime;
  const guards = assembleGuards(runtime, revocations);
  return createApp({
    authenticate: assembleAuthenticate(parts, guards),
    ...assembleActions(parts, guards),
    clock,
    bareNames: config.bareNames,
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
}

function assembleAuthenticate({ runtime, audit, catalog, revocations }: Parts, guards: Guards) {
  const admission = createAdmit({
    currentSnapshot: catalog.current,
    revocations,
    callerLimit: assembleCallerLimit(runtime, revocations),
    strangerLimit: assembleStrangerLimit(runtime),
    refusals: audit.refusals,
    reasonOf,
  });
  const authenticate = createAuthenticate({
    authenticatorFor: assembleAuthenticators(runtime, guards.ofVends),
    addressOf: assembleAddressOf(runtime),
    hosts: runtime.config.hosts,
    admission,
  });
  return timed(runtime.meter, 'authenticate', authenticate);
}

/**
 * Constructs what opens profiles beyond what policy opens by itself: approvals, and break-glass.
 */
function assembleGrants(
  {
    runtime,
    audit,
    revocations,
    events,
    hardRevocation,
  }: Pick<Parts, 'runtime' | 'audit' | 'revocations' | 'events' | 'hardRevocation'>,
  { ofChanges: guard }: Guards,
) {
  const endGrant = createEndGrant({ clock: runtime.clock, revocations, hardRevocation });
  const approving = assembleApprovals(runtime, audit, revocations, { guard, events, endGrant });
  const { documentsOf } = approving;
  return {
    ...approving,
    ...assembleBreakGlass(runtime, audit, { revocations, guard, events, endGrant, documentsOf }),
  };
}

/** Constructs what callers can do, once it is known who they are. */
function assembleActions({ runtime, sessions, revocations, ...parts }: Parts, guards: Guards) {
  const granting = assembleGrants({ runtime, revocations, ...parts }, guards);
  const { config, clock, meter, onFault } = runtime;
  const { bareNames, serverId, keyLife } = config;
  const audit = parts.audit.log;
  const onOperationFault = onFault('sessions and revocations cannot be read or written');
  const use = timed(meter, 'session', sessions.tracker.use);
  const vend = createVend({
    clock,
    guard: guards.ofVends,
    revocations,
    sessions: { use },
    assumeRole: parts.assumeRole,
    grants: granting.grants,
    approvals: granting.approvals,
    events: granting.liveEvents,
    audit,
    onFault: onFault('approvals or break-glass events cannot be read or written'),
  });
  const mint = createMint({ clock, guard: guards.ofKeys, revocations, serverId, keyLife, audit });
  const records = createRevocationRecords({ clock, guard: guards.ofChanges, audit });
  const common = { clock, revocations, bareNames, onFault: onOperationFault };
  const operation = { ...common, hardRevocation: parts.hardRevocation, records };
  const view = createSessionView({ ...common, audit, reasonOf });
  return {
    ...granting,
    vend: timed(meter, 'vend', vend),
    mint,
    ...createRevoke({ ...operation, store: sessions.store }),
    lift: createLift(operation),
    listRevocations: createListRevocations(revocations),
    listSessions: createListSessions({ directory: sessions.directory, view, bareNames }),
    showSession: createShowSession({ directory: sessions.directory, view }),
  };
}
