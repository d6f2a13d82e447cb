import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { parseAnswer, sendBytes, sendRaw } from '../support/raw-http.ts';
import { sha256 } from '../support/sign.ts';
import {
  add,
  change,
  DEV_BODY,
  fire,
  outcomeOf,
  postShot,
  refused,
  shot,
  useTvm,
  VENDED,
} from './support.ts';

const INVALID = refused(400, 'ValidationError');
const MISMATCH = refused(403, 'SignatureDoesNotMatch');
const HASH = 'x-amz-content-sha256';

const world = useTvm();

it('28 refuses a declared hash that is not that of the body', async () => {
  const { tvm } = world;
  const wrong = refused(400, 'XAmzContentSHA256Mismatch');
  function declare(hash: string, payloadHash?: string) {
    return fire(
      tvm,
      postShot(tvm, {
        headers: { [HASH]: hash },
        ...(payloadHash === undefined ? {} : { payloadHash }),
      }),
    );
  }
  expect(await declare(sha256(DEV_BODY))).toEqual(VENDED);
  expect(await declare(sha256('another'))).toEqual(wrong);
  // The signature is over the declared hash, so a verifier that trusts the header would accept it.
  expect(await declare(sha256('another'), sha256('another'))).toEqual(wrong);
  expect(await declare(sha256(DEV_BODY).toUpperCase())).toEqual(wrong);
  expect(await declare('')).toEqual(wrong);
  expect(await fire(tvm, add(postShot(tvm), HASH, sha256('another')))).toEqual(wrong);
});

it('28 refuses another body under the same signature', async () => {
  const { tvm } = world;
  const signed = postShot(tvm, { headers: { [HASH]: sha256(DEV_BODY) } });
  expect(await fire(tvm, { ...signed, body: '{"profile":"vault"}' })).toEqual(
    refused(400, 'XAmzContentSHA256Mismatch'),
  );
  expect(await fire(tvm, signed)).toEqual(VENDED);
});

it.each([
  'UNSIGNED-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
])('29 refuses the declared hash %s', async (declared) => {
  const { tvm } = world;
  const headers = { [HASH]: declared };
  expect(await fire(tvm, postShot(tvm, { headers, payloadHash: declared }))).toEqual(INVALID);
  expect(await fire(tvm, shot(tvm, { headers, payloadHash: declared }))).toEqual(INVALID);
  expect(await fire(tvm, postShot(tvm, { payloadHash: declared }))).toEqual(MISMATCH);
});

it('30 refuses a body whose signature covers another hash', async () => {
  const { tvm } = world;
  expect(await fire(tvm, postShot(tvm, { payloadHash: sha256('') }))).toEqual(MISMATCH);
  expect(await fire(tvm, postShot(tvm, { payloadHash: '' }))).toEqual(MISMATCH);
  expect(await fire(tvm, postShot(tvm, { payloadHash: sha256('{}') }))).toEqual(MISMATCH);
});

it('31 refuses a content encoding', async () => {
  const { tvm } = world;
  const packed = gzipSync(DEV_BODY);
  const encoded = { headers: { 'content-encoding': 'gzip' } };
  expect(await fire(tvm, postShot(tvm, { ...encoded, body: packed }))).toEqual(INVALID);
  expect(await fire(tvm, postShot(tvm, { headers: { 'content-encoding': 'identity' } }))).toEqual(
    INVALID,
  );
  // Unsigned, as a proxy would add it.
  expect(await fire(tvm, add(postShot(tvm), 'content-encoding', 'gzip'))).toEqual(INVALID);
  expect(await fire(tvm, postShot(tvm, { body: packed }))).toEqual(INVALID);
});

