import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forwardedAuthorization } from '../../src/cli/forward.ts';
import { requestHash, type OuterRequest } from '../../src/sigv4/forwarded.ts';
import { sha256, sign } from '../support/sign.ts';
import {
  answerJson,
  DANA,
  runProgram,
  scratch,
  startStranger,
  strangersKey,
  type Seen,
  type Stranger,
} from './support.ts';

/** What leaves the program, checked by a signer that shares nothing with it. */
const directory = scratch();
const KEY = strangersKey();
let stranger: Stranger;

beforeAll(async () => {
  stranger = await startStranger((_, response) => answerJson(response, 200, KEY));
});

afterAll(() => stranger.close());

type Token = Readonly<Record<string, string>> & { readonly v: number };

function tokenOf(authorization: string): Token {
  const [scheme, text = '', ...more] = authorization.split(' ');
  expect([scheme, more]).toEqual(['Sentinel-STS', []]);
  expect(Buffer.from(text, 'base64url').toString('base64url'), 'canonical, without padding').toBe(
    text,
  );
  return JSON.parse(Buffer.from(text, 'base64url').toString()) as Token;
}

/**
 * Builds the request to STS anew from the token, as a TVM does, and signs it as the caller should
 * have.
 */
function expectForwarded(
  token: Token,
  { method, path, rawQuery, body }: OuterRequest,
  serverId: string,
  secret: string,
): void {
  const { region = '', amzDate = '', credential = '', nonce = '', securityToken } = token;
  expect(nonce).toMatch(/^[0-9a-f]{32}$/u);
  const again = sign({
    method: 'POST',
    host: `sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`,
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'x-sentinel-server-id': serverId,
      'x-sentinel-nonce': nonce,
      'x-sentinel-request-hash': sha256(`TVM1\n${method}\n${path}\n${rawQuery}\n${sha256(body)}`),
      ...(securityToken === undefined ? {} : { 'x-amz-security-token': securityToken }),
    },
    accessKeyId: credential.split('/')[0] ?? '',
    secret,
    region,
    service: 'sts',
    amzDate,
  });
  const { v, ...rest } = token;
  expect(v).toBe(1);
  expect(rest).toEqual({
    region,
    amzDate,
    credential: again.credential,
    signedHeaders: again.signedHeaders,
    signature: again.signature,
    nonce,
    ...(securityToken === undefined ? {} : { securityToken }),
  });
}

/** Signs a request that arrived as its sender should have done, and compares. */
function expectSigned(
  seen: Seen,
  { accessKeyId, secret }: { readonly accessKeyId: string; readonly secret: string },
  service: string,
): void {
  const { authorization = '', ...headers } = seen.headers as Readonly<Record<string, string>>;
  const [path = '', query = ''] = seen.url.split('?');
  const names = /SignedHeaders=([^,]+),/u.exec(authorization)?.[1]?.split(';') ?? [];
  const signed = Object.fromEntries(names.map((name) => [name, headers[name] ?? '']));
  const { host = '', 'x-amz-date': amzDate = '' } = headers;
  const again = sign({
    method: seen.method,
    path,
    query,
    headers: signed,
    host,
    secret,
    accessKeyId,
    region: 'eu-central-1',
    service,
    amzDate,
  });
  expect(authorization).toBe(again.authorization);
  const steering = Object.keys(headers).filter((name) => /^x-(?:amz|sentinel)-/u.test(name));
  expect(steering.filter((name) => !names.includes(name))).toEqual([]);
  expect(names).toContain('x-sentinel-nonce');
}

