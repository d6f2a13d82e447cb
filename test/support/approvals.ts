import { createHash, randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { queryOf } from '../http/support.ts';
import { sendRaw, type RawAnswer } from './raw-http.ts';
import { sign, type Signing } from './sign.ts';
import type { Desk, RunningTvm } from './tvm.ts';

/** A caller with a registered key. */
export type Who = { readonly name: string; readonly accessKeyId: string; readonly secret: string };

/** A key of a name; another `n` is another key of the same person. */
export function keyOfName(name: string, n = 1): Who {
  const secret = createHash('sha256').update(`${name} ${n}`).digest('base64url');
  return { name, accessKeyId: `TVMT${name.toUpperCase().replace(/[^A-Z0-9]/gu, '')}${n}`, secret };
}

/** Registers a key, or changes it. */
export async function register(
  desk: Pick<Desk, 'put'>,
  { name, accessKeyId, secret }: Who,
  more: object = {},
) {
  const value = JSON.stringify({ secret, name, ...more });
  await desk.put(`/sentinel-secrets/clients/${accessKeyId}`, value, 'SecureString');
}

type Port = Pick<RunningTvm, 'host' | 'port'>;

/** Sends a request signed by somebody. */
export function sendBy(
  tvm: Port,
  who: Who,
  [method, path, body]: readonly [method: string, path: string, body?: unknown],
  more: Partial<Signing> = {},
): Promise<RawAnswer> {
  const [bare = '', query = ''] = path.split('?');
  const text = body === undefined ? '' : JSON.stringify(body);
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const headers = { 'x-sentinel-nonce': randomUUID(), ...json };
  const { accessKeyId, secret } = who;
  const signed = sign({
    host: tvm.host,
    method,
    path: bare,
    query,
    headers,
    body: text,
    accessKeyId,
    secret,
    ...more,
  });
  return sendRaw(tvm.port, { method, target: path, headers: signed.headers, body: text });
}

/** Vends a profile. */
export function vendBy(
  tvm: Port,
  who: Who,
  profile: string,
  more: Readonly<Record<string, string>> = {},
) {
  return sendBy(tvm, who, ['GET', `/?${queryOf({ profile, ...more })}`]);
}

/** Asks for an approval ahead of time. */
export function askBy(tvm: Port, who: Who, profile: string, more: object = {}) {
  return sendBy(tvm, who, [
    'POST',
    '/requests',
    { profile, justification: 'deploy release 42', ...more },
  ]);
}

/** Looks at a request. */
export function showBy(tvm: Port, who: Who, id: string) {
  return sendBy(tvm, who, ['GET', `/requests/${id}`]);
}

/** Does something with a request: `approve`, `deny`, `cancel`, `end`. */
export function actBy(
  tvm: Port,
  who: Who,
  [id, action]: readonly [id: string, action: string],
  body: object = {},
) {
  return sendBy(tvm, who, ['POST', `/requests/${id}/${action}`, body]);
}

/** Looks at a request and approves what is shown. */
export async function approveBy(
  tvm: Port,
  who: Who,
  id: string,
  more: object = {},
): Promise<RawAnswer> {
  const shown = await showBy(tvm, who, id);
  if (shown.status !== 200) return shown;
  return actBy(tvm, who, [id, 'approve'], { digest: shown.json['digest'], ...more });
}

/** The id in an answer that names a request; throws for any other. */
export function idOf({ json, body }: RawAnswer): string {
  const id = json['request_id'];
  if (typeof id !== 'string') throw new Error(`no request: ${body}`);
  return id;
}

/** What an answer comes to: its status and its error. */
export function outcomeOf({ status, json }: RawAnswer): readonly unknown[] {
  return [status, json['error']];
}

export const REQUESTS = 'sentinel-requests';

/** The row of a request as it stands. */
export async function rowOf(dynamodb: DynamoDBClient, id: string, table = REQUESTS) {
  const { Item } = await dynamodb.send(
    new GetItemCommand({ TableName: table, Key: { id: { S: id } }, ConsistentRead: true }),
  );
  if (Item === undefined) throw new Error(`no row ${id}`);
  return Item;
}

/** Writes a row as somebody does who holds PutItem. */
export async function putRow(
  dynamodb: DynamoDBClient,
  row: Awaited<ReturnType<typeof rowOf>>,
  table = REQUESTS,
) {
  await dynamodb.send(new PutItemCommand({ TableName: table, Item: row }));
}

/** An approval policy of these rules, each with a name. */
export function approvalPolicy(...rules: readonly object[]): string {
  return JSON.stringify({
    version: '1',
    rules: rules.map((rule, n) => ({ name: `rule-${n}`, ...rule })),
  });
}
