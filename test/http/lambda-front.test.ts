import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { API_ID, httpContext, restContext, toHeader } from '../support/lambda.ts';
import { amzDateOf, sign } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/**
 * Fronts of AWS Lambda that verify callers. Behind them the context is the only authenticator;
 * elsewhere it is ignored. The requests are as the Web Adapter makes them; the adapter itself is
 * not part of these tests.
 */
const FRONTS = ['function-url', 'http-api', 'rest-api'] as const;
type Front = (typeof FRONTS)[number];

let desk: Desk;
const tvms = new Map<Front, RunningTvm>();

beforeAll(async () => {
  desk = await startDesk();
  for (const front of FRONTS) {
    const environment = {
      SENTINEL_FRONT: front,
      SENTINEL_FRONT_ID: API_ID,
      AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001',
    };
    tvms.set(front, await startTvm(desk.url, { environment }));
  }
});

afterAll(async () => {
  for (const tvm of tvms.values()) await tvm.close();
  await desk.close();
});

function tvmOf(front: Front): RunningTvm {
  const tvm = tvms.get(front);
  if (tvm === undefined) throw new Error('not started');
  return tvm;
}

function contextOf(front: Front, ...args: Parameters<typeof httpContext>) {
  return front === 'rest-api' ? restContext(...args) : httpContext(...args);
}

type Headers = readonly (readonly [string, string])[];

function ask(tvm: RunningTvm, headers: Headers, target = '/?profile=dev'): Promise<RawAnswer> {
  return sendRaw(tvm.port, { target, headers: [['host', tvm.host], ...headers] });
}

function withContext(front: Front, context: unknown, target?: string): Promise<RawAnswer> {
  return ask(tvmOf(front), [['x-amzn-request-context', toHeader(context)]], target);
}

function resultOf({ status, json }: RawAnswer) {
  return [status, json['error']];
}

const ROLE = {
  arn: 'arn:aws:sts::000000000000:assumed-role/deploy/dana',
  userId: 'AROACKCEVSQ6C2EXAMPLE:dana',
};

