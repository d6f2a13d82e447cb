import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../support/runtime-api.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { behind, eventOf, FRONTS } from './events.ts';
import { lacksAdapter, recordsOf, startLambda, type Lambda } from './support.ts';

/**
 * Events that no front sends, or only for strange requests. Whoever may invoke the function can
 * forge any event, which IAM must prevent. But a malformed event vends nothing, and does not harm
 * later requests.
 */
const noAdapter = lacksAdapter();

const VEND = { query: 'profile=dev' };

describe.skipIf(noAdapter !== undefined)('an unusual event', () => {
  let desk: Desk;

  beforeAll(async () => {
    desk = await startDesk();
  });
  afterAll(() => desk.close());

  describe.each(FRONTS)('from the front %s', (front) => {
    let lambda: Lambda;

    beforeAll(async () => {
      lambda = await startLambda(desk.url, behind(front));
    });
    afterAll(() => lambda.close());

    const usual: Readonly<Record<string, unknown>> = eventOf(front, VEND);

    async function send(payload: string | Uint8Array) {
      let outcome: Outcome = { kind: 'abandoned' };
      const records = await recordsOf(lambda, front, async () => {
        outcome = await lambda.send(payload);
      });
      expect([lambda.adapter.child.exitCode, lambda.tvm.child.exitCode]).toEqual([null, null]);
      return { outcome: outcome as Outcome, records };
    }

    function statusOf(outcome: Outcome): unknown {
      return outcome.kind === 'answered' ? outcome.answer.statusCode : outcome.kind;
    }

    describe('whose path', () => {
      const PATH = front === 'rest-api' ? 'path' : 'rawPath';

      it.each([
        ['//', 400],
        ['//whoami', 400],
        ['/whoami//', 400],
        ['/%2F', 400],
        ['/%00', 400],
        ['/\0', 400],
        ['/ ', 400],
        ['/%', 400],
        ['/ünï', 400],
        ['/%C3%BC', 400],
        ['/?profile=dev', 400],
        ['/whoami?x', 400],
        ['/#whoami', 400],
        ['?', 400],
        ['@127.0.0.1/', 400],
        [':1/', 400],
        ['http://127.0.0.1/', 400],
        [`/${'a'.repeat(10_000)}`, 400],
        ['profiles/x', 404],
        ['/events', 404],
        ['/WHOAMI', 404],
      ])('is %j is answered with a sentence and vends nothing', async (path, status) => {
        const { outcome, records } = await send(JSON.stringify({ ...usual, [PATH]: path }));
        expect(statusOf(outcome)).toBe(status);
        expect(records).toEqual([]);
      });

      it.each(['/../', '/%2e%2e/', '/a/../', '/./', '', undefined, null])(
        'is %j is the root once the adapter has read it: it vends, to whom AWS named',
        async (path) => {
          const { outcome, records } = await send(JSON.stringify({ ...usual, [PATH]: path }));
          expect(statusOf(outcome)).toBe(200);
          expect(records).toMatchObject([
            { outcome: 'vended', principal: 'arn:aws:iam::000000000000:user/eng/dana' },
          ]);
        },
      );

      it.each(['/../healthz', '/%2e%2e/healthz', '/x/../healthz'])(
        'is %s is the health check',
        async (path) => {
          const { outcome, records } = await send(
            JSON.stringify({ ...usual, [PATH]: path, ...NO_QUERY }),
          );
          expect(statusOf(outcome)).toBe(200);
          expect(records).toEqual([]);
        },
      );

      it('is too long for the adapter fails there', async () => {
        const { outcome, records } = await send(
          JSON.stringify({ ...usual, [PATH]: `/${'a'.repeat(70_000)}` }),
        );
        expect(outcome.kind).toBe('failed');
        expect(records).toEqual([]);
      });
    });

    it.each([
      '',
      'profile=dev',
      '{"rawPath":',
      '[[[[',
      '['.repeat(100_000),
      Uint8Array.of(255, 254, 0),
    ])('that is no JSON fails at the adapter: %s', async (payload) => {
      const { outcome, records } = await send(payload);
      expect(outcome.kind).toBe('failed');
      expect(records).toEqual([]);
    });

    it.each([
      'null',
      'true',
      '7',
      '"/?profile=dev"',
      '[]',
      '{}',
      '{"requestContext":null}',
      '{"profile":"dev"}',
      '{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"{\\"profile\\":\\"dev\\"}"}]}',
      '{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{\\"profile\\":\\"dev\\"}"}}]}',
      '{"version":"0","source":"aws.events","detail-type":"Scheduled Event","detail":{}}',
      '{"type":"TOKEN","authorizationToken":"x","methodArn":"arn:aws:execute-api:us-east-1:1:a/b/GET/"}',
    ])('that is not a request gets the answer for an unknown path: %s', async (payload) => {
      // The adapter posts an event that it cannot read to /events, without a context.
      const { outcome, records } = await send(payload);
      expect(outcome).toMatchObject({ kind: 'answered', answer: { error: 'ValidationError' } });
      expect(records).toEqual([]);
    });

    it.each([
      undefined,
      null,
      'dana',
      [],
      7,
      true,
      {},
      { http: 'GET' },
      { elb: 7 },
      { httpMethod: 7, http: { method: 7 } },
    ])('whose requestContext is %j is not a request', async (requestContext) => {
      const { outcome, records } = await send(JSON.stringify({ ...usual, requestContext }));
      expect(outcome).toMatchObject({ kind: 'answered', answer: { error: 'ValidationError' } });
      expect(records).toEqual([]);
    });

    it.each([
      ['text', 'x'],
      ['a number', 7],
      ['a list', []],
      ['one of null', { a: null }],
      ['one of a number', { a: 7 }],
      ['one of an object', { a: {} }],
      ['a name with a space', { 'a b': 'x' }],
      ['a line break', { a: 'x\r\nx-amzn-request-context: {}' }],
    ])('whose headers are %s is not a request', async (_, headers) => {
      const { outcome, records } = await send(JSON.stringify({ ...usual, headers }));
      expect(outcome).toMatchObject({ kind: 'answered', answer: { error: 'ValidationError' } });
      expect(records).toEqual([]);
    });

    it.each([7, {}, [], true])('whose body is %j is not a request', async (body) => {
      const { outcome, records } = await send(
        JSON.stringify({ ...eventOf(front, { method: 'POST' }), body }),
      );
      expect(outcome).toMatchObject({ kind: 'answered', answer: { error: 'ValidationError' } });
      expect(records).toEqual([]);
    });

    it('is served with headers of nearly 64 KiB, and refused with a sentence beyond that', async () => {
      const within = await lambda.ask(
        eventOf(front, { ...VEND, headers: { 'x-big': 'x'.repeat(60_000) } }),
      );
      expect([within.status, within.json['Profile']]).toEqual([200, 'dev']);
      const beyond = await lambda.ask(
        eventOf(front, { ...VEND, headers: { 'x-big': 'x'.repeat(70_000) } }),
      );
      expect(beyond.result).toEqual([431, 'ValidationError']);
      const many = Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`x-${n}`, 'x']));
      expect((await lambda.ask(eventOf(front, { ...VEND, headers: many }))).result).toEqual([
        431,
        'ValidationError',
      ]);
      expect((await lambda.ask(usual)).status).toBe(200);
    });

    it.each([
      ['PUT', 405],
      ['DELETE', 405],
      ['OPTIONS', 405],
      ['TRACE', 405],
      ['get', 400],
      ['VEND', 400],
    ])('whose method is %s vends nothing', async (method, status) => {
      const { outcome, records } = await send(JSON.stringify(eventOf(front, { ...VEND, method })));
      expect(statusOf(outcome)).toBe(status);
      expect(records).toEqual([]);
    });

    it.each(['a b', '[', 'x:99999999'])(
      'whose Host (%s) is malformed fails at the adapter',
      async (host) => {
        const event = eventOf(front, VEND);
        const { outcome, records } = await send(JSON.stringify({ ...event, headers: { host } }));
        expect(outcome.kind).toBe('failed');
        expect(records).toEqual([]);
      },
    );
  });
});

/** An empty query, in the form of each front. */
const NO_QUERY = {
  rawQueryString: '',
  queryStringParameters: undefined,
  multiValueQueryStringParameters: null,
};
