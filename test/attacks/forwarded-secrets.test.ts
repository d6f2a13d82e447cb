import { beforeAll, expect, it } from 'vitest';
import {
  answerOf,
  DANA,
  raw,
  replies,
  reset,
  says,
  session,
  stsError,
  truncated,
  useForwarded,
  type Behaviour,
} from '../support/fake-sts.ts';
import {
  DANA_SECRET,
  DEV,
  encodeToken,
  forwarded,
  forwardedFields,
  WHOAMI,
  withToken,
  type Forwarding,
  type TokenFields,
} from '../support/forwarded.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import type { RunningTvm } from '../support/tvm.ts';
import { add } from './support.ts';

/**
 * 57: nothing of a token but its access key id is logged, recorded or answered, whatever becomes of
 * the request.
 */
const SESSION_TOKEN = 'IQoJb3JpZ2luX2VjEXAMPLE/SESSION+TOKEN/that/nobody/may/see==';

const world = useForwarded();

let limited: RunningTvm;
let unguarded: RunningTvm;

beforeAll(async () => {
  limited = await world.start({
    environment: { SENTINEL_RATE_LIMIT_REQUESTS: '1', SENTINEL_LOG_LEVEL: 'trace' },
  });
  unguarded = await world.start({
    environment: { SENTINEL_GUARD_TABLE: 'there-is-no-such-table' },
  });
});

/** Expects that a text holds neither the token of these fields nor a part or an encoding of it. */
function expectAbsent(text: string, fields: TokenFields): void {
  const token = encodeToken(fields);
  const json = JSON.stringify(fields);
  const secrets = [
    token,
    token.slice(40, 100),
    json,
    fields.signature,
    fields.nonce,
    SESSION_TOKEN,
    DANA_SECRET,
    'b3JpZ2lu',
  ];
  for (const secret of [
    ...secrets,
    Buffer.from(json).toString('base64'),
    SESSION_TOKEN.slice(10, 40),
    'Signature=',
  ]) {
    expect(text).not.toContain(secret);
  }
}

type Case = {
  readonly status: number;
  readonly behave?: Behaviour;
  readonly what?: Forwarding;
  readonly alter?: (fields: TokenFields) => object;
  readonly to?: () => RunningTvm;
  readonly times?: number;
  readonly header?: readonly [name: string, value: string];
};

function lie(change: object): Behaviour {
  return replies(200, answerOf({ ...DANA, ...change }));
}

/** Repeats the whole request in its answer, as an echo service or a debugging proxy does. */
function echo(status: number, type: string): Behaviour {
  return (outgoing, { headers, body }) =>
    void outgoing.writeHead(status, { 'content-type': type }).end(
      JSON.stringify({
        Error: { Code: 'AccessDenied', Message: JSON.stringify({ headers, body }) },
      }),
    );
}

const CASES: Readonly<Record<string, Case>> = {
  'a good request': { status: 200 },
  'a vend': { status: 200, what: DEV },
  'a vend that policy denies': { status: 403, what: { query: 'profile=vault' } },
  'a replay': { status: 403, times: 2 },
  'a signature that STS refuses': { status: 403, behave: stsError(403, 'SignatureDoesNotMatch') },
  'an error that repeats the request': { status: 403, behave: echo(403, 'application/json') },
  'an outage that repeats the request': { status: 503, behave: echo(500, 'application/json') },
  'a page that repeats the request': { status: 503, behave: echo(200, 'text/html') },
  'an expired token': {
    status: 403,
    behave: stsError(403, 'ExpiredToken', `${SESSION_TOKEN} is expired`),
  },
  'a code that is a token': { status: 503, behave: stsError(403, SESSION_TOKEN) },
  throttling: { status: 429, behave: stsError(400, 'Throttling', SESSION_TOKEN) },
  'an ARN that is a token': { status: 503, behave: lie({ Arn: SESSION_TOKEN }) },
  'a status line that is a token': {
    status: 503,
    behave: raw(`HTTP/1.1 999 ${SESSION_TOKEN}\r\n${SESSION_TOKEN}\r\n\r\n`),
  },
  'a redirect with a token': {
    status: 503,
    behave: replies(302, '', { location: `http://evil/${SESSION_TOKEN}` }),
  },
  'a reset': { status: 503, behave: reset },
  'half an answer': { status: 503, behave: truncated },
  'another account': { status: 403, behave: says(session('reader', 'x1', '111122223333')) },
  root: { status: 403, behave: lie({ Arn: 'arn:aws:iam::000000000000:root' }) },
  'an old date': { status: 403, what: { amzDate: '20200102T030405Z' } },
  'a region that does not exist': {
    status: 400,
    alter: (fields) => ({ ...fields, region: 'us-east-9' }),
  },
  'an unknown field': {
    status: 400,
    alter: (fields) => ({ ...fields, secret: DANA_SECRET, [SESSION_TOKEN]: 'x' }),
  },
  'a field of the wrong form': {
    status: 400,
    alter: (fields) => ({ ...fields, securityToken: `${SESSION_TOKEN} x` }),
  },
  'a signed header that is not allowed': { status: 400, what: { extra: { 'x-x': DANA_SECRET } } },
  'a credential of the wrong form': {
    status: 400,
    alter: (fields) => ({ ...fields, credential: `x ${SESSION_TOKEN}` }),
  },
  'a session token that is not signed': {
    status: 400,
    alter: (fields) => ({
      ...fields,
      signedHeaders: fields.signedHeaders.replace('x-amz-security-token;', ''),
    }),
  },
  'a security token in a header beside the token': {
    status: 403,
    header: ['x-amz-security-token', SESSION_TOKEN],
  },
  'a second Authorization header': {
    status: 400,
    header: ['authorization', `Bearer ${SESSION_TOKEN}`],
  },
  'an address above its limit': {
    status: 429,
    behave: stsError(403, 'AccessDenied'),
    to: () => limited,
    times: 3,
  },
  'a replay guard that fails': { status: 503, to: () => unguarded },
};

