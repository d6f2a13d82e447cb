import {
  CreateTopicCommand,
  PublishCommand,
  SNSClient,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSnsClient } from '../../src/aws/clients.ts';
import type { EmbeddedAws } from '../../src/local/aws/server.ts';
import { createTopic } from '../../src/notify/sns.ts';
import { event, PUBLIC_URL, startReceiver, type TestReceiver } from '../notify/support.ts';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  boto,
  DANA,
  lacksBoto,
  sdk,
  startAws,
  TVM,
  type BotoCall,
  type Credentials,
} from './support.ts';

const noBoto = lacksBoto();
const ARN = 'arn:aws:sns:us-east-1:000000000000:events';

let aws: EmbeddedAws;
let sns: SNSClient;
let subscriber: TestReceiver;

beforeAll(async () => {
  aws = await startAws();
  sns = new SNSClient(sdk(aws));
  subscriber = await startReceiver();
});
afterAll(async () => {
  sns.destroy();
  await subscriber.close();
  await aws.close();
});

function errorOf(sending: Promise<unknown>): Promise<unknown> {
  return sending.then(
    () => 'no error',
    (error: Error & { $metadata?: { httpStatusCode?: number } }) => [
      error.name,
      error.$metadata?.httpStatusCode,
    ],
  );
}

async function until(isSo: () => boolean): Promise<void> {
  for (let n = 0; n < 200 && !isSo(); n += 1) await new Promise((wake) => setTimeout(wake, 10));
}

describe('SNS of the embedded AWS', () => {
  it('makes a topic, and gives the same for the same name', async () => {
    for (let n = 0; n < 2; n += 1)
      expect((await sns.send(new CreateTopicCommand({ Name: 'events' }))).TopicArn).toBe(ARN);
  });

  it('gives what is published to each subscriber, with its attributes', async () => {
    await sns.send(new CreateTopicCommand({ Name: 'events' }));
    const subscription = { TopicArn: ARN, Protocol: 'http', Endpoint: subscriber.url };
    const { SubscriptionArn: arn } = await sns.send(new SubscribeCommand(subscription));
    expect(arn).toMatch(new RegExp(`^${ARN}:[0-9a-f-]{36}$`, 'u'));
    const client = createSnsClient({ region: 'us-east-1', endpoint: aws.url });
    const topic = createTopic({ client, topicArn: ARN, publicUrl: PUBLIC_URL });
    expect(await topic.deliver(event())).toEqual({ ok: true, value: undefined });
    client.destroy();
    await until(() => subscriber.arrived.length > 0);
    const [arrived] = subscriber.arrived;
    expect(arrived?.headers['x-amz-sns-message-type']).toBe('Notification');
    const { Message, ...rest } = JSON.parse(arrived?.body ?? '') as { Message: string };
    expect(rest).toMatchObject({
      Type: 'Notification',
      TopicArn: ARN,
      MessageAttributes: { event_type: { Type: 'String', Value: 'request.created' } },
    });
    expect(JSON.parse(Message)).toMatchObject({
      id: '0123456789abcdef.1',
      type: 'request.created',
    });
  });

  it.each([
    ['https://127.0.0.1/', 'https'],
    ['http://receiver.example/', 'http'],
    ['http://10.0.0.1/', 'http'],
    ['someone@example.com', 'email'],
  ])('lets %s not subscribe', async (Endpoint, Protocol) => {
    const subscribing = sns.send(new SubscribeCommand({ TopicArn: ARN, Protocol, Endpoint }));
    expect(await errorOf(subscribing)).toEqual(['InvalidParameterException', 400]);
  });

  it('names what is wrong as SNS does', async () => {
    const unknown = { TopicArn: `${ARN}-2`, Message: 'x' };
    expect(await errorOf(sns.send(new PublishCommand(unknown)))).toEqual([
      'NotFoundException',
      404,
    ]);
    const empty = { TopicArn: ARN, Message: '' };
    expect(await errorOf(sns.send(new PublishCommand(empty)))).toEqual([
      'InvalidParameterException',
      400,
    ]);
    const long = { TopicArn: ARN, Message: 'x'.repeat(262_145) };
    expect(await errorOf(sns.send(new PublishCommand(long)))).toEqual([
      'InvalidParameterException',
      400,
    ]);
    const fifo = sns.send(new CreateTopicCommand({ Name: 'x.fifo' }));
    expect(await errorOf(fifo)).toEqual(['InvalidParameterException', 400]);
  });

  it('refuses a wrong signature, and whoever is not the TVM', async () => {
    async function send(credentials: Credentials): Promise<unknown> {
      const client = new SNSClient(sdk(aws, credentials));
      return errorOf(client.send(new PublishCommand({ TopicArn: ARN, Message: 'x' })));
    }
    expect(await send({ ...TVM, secretAccessKey: 'wrong' })).toEqual([
      'SignatureDoesNotMatch',
      403,
    ]);
    expect(await send(DANA)).toEqual(['AuthorizationErrorException', 403]);
  });

  it.skipIf(noBoto)('is understood by another SDK', async () => {
    const calls: readonly BotoCall[] = [
      { service: 'sns', method: 'create_topic', params: { Name: 'of-boto' } },
      { service: 'sns', method: 'publish', params: { TopicArn: `${ARN}-2`, Message: 'x' } },
    ];
    const [made, refused] = await boto(aws.url, calls);
    expect(made?.answer).toEqual({ TopicArn: 'arn:aws:sns:us-east-1:000000000000:of-boto' });
    expect(refused).toMatchObject({
      code: 'NotFound',
      status: 404,
      message: 'Topic does not exist',
    });
  });
});

describe('a topic as a receiver', () => {
  it('says by its name alone what kept an event from it', async () => {
    const client = createSnsClient({ region: 'us-east-1', endpoint: aws.url });
    const topic = createTopic({ client, topicArn: `${ARN}-2`, publicUrl: PUBLIC_URL });
    expect(await topic.deliver(event())).toEqual({
      ok: false,
      refusal: 'Publish failed: NotFoundException',
    });
    client.destroy();
  });

  it('takes an empty 200 of something else for no answer of SNS', async () => {
    const server = createServer((_, response) => response.writeHead(200).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = createSnsClient({ region: 'us-east-1', endpoint: `http://127.0.0.1:${port}` });
    const topic = createTopic({ client, topicArn: ARN, publicUrl: PUBLIC_URL });
    expect(await topic.deliver(event())).toMatchObject({ ok: false });
    client.destroy();
    server.closeAllConnections();
    server.close();
  });

  it('gives up after 5 s where SNS does not answer', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = createSnsClient({ region: 'us-east-1', endpoint: `http://127.0.0.1:${port}` });
    const topic = createTopic({ client, topicArn: ARN, publicUrl: PUBLIC_URL });
    const begun = performance.now();
    expect(await topic.deliver(event())).toMatchObject({
      ok: false,
      refusal: expect.stringContaining('TimeoutError'),
    });
    expect(performance.now() - begun).toBeLessThan(7_000);
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
});
