import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signedCall } from '../http/support.ts';
import { startAlb, type Alb, type AlbOptions } from '../support/alb.ts';
import { freePort, startProcess, tvmVariables, type Running } from '../support/processes.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

/**
 * Two instances under constant load, behind a load balancer that sends no request twice. Restarting
 * them one by one must fail no request; killing one may fail only requests that were sent to it.
 */
const CLIENTS = 8;
const PATIENCE = { timeout: 60_000, interval: 20 };

/** An instance, by its port; its process may be replaced. */
type Instance = { readonly port: number; running: Running; closed: Promise<unknown[]> };

let desk: Desk;
let instances: readonly [Instance, Instance];
let processes: Running[] = [];
let alb: Alb;

/** Starts a process; `closed` resolves when it has ended and all its output has been read. */
function launch(port: number): Instance {
  const running = startProcess(process.execPath, ['src/main.ts'], {
    ...tvmVariables(port, desk.url),
    SENTINEL_TRUSTED_HOPS: '1',
    SENTINEL_RATE_LIMIT_REQUESTS: '1000000',
  });
  processes.push(running);
  return { port, running, closed: once(running.child, 'close') };
}

function relaunch(instance: Instance): void {
  Object.assign(instance, launch(instance.port));
}

/** Ends an instance with a signal, and gives its exit code, or null if the signal ended it. */
async function end({ running, closed }: Instance, signal: NodeJS.Signals): Promise<unknown> {
  running.child.kill(signal);
  const [code] = await closed;
  return code;
}

async function untilHealthy(...wanted: readonly Instance[]): Promise<void> {
  await expect.poll(() => alb.healthy(), PATIENCE).toEqual(wanted.map(({ port }) => port));
}

async function startBehind(options: AlbOptions = {}): Promise<void> {
  alb = await startAlb(
    instances.map(({ port }) => port),
    options,
  );
  await untilHealthy(...instances);
}

beforeEach(async () => {
  desk = await startDesk();
  processes = [];
  instances = [launch(await freePort()), launch(await freePort())];
});

afterEach(async () => {
  await alb.close();
  await Promise.all(instances.map((instance) => end(instance, 'SIGKILL')));
  await desk.close();
});

/** What a client got; status 0 means that the connection ended without a whole answer. */
type Outcome = { readonly status: number; readonly accessKeyId?: string; readonly body: string };

function send(agent: Agent, what: Parameters<typeof signedCall>[1]): Promise<Outcome> {
  return new Promise((resolve) => {
    const { method, target: path, headers } = signedCall(alb, what);
    function lost({ message }: Error): void {
      resolve({ status: 0, body: message });
    }
    const sent = request(
      { agent, host: '127.0.0.1', port: alb.port, method, path, headers },
      (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
        answer.on('error', lost);
        answer.on('end', () => {
          const accessKeyId = /"AccessKeyId":"([^"]+)"/u.exec(body)?.[1];
          resolve({
            status: answer.statusCode ?? 0,
            body,
            ...(accessKeyId === undefined ? {} : { accessKeyId }),
          });
        });
      },
    );
    sent.on('error', lost).end();
  });
}

const VEND = { query: 'profile=dev' };
const WHOAMI = { path: '/whoami', as: 'bob' } as const;

/**
 * Clients with one kept connection each, which send vends and `GET /whoami` in turn until they are
 * stopped.
 */
function startLoad() {
  const outcomes: Outcome[] = [];
  const until = new AbortController();
  async function client(index: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = index; !until.signal.aborted; turn += 1) {
      outcomes.push(await send(agent, turn % 2 === 0 ? VEND : WHOAMI));
    }
    agent.destroy();
  }
  const clients = Array.from({ length: CLIENTS }, (_, index) => client(index));
  return {
    sent: () => outcomes.length,
    stop: async (): Promise<readonly Outcome[]> => {
      until.abort();
      await Promise.all(clients);
      return outcomes;
    },
  };
}

function failures(outcomes: readonly Outcome[]): readonly Outcome[] {
  return outcomes.filter(({ status }) => status !== 200);
}

function keysOf(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.flatMap(({ accessKeyId }) => (accessKeyId === undefined ? [] : [accessKeyId]));
}

