import { setTimeout as sleep } from 'node:timers/promises';
import { createHardRevocation, type HardRevocation } from '../actions/hard-revocation.ts';
import { createAssumeRole, meterAssumeRole, type AssumeRole } from '../actions/vend/assume-role.ts';
import { createLease, type Lease } from '../aws/lease.ts';
import { createRolePolicies } from '../aws/role-policy.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { newHexId } from '../lib/ids.ts';
import { stalenessBound } from '../revocations/bounds.ts';
import { createRevocations, type Revocations } from '../revocations/feed.ts';
import { createRevocationLog, type RevocationLog } from '../revocations/log.ts';
import { createForeignRevocations } from '../revocations/sentinel-rows.ts';
import { createRevocationUpkeep } from '../revocations/upkeep.ts';
import { MAX_SESSIONS } from '../sessions/bounds.ts';
import { createSessionDirectory, type SessionDirectory } from '../sessions/directory.ts';
import { createOpenSession } from '../sessions/open-session.ts';
import { createSessionStore, type SessionStore } from '../sessions/store.ts';
import { createSessionTracker, type SessionTracker } from '../sessions/tracker.ts';
import type { Runtime } from './runtime.ts';

/** Sessions: what is known of them here, and what stands in their table. */
export type Sessions = {
  readonly store: SessionStore;
  readonly directory: SessionDirectory;
  readonly tracker: SessionTracker;
};

/** Constructs the sessions' store and the caches before it. */
export function assembleSessions({
  config,
  clock,
  monotonic,
  clients,
  onFault,
}: Runtime): Sessions {
  const { sessions: table, guard } = config.tables;
  const store = createSessionStore(clients.dynamodb, {
    sessions: table,
    guard,
    instance: newHexId(),
  });
  const directory = createSessionDirectory({
    client: clients.dynamodb,
    table,
    store,
    clock,
    monotonic,
    capacity: MAX_SESSIONS,
    onFallback: onFault(
      'lists of all sessions go by gsi-status: their table has no index gsi-shard',
    ),
  });
  const tracker = createSessionTracker({
    store,
    openSession: createOpenSession(store),
    clock,
    life: config.sessionLife,
    capacity: MAX_SESSIONS,
    onOpen: directory.put,
    onFault: onFault('a session cannot be written to its table'),
  });
  return { store, directory, tracker };
}

/** The revocations in force, and the lease by which instances take turns. */
export type AssembledRevocations = {
  readonly revocations: Revocations;
  readonly log: RevocationLog;
  readonly lease: Lease;
};

/** Constructs the log of revocations and the feed that follows it. */
export function assembleRevocations(
  { config, clock, monotonic, clients, onFault }: Runtime,
  { sealingKeys }: Pick<Catalog, 'sealingKeys'>,
  { tracker, directory }: Sessions,
): AssembledRevocations {
  const { sessions, revocations: table, guard } = config.tables;
  const lease = createLease({ client: clients.dynamodb, table: guard, clock, monotonic, sleep });
  const log = createRevocationLog({ client: clients.feed, table, guard, sealingKeys, clock });
  const revocations = createRevocations({
    log,
    foreign: createForeignRevocations(clients.feed, sessions),
    clock,
    monotonic,
    bound: stalenessBound(config.onLambda),
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
  return { revocations, log, lease };
}

/** Constructs the one call of AssumeRole. */
export function assembleAssumeRole({ clients, meter, onFault }: Runtime): AssumeRole {
  return meterAssumeRole(createAssumeRole(clients.sts, onFault('AssumeRole failed')), meter);
}

/** Constructs what writes the deny policies of hard revocations. */
export function assembleHardRevocation(
  { config, clock, monotonic, onFault }: Runtime,
  { revocations, lease }: AssembledRevocations,
  assumeRole: AssumeRole,
): HardRevocation {
  return createHardRevocation({
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
}