it.each([
  [
    'bytes that are not UTF-8',
    Buffer.concat([
      Buffer.from('{"profile":"dev","device_id":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]),
  ],
  ['an overlong NUL', Buffer.from([0x7b, 0xc0, 0x80, 0x7d])],
  ['UTF-16', Buffer.from(DEV_BODY, 'utf16le')],
  ['half a document', Buffer.from(DEV_BODY.slice(0, -1))],
  ['two documents', Buffer.from(DEV_BODY + DEV_BODY)],
  ['a form', Buffer.from('profile=dev')],
  ['a repeated key', Buffer.from('{"profile":"vault","profile":"dev"}')],
  ['a repeated key, escaped', Buffer.from(String.raw`{"profile":"vault","\u0070rofile":"dev"}`)],
  ['a list', Buffer.from(`[${DEV_BODY}]`)],
  [
    'an unknown field',
    Buffer.from('{"profile":"dev","role_arn":"arn:aws:iam::000000000000:role/x"}'),
  ],
  ['the prototype as a field', Buffer.from('{"profile":"dev","__proto__":"x"}')],
  ['60,000 brackets', Buffer.from('['.repeat(60_000))],
  ['nothing', Buffer.from('')],
] as const)('31 refuses a body of %s', async (_, body) => {
  const { tvm } = world;
  expect(await fire(tvm, postShot(tvm, { body }))).toEqual(INVALID);
});

it('31 refuses a body over the limit by its Content-Length, before it is sent', async () => {
  const { tvm } = world;
  const tooLarge = refused(413, 'ValidationError');
  const announced = { ...add(postShot(tvm), 'content-length', '65537'), body: '' };
  expect(await fire(tvm, announced)).toEqual(tooLarge);
  const exabyte = { ...add(postShot(tvm), 'content-length', '1152921504606846976'), body: '' };
  expect(await fire(tvm, exabyte)).toEqual(tooLarge);
  const largest = `{"profile":"dev","device_id":"${'x'.repeat(65_536 - 32)}"}`;
  expect(largest).toHaveLength(65_536);
  expect(await fire(tvm, postShot(tvm, { body: largest }))).toEqual(VENDED);
});

it('31 refuses a chunked body as soon as it passes the limit', async () => {
  const { tvm } = world;
  const { method, target, headers } = add(postShot(tvm), 'transfer-encoding', 'chunked');
  const head = [
    `${method} ${target} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ].join('\r\n');
  const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
  const answer = parseAnswer(
    await sendBytes(tvm.port, `${head}\r\n\r\n${chunk}${chunk}1\r\nx\r\n`),
  );
  expect(outcomeOf(answer)).toEqual(refused(413, 'ValidationError'));
});

it('31 refuses a signed body on GET', async () => {
  const { tvm } = world;
  expect(await fire(tvm, shot(tvm, { body: DEV_BODY }))).toEqual(INVALID);
});

it('32 parses JSON only, whatever an unsigned content type says', async () => {
  const { tvm } = world;
  function unsigned(type: string) {
    return add(shot(tvm, { method: 'POST', query: '', body: DEV_BODY }), 'content-type', type);
  }
  for (const type of ['application/json', 'APPLICATION/JSON', 'application/json; charset=utf-8']) {
    expect(await fire(tvm, unsigned(type))).toEqual(VENDED);
  }
  for (const type of [
    'application/x-www-form-urlencoded',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/json, text/plain',
    '',
  ]) {
    expect(await fire(tvm, unsigned(type))).toEqual(INVALID);
  }
  expect(await fire(tvm, shot(tvm, { method: 'POST', query: '', body: DEV_BODY }))).toEqual(
    INVALID,
  );
  expect(
    await fire(
      tvm,
      change(postShot(tvm), 'content-type', () => 'application/json; charset=utf-8'),
    ),
  ).toEqual(MISMATCH);
});

it('32 refuses a query beside a body', async () => {
  const { tvm } = world;
  const both = await sendRaw(tvm.port, postShot(tvm, { query: 'profile=dev' }));
  expect(outcomeOf(both)).toEqual(INVALID);
});
