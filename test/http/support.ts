import { randomUUID } from 'node:crypto';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import type { RunningTvm } from '../support/tvm.ts';

/** A request of a demo caller. Each gets a nonce of its own, so that no two are equal. */
export type Call = {
  readonly method?: string;
  readonly path?: string;
  /** The query, in canonical form. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly as?: keyof typeof DEMO_CLIENTS;
  readonly host?: string;
};

/** Signs a request, which can then be sent any number of times. */
export function signedCall(tvm: Pick<RunningTvm, 'host'>, what: Call = {}) {
  const { method = 'GET', path = '/', query = '', as = 'alice', body = '' } = what;
  const { accessKeyId, secret } = DEMO_CLIENTS[as];
  const headers = { 'x-sentinel-nonce': randomUUID(), ...what.headers };
  const signed = sign({
    host: what.host ?? tvm.host,
    method,
    path,
    query,
    headers,
    body,
    accessKeyId,
    secret,
  });
  return {
    method,
    target: query === '' ? path : `${path}?${query}`,
    headers: signed.headers,
    body,
  };
}

/** Signs and sends one request. */
export function call(tvm: Pick<RunningTvm, 'host' | 'port'>, what: Call = {}): Promise<RawAnswer> {
  return sendRaw(tvm.port, signedCall(tvm, what));
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/gu,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A query in canonical form. */
export function queryOf(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([key, value]) => `${encode(key)}=${encode(value)}`)
    .toSorted()
    .join('&');
}

/** `GET /?…` */
export function get(
  tvm: RunningTvm,
  fields: Readonly<Record<string, string>>,
  more: Call = {},
): Promise<RawAnswer> {
  return call(tvm, { query: queryOf(fields), ...more });
}

/** `POST /` with exactly these bytes as JSON. */
export function postText(
  tvm: RunningTvm,
  body: string | Uint8Array,
  more: Call = {},
): Promise<RawAnswer> {
  return call(tvm, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
    ...more,
  });
}

/** `POST /` with a value as JSON. */
export function post(tvm: RunningTvm, value: unknown, more: Call = {}): Promise<RawAnswer> {
  return postText(tvm, JSON.stringify(value), more);
}

/** The audit records of vends with this outcome. */
export function outcomes(tvm: RunningTvm, outcome: string): readonly Record<string, unknown>[] {
  return tvm.audit.filter((record) => record['event'] === 'vend' && record['outcome'] === outcome);
}

/** A profile document in one line. */
export function profileDocument(more: object = {}): string {
  return JSON.stringify({
    role_arn: 'arn:aws:iam::000000000000:role/SentinelProtected-dev',
    ...more,
  });
}

export function policyDocument(...rules: readonly object[]): string {
  return JSON.stringify({
    version: '1',
    rules: rules.map((rule, index) => ({ name: `rule-${index}`, ...rule })),
  });
}

/** Puts a profile and its policy. */
export async function putProfile(
  desk: { readonly put: (name: string, value: string) => Promise<void> },
  name: string,
  rule: object,
  more: object = {},
): Promise<void> {
  await desk.put(`/sentinel/profiles/${name}`, profileDocument(more));
  await desk.put(`/sentinel/policies/${name}`, policyDocument(rule));
}

/** What a fake service does with one call. */
export type FakeAnswer =
  | 'hang'
  | 'close'
  | {
      readonly status?: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    };

export type Fake = {
  readonly url: string;
  /** Bodies of the calls so far. */
  readonly calls: string[];
  /** What it answers; may be changed at any time. */
  answer: (body: string, incoming: IncomingMessage) => FakeAnswer | Promise<FakeAnswer>;
  readonly close: () => Promise<void>;
};

/** Starts a service that answers whatever the test wants. */
export async function startFake(answer: Fake['answer']): Promise<Fake> {
  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    fake.calls.push(body);
    const what = await fake.answer(body, incoming);
    if (what === 'close') incoming.socket.destroy();
    else if (what !== 'hang')
      outgoing.writeHead(what.status ?? 200, what.headers ?? {}).end(what.body);
  }
  // When the service that it passes calls on to has ended, only the caller's connection ends; no
  // test fails because of it.
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fake: Fake = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    answer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

/**
 * Passes a call on to another service with its Host, so that its signature stays valid, and gives
 * the answer.
 */
export function forward(
  port: number,
  body: string,
  { headers, method }: IncomingMessage,
): Promise<FakeAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, method: method ?? 'POST', headers, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('error', reject);
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: { 'content-type': answer.headers['content-type'] ?? '' },
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    outgoing.on('error', reject).end(body);
  });
}

function xml(status: number, body: string): FakeAnswer {
  return { status, headers: { 'content-type': 'text/xml' }, body };
}

/** An error of STS. */
export function stsError(code: string, status = 400): FakeAnswer {
  return xml(
    status,
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>upstream says no</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
  );
}

/** The answer that names the TVM's own role. */
export const stsIdentity = xml(
  200,
  '<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::000000000000:assumed-role/sentinel-tvm/local</Arn><UserId>AROA:local</UserId><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>',
);

/** An answer with credentials, complete unless changed. */
export function stsCredentials(
  change: Readonly<Record<string, string>> = {},
  { seconds = 900 }: { readonly seconds?: number } = {},
): FakeAnswer {
  const members = {
    AccessKeyId: 'ASIAFAKEFAKEFAKE',
    SecretAccessKey: 'fake-secret-key-of-the-session',
    SessionToken: 'fake-session-token-of-the-session',
    Expiration: new Date(Date.now() + seconds * 1000).toISOString(),
    ...change,
  };
  const inner = Object.entries(members).map(([name, value]) => `<${name}>${value}</${name}>`);
  return xml(
    200,
    `<AssumeRoleResponse><AssumeRoleResult><Credentials>${inner.join('')}</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
  );
}

/**
 * A fake STS. It always answers the TVM's own GetCallerIdentity; `assumeRole` answers AssumeRole.
 */
export async function startFakeSts(assumeRole: Fake['answer'] = () => stsCredentials()) {
  const control = { assumeRole };
  const fake = await startFake((body, incoming) =>
    body.includes('Action=GetCallerIdentity') ? stsIdentity : control.assumeRole(body, incoming),
  );
  return {
    ...fake,
    control,
    assumed: () => fake.calls.filter((body) => body.includes('Action=AssumeRole')),
  };
}
