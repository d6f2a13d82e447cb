import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { amzDateOf, sha256 } from '../support/sign.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { behind, eventOf, FRONTS, type Asked } from './events.ts';
import { lacksAdapter, recordsOf, startLambda, type Lambda, type Reply } from './support.ts';

/**
 * Requests through the fronts that verify callers and the adapter, from the event to the answer.
 */
const noAdapter = lacksAdapter();

function base64(data: string | Uint8Array): string {
  return Buffer.from(data).toString('base64');
}

const WISH = '{"profile":"dev"}';

describe.skipIf(noAdapter !== undefined)('behind the Lambda Web Adapter', () => {
  let desk: Desk;

  beforeAll(async () => {
    desk = await startDesk();
  });
  afterAll(() => desk.close());

  describe.each(FRONTS)('and the front %s', (front) => {
    let lambda: Lambda;

    beforeAll(async () => {
      lambda = await startLambda(desk.url, behind(front));
    });
    afterAll(() => lambda.close());

    function ask(asked: Asked): Promise<Reply> {
      return lambda.ask(eventOf(front, asked));
    }

    function post(body: string | null, more: Omit<Asked, 'body'> = {}): Promise<Reply> {
      return ask({
        ...more,
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...more.headers },
      });
    }

    it('vends to the caller that the context names, and records its address', async () => {
      const reply = await ask({ query: 'profile=dev' });
      expect(reply.status, JSON.stringify(reply.json)).toBe(200);
      expect(reply.json).toMatchObject({
        Version: 1,
        AccessKeyId: expect.stringMatching(/^ASIA/u),
        SecretAccessKey: expect.any(String),
        SessionToken: expect.any(String),
        Profile: 'dev',
      });
      expect(reply.headers).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      expect(await lambda.recordOf(reply)).toMatchObject({
        event: 'vend',
        outcome: 'vended',
        user: 'user/dana',
        principal: 'arn:aws:iam::000000000000:user/eng/dana',
        via: 'lambda',
        access_key_id: 'AKIAIOSFODNN7EXAMPLE',
        source_ip: '203.0.113.7',
        vended_access_key_id: reply.json['AccessKeyId'],
      });
    });

    describe('a request that AWS verified', () => {
      /**
       * As the front passes them on: only HTTP APIs pass the signature, see
       * src/identity/front-claim.ts.
       */
      function signed(seconds: number): Readonly<Record<string, string>> {
        // The fronts share a table here, so each uses other seconds.
        const amzDate = amzDateOf(Date.now() + (seconds + 20 * FRONTS.indexOf(front)) * 1_000);
        const scope = `AKIAIOSFODNN7EXAMPLE/${amzDate.slice(0, 8)}/us-east-1/execute-api/aws4_request`;
        const signature = sha256(`${front} ${seconds} ${amzDate}`);
        const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`;
        return { 'x-amz-date': amzDate, ...(front === 'http-api' ? { authorization } : {}) };
      }

      it('vends once: a second identical event is a copy', async () => {
        const event = eventOf(front, { query: 'profile=dev', headers: signed(0) });
        expect((await lambda.ask(event)).status).toBe(200);
        const copy = await lambda.ask(event);
        expect([...copy.result, copy.json['retry_after']]).toEqual([403, 'RequestReplayed', 1]);
        expect(await lambda.recordOf(copy)).toMatchObject({
          event: 'vend',
          outcome: 'denied',
          error: 'replayed',
        });
        expect((await ask({ query: 'profile=dev', headers: signed(1) })).status).toBe(200);
      });

      it('is the same request with another unsigned header', async () => {
        const headers = signed(2);
        expect((await ask({ query: 'profile=dev', headers })).status).toBe(200);
        const more = { ...headers, 'x-sentinel-nonce': 'mine' };
        expect((await ask({ query: 'profile=dev', headers: more })).result).toEqual([
          403,
          'RequestReplayed',
        ]);
      });

      it('mints one key, and another one with another body', async () => {
        const [one, other] = [signed(3), front === 'http-api' ? signed(6) : undefined];
        function keys(duration: number, headers = one) {
          return post(JSON.stringify({ duration }), { path: '/keys', headers });
        }
        expect([(await keys(60)).status, (await keys(60)).result]).toEqual([
          200,
          [403, 'RequestReplayed'],
        ]);
        expect((await keys(61, other ?? one)).status).toBe(200);
      });

      it('differs from an equal one of the same second only where the front passes the signature', async () => {
        const [one, other] = [signed(4), signed(5)];
        const second = { ...other, 'x-amz-date': one['x-amz-date'] ?? '' };
        expect((await ask({ query: 'profile=dev', headers: one })).status).toBe(200);
        const { status } = await ask({ query: 'profile=dev', headers: second });
        expect(status).toBe(front === 'http-api' ? 200 : 403);
        // Behind the other fronts the signed parts must differ.
        expect((await ask({ query: 'device_id=x&profile=dev', headers: second })).status).toBe(
          front === 'http-api' ? 403 : 200,
        );
      });
    });

    it('has the adapter as the only extension', () => {
      expect(lambda.extensions).toEqual(['lambda-adapter']);
    });

    it('denies a role what its namesake user may have, with the headers of a refusal', async () => {
      const who = {
        arn: 'arn:aws:sts::000000000000:assumed-role/deploy/dana',
        userId: 'AROACKCEVSQ6C2EXAMPLE:dana',
      };
      const reply = await ask({ query: 'profile=dev', who });
      expect(reply.result).toEqual([403, 'PolicyDenied']);
      expect(reply.headers).toMatchObject({
        'x-amzn-errortype': 'PolicyDenied',
        'cache-control': 'no-store',
      });
      expect(await lambda.recordOf(reply)).toMatchObject({
        outcome: 'denied',
        principal: 'arn:aws:iam::000000000000:role/deploy',
      });
    });

    it.each([
      ['text', WISH, false],
      ['base64', base64(WISH), true],
    ])('vends for a POST with its body in %s', async (_, body, isBase64Encoded) => {
      const reply = await post(body, {
        isBase64Encoded,
        headers: { 'content-length': String(WISH.length) },
      });
      expect([reply.status, reply.json['Profile']]).toEqual([200, 'dev']);
    });

    it.each([
      ['that is empty in base64', '', true],
      ['that is null in base64', null, true],
      ['that is null', null, false],
      ['of bytes that are not text', base64(Uint8Array.of(0, 255, 254, 128)), true],
      ['of a NUL', base64('\0'), true],
      ['in base64 that is not declared', base64(WISH), false],
      ['encoded twice', base64(base64(WISH)), true],
    ])('refuses a body %s with a sentence', async (_, body, isBase64Encoded) => {
      const refused = await post(body, { isBase64Encoded });
      expect(refused.result).toEqual([400, 'ValidationError']);
      expect(refused.json['message']).toMatch(/^The body is (?:empty|not JSON)/u);
    });

    it('refuses a body beyond the limit, encoded or not, and serves the next request', async () => {
      const long = JSON.stringify({ profile: 'x'.repeat(70_000) });
      expect((await post(long)).result).toEqual([413, 'ValidationError']);
      expect((await post(base64(long), { isBase64Encoded: true })).result).toEqual([
        413,
        'ValidationError',
      ]);
      expect((await post(WISH)).status).toBe(200);
    });

    it.each(['!!!', 'eyJ', WISH, base64(WISH).replace(/=+$/u, '')])(
      'never sees a request with broken base64 (%s), which fails at the adapter',
      async (body) => {
        const event = eventOf(front, { method: 'POST', body, isBase64Encoded: true });
        const records = await recordsOf(lambda, front, async () => {
          expect(await lambda.send(JSON.stringify(event))).toMatchObject({ kind: 'failed' });
        });
        expect(records).toEqual([]);
      },
    );

    it.each([
      ['the authorizer is null', { authorizer: null, identity: {} }],
      [
        'no signature was required (auth NONE)',
        { authorizer: undefined, identity: { sourceIp: '203.0.113.7' } },
      ],
      [
        'all parts of the identity are null',
        {
          authorizer: { iam: { accessKey: null, accountId: null, userArn: null, userId: null } },
          identity: {
            accessKey: null,
            accountId: null,
            user: null,
            userArn: null,
            sourceIp: '203.0.113.7',
          },
        },
      ],
      [
        'another authorizer than IAM named a caller',
        {
          authorizer: {
            jwt: { claims: { sub: 'dana' }, scopes: [] },
            principalId: 'dana',
            lambda: { iam: 'dana' },
          },
          identity: { sourceIp: '203.0.113.7', cognitoIdentityId: 'us-east-1:dana' },
        },
      ],
    ])('vends nothing where %s, and records that the caller is missing', async (_, context) => {
      const reply = await ask({ query: 'profile=dev', context });
      expect(reply.result).toEqual([403, 'MissingAuthenticationToken']);
      expect(await lambda.recordOf(reply)).toMatchObject({
        event: 'identity_refused',
        effect: 'deny',
        error: 'MissingAuthenticationToken',
      });
    });

    it('refuses the context of another API, and records that', async () => {
      const reply = await ask({ query: 'profile=dev', context: { apiId: 'zzzzzzzzzz' } });
      expect(reply.result).toEqual([403, 'AccessDenied']);
      expect(await lambda.recordOf(reply)).toMatchObject({
        event: 'identity_refused',
        error: 'AccessDenied',
      });
    });

    it('vends nothing for HEAD', async () => {
      const records = await recordsOf(lambda, front, async () => {
        const answer = await lambda.invoke(
          eventOf(front, { method: 'HEAD', query: 'profile=dev' }),
        );
        expect([answer.statusCode, answer.body]).toEqual([405, '']);
      });
      expect(records).toEqual([]);
    });
  });
});
