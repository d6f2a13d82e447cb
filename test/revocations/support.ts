import { randomUUID } from 'node:crypto';
import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createAwsClients } from '../../src/aws/clients.ts';
import { DEFAULT_TABLE_NAMES } from '../../src/aws/tables.ts';
import type { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { call } from '../http/support.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { amzDateOf, sign } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/** An item of DynamoDB. */
export type Item = Record<string, AttributeValue>;

type Instance = Pick<RunningTvm, 'host' | 'port'>;

export function clientOf(url: string): DynamoDBClient {
  return createAwsClients({ region: 'us-east-1', endpoints: { sts: url, ssm: url, dynamodb: url } })
    .dynamodb;
}

/** Reads and writes a table directly, as others than the TVM may. */
export function tableOf(client: DynamoDBClient, table: keyof typeof DEFAULT_TABLE_NAMES) {
  const TableName = DEFAULT_TABLE_NAMES[table];
  return {
    put: async (item: Item): Promise<void> => {
      await client.send(new PutItemCommand({ TableName, Item: item }));
    },
    get: async (id: string): Promise<Item | undefined> =>
      (
        await client.send(
          new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead: true }),
        )
      ).Item,
    remove: async (id: string): Promise<void> => {
      await client.send(new DeleteItemCommand({ TableName, Key: { id: { S: id } } }));
    },
  };
}

/** A registered key that is not one of the demo's. */
export type Key = { readonly accessKeyId: string; readonly secret: string };

/** Registers a key, which a TVM knows after its next reading of the catalog. */
export async function register(desk: Desk, accessKeyId: string, name: string): Promise<Key> {
  const secret = `secret-of-${accessKeyId}`;
  await desk.put(
    `/sentinel-secrets/clients/${accessKeyId}`,
    JSON.stringify({ secret, name }),
    'SecureString',
  );
  return { accessKeyId, secret };
}

type What = {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly body?: string;
  /** The time of the signature; now by default. */
  readonly at?: number;
};

/** Sends a request signed with a registered key, each with a nonce of its own. */
export function callWith(tvm: Instance, key: Key, what: What): Promise<RawAnswer> {
  return sendRaw(tvm.port, signedWith(tvm, key, what));
}

/** The same request, signed but not sent, so that it can be sent twice. */
export function signedWith(tvm: Instance, key: Key, what: What) {
  const { method = 'GET', path = '/', query = '', body = '', at = Date.now() } = what;
  const headers = {
    'x-sentinel-nonce': randomUUID(),
    ...(body === '' ? {} : { 'content-type': 'application/json' }),
  };
  const signed = sign({
    host: tvm.host,
    method,
    path,
    query,
    headers,
    body,
    amzDate: amzDateOf(at),
    ...key,
  });
  return {
    method,
    target: query === '' ? path : `${path}?${query}`,
    headers: signed.headers,
    body,
  };
}

type Who = keyof typeof DEMO_CLIENTS;

/** Sends JSON as a demo caller. */
export function send(
  tvm: Instance,
  path: string,
  value: unknown,
  as: Who = 'olivia',
): Promise<RawAnswer> {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  return call(tvm, {
    method: 'POST',
    path,
    body,
    as,
    headers: { 'content-type': 'application/json' },
  });
}

/** Revokes, and gives the id of the revocation; throws if that was refused. */
export async function revoke(
  tvm: Instance,
  kind: string,
  value?: string,
  more: object = {},
): Promise<string> {
  const body = { kind, reason: SECRET_REASON, ...(value === undefined ? {} : { value }), ...more };
  const answer = await send(tvm, '/revocations', body);
  if (answer.status !== 201) throw new Error(`not revoked: ${answer.status} ${answer.body}`);
  return String(answer.json['id']);
}

/** A reason that no caller may ever read. */
export const SECRET_REASON = 'found in a pastebin by the night watch';

export function lift(tvm: Instance, id: string, as: Who = 'olivia'): Promise<RawAnswer> {
  return call(tvm, { method: 'DELETE', path: `/revocations/${id}`, as });
}

export async function listed(tvm: Instance): Promise<readonly Record<string, unknown>[]> {
  return (await call(tvm, { path: '/revocations', as: 'olivia' })).json['revocations'] as Record<
    string,
    unknown
  >[];
}

/** Lifts every revocation that olivia may lift. */
async function liftAll(tvm: Instance): Promise<void> {
  for (const { id } of (await listed(tvm)) ?? []) await lift(tvm, String(id));
}

/** Status and error of a vend of `dev`, for alice by default. */
export async function vend(tvm: Instance, as: Who = 'alice', query = 'profile=dev') {
  const { status, json } = await call(tvm, { query, as });
  return status === 200 ? 200 : `${status} ${String(json['error'])}`;
}

export const REVOKED = '403 SessionRevoked';

/** Opens a session by vending, and gives its id. */
export async function openSession(
  tvm: Instance,
  as: Who = 'alice',
  query = 'profile=dev',
): Promise<string> {
  const answer = await call(tvm, { query, as });
  if (answer.status !== 200) throw new Error(`not vended: ${answer.body}`);
  return String(answer.json['SessionId']);
}

/** Resolves, with the milliseconds that it took, when a condition holds; rejects after `limit`. */
export async function until(holds: () => Promise<boolean>, limit: number): Promise<number> {
  const begun = performance.now();
  for (;;) {
    if (await holds()) return performance.now() - begun;
    if (performance.now() - begun > limit) throw new Error(`not so after ${limit} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

/**
 * An embedded AWS and one TVM for a file. What is `kept` is closed after its test, and every
 * revocation is lifted then.
 */
export function useDesk(
  options: Parameters<typeof startTvm>[1] = {},
  prepare?: (desk: Desk) => Promise<void>,
): {
  readonly desk: Desk;
  readonly tvm: RunningTvm;
  readonly client: DynamoDBClient;
  readonly kept: <Value extends { close: () => Promise<void> }>(value: Value) => Value;
} {
  const running: { close: () => Promise<void> }[] = [];
  const world = {
    kept: <Value extends { close: () => Promise<void> }>(value: Value): Value => {
      running.push(value);
      return value;
    },
  } as {
    desk: Desk;
    tvm: RunningTvm;
    client: DynamoDBClient;
    kept: ReturnType<typeof useDesk>['kept'];
  };
  beforeAll(async () => {
    world.desk = await startDesk();
    await prepare?.(world.desk);
    world.client = clientOf(world.desk.url);
    world.tvm = await startTvm(world.desk.url, options);
  });
  afterEach(async () => {
    for (const one of running.splice(0).toReversed()) {
      if ('catalog' in one) await liftAll(one as unknown as RunningTvm).catch(() => undefined);
      await one.close();
    }
    await liftAll(world.tvm);
    world.tvm.audit.length = 0;
  });
  afterAll(async () => {
    world.client.destroy();
    await world.tvm.close();
    await world.desk.close();
  });
  return world;
}
