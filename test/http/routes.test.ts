import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BODY_LIMIT } from '../../src/http/body.ts';
import { sendBytes, sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, outcomes, postText, signedCall } from './support.ts';

let desk: Desk;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

const PATHS = [
  ['/', 'GET, POST', ['PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']],
  ['/profiles', 'GET', ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS']],
  ['/healthz', 'GET, HEAD', ['POST', 'PUT', 'DELETE', 'OPTIONS']],
  ['/readyz', 'GET, HEAD', ['POST', 'PUT', 'DELETE', 'OPTIONS']],
] as const;

describe('a method that a path does not take', () => {
  it.each(
    PATHS.flatMap(([path, allow, methods]) =>
      methods.map((method) => [method, path, allow] as const),
    ),
  )('is answered 405 with Allow, signed or not: %s %s', async (method, path, allow) => {
    const signed = signedCall(tvm, { method, path, query: path === '/' ? 'profile=dev' : '' });
    for (const headers of [signed.headers, { host: tvm.host }]) {
      const answer = await sendRaw(tvm.port, { ...signed, headers });
      expect(answer.status).toBe(405);
      expect(answer.headers['allow']).toBe(allow);
      expect(answer.headers['cache-control']).toBe('no-store');
    }
  });

  it('is answered 405 without a vend: HEAD /', async () => {
    const before = tvm.audit.length;
    const answer = await call(tvm, { method: 'HEAD', query: 'profile=dev' });
    expect(answer).toMatchObject({ status: 405, body: '' });
    expect(tvm.audit.length).toBe(before);
  });

  it('is not changed by an override header', async () => {
    const headers = { 'x-http-method-override': 'GET' };
    const answer = await call(tvm, { method: 'DELETE', query: 'profile=dev', headers });
    expect(answer.status).toBe(405);
    expect(outcomes(tvm, 'vended')).toEqual([]);
  });
});

describe('an unknown path', () => {
  it.each([
    '/x',
    '/Profiles',
    '/profiles/',
    '/healthz/x',
    '/vend',
    '/index.html',
    '/metrics',
    '/keys/x',
    '/robots.txt',
  ])('is answered 404, signed or not, by any method: %s', async (path) => {
    const before = tvm.audit.length;
    const answers = await Promise.all([
      sendRaw(tvm.port, { target: path, headers: { host: tvm.host } }),
      sendRaw(tvm.port, { target: path, headers: { host: tvm.host, authorization: 'garbage' } }),
      call(tvm, { path }),
      call(tvm, { path, method: 'POST' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    expect(answers[0]?.json).toMatchObject({ error: 'ValidationError' });
    expect(tvm.audit.length).toBe(before);
  });
});

describe('a body at the limit', () => {
  const atLimit = `{"profile":"dev","device_id":"${'x'.repeat(BODY_LIMIT)}`.slice(
    0,
    BODY_LIMIT - 2,
  );

  it('is read when it has exactly the limit', async () => {
    const answer = await postText(tvm, `${atLimit}"}`);
    expect(answer.status, answer.body).toBe(200);
  });

  it('is answered 413 with Connection: close when it has one byte more', async () => {
    const answer = await postText(tvm, `${atLimit}x"}`);
    expect(answer.status).toBe(413);
    expect(answer.json).toMatchObject({ error: 'ValidationError' });
    expect(answer.headers['connection']).toBe('close');
  });

  it('is answered 413 by its Content-Length, before a byte of it has come', async () => {
    const { headers } = signedCall(tvm, { method: 'POST' });
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const raw = await sendBytes(
      tvm.port,
      `POST / HTTP/1.1\r\n${lines.join('')}content-length: ${BODY_LIMIT + 1}\r\n\r\n`,
    );
    expect(raw).toMatch(/^HTTP\/1\.1 413 /u);
  });

  it('is answered 413 in chunks once it passes the limit', async () => {
    const { headers } = signedCall(tvm, { method: 'POST' });
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const size = BODY_LIMIT + 1;
    const chunk = `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`;
    const raw = await sendBytes(
      tvm.port,
      `POST / HTTP/1.1\r\n${lines.join('')}transfer-encoding: chunked\r\n\r\n${chunk}`,
    );
    expect(raw).toMatch(/^HTTP\/1\.1 413 /u);
  });

  it('vends in chunks within the limit', async () => {
    const body = '{"profile":"dev"}';
    const signed = signedCall(tvm, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    const chunked = `5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`;
    const headers = { ...signed.headers, 'transfer-encoding': 'chunked' };
    const answer = await sendRaw(tvm.port, { ...signed, headers, body: chunked });
    expect(answer.status, answer.body).toBe(200);
  });

  it('is answered 403, not 413, without a signature', async () => {
    const headers = { host: tvm.host, 'content-length': String(BODY_LIMIT + 1) };
    const answer = await sendRaw(tvm.port, { method: 'POST', target: '/', headers });
    expect(answer.status).toBe(403);
    expect(answer.json).toMatchObject({ error: 'MissingAuthenticationToken' });
  });
});
