import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  answerOf,
  DANA,
  raw,
  replies,
  reset,
  says,
  startFakeSts,
  stsError,
  truncated,
  useForwarded,
  type Behaviour,
} from '../support/fake-sts.ts';
import { forwarded } from '../support/forwarded.ts';
import { sendRaw } from '../support/raw-http.ts';
import { fire, messageOf, refused, type Outcome } from './support.ts';

const UNAVAILABLE = refused(503, 'ServiceUnavailable');
const DENIED = refused(403, 'AccessDenied');
const LIMITED = refused(429, 'RateLimited');
const KNOWN: Outcome = { status: 200, error: undefined, credentials: false };

const world = useForwarded();

const GOOD = answerOf(DANA);

function bytes(head: string, body = GOOD): Behaviour {
  return raw(`HTTP/1.1 ${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}
const JSON_OK = '200 OK\r\ncontent-type: application/json';

/** The TVM takes no identity from any of these answers, though most of them contain a good one. */
const UNEXPECTED: Readonly<Record<string, Behaviour>> = {
  '53 a redirect': replies(302, GOOD, { location: 'http://127.0.0.1:1/' }),
  '53 a permanent redirect': replies(308, GOOD, { location: '/' }),
  '53 ten megabytes': replies(200, `${' '.repeat(10 << 20)}${GOOD}`),
  '53 just more than 8 KiB': replies(200, `${' '.repeat(8_193 - GOOD.length)}${GOOD}`),
  '53 gzip': replies(200, gzipSync(GOOD), { 'content-encoding': 'gzip' }),
  '53 a gzip bomb': replies(200, gzipSync(Buffer.alloc(4 << 20)), { 'content-encoding': 'gzip' }),
  '53 gzip that is not declared': replies(200, gzipSync(GOOD)),
  '53 an unknown encoding': replies(200, GOOD, { 'content-encoding': 'br' }),
  '53 a reset': reset,
  '53 a close without answer': raw(''),
  '53 a truncated body': truncated,
  '53 a truncated chunk': raw(
    `HTTP/1.1 ${JSON_OK}\r\ntransfer-encoding: chunked\r\n\r\n1000\r\n${GOOD}`,
  ),
  '53 a flood of headers': replies(200, GOOD, { 'x-flood': 'a'.repeat(30_000) }),
  '53 an answer that is not HTTP': raw(GOOD),
  '53 garbage after the status line': raw('HTTP/1.1 200 OK\r\nno header\r\n\r\n'),
  '53 length and chunks at once': bytes(`${JSON_OK}\r\ntransfer-encoding: chunked`),
  '54 an empty 200': replies(200, ''),
  '54 HTML': replies(200, '<html>Welcome</html>', { 'content-type': 'text/html' }),
  '54 JSON declared as HTML': replies(200, GOOD, { 'content-type': 'text/html' }),
  '54 JSON without a content type': bytes('200 OK'),
  '54 a content type like that of JSON': replies(200, GOOD, {
    'content-type': 'application/jsonp',
  }),
  '54 XML': replies(
    200,
    '<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:user/dana</Arn><UserId>AIDA</UserId><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>',
    { 'content-type': 'text/xml' },
  ),
  '54 XML declared as JSON': replies(200, '<GetCallerIdentityResponse/>'),
  '54 DOCTYPE': replies(200, '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
  '54 JSON twice': replies(200, GOOD + GOOD),
  '54 an array': replies(200, `[${GOOD}]`),
  '54 null': replies(200, 'null'),
  '54 the result alone': replies(200, JSON.stringify({ GetCallerIdentityResult: DANA })),
  '54 names in camel case': replies(200, GOOD.replaceAll('GetCaller', 'getCaller')),
  '54 an array of results': replies(
    200,
    GOOD.replace('"GetCallerIdentityResult":', '"GetCallerIdentityResult":[],"X":'),
  ),
  '54 no account': says({ Arn: DANA.Arn, UserId: DANA.UserId }),
  '54 no ARN': says({ Account: DANA.Account, UserId: DANA.UserId }),
  '54 no user id': says({ Arn: DANA.Arn, Account: DANA.Account }),
  '54 an account that is a number': replies(200, GOOD.replace('"000000000000"', '111111111111')),
  '54 an ARN in a list': says({ ...DANA, Arn: [DANA.Arn] }),
  '54 an empty user id': says({ ...DANA, UserId: '' }),
  '54 a user id with a line break': says({ ...DANA, UserId: 'AIDA\nAIDA' }),
  '54 an ARN of the wrong form': says({ ...DANA, Arn: 'dana' }),
  '54 an ARN with a line break': says({ ...DANA, Arn: `${DANA.Arn}\n` }),
  '54 a key twice': replies(
    200,
    GOOD.replace('"Account"', '"Arn":"arn:aws:iam::000000000000:user/eng/dana","Account"'),
  ),
  '54 a key twice, once in escapes': replies(
    200,
    GOOD.replace('"Account"', String.raw`"\u0041rn":"x","Account"`),
  ),
  '54 a result twice': replies(
    200,
    GOOD.replace(
      '{"GetCallerIdentityResult"',
      '{"GetCallerIdentityResult":{},"GetCallerIdentityResult"',
    ),
  ),
  '54 bytes that are not UTF-8': replies(
    200,
    Buffer.from(GOOD.replace('dana', 'd\u00E4na'), 'latin1'),
  ),
  '54 nesting without end': replies(200, '['.repeat(4_000) + ']'.repeat(4_000)),
  '54 an error with status 200': replies(200, '{"Error":{"Code":"AccessDenied"}}'),
  '54 a good answer with status 201': replies(201, GOOD),
  '54 a good answer with status 204': bytes('204 No Content\r\ncontent-type: application/json'),
  '54 a good answer with status 206': replies(206, GOOD),
  '54 a good answer with status 403': replies(403, GOOD),
  '54 a good answer with status 500': replies(500, GOOD),
  '55 403 in HTML': replies(403, '<html>captive portal</html>', { 'content-type': 'text/html' }),
  '55 403 without code': replies(403, '{"message":"Forbidden"}'),
  '55 403 with a code of the wrong form': stsError(403, 'x y\r\n<script>'),
  '55 500 in JSON': stsError(500, 'InternalFailure'),
  '55 503 in JSON': stsError(503, 'ServiceUnavailable'),
  '55 500 that says Throttling': stsError(500, 'Throttling'),
  '55 408 in JSON': stsError(408, 'RequestTimeoutException'),
  '55 400 that blames the service': stsError(400, 'InternalFailure'),
  '55 407': replies(407, 'proxy', { 'content-type': 'text/plain' }),
  '56 another account': says({ ...DANA, Account: '111122223333' }),
  '56 an ARN of another account': says({ ...DANA, Arn: 'arn:aws:iam::111122223333:user/dana' }),
  '56 an ARN without account': says({ ...DANA, Arn: 'arn:aws:iam:::user/dana' }),
  '61 another partition': says({ ...DANA, Arn: DANA.Arn.replace(':aws:', ':aws-cn:') }),
  '61 a partition that does not exist': says({ ...DANA, Arn: DANA.Arn.replace(':aws:', ':AWS:') }),
};

it.each(Object.keys(UNEXPECTED))(
  '%s: answers 503 without an identity, and serves the next request',
  async (name) => {
    const { tvm, sts } = world;
    sts.behave = UNEXPECTED[name] as Behaviour;
    const answer = await sendRaw(tvm.port, forwarded(tvm));
    expect([answer.status, answer.json['error'], answer.headers['retry-after']]).toEqual([
      503,
      'ServiceUnavailable',
      '5',
    ]);
    expect(answer.body).not.toMatch(/dana|arn:|captive|script|Welcome/u);
    expect(sts.seen.length).toBeGreaterThan(0);
    sts.behave = says(DANA);
    expect(await fire(tvm, forwarded(tvm))).toEqual(KNOWN);
  },
);

it('53 follows no redirect of STS', async () => {
  const { tvm, sts, desk } = world;
  const trap = await startFakeSts(desk.url);
  for (const status of [301, 302, 303, 307, 308]) {
    sts.behave = replies(status, '', { location: `${trap.url}/` });
    expect(await fire(tvm, forwarded(tvm))).toEqual(UNAVAILABLE);
  }
  expect(trap.seen).toEqual([]);
  expect(sts.seen).toHaveLength(5);
  await trap.close();
});

it.each<readonly [string, Behaviour]>([
  [
    'interim answers 100 and 103 before it',
    raw(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 ${JSON_OK}\r\ncontent-length: ${GOOD.length}\r\n\r\n${GOOD}`,
    ),
  ],
  [
    'a second answer after it',
    raw(
      `HTTP/1.1 ${JSON_OK}\r\ncontent-length: ${GOOD.length}\r\n\r\n${GOOD}HTTP/1.1 403 Forbidden\r\n\r\n`,
    ),
  ],
  [
    'chunks',
    (outgoing) => {
      outgoing.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
      for (const character of GOOD) outgoing.write(character);
      outgoing.end();
    },
  ],
  ['exactly 8 KiB', replies(200, `${' '.repeat(8_192 - GOOD.length)}${GOOD}`)],
  ['the encoding identity', replies(200, GOOD, { 'content-encoding': 'identity' })],
  ['further fields', says({ ...DANA, More: { of: ['it'] } })],
])('53 accepts a good answer of STS with %s', async (_, behave) => {
  world.sts.behave = behave;
  expect(await fire(world.tvm, forwarded(world.tvm))).toEqual(KNOWN);
});

