import { expect, it } from 'vitest';
import { createAwsClients } from '../../src/aws/clients.ts';
import { DANA, says, useForwarded } from '../support/fake-sts.ts';
import {
  CONSTANTS,
  DEV,
  encodeToken,
  forwarded,
  forwardedFields,
  WHOAMI,
  withToken,
  type Forwarding,
  type TokenFields,
} from '../support/forwarded.ts';
import { amzDateOf, sha256 } from '../support/sign.ts';
import { add, fire, messageOf, refused, VENDED, type Outcome, type Shot } from './support.ts';

/** A token that is wrong by itself is refused here, without a call to STS. */
const INVALID = refused(400, 'ValidationError');
const INCOMPLETE = refused(400, 'IncompleteSignature');
const DENIED = refused(403, 'AccessDenied');
const MISMATCH = refused(403, 'SignatureDoesNotMatch');
const KNOWN: Outcome = { status: 200, error: undefined, credentials: false };

const world = useForwarded();

/**
 * The fake STS confirms everything, so that only the TVM's own check can refuse. Expects no call to
 * STS.
 */
async function fireLocally(what: Shot): Promise<Outcome> {
  world.sts.clear();
  world.sts.behave = says(DANA);
  const outcome = await fire(world.tvm, what);
  expect(world.sts.seen).toEqual([]);
  return outcome;
}

function altered(change: Readonly<Record<string, unknown>>): Shot {
  return forwarded(world.tvm, {}, (fields) => ({ ...fields, ...change }));
}

function signedAs(what: Forwarding, alter?: (fields: TokenFields) => unknown): Shot {
  return forwarded(world.tvm, what, alter);
}

it('44 accepts a good token at every endpoint once STS confirms it', async () => {
  const { tvm, sts } = world;
  expect(await fire(tvm, signedAs({}))).toEqual(KNOWN);
  expect(await fire(tvm, signedAs(DEV))).toEqual(VENDED);
  expect(
    await fire(tvm, signedAs({ method: 'POST', path: '/', body: '{"profile":"dev"}' })),
  ).toEqual(VENDED);
  expect(await fire(tvm, signedAs({ path: '/profiles' }))).toEqual(KNOWN);
  expect(sts.seen).toHaveLength(4);
});

it('44 accepts a token that signs all, some or none of the constant headers', async () => {
  const { 'x-amz-content-sha256': hash, ...others } = CONSTANTS;
  for (const extra of [
    CONSTANTS,
    others,
    { 'x-amz-content-sha256': hash },
    { accept: CONSTANTS.accept },
    {},
  ]) {
    expect(await fire(world.tvm, signedAs({ extra }))).toEqual(KNOWN);
  }
});

it.each([
  'body',
  'url',
  'action',
  'method',
  'host',
  'headers',
  'path',
  'query',
  'iam_request_body',
  'Version',
])('44 refuses a token with the field %s', async (field) => {
  expect(await fireLocally(altered({ [field]: 'Action=GetSessionToken' }))).toEqual(INVALID);
});

it('44 sends STS its own action, version, method and path, so a signature over others fails', async () => {
  const { tvm, sts } = world;
  const wishes: readonly Forwarding[] = [
    { stsBody: 'Action=GetSessionToken&Version=2011-06-15' },
    { stsBody: 'Action=GetCallerIdentity&Version=2011-06-15&Action=AssumeRole' },
    { stsBody: '' },
    { stsMethod: 'GET' },
    { stsPath: '/?Action=GetCallerIdentity' },
    { stsHost: 'sts.amazonaws.com' },
    { extra: { ...CONSTANTS, accept: 'text/xml' } },
    { extra: { ...CONSTANTS, 'content-type': 'application/x-www-form-urlencoded' } },
    { extra: { ...CONSTANTS, 'content-length': '44' } },
    { extra: { ...CONSTANTS, 'x-amz-content-sha256': sha256('') } },
  ];
  for (const wish of wishes) expect(await fire(tvm, signedAs(wish))).toEqual(DENIED);
  expect(sts.seen).toHaveLength(wishes.length);
});

