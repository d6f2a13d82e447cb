import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restContext } from '../support/lambda.ts';
import { sign, type Signing } from '../support/sign.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { albEvent, eventOf, FRONTS, type AskedOfAlb } from './events.ts';
import { lacksAdapter, startLambda, type Lambda, type Reply } from './support.ts';

/**
 * Fronts that do not verify callers. The TVM verifies the request as the adapter passes it on, so
 * everything that is signed must arrive unchanged, and anything else must be refused.
 */
const noAdapter = lacksAdapter();

const HOST = 'tvm.example.com';

/** The caller that may vend dev by the demo policies, with the key that `sign` uses. */
const ALICE = {
  user: 'alice',
  principal: 'sentinel:key/TVMDEMOALICE',
  via: 'key',
  access_key_id: 'TVMDEMOALICE',
};

/** `device_id` may hold anything and is ignored, so only the signature depends on its value. */
function device(id: string): string {
  return `device_id=${id}&profile=dev`;
}

describe.skipIf(noAdapter !== undefined)(
  'behind the adapter, without a front that verifies callers',
  () => {
    let desk: Desk;
    let lambda: Lambda;

    beforeAll(async () => {
      desk = await startDesk();
      lambda = await startLambda(desk.url, {
        SENTINEL_TRUSTED_HOPS: '1',
        SENTINEL_PUBLIC_URL: `https://${HOST}`,
      });
    });
    afterAll(async () => {
      await lambda.close();
      await desk.close();
    });

    function signed(change: Partial<Signing>) {
      return sign({
        host: HOST,
        ...change,
        headers: { 'x-sentinel-nonce': randomUUID(), ...change.headers },
      });
    }

    describe.each([
      ['single values', false],
      ['multiple values', true],
    ])('an ALB that sends %s', (_, multiValue) => {
      /** Signs the canonical query, and may send another form of it. */
      function ask(change: Partial<Signing>, sent: Partial<AskedOfAlb> = {}): Promise<Reply> {
        const { method = 'GET', query = 'profile=dev', body } = change;
        const { headers } = signed({ ...change, query: method === 'GET' ? query : '' });
        const asked = {
          method,
          query: method === 'GET' ? query : '',
          headers,
          multiValue,
          ...sent,
        };
        return lambda.ask(
          albEvent({ ...asked, ...(typeof body === 'string' ? { body } : {}), ...sent }),
        );
      }

      it('a signed GET vends, and its record has the key and the address that the ALB saw', async () => {
        const { headers } = signed({ query: 'profile=dev' });
        const spoofed = { ...headers, 'x-amzn-request-context': '{"apiId":"x"}' };
        const event = albEvent({ query: 'profile=dev', headers: spoofed, multiValue });
        const reply = await lambda.ask(event);
        expect([reply.status, reply.json['Profile']]).toEqual([200, 'dev']);
        expect(await lambda.recordOf(reply)).toMatchObject({
          ...ALICE,
          outcome: 'vended',
          source_ip: '203.0.113.7',
        });
      });

      it('an address in the caller’s own header is not recorded as the caller’s', async () => {
        const event = albEvent({
          query: 'profile=dev',
          headers: signed({ query: 'profile=dev' }).headers,
          multiValue,
        });
        const forwarded = '198.51.100.66, 203.0.113.9';
        const reply = await lambda.ask({
          ...event,
          ...(multiValue
            ? {
                multiValueHeaders: {
                  ...(event['multiValueHeaders'] as object),
                  'x-forwarded-for': [forwarded],
                },
              }
            : { headers: { ...(event['headers'] as object), 'x-forwarded-for': forwarded } }),
        });
        expect(reply.status).toBe(200);
        expect(await lambda.recordOf(reply)).toMatchObject({ source_ip: '203.0.113.9' });
      });

      it.each([
        ['text', '{"profile":"dev"}', false],
        ['base64', Buffer.from('{"profile":"dev"}').toString('base64'), true],
      ])('a signed POST vends with its body in %s', async (_, body, isBase64Encoded) => {
        const headers = { 'content-type': 'application/json' };
        const reply = await ask(
          { method: 'POST', body: '{"profile":"dev"}', headers },
          { body, isBase64Encoded },
        );
        expect([reply.status, reply.json['Profile']]).toEqual([200, 'dev']);
      });

      it('a body other than the signed one is refused', async () => {
        const headers = { 'content-type': 'application/json' };
        const reply = await ask(
          { method: 'POST', body: '{"profile":"dev"}', headers },
          { body: '{"profile": "dev"}' },
        );
        expect(reply.result).toEqual([403, 'SignatureDoesNotMatch']);
      });

      it.each([
        'a%20b',
        'a%2Bb',
        'a%26b%3Dc',
        'a%3Fb%23c',
        '%2F%2F..%2F',
        '%C3%BC%F0%9F%98%80',
        '%25',
        '%2525%252B%2526',
        '~-._',
        '%27%22%28%29%2A%21',
        '%0D%0A',
        '',
      ])('a signed query arrives unchanged with device_id=%s', async (id) => {
        const reply = await ask({ query: device(id) });
        expect(reply.status, JSON.stringify(reply.json)).toBe(200);
      });

      it.each([
        ['in another order', 'profile=dev&device_id=a', device('a')],
        ['with more escapes than needed', device('%61%7E'), device('a~')],
        ['with escapes in small letters', device('%c3%bc'), device('%C3%BC')],
        ['with a plus for a space', device('a+b'), device('a%20b')],
        ['without the equals sign of an empty value', 'device_id&profile=dev', device('')],
      ])(
        'a query sent %s matches the signature over its canonical form',
        async (_, query, canonical) => {
          const reply = await ask({ query: canonical }, { query });
          expect(reply.status, JSON.stringify(reply.json)).toBe(200);
        },
      );

      it('a plus that was signed as sent matches, because the adapter writes a space as a plus', async () => {
        expect((await ask({ query: device('a+b') })).status).toBe(200);
      });

      it.each([
        ['with escapes in small letters', device('%c3%bc')],
        ['with more escapes than needed', device('%61')],
      ])(
        'a query that was signed as sent (curl before 8.3) %s is refused, because the adapter rewrites it',
        async (_, query) => {
          expect((await ask({ query })).result).toEqual([403, 'SignatureDoesNotMatch']);
        },
      );

      it('a repeated parameter vends nothing, even if the signed one is left', async () => {
        // With single values an ALB passes only the last, which is not what was signed.
        const expected = multiValue ? [400, 'ValidationError'] : [403, 'SignatureDoesNotMatch'];
        expect((await ask({ query: 'profile=dev&profile=dev' })).result).toEqual(expected);
        expect(
          (await ask({ query: 'profile=dev' }, { query: 'profile=prod&profile=vault' })).result,
        ).toEqual(expected);
      });

      it('values of signed headers arrive with their spaces, quotes and lengths', async () => {
        const headers = {
          'x-spaces': 'a b   c',
          'x-empty': '',
          'x-marks': '"a", b; c=d\\e',
          'x-long': 'x'.repeat(4_000),
        };
        const reply = await ask({ headers });
        expect(reply.status, JSON.stringify(reply.json)).toBe(200);
        const other = signed({ query: 'profile=dev', headers }).headers;
        const changed = albEvent({
          query: 'profile=dev',
          headers: { ...other, 'x-spaces': 'a bc' },
          multiValue,
        });
        expect((await lambda.ask(changed)).result).toEqual([403, 'SignatureDoesNotMatch']);
      });

      it.each(['/./', '/whoami/../', '/%2e%2e/'])(
        'a path that the adapter shortens (%s) is refused, because the signature covers the path as sent',
        async (path) => {
          expect((await ask({ path }, { path })).result).toEqual([403, 'SignatureDoesNotMatch']);
        },
      );

      it('an unsigned request is refused', async () => {
        const reply = await lambda.ask(
          albEvent({ query: 'profile=dev', headers: { host: HOST }, multiValue }),
        );
        expect(reply.result).toEqual([403, 'MissingAuthenticationToken']);
        expect(await lambda.recordOf(reply)).toMatchObject({
          event: 'identity_refused',
          source_ip: '203.0.113.7',
        });
      });

      it('the same signed request works once', async () => {
        const { headers } = signed({ query: 'profile=dev' });
        const event = albEvent({ query: 'profile=dev', headers, multiValue });
        expect((await lambda.ask(event)).status).toBe(200);
        expect((await lambda.ask(event)).result).toEqual([403, 'RequestReplayed']);
      });
    });

    it('an event that is not an ALB’s request vends nothing, and the next request is served', async () => {
      const event = albEvent({
        query: 'profile=dev',
        headers: signed({ query: 'profile=dev' }).headers,
      });
      for (const broken of [
        {},
        { ...event, headers: 7 },
        { ...event, requestContext: null },
        { Records: [event] },
      ]) {
        expect(await lambda.invoke(broken)).toMatchObject({ error: 'ValidationError' });
      }
      expect((await lambda.ask({ ...event, headers: null })).result).toEqual([
        403,
        'MissingAuthenticationToken',
      ]);
      expect((await lambda.ask(event)).status).toBe(200);
    });

    it('a repeated signed header arrives in order where the ALB sends multiple values', async () => {
      const { headers } = signed({ query: 'profile=dev', headers: { 'x-twice': 'b,a' } });
      const event = albEvent({ query: 'profile=dev', headers, multiValue: true });
      const twice = { ...(event['multiValueHeaders'] as object), 'x-twice': ['b', 'a'] };
      expect((await lambda.ask({ ...event, multiValueHeaders: twice })).status).toBe(200);
    });

    it('a signed trace id is refused, because the adapter replaces it with that of the invocation', async () => {
      const { headers } = signed({
        query: 'profile=dev',
        headers: { 'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678' },
      });
      expect((await lambda.ask(albEvent({ query: 'profile=dev', headers }))).result).toEqual([
        403,
        'SignatureDoesNotMatch',
      ]);
    });

    describe.each(FRONTS)('a %s that requires no signature', (front) => {
      const NOBODY = { authorizer: undefined, identity: { sourceIp: '203.0.113.7' } };

      it('vends to a caller that signed for the TVM', async () => {
        const { headers } = signed({ query: device('a%20b%2Bc%C3%BC') });
        const http = { method: 'GET', path: '/', sourceIp: '203.0.113.7', userAgent: 'curl/8.5.0' };
        const context = { ...NOBODY, ...(front === 'rest-api' ? {} : { http }) };
        const reply = await lambda.ask(
          eventOf(front, { query: device('a%20b%2Bc%C3%BC'), headers, context }),
        );
        expect(reply.status, JSON.stringify(reply.json)).toBe(200);
        expect(await lambda.recordOf(reply)).toMatchObject(ALICE);
      });

      it('does not identify callers, even if its context has an identity', async () => {
        const identity = { ...(restContext()['identity'] as object), userAgent: 'curl/8.5.0' };
        const context = { http: { method: 'GET', path: '/', sourceIp: '203.0.113.7' }, identity };
        const reply = await lambda.ask(eventOf(front, { query: 'profile=dev', context }));
        expect(reply.result).toEqual([403, 'MissingAuthenticationToken']);
      });
    });

    it.each([
      [
        'http-api',
        {
          authorizer: { lambda: { name: 'Zoë' } },
          http: { method: 'GET', path: '/', sourceIp: '203.0.113.7' },
        },
      ],
      ['rest-api', { authorizer: { name: 'Zoë' }, identity: { sourceIp: '203.0.113.7' } }],
    ] as const)(
      'a %s serves requests whose context has a name beyond ASCII from its own authorizer',
      async (front, context) => {
        // The adapter writes the context's header as raw UTF-8; the caller cannot influence that.
        const { headers } = signed({ query: 'profile=dev' });
        const reply = await lambda.ask(eventOf(front, { query: 'profile=dev', headers, context }));
        expect(reply.status, JSON.stringify(reply.json)).toBe(200);
      },
    );
  },
);
