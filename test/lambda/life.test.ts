import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDesk, type Desk } from '../support/tvm.ts';
import { behind, eventOf } from './events.ts';
import { lacksAdapter, PATIENCE, startLambda, type Lambda } from './support.ts';

/** An execution environment from its start to its end. */
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

  it('answers a vend that arrived before it was ready, also if four start at once', async () => {
    const replies = await Promise.all(
      Array.from({ length: 4 }, async () => (await start()).ask(VEND)),
    );
    expect(replies.map(({ status, json }) => [status, json['Profile']])).toEqual(
      started.map(() => [200, 'dev']),
    );
    // One caller and one profile: the four share a session, whichever opened it.
    expect(new Set(replies.map(({ json }) => json['SessionId'])).size).toBe(1);
    expect(new Set(replies.map(({ json }) => json['AccessKeyId'])).size).toBe(4);
    for (const lambda of started)
      await expect.poll(() => lambda.audit(), PATIENCE).toMatchObject([{ outcome: 'vended' }]);
  });

  it('processes events one after the other, and gives each its own answer', async () => {
    const lambda = await start();
    const paths = ['/whoami', '/nowhere', '/profiles', '/healthz'];
    const replies = await Promise.all(
      paths.map((path) => lambda.ask(eventOf('function-url', { path }))),
    );
    expect(replies.map(({ status }) => status)).toEqual([200, 404, 200, 200]);
    expect(new Set(replies.map(({ headers }) => headers['x-request-id'])).size).toBe(4);
  });

  it('starts although AWS cannot be reached, and answers 503', async () => {
    const lambda = await start('http://127.0.0.1:1');
    const reply = await lambda.ask(VEND);
    expect(reply.result).toEqual([503, 'ServiceUnavailable']);
    expect(reply.headers['retry-after']).toMatch(/^\d+$/u);
    expect((await lambda.ask(eventOf('function-url', { path: '/healthz' }))).status).toBe(200);
  });

  it('exits with 0 at SIGTERM while the adapter keeps its connection open', async () => {
    const lambda = await start();
    expect((await lambda.ask(VEND)).status).toBe(200);
    // It would exit with 1 at its own deadline, which is before Lambda's SIGKILL.
    expect(await lambda.tvm.stop()).toBe(0);
    expect(lambda.adapter.child.exitCode).toBeNull();
  });

  it('exits with 0 at SIGTERM before its first request', async () => {
    const lambda = await start();
    await expect.poll(() => lambda.tvm.stderr(), PATIENCE).toContain('listening on');
    expect(await lambda.tvm.stop()).toBe(0);
  });

  it('writes the number of uses of its session before it ends', async () => {
    const dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
    async function counts(): Promise<readonly number[]> {
      const { Items = [] } = await dynamodb.send(
        new ScanCommand({ TableName: 'sentinel-sessions' }),
      );
      return Items.flatMap(({ request_count: count }) =>
        count?.N === undefined ? [] : [Number(count.N)],
      );
    }
    const lambda = await start();
    for (let time = 0; time < 5; time += 1) expect((await lambda.ask(VEND)).status).toBe(200);
    const before = await counts();
    expect(await lambda.tvm.stop()).toBe(0);
    expect({ before, after: await counts() }).toEqual({ before: [1], after: [5] });
    dynamodb.destroy();
  });
});
