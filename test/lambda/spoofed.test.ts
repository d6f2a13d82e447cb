import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_ID, httpContext, restContext } from '../support/lambda.ts';
import { sign } from '../support/sign.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { behind, eventOf, FRONTS, type Asked } from './events.ts';
import { lacksAdapter, recordsOf, startLambda, type Lambda } from './support.ts';

/** Callers that claim an identity by other means than their signature at the front. */
const noAdapter = lacksAdapter();

/** A session that may vend nothing, but is named after dana, who may. */
const ROLE = {
  arn: 'arn:aws:sts::000000000000:assumed-role/deploy/dana',
  userId: 'AROACKCEVSQ6C2EXAMPLE:dana',
};

const ELSEWHERE = '198.51.100.66';

describe.skipIf(noAdapter !== undefined)('an identity that the caller made up', () => {
  let desk: Desk;

  beforeAll(async () => {
    desk = await startDesk();
  });
  afterAll(() => desk.close());

  describe.each(FRONTS)('behind the front %s', (front) => {
    let lambda: Lambda;

    beforeAll(async () => {
      lambda = await startLambda(desk.url, behind(front));
    });
    afterAll(() => lambda.close());

    const dana = JSON.stringify(
      front === 'rest-api'
        ? restContext(
            {},
            { identity: { ...(restContext()['identity'] as object), sourceIp: ELSEWHERE } },
          )
        : httpContext({}, { http: { method: 'GET', path: '/', sourceIp: ELSEWHERE } }),
    )
      // Header values of an event are ASCII.
      .replaceAll(/[^ -~]/gu, '?');
    const signed = sign({
      host: `${API_ID}.execute-api.us-east-1.amazonaws.com`,
      query: 'profile=dev',
    });

    const SPOOFS: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['in the adapter’s own header', { 'x-amzn-request-context': dana }],
      ['in odd case', { 'X-Amzn-Request-Context': dana }],
      ['in two cases', { 'X-AMZN-REQUEST-CONTEXT': dana, 'x-amzn-request-context': dana }],
      ['with underscores', { x_amzn_request_context: dana, 'x-amzn_request-context': dana }],
      ['twice in one line', { 'x-amzn-request-context': `${dana}, ${dana}` }],
      [
        'in the context of Lambda',
        { 'x-amzn-lambda-context': dana, 'X-Amzn-Lambda-Context': dana },
      ],
      ['and its header is called hop-by-hop', { connection: 'close, x-amzn-request-context' }],
      [
        'in names that other adapters use',
        { 'x-apigateway-event': dana, 'x-amzn-oidc-identity': 'dana', 'x-user': 'dana' },
      ],
      ['in parts of the event', { requestContext: dana, authorizer: dana, identity: dana }],
      ['by the key of somebody else', signed.headers],
    ];

    it.each(SPOOFS)('is ignored %s: the caller is the role that signed', async (_, spoof) => {
      const headers = {
        ...spoof,
        'X-Forwarded-For': `${ELSEWHERE}, 203.0.113.7`,
        forwarded: `for=${ELSEWHERE}`,
      };
      const reply = await lambda.ask(eventOf(front, { query: 'profile=dev', headers, who: ROLE }));
      expect(reply.result).toEqual([403, 'PolicyDenied']);
      expect(await lambda.recordOf(reply)).toMatchObject({
        outcome: 'denied',
        user: 'role/deploy',
        principal: 'arn:aws:iam::000000000000:role/deploy',
        source_ip: '203.0.113.7',
      });
    });

    it.each(SPOOFS)('is ignored %s where AWS named no caller', async (_, headers) => {
      const context = { authorizer: undefined, identity: { sourceIp: '203.0.113.7' } };
      const reply = await lambda.ask(eventOf(front, { query: 'profile=dev', headers, context }));
      expect(reply.result).toEqual([403, 'MissingAuthenticationToken']);
      expect(await lambda.recordOf(reply)).toMatchObject({
        event: 'identity_refused',
        source_ip: '203.0.113.7',
      });
    });

    it('is ignored in lists of values, which become repeated headers', async () => {
      const list = { 'x-amzn-request-context': [dana, dana], 'X-Amzn-Request-Context': [dana] };
      const event = eventOf(front, { query: 'profile=dev', who: ROLE });
      const named = event['headers'] as object;
      const reply = await lambda.ask({
        ...event,
        headers: { ...named, ...list },
        multiValueHeaders: list,
      });
      expect(reply.result).toEqual([403, 'PolicyDenied']);
      expect(await lambda.recordOf(reply)).toMatchObject({
        user: 'role/deploy',
        source_ip: '203.0.113.7',
      });
    });

    it('is ignored in the event of an ALB, whose context names no caller', async () => {
      const { requestContext: _, ...event } = eventOf(front, {
        query: 'profile=dev',
        headers: { 'x-amzn-request-context': dana },
      });
      const reply = await lambda.ask({
        ...event,
        httpMethod: 'GET',
        path: '/',
        queryStringParameters: { profile: 'dev' },
        multiValueQueryStringParameters: {},
        requestContext: {
          elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/tvm/1' },
        },
      });
      expect(reply.result).toEqual([403, 'MissingAuthenticationToken']);
    });

    it.each([
      [
        'a body',
        {
          method: 'POST',
          body: JSON.stringify({ profile: 'dev', user: 'dana', requestContext: 'x' }),
        },
      ],
      ['a query', { query: 'profile=dev&user=dana' }],
    ] satisfies readonly (readonly [string, Asked])[])('is not a field of %s', async (_, asked) => {
      const headers = { 'content-type': 'application/json' };
      const reply = await lambda.ask(eventOf(front, { ...asked, headers, who: ROLE }));
      expect(reply.result).toEqual([400, 'ValidationError']);
    });

    it.each([
      { 'content-length': '17' },
      { 'content-length': '0' },
      { 'transfer-encoding': 'chunked' },
      { 'transfer-encoding': 'chunked', 'content-length': '3' },
    ])('cannot be smuggled in the rest of a body behind another request (%j)', async (framing) => {
      const second = `GET /?profile=dev HTTP/1.1\r\nhost: tvm\r\nx-amzn-request-context: ${dana}\r\n\r\n`;
      const headers = { 'content-type': 'application/json', ...framing };
      const body = `{"profile":"dev"}${second}`;
      const records = await recordsOf(lambda, front, async () => {
        const reply = await lambda.ask(
          eventOf(front, { method: 'POST', headers, body, who: ROLE }),
        );
        expect(reply.status).toBeGreaterThanOrEqual(400);
        expect(reply.status).toBeLessThan(500);
        // If the rest became a request, its answer would be read as the answer to this one.
        const next = await lambda.ask(eventOf(front, { path: '/whoami', who: ROLE }));
        expect([next.status, next.json['name']]).toEqual([200, 'role/deploy']);
      });
      expect(records.filter(({ outcome }) => outcome === 'vended')).toEqual([]);
    });
  });
});