it.each(Object.keys(CASES))(
  '57 keeps the secrets of a token out of answer, log and audit log: %s',
  async (name) => {
    const { sts } = world;
    const {
      status,
      behave = says(DANA),
      what = {},
      alter = (fields: TokenFields) => fields,
      ...rest
    } = CASES[name] as Case;
    const { to = () => world.tvm, times = 1, header } = rest;
    const tvm = to();
    sts.behave = behave;
    const outer = { ...WHOAMI, ...(what.query === undefined ? {} : { path: '/' }), ...what };
    const fields = forwardedFields({ ...outer, securityToken: SESSION_TOKEN });
    const sent = withToken(tvm, encodeToken(alter(fields)), outer);
    const recordsBefore = tvm.audit.length;
    let answer: RawAnswer | undefined;
    for (let time = 0; time < times; time += 1)
      answer = await sendRaw(tvm.port, header === undefined ? sent : add(sent, ...header));
    expect(answer?.status).toBe(status);
    expectAbsent(`${JSON.stringify(answer?.headers)}${answer?.body}`, fields);
    expectAbsent(tvm.log(), fields);
    expectAbsent(JSON.stringify(tvm.audit.slice(recordsBefore)), fields);
    expect(tvm.log()).not.toMatch(
      /authorization|x-amz-security-token|rawPacket|GetCallerIdentityResponse/iu,
    );
  },
);

it('57 records a refusal with the claimed access key id and no more of the token', async () => {
  const { tvm, sts } = world;
  sts.behave = stsError(403, 'SignatureDoesNotMatch');
  const answer = await sendRaw(tvm.port, forwarded(tvm, { securityToken: SESSION_TOKEN }));
  expect(tvm.audit.at(-1)).toEqual({
    type: 'audit',
    timestamp: expect.any(String),
    event: 'identity_refused',
    http_request_id: answer.headers['x-request-id'],
    source_ip: '127.0.0.1',
    effect: 'deny',
    error: 'AccessDenied',
    reason: answer.json['message'],
    upstream_code: 'SignatureDoesNotMatch',
    method: 'GET',
    path: '/whoami',
    claimed_access_key_id: 'AKIADEMODANA0000',
  });
});

it.each([
  'x'.repeat(4_000),
  '\u0000',
  '"credential":"AKIA',
  '{"credential":"AKIA/<script>"}',
  '{"credential":"a b/"}',
  '[]',
])('57 records an access key id or nothing as what the token %j claims', async (text) => {
  const { tvm } = world;
  const token = Buffer.from(text).toString('base64url');
  expect((await sendRaw(tvm.port, withToken(tvm, token, WHOAMI))).status).toBe(400);
  const claimed = tvm.audit.at(-1)?.['claimed_access_key_id'];
  expect(claimed === undefined || claimed === 'AKIA').toBe(true);
});