describe.each(FRONTS)('SENTINEL_FRONT=%s', (front) => {
  it('takes caller and address from the context', async () => {
    const vended = await withContext(front, contextOf(front));
    expect([vended.status, vended.json['Profile']]).toEqual([200, 'dev']);
    expect(tvmOf(front).audit.at(-1)).toMatchObject({
      user: 'user/dana',
      principal: 'arn:aws:iam::000000000000:user/eng/dana',
      via: 'lambda',
      access_key_id: 'AKIAIOSFODNN7EXAMPLE',
      source_ip: '203.0.113.7',
    });
  });

  it('lets a request work once, known by its signature, or by what was signed if that is absent', async () => {
    const tvm = tvmOf(front);
    const context = ['x-amzn-request-context', toHeader(contextOf(front))] as const;
    // Different dates, because the fronts share one table in this file.
    const now = Date.now() + 10_000 * FRONTS.indexOf(front);
    function signedWith(signature: string): Headers {
      return [
        context,
        ['x-amz-date', amzDateOf(now)],
        [
          'authorization',
          `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260105/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=${`${signature}${FRONTS.indexOf(front)}`.repeat(32)}`,
        ],
      ];
    }
    function unsigned(offset: number): Headers {
      return [context, ['x-amz-date', amzDateOf(now + offset)]];
    }
    for (const headers of [signedWith('a'), signedWith('b'), unsigned(1_000), unsigned(2_000)]) {
      const target = '/?profile=dev';
      expect((await ask(tvm, headers, target)).status).toBe(200);
      const copy = await ask(tvm, [...headers, ['x-sentinel-nonce', 'another']], target);
      expect([...resultOf(copy), copy.headers['retry-after']]).toEqual([
        403,
        'RequestReplayed',
        '1',
      ]);
    }
  });

  it('mints one key for one request of POST /keys', async () => {
    const tvm = tvmOf(front);
    const headers: Headers = [
      ['host', tvm.host],
      ['x-amzn-request-context', toHeader(contextOf(front))],
      ['x-amz-date', amzDateOf(Date.now() + 60_000 + 10_000 * FRONTS.indexOf(front))],
      ['content-type', 'application/json'],
    ];
    function post() {
      return sendRaw(tvm.port, {
        method: 'POST',
        target: '/keys',
        headers,
        body: '{"duration":60}',
      });
    }
    expect([(await post()).status, resultOf(await post())]).toEqual([
      200,
      [403, 'RequestReplayed'],
    ]);
  });

  it('takes a session with a user’s name for its role', async () => {
    expect(resultOf(await withContext(front, contextOf(front, ROLE)))).toEqual([
      403,
      'PolicyDenied',
    ]);
    expect((await withContext(front, contextOf(front, ROLE), '/whoami')).json).toMatchObject({
      name: 'role/deploy',
      session_name: 'dana',
      principal: 'arn:aws:iam::000000000000:role/deploy',
    });
  });

  it('ignores Authorization, good or bad', async () => {
    const tvm = tvmOf(front);
    const signed = sign({
      host: tvm.host,
      query: 'profile=dev',
      headers: { 'x-sentinel-nonce': randomUUID() },
    });
    expect(
      resultOf(
        await ask(
          tvm,
          Object.entries(signed.headers).filter(([name]) => name !== 'host'),
        ),
      ),
    ).toEqual([403, 'MissingAuthenticationToken']);
    for (const bad of ['garbage', 'Sentinel-STS e30', 'AWS4-HMAC-SHA256 Credential=a']) {
      const headers: Headers = [
        ['authorization', bad],
        ['x-amzn-request-context', toHeader(contextOf(front))],
      ];
      expect((await ask(tvm, headers)).status).toBe(200);
    }
  });

  it.each([
    ['none at all', undefined],
    ['null', null],
    ['a list', []],
    [
      'an ALB’s, which knows nobody',
      { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:us-east-1:1:tg' } },
    ],
    ['without an authorizer', { apiId: API_ID, http: { sourceIp: '203.0.113.7' } }],
    [
      'with an authorizer of another kind',
      httpContext({}, { authorizer: { jwt: { claims: {} } }, identity: {} }),
    ],
    [
      'with null for every part',
      { apiId: API_ID, authorizer: { iam: null }, identity: { userArn: null } },
    ],
    ['of the other shape', front === 'rest-api' ? httpContext() : restContext()],
  ])('takes no identity from this context: %s', async (_, context) => {
    const before = tvmOf(front).audit.length;
    const headers: Headers =
      context === undefined ? [] : [['x-amzn-request-context', toHeader(context)]];
    expect(resultOf(await ask(tvmOf(front), headers))).toEqual([403, 'MissingAuthenticationToken']);
    expect(tvmOf(front).audit.slice(before)).toMatchObject([{ event: 'identity_refused' }]);
  });

  it.each(['b1b2c3d4e5', '', `${API_ID} `, API_ID.toUpperCase(), 7])(
    'refuses the context of another API (%j)',
    async (id) => {
      const refused = await withContext(front, contextOf(front, {}, { apiId: id }));
      expect(refused.status).toBe(403);
      expect(refused.json['AccessKeyId']).toBeUndefined();
    },
  );

  it('refuses two contexts, in whatever case of the header’s name', async () => {
    const context = toHeader(contextOf(front));
    for (const name of ['x-amzn-request-context', 'X-Amzn-Request-Context']) {
      const twice = await ask(tvmOf(front), [
        [name, context],
        ['x-amzn-request-context', context],
      ]);
      expect(resultOf(twice)).toEqual([403, 'MissingAuthenticationToken']);
    }
  });

  it.each([
    ['root', { arn: 'arn:aws:iam::000000000000:root', userId: '000000000000' }],
    [
      'a federated user',
      { arn: 'arn:aws:sts::000000000000:federated-user/dana', userId: '000000000000:dana' },
    ],
    [
      'an EC2 instance',
      { arn: 'arn:aws:sts::000000000000:assumed-role/aws:ec2-instance/i-1', userId: 'x:i-1' },
    ],
    ['another account', { account: '111122223333', arn: 'arn:aws:iam::111122223333:user/dana' }],
    ['two accounts', { account: '111122223333' }],
    ['no ARN', { arn: 'dana' }],
    ['the id of another session', { arn: ROLE.arn, userId: 'AROACKCEVSQ6C2EXAMPLE:alice' }],
    ['an access key of the wrong form', { accessKey: 'AKIA EXAMPLE' }],
  ])('denies %s', async (_, who) => {
    expect(resultOf(await withContext(front, contextOf(front, who)))).toEqual([
      403,
      'AccessDenied',
    ]);
  });

  it('reads a name that is not ASCII as UTF-8, and denies it', async () => {
    // IAM allows no such name. If that ever changes, the name must not be turned into another one.
    const mangled = await withContext(
      front,
      contextOf(front, { arn: 'arn:aws:iam::000000000000:user/dänä' }),
      '/whoami',
    );
    expect(resultOf(mangled)).toEqual([403, 'AccessDenied']);
    expect((await withContext(front, contextOf(front), '/whoami')).status).toBe(200);
  });

  it('is logged at start as the only authenticator', () => {
    expect(tvmOf(front).log()).toContain(`"authenticators":["${front}"]`);
  });
});

describe('SENTINEL_FRONT not set', () => {
  it('ignores the context, alone and beside a signature', async () => {
    const tvm = await startTvm(desk.url, { environment: { SENTINEL_SERVER_ID: 'tvm-1' } });
    const context = JSON.stringify(httpContext({}, { http: { sourceIp: '203.0.113.7' } }));
    expect(resultOf(await ask(tvm, [['x-amzn-request-context', context]]))).toEqual([
      403,
      'MissingAuthenticationToken',
    ]);
    const { headers } = sign({
      host: tvm.host,
      query: 'profile=dev',
      accessKeyId: 'TVMDEMOCAROL',
      secret: 'demo-carol-not-a-secret',
    });
    const both = await sendRaw(tvm.port, {
      target: '/?profile=dev',
      headers: { ...headers, 'x-amzn-request-context': context },
    });
    expect(resultOf(both)).toEqual([403, 'PolicyDenied']);
    expect(tvm.audit.at(-1)).toMatchObject({ user: 'carol', via: 'key', source_ip: '127.0.0.1' });
    expect(tvm.log()).toContain('"authenticators":["registered-key","minted-key","forwarded-sts"]');
    await tvm.close();
  });
});
