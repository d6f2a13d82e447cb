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

/** A refusal that names the field, in both spellings of errors, and has vended nothing. */
function expectInvalid(answer: RawAnswer, field?: string): void {
  expect(answer.status, answer.body).toBe(400);
  expect(answer.json).toMatchObject({ error: 'ValidationError', Code: 'ValidationError' });
  expect(answer.json['Message']).toBe(answer.json['message']);
  expect(answer.headers).toMatchObject({ 'x-amzn-errortype': 'ValidationError', 'cache-control': 'no-store' });
  if (field !== undefined) {
    expect(answer.json['field']).toBe(field);
    expect(answer.json['message']).toContain(`"${field}"`);
  }
  expect(outcomes(tvm, 'vended')).toEqual([]);
}

const LONG = 'x'.repeat(257);
const LABEL = 'l'.repeat(33);

const BAD_PROFILES = ['', '../x', 'a/../b', 'a/..', '.', 'a//b', '/a', 'a/', 'a b', 'ä', 'a:b', 'a\n', 'a%2fb', LONG];
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

describe('400: a field of the query', () => {
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
  ])('duration "%s" is refused by name', async (duration) => {
    expectInvalid(await get(tvm, { profile: 'dev', duration }), 'duration');
  });

  it.each(BAD_PROFILES)('profile "%s" is refused by name', async (profile) => {
    expectInvalid(await get(tvm, { profile }), 'profile');
  });

  it.each(BAD_LABELS)('session_label "%s" is refused by name', async (label) => {
    expectInvalid(await get(tvm, { profile: 'dev', session_label: label }), 'session_label');
  });

  it.each(HOSTILE_KEYS)('the unknown key "%s" is refused by name', async (key) => {
    expectInvalid(await get(tvm, { profile: 'dev', [key]: 'x' }), key);
  });

  it('a missing profile is refused by name', async () => {
    expectInvalid(await get(tvm, {}), 'profile');
    expectInvalid(await get(tvm, { duration: '900' }), 'profile');
    expectInvalid(await call(tvm, { query: 'device_id=' }), 'profile');
  });

  it('a repeated key is refused before anybody is asked', async () => {
    expectInvalid(await call(tvm, { query: 'profile=dev&profile=dev' }));
    expectInvalid(await call(tvm, { query: 'profile=dev&pro%66ile=prod' }));
  });

  it('a presigned request is refused', async () => {
    const query = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00&profile=dev';
    expectInvalid(await sendRaw(tvm.port, { target: `/?${query}`, headers: { host: tvm.host } }));
  });
});

describe('400: a field of the body', () => {
  it.each([899, 3601, 900.5, -1, 0, 1e9, '900', '', 'abc', true, null])(
    'duration %j is refused by name',
    async (duration) => {
      expectInvalid(await post(tvm, { profile: 'dev', duration }), 'duration');
    },
  );

  it.each([...BAD_PROFILES, null, 1, true])('profile %j is refused by name', async (profile) => {
    expectInvalid(await post(tvm, { profile }), 'profile');
  });

  it.each([...BAD_LABELS, 1, null])('session_label %j is refused by name', async (label) => {
    expectInvalid(await post(tvm, { profile: 'dev', session_label: label }), 'session_label');
  });

  it.each(HOSTILE_KEYS)('the unknown key "%s" is refused by name', async (key) => {
    expectInvalid(await postText(tvm, `{"profile":"dev",${JSON.stringify(key)}:"x"}`), key);
    expectInvalid(await postText(tvm, `{${JSON.stringify(key)}:"dev"}`), key);
  });

  it.each([
    '{"profile":{"a":1}}',
    '{"profile":["dev"]}',
    '{"profile":"dev","device_id":{}}',
    '{"profile":"dev","__proto__":{"profile":"x"}}',
  ])('a nested value is refused: %s', async (body) => {
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
  ])('a key that occurs twice is refused: %s', async (body) => {
    expectInvalid(await postText(tvm, body));
  });

  it('a missing profile is refused by name', async () => {
    expectInvalid(await post(tvm, {}), 'profile');
    expectInvalid(await post(tvm, { duration: 900 }), 'profile');
  });
});

describe('400: the body as a whole', () => {
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
  ])('anything but one JSON object is refused: %j', async (body) => {
    expectInvalid(await postText(tvm, body));
  });

  it('an empty body is refused', async () => {
    expectInvalid(await call(tvm, { method: 'POST', headers: { 'content-type': 'application/json' } }));
    expectInvalid(await call(tvm, { method: 'POST' }));
  });

  it('fields in the query of a POST are refused, with a body and without', async () => {
    const query = queryOf({ profile: 'dev' });
    expectInvalid(await post(tvm, { profile: 'dev' }, { query }));
    expectInvalid(await post(tvm, {}, { query }));
    expectInvalid(await call(tvm, { method: 'POST', query }));
  });

  it('a body of a GET is refused, whatever it says', async () => {
    for (const body of ['{"profile":"dev"}', ' ']) {
      expectInvalid(await get(tvm, { profile: 'dev' }, { body, headers: { 'content-type': 'application/json' } }));
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
  ])('the content type "%s" is refused', async (type) => {
    expectInvalid(await postText(tvm, '{"profile":"dev"}', { headers: { 'content-type': type } }));
  });

  it('no content type is refused', async () => {
    expectInvalid(await postText(tvm, '{"profile":"dev"}', { headers: {} }));
  });

  it.each(['gzip', 'identity', 'br'])('the content encoding %s is refused', async (encoding) => {
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    expectInvalid(await postText(tvm, '{"profile":"dev"}', { headers }));
  });

  it('bytes that are not UTF-8 are refused', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"profile":"dev","device_id":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    expectInvalid(await postText(tvm, bytes));
    expectInvalid(await postText(tvm, Buffer.from('{"profile":"dev"}', 'utf16le')));
  });
});