async function seenBy(
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<readonly Seen[]> {
  stranger.seen.length = 0;
  const environment = {
    ...DANA,
    TVM_URL: `${stranger.url}/stage`,
    TVM_LOGIN_FILE: `${directory}/${Math.random()}.json`,
    ...more,
  };
  expect((await runProgram(args, environment)).code).toBe(0);
  return [...stranger.seen];
}

const COMMAND = [
  'credentials',
  '--profile',
  'team/a.b',
  '--label',
  'ci_1',
  '--region',
  'eu-central-1',
];
const QUERY = 'duration=3600&profile=team%2Fa.b&session_label=ci_1';
const SECRET = DANA.AWS_SECRET_ACCESS_KEY;

describe('the requests that the program sends', () => {
  it.each([
    ['a static key', {}, 'eu-central-1'],
    ['temporary credentials, for another STS', { AWS_SESSION_TOKEN: 'token-of-dana' }, 'eu-west-3'],
  ])(
    'are signed for STS and bound to the request at first, then signed with the key: %s',
    async (_, more, stsRegion) => {
      const [login, vend, ...rest] = await seenBy(
        [...COMMAND, '--sts-region', stsRegion, '--server-id', 'tvm-1'],
        more,
      );
      if (login === undefined || vend === undefined) throw new Error('no request');
      expect(rest).toEqual([]);
      expect([login.method, login.url, login.body]).toEqual([
        'POST',
        '/stage/keys',
        '{"duration":3600}',
      ]);
      expect(login.headers['content-type']).toBe('application/json');
      expect(
        Object.keys(login.headers).filter((name) => /^x-(?:amz|sentinel)-/u.test(name)),
      ).toEqual([]);
      const token = tokenOf(login.headers.authorization ?? '');
      expect([token['region'], token['securityToken']]).toEqual([
        stsRegion,
        Object.values(more)[0],
      ]);
      expectForwarded(
        token,
        { method: 'POST', path: '/stage/keys', rawQuery: '', body: login.body },
        'tvm-1',
        SECRET,
      );
      expect([vend.method, vend.url, vend.body]).toEqual(['GET', `/stage/?${QUERY}`, '']);
      expect(vend.headers['x-amz-security-token']).toBe(KEY.SessionToken);
      expectSigned(
        vend,
        { accessKeyId: KEY.AccessKeyId, secret: KEY.SecretAccessKey },
        'execute-api',
      );
    },
  );

  it.each(['execute-api', 'lambda'])(
    'are signed with the caller’s own key behind a front of %s',
    async (service) => {
      const more = { AWS_SESSION_TOKEN: 'token-of-dana' };
      const [vend, ...rest] = await seenBy(
        [...COMMAND, '--front', 'lambda', '--service', service],
        more,
      );
      if (vend === undefined) throw new Error('no request');
      expect([rest, vend.url]).toEqual([[], `/stage/?${QUERY}`]);
      expectSigned(vend, { accessKeyId: DANA.AWS_ACCESS_KEY_ID, secret: SECRET }, service);
    },
  );
});

describe('a forwarded token', () => {
  const outer = fc.record({
    method: fc.constantFrom('GET', 'POST'),
    path: fc.constantFrom('/', '/keys', '/whoami'),
    rawQuery: fc.stringMatching(/^[a-z=&]{0,12}$/u),
    body: fc.string(),
  });
  const credentials = fc.record(
    {
      accessKeyId: fc.stringMatching(/^A[SK]IA[A-Z2-7]{16}$/u),
      secretAccessKey: fc.stringMatching(/^[\w+/]{40}$/u),
      sessionToken: fc.stringMatching(/^[\w+/=]{1,3500}$/u),
    },
    { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
  );
  const region = fc.constantFrom('us-east-1', 'us-gov-west-1', 'cn-north-1');
  const now = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2099, 0, 1) });

  it('can be verified by a TVM, and is never longer than it reads', () => {
    fc.assert(
      fc.property(
        outer,
        credentials,
        region,
        now,
        (request, { sessionToken, ...key }, region, now) => {
          const source = { ...key, sessionToken };
          const made = forwardedAuthorization(request, source, { serverId: 'tvm-1', region, now });
          if (!made.ok) {
            expect(sessionToken?.length).toBeGreaterThan(2_300);
            expect(made.refusal).not.toContain(sessionToken);
            return;
          }
          expect(made.value.length).toBeLessThanOrEqual('Sentinel-STS '.length + 4_096);
          expect(made.value).not.toContain(key.secretAccessKey);
          expectForwarded(tokenOf(made.value), request, 'tvm-1', key.secretAccessKey);
        },
      ),
    );
  });

  it('is bound to one request: two different requests have different hashes', () => {
    fc.assert(
      fc.property(outer, outer, (a, b) => {
        const isSame = (['method', 'path', 'rawQuery', 'body'] as const).every(
          (part) => a[part] === b[part],
        );
        expect(requestHash(a) === requestHash(b)).toBe(isSame);
      }),
    );
  });
});