it.each([
  ['the same field twice', (json: string) => json.replace('{', '{"v":1,')],
  [
    'another nonce first',
    (json: string) => json.replace('{', '{"nonce":"0123456789abcdef0123456789",'),
  ],
  ['the same field in escapes', (json: string) => json.replace('{', String.raw`{"\u0076":1,`)],
  ['the same field in capitals', (json: string) => json.replace('{', '{"Region":"us-east-1",')],
  ['a signature in capitals beside', (json: string) => json.replace('{', '{"SIGNATURE":"00",')],
  ['__proto__', (json: string) => json.replace('{', '{"__proto__":{"v":1},')],
  ['only capitals', (json: string) => json.replace('"nonce"', '"Nonce"')],
])('45 refuses a token with a repeated or misspelt field: %s', async (_, change) => {
  const shot = signedAs({}, (fields) => change(JSON.stringify(fields)));
  expect(await fireLocally(shot)).toEqual(INVALID);
});

it('46 reads a token of 4,096 characters, and refuses one of 4,097', async () => {
  const { tvm } = world;
  const fields = forwardedFields({ ...WHOAMI });
  const json = JSON.stringify(fields);
  function ofLength(bytes: number): string {
    return encodeToken(json.replace('}', `${' '.repeat(bytes - json.length)}}`));
  }
  expect(ofLength(3_072)).toHaveLength(4_096);
  expect(await fireLocally(withToken(tvm, ofLength(3_073), WHOAMI))).toEqual(INVALID);
  expect(await fireLocally(withToken(tvm, 'A'.repeat(4_097), WHOAMI))).toEqual(INVALID);
  expect(await fireLocally(withToken(tvm, 'A'.repeat(17_000), WHOAMI))).toEqual(
    refused(431, 'ValidationError'),
  );
  world.sts.clear();
  expect(await fire(tvm, withToken(tvm, ofLength(3_072), WHOAMI))).toEqual(KNOWN);
});

it('46 refuses other base64 spellings of the same bytes', async () => {
  const { tvm } = world;
  // 3n + 1 bytes end in two characters, and four bits of the last one mean nothing.
  const json = JSON.stringify(forwardedFields(WHOAMI));
  const token = encodeToken(
    json.replace('}', `${' '.repeat((4 - ((json.length - 1) % 3) - 1) % 3)} }`),
  );
  const padded = Buffer.from(token, 'base64url').toString('base64');
  const last = token.slice(-1);
  const twin = String.fromCodePoint((last.codePointAt(0) ?? 0) + 1);
  const spellings = [
    padded,
    `${token}=`,
    `${token}==`,
    `${token}!`,
    ` ${token}`,
    `${token} x`,
    `${token},`,
    `"${token}"`,
  ];
  for (const text of [
    ...spellings,
    token.slice(0, -1),
    token.slice(0, -1) + twin,
    token + token,
    `${token}\t${token}`,
  ]) {
    if (text === token) continue;
    expect(await fireLocally(withToken(tvm, text, WHOAMI)), text.slice(-10)).toEqual(INVALID);
  }
});

it.each([
  'null',
  'true',
  '1',
  '"x"',
  '[]',
  '[{}]',
  '{}',
  ' ',
  '{',
  '{"v":1}',
  '{"v":1}{"v":1}',
  '\u0000',
])('46 refuses JSON that is not a token: %j', async (json) => {
  expect(await fireLocally(withToken(world.tvm, encodeToken(json), WHOAMI))).toEqual(INVALID);
});

it.each([
  ['v', [2, 0, '1', true, null, [1], 1.5]],
  [
    'nonce',
    [
      '',
      'short',
      'a'.repeat(21),
      'a'.repeat(129),
      'a b'.repeat(9),
      'ä'.repeat(22),
      `${'a'.repeat(22)}\r\nx: y`,
      1,
      null,
    ],
  ],
  [
    'signature',
    [
      '',
      'A'.repeat(64),
      'a'.repeat(63),
      'a'.repeat(65),
      'g'.repeat(64),
      `${'a'.repeat(63)}\n`,
      null,
    ],
  ],
  [
    'amzDate',
    [
      '',
      '2026-01-02T03:04:05Z',
      '20260102T030405',
      '20260102T030405+0000',
      `20260102T030405Z\n`,
      0,
    ],
  ],
  ['credential', ['', 'a b', 'a'.repeat(257), 'x\r\ny', null, {}]],
  ['securityToken', ['', 'a b', 'x\r\nhost: evil', '\u0000', 'ä', null, 1]],
  ['signedHeaders', ['', 'host x', 'a'.repeat(513), 'host\r\n', null, ['host']]],
] as const)('46 refuses values of the wrong form for %s', async (field, values) => {
  for (const value of values)
    expect(await fireLocally(altered({ [field]: value })), JSON.stringify(value)).toEqual(INVALID);
});

