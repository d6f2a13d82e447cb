import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import aws4 from 'aws4';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacksBoto, python } from '../local/support.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/**
 * Signers of other projects against a running TVM: each can vend, and is refused with another
 * secret.
 */
const run = promisify(execFile);
const ID = 'TVMDEMOALICE';
const SECRET = 'demo-alice-not-a-secret';
const BODY = '{"profile":"dev","duration":900}';
const FOUND = '{"status":403,"error":"SignatureDoesNotMatch"}';

let desk: Desk;
let tvm: RunningTvm;
let counter = 0;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url);
});
afterAll(async () => {
  await tvm.close();
  await desk.close();
});

/**
 * Two equal requests in the same second have the same signature; a label of its own makes each
 * differ.
 */
function label(): string {
  return `run-${(counter += 1)}`;
}

type Json = Readonly<Record<string, unknown>>;
type Outcome = { readonly status: number; readonly json: Json };

function expectVend({ status, json }: Outcome): void {
  expect([status, json['error']]).toEqual([200, undefined]);
  expect(json['AccessKeyId']).toMatch(/^ASIA/u);
}

function expectMismatch({ status, json }: Outcome): void {
  expect(JSON.stringify({ status, error: json['error'] })).toBe(FOUND);
}

const lacksCurl = spawnSync('curl', ['--version']).status !== 0;
if (lacksCurl) process.stderr.write('skipped: curl is not on this machine\n');

describe.skipIf(lacksCurl)('curl', () => {
  async function curl(secret: string, ...args: readonly string[]): Promise<Outcome> {
    const sigv4 = ['--aws-sigv4', 'aws:amz:us-east-1:execute-api', '--user', `${ID}:${secret}`];
    const { stdout } = await run('curl', [
      '--silent',
      '--write-out',
      '\n%{http_code}',
      ...sigv4,
      ...args,
    ]);
    const [body = '', status = ''] = stdout.split('\n').filter((line) => line !== '');
    return { status: Number(status), json: JSON.parse(body) as Json };
  }

  it('vends with a sorted and with an unsorted query', async () => {
    expectVend(await curl(SECRET, `${tvm.url}/?profile=dev&session_label=${label()}`));
    expectVend(await curl(SECRET, `${tvm.url}/?session_label=${label()}&profile=dev&duration=900`));
  });

  it('vends with a JSON body and a signed nonce', async () => {
    const json = ['-H', 'content-type: application/json', '-d', BODY];
    expectVend(await curl(SECRET, ...json, '-H', `x-sentinel-nonce: ${label()}`, `${tvm.url}/`));
  });

  it('is refused with a form as its body, and with a token that belongs to no key here', async () => {
    const form = await curl(SECRET, '-d', 'profile=dev', `${tvm.url}/`);
    expect([form.status, form.json['error']]).toEqual([400, 'ValidationError']);
    const token = await curl(SECRET, '-H', 'x-amz-security-token: abc', `${tvm.url}/?profile=dev`);
    expect([token.status, token.json['error']]).toEqual([403, 'InvalidClientTokenId']);
  });

  it('is refused with another secret', async () => {
    expectMismatch(await curl('another', `${tvm.url}/?profile=dev`));
  });
});

const BOTOCORE = `
import json, sys, urllib.request, urllib.error
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
job = json.load(sys.stdin)
out = []
for call in job:
    body = call.get("body")
    request = AWSRequest(method=call["method"], url=call["url"], data=body.encode() if body else None, headers=call.get("headers", {}))
    SigV4Auth(Credentials("${ID}", call["secret"]), "execute-api", "us-east-1").add_auth(request)
    wire = urllib.request.Request(request.url, data=request.body or None, headers=dict(request.headers), method=call["method"])
    try:
        with urllib.request.urlopen(wire, timeout=10) as answer:
            out.append({"status": answer.status, "json": json.loads(answer.read())})
    except urllib.error.HTTPError as error:
        out.append({"status": error.code, "json": json.loads(error.read())})
print(json.dumps(out))
`;

const lacksBotocore = lacksBoto();

describe.skipIf(lacksBotocore !== undefined)('botocore', () => {
  it('vends by GET and POST, with and without a declared payload hash, and is refused with another secret', async () => {
    const json = { 'content-type': 'application/json' };
    // The hash of BODY, which a client may declare; the server hashes the body anyway.
    const { createHash } = await import('node:crypto');
    const declared = {
      ...json,
      'x-amz-content-sha256': createHash('sha256').update(BODY).digest('hex'),
    };
    const calls = [
      { method: 'GET', url: `${tvm.url}/?profile=dev&session_label=${label()}`, secret: SECRET },
      {
        method: 'GET',
        url: `${tvm.url}/?session_label=${label()}&duration=1800&profile=dev`,
        secret: SECRET,
      },
      { method: 'POST', url: `${tvm.url}/`, body: BODY, headers: json, secret: SECRET },
      {
        method: 'POST',
        url: `${tvm.url}/`,
        body: BODY,
        headers: { ...declared, 'x-sentinel-nonce': label() },
        secret: SECRET,
      },
      { method: 'GET', url: `${tvm.url}/?profile=dev`, secret: 'another' },
    ];
    const outcomes = (await python(BOTOCORE, calls)) as readonly Outcome[];
    expect(outcomes).toHaveLength(5);
    for (const outcome of outcomes.slice(0, 4)) expectVend(outcome);
    expectMismatch(outcomes[4] ?? { status: 0, json: {} });
  });
});

describe('aws4', () => {
  function send(
    secretAccessKey: string,
    options: { readonly path: string; readonly body?: string },
  ) {
    const signed = aws4.sign(
      {
        host: tvm.host,
        service: 'execute-api',
        region: 'us-east-1',
        ...options,
        ...(options.body === undefined
          ? {}
          : { method: 'POST', headers: { 'Content-Type': 'application/json' } }),
      },
      { accessKeyId: ID, secretAccessKey },
    );
    const headers = Object.entries(signed.headers ?? {}).map(
      ([name, value]) => [name, String(value)] as const,
    );
    const { path: target, body } = options;
    return sendRaw(tvm.port, {
      method: signed.method ?? 'GET',
      target,
      headers,
      ...(body === undefined ? {} : { body }),
    });
  }

  it('vends by GET and POST', async () => {
    expectVend(await send(SECRET, { path: `/?session_label=${label()}&profile=dev` }));
    expectVend(await send(SECRET, { path: '/', body: BODY }));
  });

  it('is refused with another secret', async () => {
    expectMismatch(await send('another', { path: '/?profile=dev' }));
  });
});

describe('aws4fetch', () => {
  function client(secretAccessKey: string) {
    return new AwsClient({
      accessKeyId: ID,
      secretAccessKey,
      service: 'execute-api',
      region: 'us-east-1',
      retries: 0,
    });
  }
  async function read(answer: Response): Promise<Outcome> {
    return {
      status: answer.status,
      json: (await answer.json()) as Json,
    };
  }

  it('vends by GET and POST', async () => {
    expectVend(
      await read(await client(SECRET).fetch(`${tvm.url}/?session_label=${label()}&profile=dev`)),
    );
    const post = {
      method: 'POST',
      body: BODY,
      headers: { 'content-type': 'application/json', 'x-sentinel-nonce': label() },
    };
    expectVend(await read(await client(SECRET).fetch(`${tvm.url}/`, post)));
  });

  it('is refused with another secret', async () => {
    expectMismatch(await read(await client('another').fetch(`${tvm.url}/?profile=dev`)));
  });
});
