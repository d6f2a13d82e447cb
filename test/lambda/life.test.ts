import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDesk, type Desk } from '../support/tvm.ts';
import { behind, eventOf } from './events.ts';
import { lacksAdapter, PATIENCE, startLambda, type Lambda } from './support.ts';

/** An execution environment from its first moment to its last. */
const noAdapter = lacksAdapter();

const VEND = eventOf('function-url', { query: 'profile=dev' });

describe.skipIf(noAdapter !== undefined)('an execution environment', () => {
  let desk: Desk;
  const started: Lambda[] = [];

  beforeEach(async () => {
    desk = await startDesk();
  });
  afterEach(async () => {
    for (const lambda of started.splice(0)) await lambda.close();
    await desk.close();
  });

  async function start(awsEndpoint = desk.url): Promise<Lambda> {
    const lambda = await startLambda(awsEndpoint, behind('function-url'));
    started.push(lambda);
    return lambda;
  }

  it('of four that start at once answers a vend that was there before it', async () => {
    const replies = await Promise.all(Array.from({ length: 4 }, async () => (await start()).ask(VEND)));
    expect(replies.map(({ status, json }) => [status, json['Profile']])).toEqual(started.map(() => [200, 'dev']));
    // One caller, one profile: the four share a session, whoever opened it.
    expect(new Set(replies.map(({ json }) => json['SessionId'])).size).toBe(1);
    expect(new Set(replies.map(({ json }) => json['AccessKeyId'])).size).toBe(4);
    for (const lambda of started)
      await expect.poll(() => lambda.audit(), PATIENCE).toMatchObject([{ outcome: 'vended' }]);
  });

  it('takes events one after the other, and answers each with its own', async () => {
    const lambda = await start();
    const paths = ['/whoami', '/nowhere', '/profiles', '/healthz'];
    const replies = await Promise.all(paths.map((path) => lambda.ask(eventOf('function-url', { path }))));
    expect(replies.map(({ status }) => status)).toEqual([200, 404, 200, 200]);
    expect(new Set(replies.map(({ headers }) => headers['x-request-id'])).size).toBe(4);
  });

  it('whose AWS is out of reach begins all the same, and says so', async () => {
    const lambda = await start('http://127.0.0.1:1');
    const reply = await lambda.ask(VEND);
    expect(reply.result).toEqual([503, 'ServiceUnavailable']);
    expect(reply.headers['retry-after']).toMatch(/^\d+$/u);
    expect((await lambda.ask(eventOf('function-url', { path: '/healthz' }))).status).toBe(200);
  });

  it('ends with 0 at SIGTERM while the adapter keeps its connection', async () => {
    const lambda = await start();
    expect((await lambda.ask(VEND)).status).toBe(200);
    // 1 would mean that the deadline below Lambda's SIGKILL was reached.
    expect(await lambda.tvm.stop()).toBe(0);
    expect(lambda.adapter.child.exitCode).toBeNull();
  });

  it('ends with 0 at SIGTERM before its first request', async () => {
    const lambda = await start();
    await expect.poll(() => lambda.tvm.stderr(), PATIENCE).toContain('listening on');
    expect(await lambda.tvm.stop()).toBe(0);
  });

  it('writes at its end how often its session was used', async () => {
    const dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
    async function counts(): Promise<readonly number[]> {
      const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: 'sentinel-sessions' }));
      return Items.flatMap(({ request_count: count }) => (count?.N === undefined ? [] : [Number(count.N)]));
    }
    const lambda = await start();
    for (let time = 0; time < 5; time += 1) expect((await lambda.ask(VEND)).status).toBe(200);
    const before = await counts();
    expect(await lambda.tvm.stop()).toBe(0);
    expect({ before, after: await counts() }).toEqual({ before: [1], after: [5] });
    dynamodb.destroy();
  });
});
