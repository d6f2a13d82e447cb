import { Agent, get } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How targets are checked, and how long their idle connections are kept; times in milliseconds. */
export type TargetSettings = {
  readonly healthPath: string;
  readonly healthInterval: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly idleTimeout: number;
};

/** Counts of the connections to one target, without those of health checks. */
export type Connections = { opened: number; open: number; closedByTarget: number };

/** The targets of a load balancer, each named by its port on 127.0.0.1. */
export type Targets = {
  readonly agent: Agent;
  readonly healthy: () => readonly number[];
  readonly connections: (target: number) => Connections;
  /** The next target in turn; undefined if there are no targets. */
  readonly next: () => number | undefined;
  readonly close: () => void;
};

/**
 * Keeps idle connections for exactly its own timeout. Node's agent would obey the server's
 * `Keep-Alive` header, and so avoid the races that a load balancer runs into.
 */
class Pool extends Agent {
  readonly #idleTimeout: number;

  constructor(idleTimeout: number) {
    super({ keepAlive: true, maxFreeSockets: 1_024 });
    this.#idleTimeout = idleTimeout;
  }

  override keepSocketAlive(socket: Socket): boolean {
    socket.setTimeout(this.#idleTimeout);
    return true;
  }
}

/** Counts each connection by the port that it goes to. */
function createPool(idleTimeout: number, connections: (target: number) => Connections): Agent {
  const pool = new Pool(idleTimeout);
  const connect = pool.createConnection.bind(pool);
  pool.createConnection = (options, callback) => {
    const socket = connect(options, callback) as Socket;
    const counts = connections(Number(options.port));
    socket.once('connect', () => {
      counts.opened += 1;
      counts.open += 1;
      socket.once('close', () => (counts.open -= 1));
    });
    socket.once('end', () => (counts.closedByTarget += 1));
    return socket;
  };
  return pool;
}

/** Sends one health check, on a connection of its own. Never rejects. */
function isGood(target: number, { healthPath, healthInterval }: TargetSettings): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'user-agent': 'ELB-HealthChecker/2.0', connection: 'close' };
    const check = get(
      {
        agent: false,
        host: '127.0.0.1',
        port: target,
        path: healthPath,
        headers,
        timeout: healthInterval * 5,
      },
      (answer) => {
        answer.resume();
        answer
          .once('error', () => resolve(false))
          .once('end', () => resolve(answer.statusCode === 200));
      },
    );
    check.once('timeout', () => check.destroy(new Error('the health check takes too long')));
    check.once('error', () => resolve(false));
  });
}

/**
 * Checks the targets until closed. Only healthy targets get requests, unless none is healthy: then
 * all of them do.
 */
export function createTargets(targets: readonly number[], settings: TargetSettings): Targets {
  const stop = new AbortController();
  const healthy = new Set<number>();
  const counts = new Map<number, Connections>(
    targets.map((target) => [target, { opened: 0, open: 0, closedByTarget: 0 }]),
  );
  function connections(target: number): Connections {
    const of = counts.get(target);
    if (of === undefined) throw new Error(`${target} is no target`);
    return of;
  }
  const agent = createPool(settings.idleTimeout, connections);

  async function watch(target: number): Promise<void> {
    let good = 0;
    let bad = 0;
    while (!stop.signal.aborted) {
      const isUp = await isGood(target, settings);
      good = isUp ? good + 1 : 0;
      bad = isUp ? 0 : bad + 1;
      if (good >= settings.healthyThreshold) healthy.add(target);
      if (bad >= settings.unhealthyThreshold) healthy.delete(target);
      await sleep(settings.healthInterval, undefined, { signal: stop.signal }).catch(
        () => undefined,
      );
    }
  }
  // `watch` never rejects, because a health check that fails is `false`.
  for (const target of targets) void watch(target);

  let turn = 0;
  return {
    agent,
    healthy: () => targets.filter((target) => healthy.has(target)),
    connections: (target) => ({ ...connections(target) }),
    next: () => {
      const candidates =
        healthy.size === 0 ? targets : targets.filter((target) => healthy.has(target));
      turn += 1;
      return candidates[turn % candidates.length];
    },
    close: () => {
      stop.abort();
      agent.destroy();
    },
  };
}
