import { once } from 'node:events';
import {
  createServer,
  request as forward,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { SERVER_ID } from './forwarded.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from './tvm.ts';

/** A forwarded request as it arrived. */
export type Seen = {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};

/** What the fake STS does with one forwarded request. */
export type Behaviour = (outgoing: ServerResponse, seen: Seen) => void;

/** The identity that the fake STS names as the signer. */
export type Identity = { readonly Arn: string; readonly Account: string; readonly UserId: string };

export const DANA: Identity = {
  Arn: 'arn:aws:iam::000000000000:user/eng/dana',
  Account: '000000000000',
  UserId: 'AIDAEXAMPLEEXAMPLE00',
};

/** The identity of a role's session, by default in the embedded account. */
export function session(
  role: string,
  name: string,
  account = '000000000000',
  id = 'AROAEXAMPLEEXAMPLE00',
): Identity {
  return {
    Arn: `arn:aws:sts::${account}:assumed-role/${role}/${name}`,
    Account: account,
    UserId: `${id}:${name}`,
  };
}

/** The JSON of a good answer. */
export function answerOf(identity: object): string {
  return JSON.stringify({
    GetCallerIdentityResponse: {
      GetCallerIdentityResult: identity,
      ResponseMetadata: { RequestId: '01234567-89ab-cdef-0123-456789abcdef' },
    },
  });
}

/** Answers this, as JSON unless the headers say otherwise. */
export function replies(
  status: number,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Behaviour {
  return (outgoing) =>
    void outgoing.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}

/** Accepts every signature, and answers that this identity signed. */
export function says(identity: object): Behaviour {
  return replies(200, answerOf(identity));
}

/** Answers with an error in the JSON of STS. */
export function stsError(status: number, code: string, message = 'the words of STS'): Behaviour {
  return replies(
    status,
    JSON.stringify({ Error: { Code: code, Message: message, Type: 'Sender' }, RequestId: 'x' }),
  );
}

/** Writes these bytes, then ends the connection. */
export function raw(...parts: readonly (string | Uint8Array)[]): Behaviour {
  return (outgoing) => {
    for (const part of parts) outgoing.socket?.write(part);
    outgoing.socket?.end();
  };
}

/** Never answers. */
export const never: Behaviour = () => undefined;

/** Resets the connection. */
export const reset: Behaviour = (outgoing) => void outgoing.socket?.resetAndDestroy();

/** Announces a whole good answer, and closes the connection in the middle of it. */
export const truncated: Behaviour = (outgoing) => {
  const body = answerOf(DANA);
  outgoing.writeHead(200, {
    'content-type': 'application/json',
    'content-length': String(body.length),
  });
  outgoing.write(body.slice(0, -20), () => outgoing.destroy());
};

/** Sends a byte every 20 ms, without end. */
export const drip: Behaviour = (outgoing) => {
  outgoing.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => outgoing.write(' '), 20);
  outgoing.on('close', () => clearInterval(timer));
};

/** Keeps requests waiting with `hold` until `release` answers all of them. */
export function holding() {
  const waiting: (() => void)[] = [];
  const hold: Behaviour = (outgoing, seen) => void waiting.push(() => says(DANA)(outgoing, seen));
  return { hold, release: () => waiting.splice(0).forEach((answer) => answer()) };
}

/** A fake STS before the embedded one. */
export type FakeSts = {
  readonly url: string;
  /**
   * The forwarded requests so far. The TVM's own requests are passed on, and are not among them.
   */
  readonly seen: Seen[];
  /** What it does with forwarded requests; by default it passes them on to the embedded STS. */
  behave: Behaviour;
  /** Resets `seen` and `behave`. */
  readonly clear: () => void;
  readonly close: () => Promise<void>;
};

async function read(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Starts a fake STS on a free port, before the AWS at `endpoint`. */
export async function startFakeSts(endpoint: string): Promise<FakeSts> {
  const { hostname, port } = new URL(endpoint);
  const pass: Behaviour = (outgoing, { method, path, headers, body }) => {
    const upstream = forward(
      { host: hostname, port, method, path, headers, agent: false },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.once('error', () => outgoing.destroy()).pipe(outgoing);
      },
    );
    upstream.on('error', () => outgoing.destroy()).end(body);
  };
  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url: path = '', rawHeaders, headers } = incoming;
    const seen = { method, path, rawHeaders, headers, body: (await read(incoming)).toString() };
    if (headers['x-sentinel-nonce'] === undefined) return pass(outgoing, seen);
    fake.seen.push(seen);
    fake.behave(outgoing, seen);
  }
  const server = createServer({ maxHeaderSize: 65_536 }, (incoming, outgoing) => {
    // A caller that leaves in the middle of its request fails no test: only its connection ends.
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.on('clientError', (_, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fake: FakeSts = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    behave: pass,
    clear: () => {
      fake.seen.splice(0);
      fake.behave = pass;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return fake;
}

/** What the tests of one file share. TVMs of `start` use the same STS and the same tables. */
export type ForwardedWorld = {
  readonly desk: Desk;
  readonly sts: FakeSts;
  readonly tvm: RunningTvm;
  readonly start: (options?: Parameters<typeof startTvm>[1]) => Promise<RunningTvm>;
};

/** The limit is high because tests send many unproven requests from one address. */
const ENVIRONMENT = { SENTINEL_SERVER_ID: SERVER_ID, SENTINEL_RATE_LIMIT_REQUESTS: '100000' };

/** An embedded AWS, a fake STS, and a TVM that asks it, for the tests of one file. */
export function useForwarded(
  environment: Readonly<Record<string, string>> = {},
  prepare?: (desk: Desk) => Promise<void>,
): ForwardedWorld {
  const world: { desk?: Desk; sts?: FakeSts; tvm?: RunningTvm; start?: ForwardedWorld['start'] } =
    {};
  const running: RunningTvm[] = [];
  beforeAll(async () => {
    const desk = await startDesk();
    await prepare?.(desk);
    const sts = await startFakeSts(desk.url);
    const start: ForwardedWorld['start'] = async (options = {}) => {
      const all = {
        ...ENVIRONMENT,
        ...environment,
        AWS_ENDPOINT_URL_STS: sts.url,
        ...options.environment,
      };
      const tvm = await startTvm(desk.url, { ...options, environment: all });
      running.push(tvm);
      return tvm;
    };
    Object.assign(world, { desk, sts, start });
    world.tvm = await start();
  });
  afterEach(() => world.sts?.clear());
  afterAll(async () => {
    for (const tvm of running) await tvm.close();
    await world.sts?.close();
    await world.desk?.close();
  });
  return world as ForwardedWorld;
}
