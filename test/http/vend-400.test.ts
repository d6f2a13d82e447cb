import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, get, outcomes, post, postText, queryOf } from './support.ts';

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

/** Expects a refusal that names the field, in both spellings of errors, and no vend. */
function expectInvalid(answer: RawAnswer, field?: string): void {
  expect(answer.status, answer.body).toBe(400);
  expect(answer.json).toMatchObject({ error: 'ValidationError', Code: 'ValidationError' });
  expect(answer.json['Message']).toBe(answer.json['message']);
  expect(answer.headers).toMatchObject({
    'x-amzn-errortype': 'ValidationError',
    'cache-control': 'no-store',
  });
  if (field !== undefined) {
    expect(answer.json['field']).toBe(field);
    expect(answer.json['message']).toContain(`"${field}"`);
  }
  expect(outcomes(tvm, 'vended')).toEqual([]);
}

const LONG = 'x'.repeat(257);
const LABEL = 'l'.repeat(33);

const BAD_PROFILES = [
  '',
  '../x',
  'a/../b',
  'a/..',
  '.',
  'a//b',
  '/a',
  'a/',
  'a b',
  'ä',
  'a:b',
  'a\n',
  'a%2fb',
  LONG,
];
const BAD_LABELS = ['', LABEL, 'a/b', 'a b', 'ä', 'a\n'];
const HOSTILE_KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'Profile',
  'role_arn',
  'user',
  ' profile',
];

describe('GET /: 400', () => {
  it.each([
    '899',
    '3601',
    'abc',
    '1.5',
    '-1',
    '0900',
    '',
    '1e3',
    '+900',
    ' 900',
    '900s',
    '0x384',
    '9'.repeat(30),
    '٩٠٠',
  ])('names duration when it is "%s"', async (duration) => {
    expectInvalid(await get(tvm, { profile: 'dev', duration }), 'duration');
  });

  it.each(BAD_PROFILES)('names profile when it is "%s"', async (profile) => {
    expectInvalid(await get(tvm, { profile }), 'profile');
  });

  it.each(BAD_LABELS)('names session_label when it is "%s"', async (label) => {
    expectInvalid(await get(tvm, { profile: 'dev', session_label: label }), 'session_label');
  });

  it.each(HOSTILE_KEYS)('names the unknown key "%s"', async (key) => {
    expectInvalid(await get(tvm, { profile: 'dev', [key]: 'x' }), key);
  });

  it('names profile when it is missing', async () => {
    expectInvalid(await get(tvm, {}), 'profile');
    expectInvalid(await get(tvm, { duration: '900' }), 'profile');
    expectInvalid(await call(tvm, { query: 'device_id=' }), 'profile');
  });

  it('refuses a repeated key', async () => {
    expectInvalid(await call(tvm, { query: 'profile=dev&profile=dev' }));
    expectInvalid(await call(tvm, { query: 'profile=dev&pro%66ile=prod' }));
  });

  it('refuses a presigned request', async () => {
    const query = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00&profile=dev';
    expectInvalid(await sendRaw(tvm.port, { target: `/?${query}`, headers: { host: tvm.host } }));
  });
});

describe('POST /: 400 for a field', () => {
  it.each([899, 3601, 900.5, -1, 0, 1e9, '900', '', 'abc', true, null])(
    'names duration when it is %j',
    async (duration) => {
      expectInvalid(await post(tvm, { profile: 'dev', duration }), 'duration');
    },
  );

  it.each([...BAD_PROFILES, null, 1, true])('names profile when it is %j', async (profile) => {
    expectInvalid(await post(tvm, { profile }), 'profile');
  });

  it.each([...BAD_LABELS, 1, null])('names session_label when it is %j', async (label) => {
    expectInvalid(await post(tvm, { profile: 'dev', session_label: label }), 'session_label');
  });

  it.each(HOSTILE_KEYS)('names the unknown key "%s"', async (key) => {
    expectInvalid(await postText(tvm, `{"profile":"dev",${JSON.stringify(key)}:"x"}`), key);
    expectInvalid(await postText(tvm, `{${JSON.stringify(key)}:"dev"}`), key);
  });

  it.each([
    '{"profile":{"a":1}}',
    '{"profile":["dev"]}',
    '{"profile":"dev","device_id":{}}',
    '{"profile":"dev","__proto__":{"profile":"x"}}',
  ])('refuses a nested value: %s', async (body) => {
    expectInvalid(await postText(tvm, body));
  });

  it.each([
    '{"profile":"dev","profile":"dev"}',
    '{"profile":"dev","profile":"prod"}',
    '{"profile":"dev","pro\\u0066ile":"prod"}',
    '{"duration":900,"profile":"dev","duration"\t:\n900}',
    '{"profile":"a\\"b","profile":"dev"}',
    '{"profile":"dev\\\\","profile":"dev"}',
    '{"__proto__":"x","__proto__":"y","profile":"dev"}',
  ])('refuses a repeated key: %s', async (body) => {
    expectInvalid(await postText(tvm, body));
  });

  it('names profile when it is missing', async () => {
    expectInvalid(await post(tvm, {}), 'profile');
    expectInvalid(await post(tvm, { duration: 900 }), 'profile');
  });
});

describe('POST /: 400 for the whole body', () => {
  it.each([
    '[]',
    '[{"profile":"dev"}]',
    'null',
    '"dev"',
    '1',
    'true',
    '{',
    "{'profile':'dev'}",
    '{"profile":"dev"},',
    'profile=dev',
    ' ',
    '{"profile":"dev"}{"profile":"dev"}',
    '\u0000',
    'NaN',
  ])('refuses anything but one JSON object: %j', async (body) => {
    expectInvalid(await postText(tvm, body));
  });

  it('refuses an empty body', async () => {
    expectInvalid(
      await call(tvm, { method: 'POST', headers: { 'content-type': 'application/json' } }),
    );
    expectInvalid(await call(tvm, { method: 'POST' }));
  });

  it('refuses fields in the query, with a body and without', async () => {
    const query = queryOf({ profile: 'dev' });
    expectInvalid(await post(tvm, { profile: 'dev' }, { query }));
    expectInvalid(await post(tvm, {}, { query }));
    expectInvalid(await call(tvm, { method: 'POST', query }));
  });

  it('refuses a body of GET', async () => {
    for (const body of ['{"profile":"dev"}', ' ']) {
      expectInvalid(
        await get(
          tvm,
          { profile: 'dev' },
          { body, headers: { 'content-type': 'application/json' } },
        ),
      );
    }
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json, text/plain',
    'application/jsonp',
    'application/json; charset=iso-8859-1',
    'application/json; charset=utf-16',
    '',
  ])('refuses the content type "%s"', async (type) => {
    expectInvalid(await postText(tvm, '{"profile":"dev"}', { headers: { 'content-type': type } }));
  });

  it('refuses a body without a content type', async () => {
    expectInvalid(await postText(tvm, '{"profile":"dev"}', { headers: {} }));
  });

  it.each(['gzip', 'identity', 'br'])('refuses the content encoding %s', async (encoding) => {
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    expectInvalid(await postText(tvm, '{"profile":"dev"}', { headers }));
  });

  it('refuses bytes that are not UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"profile":"dev","device_id":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    expectInvalid(await postText(tvm, bytes));
    expectInvalid(await postText(tvm, Buffer.from('{"profile":"dev"}', 'utf16le')));
  });
});