describe('55 a refusal by STS', () => {
  it.each([
    'InvalidClientTokenId',
    'SignatureDoesNotMatch',
    'ExpiredToken',
    'AccessDenied',
    'RequestExpired',
  ])('answers 403 to %s with nothing of STS but the code', async (code) => {
    const { tvm, sts } = world;
    for (const status of [400, 403]) {
      sts.behave = stsError(status, code);
      expect(await fire(tvm, forwarded(tvm))).toEqual(DENIED);
      expect(tvm.audit.at(-1)).toMatchObject({
        event: 'identity_refused',
        error: 'AccessDenied',
        upstream_code: code,
      });
      const message = await messageOf(tvm, forwarded(tvm));
      expect(message).toContain(`(${code})`);
      expect(message).not.toContain('the words of STS');
    }
  });

  it.each([
    ['ExpiredToken', 'get new ones'],
    ['InvalidClientTokenId', 'AWS does not know the access key'],
    ['RegionDisabledException', '--sts-region'],
    ['SignatureDoesNotMatch', "this server's id"],
    ['SomethingNew', "this server's id"],
    ['toString', "this server's id"],
  ])('says what to do about %s', async (code, advice) => {
    const { tvm, sts } = world;
    sts.behave = stsError(403, code);
    expect(await messageOf(tvm, forwarded(tvm))).toContain(advice);
  });

  it.each([
    ['400 Throttling', stsError(400, 'Throttling')],
    ['400 PriorRequestNotComplete', stsError(400, 'PriorRequestNotComplete')],
    ['400 RequestThrottledException', stsError(400, 'RequestThrottledException')],
    ['400 ThrottlingException', stsError(400, 'ThrottlingException')],
    ['403 RequestLimitExceeded', stsError(403, 'RequestLimitExceeded')],
    ['429 in HTML', replies(429, '<html/>', { 'content-type': 'text/html' })],
    ['429 with an identity', replies(429, GOOD)],
  ])('answers 429 with Retry-After to %s', async (_, behave) => {
    const { tvm, sts } = world;
    sts.behave = behave;
    const answer = await sendRaw(tvm.port, forwarded(tvm));
    expect([answer.status, answer.json['error'], answer.headers['retry-after']]).toEqual([
      429,
      'RateLimited',
      '2',
    ]);
    expect(await fire(tvm, forwarded(tvm))).toEqual(LIMITED);
  });
});