/** The keys in a process's audit records of vends, each as often as it is there. */
function recordedBy(running: Running): readonly string[] {
  return running
    .stdout()
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ outcome }) => outcome === 'vended')
    .map(({ vended_access_key_id: key }) => String(key));
}

describe('two instances behind a load balancer', () => {
  it('answer every request and record every vend once while they are restarted one by one', async () => {
    await startBehind();
    const load = startLoad();
    await expect.poll(load.sent, PATIENCE).toBeGreaterThan(100);
    for (const instance of instances) {
      expect(await end(instance, 'SIGTERM')).toBe(0);
      relaunch(instance);
      await untilHealthy(...instances);
      const before = load.sent();
      await expect.poll(load.sent, PATIENCE).toBeGreaterThan(before + 100);
    }
    const outcomes = await load.stop();
    for (const instance of instances) expect(await end(instance, 'SIGTERM')).toBe(0);

    expect(failures(outcomes)).toEqual([]);
    expect(alb.accessLog.filter(({ targetStatus }) => targetStatus !== 200)).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(300);
    const answered = keysOf(outcomes);
    expect(answered.length).toBeGreaterThan(150);
    expect(processes.flatMap(recordedBy).toSorted()).toEqual(answered.toSorted());
    // Each of the four processes served a part of the load.
    expect(processes.map((running) => recordedBy(running).length > 0)).toEqual([
      true,
      true,
      true,
      true,
    ]);
  }, 180_000);

  it('fail only requests sent to the killed one until the load balancer notices', async () => {
    await startBehind();
    const [killed, other] = instances;
    const load = startLoad();
    await expect.poll(load.sent, PATIENCE).toBeGreaterThan(100);
    await end(killed, 'SIGKILL');
    await untilHealthy(other);
    const around = await load.stop();

    const failed = alb.accessLog.filter(({ targetStatus }) => targetStatus !== 200);
    expect(failed.length).toBeGreaterThan(0);
    expect(new Set(failed.map(({ target, elbStatus }) => `${target} ${elbStatus}`))).toEqual(
      new Set([`${killed.port} 502`]),
    );
    expect(failures(around).map(({ status }) => status)).toEqual(failed.map(() => 502));

    const afterwards = startLoad();
    await expect.poll(afterwards.sent, PATIENCE).toBeGreaterThan(50);
    relaunch(killed);
    await untilHealthy(...instances);
    const before = afterwards.sent();
    await expect.poll(afterwards.sent, PATIENCE).toBeGreaterThan(before + 100);
    const later = await afterwards.stop();
    expect(failures(later)).toEqual([]);

    for (const instance of instances) expect(await end(instance, 'SIGTERM')).toBe(0);
    const recorded = processes.flatMap(recordedBy);
    expect(new Set(recorded).size).toBe(recorded.length);
    const known = new Set(recorded);
    const answered = keysOf([...around, ...later]);
    expect(answered.length).toBeGreaterThan(100);
    expect(answered.filter((key) => !known.has(key))).toEqual([]);
    expect(recordedBy(killed.running).length).toBeGreaterThan(0);
  }, 180_000);

  it('keep idle connections open until the load balancer closes them', async () => {
    // On a busy machine a client may wait long: a connection idle for longer is closed, and another
    // one opened.
    await startBehind({ idleTimeout: 3_000 });
    const load = startLoad();
    await expect.poll(load.sent, PATIENCE).toBeGreaterThan(200);
    expect(failures(await load.stop())).toEqual([]);
    function all() {
      return instances.map(({ port }) => alb.connections(port));
    }
    for (const { opened } of all()) expect(opened).toBeLessThanOrEqual(CLIENTS);

    const opened = all().reduce((sum, of) => sum + of.opened, 0);
    await expect.poll(() => all().map(({ open }) => open), PATIENCE).toEqual([0, 0]);
    expect(all().map(({ closedByTarget }) => closedByTarget)).toEqual([0, 0]);
    const agent = new Agent({ keepAlive: true });
    expect((await send(agent, VEND)).status).toBe(200);
    expect((await send(agent, VEND)).status).toBe(200);
    agent.destroy();
    expect(all().reduce((sum, of) => sum + of.opened, 0)).toBe(opened + 2);
  }, 180_000);
});