it.each(['v', 'region', 'amzDate', 'credential', 'signedHeaders', 'signature', 'nonce'])(
  '46 refuses a token without %s',
  async (field) => {
    expect(await fireLocally(altered({ [field]: undefined }))).toEqual(INVALID);
  },
);

it.each([
  'x.evil.com#',
  'us-east-1.amazonaws.com@evil',
  '169.254.169.254',
  'US-EAST-1',
  'us-east-9',
  'cn-north-1',
  'us-gov-west-1',
  'us-iso-east-1',
  'us-east-1-fips',
  'global',
  'aws-global',
  '__proto__',
  'constructor',
  '',
  'us-east-1 ',
  'us-east-1\n',
  'us-east-1/',
  '..',
  'a'.repeat(33),
])('47 refuses the region %j', async (region) => {
  expect(await fireLocally(altered({ region }))).toEqual(INVALID);
  const scopeRegion = /^[\w-]{1,32}$/u.test(region) ? region : 'us-east-1';
  expect(await fireLocally(signedAs({ region, scopeRegion }))).toEqual(INVALID);
});

it('47 takes only regions of the TVM’s own partition', async () => {
  const { desk, sts, start } = world;
  // The embedded AWS serves one region only, which is not in China.
  const endpoints = { sts: desk.url, ssm: desk.url, dynamodb: desk.url };
  const clients = createAwsClients({ region: 'us-east-1', endpoints });
  const tvm = await start({ environment: { AWS_REGION: 'cn-north-1' }, clients });
  sts.behave = says(DANA);
  expect(await fire(tvm, forwarded(tvm, { region: 'us-east-1' }))).toEqual(INVALID);
  expect(sts.seen).toEqual([]);
  expect(await fire(tvm, forwarded(tvm, { region: 'cn-northwest-1' }))).toEqual(
    refused(503, 'ServiceUnavailable'),
  );
  sts.behave = says({ ...DANA, Arn: DANA.Arn.replace(':aws:', ':aws-cn:') });
  expect(await fire(tvm, forwarded(tvm, { region: 'cn-north-1' }))).toEqual(KNOWN);
  const hosts = ['sts.cn-northwest-1.amazonaws.com.cn', 'sts.cn-north-1.amazonaws.com.cn'];
  expect(sts.seen.map(({ headers }) => headers.host)).toEqual(hosts);
});

it.each([
  { scopeRegion: 'us-west-2' },
  { service: 's3' },
  { service: 'execute-api' },
  { service: 'STS' },
  { terminator: 'aws4_reques' },
])('48 refuses a token signed in the scope %o', async (scope) => {
  expect(await fireLocally(signedAs(scope))).toEqual(INVALID);
});

it.each([
  'dana',
  'AKIA/20260102/us-east-1/sts',
  'AKIA/20260102/us-east-1/sts/aws4_request/x',
  '/20260102/us-east-1/sts/aws4_request',
])('48 refuses the credential %s', async (credential) => {
  expect(await fireLocally(altered({ credential }))).toEqual(INCOMPLETE);
});

it('33 takes signatures within 5 minutes of now, and refuses dates that do not exist', async () => {
  function at(seconds: number): Shot {
    return signedAs({ amzDate: amzDateOf(Date.now() + seconds * 1_000) });
  }
  expect(await fireLocally(at(-310))).toEqual(MISMATCH);
  expect(await fireLocally(at(310))).toEqual(MISMATCH);
  expect(await messageOf(world.tvm, at(-310))).toMatch(/^Signature expired: /u);
  expect(await fireLocally(signedAs({ scopeDate: '20260101' }))).toEqual(MISMATCH);
  expect(await fireLocally(altered({ amzDate: '20261331T000000Z' }))).toEqual(INCOMPLETE);
  world.sts.clear();
  expect(await fire(world.tvm, at(-280))).toEqual(KNOWN);
  expect(await fire(world.tvm, at(280))).toEqual(KNOWN);
});

it('12 refuses X-Amz-* and X-Sentinel-* headers beside the token, which nothing signs', async () => {
  for (const name of [
    'x-amz-date',
    'X-Amz-Security-Token',
    'x-amz-content-sha256',
    'x-sentinel-nonce',
    'X-Sentinel-Server-Id',
  ]) {
    expect(await fireLocally(add(signedAs({}), name, 'x')), name).toEqual(DENIED);
  }
});
