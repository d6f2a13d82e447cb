import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import { SECOND } from '../lib/clock.ts';
import type { AwsCall } from '../telemetry/meter.ts';
import { observeCalls, OUTERMOST } from './observe-calls.ts';
import { boundWholeAnswers } from './whole-answer.ts';

/** The SDK clients of one TVM. */
export type AwsClients = {
  readonly sts: STSClient;
  readonly ssm: SSMClient;
  readonly dynamodb: DynamoDBClient;
  /**
   * DynamoDB with sockets of its own, so that the feed of revocations gets through however many
   * requests wait.
   */
  readonly feed: DynamoDBClient;
};

type Place = {
  readonly region: string;
  readonly endpoints: { readonly [service in 'sts' | 'ssm' | 'dynamodb']: string | undefined };
};

/**
 * Connections of each client: more than the requests that are worked on at once, so that none waits
 * for a socket.
 */
const MAX_SOCKETS = 256;

/** How long connecting may take; a try as a whole is bounded by `TRY`. */
const CONNECTING = 1 * SECOND;

/**
 * The settings of a client. A try ends after `requestTimeout`: the SDK's default is no limit at
 * all.
 */
function common(
  region: string,
  endpoint: string | undefined,
  requestTimeout: number,
  maxAttempts: number,
) {
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts,
    requestHandler: {
      connectionTimeout: CONNECTING,
      requestTimeout,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  };
}

/**
 * How long one try of a call may take, its whole answer included: a peer that stalls may cost a
 * caller seconds.
 */
const TRY = { sts: 3 * SECOND, ssm: 3 * SECOND, dynamodb: 2 * SECOND, sns: 2 * SECOND };

/**
 * Constructs the clients: regional endpoints, credentials from the SDK's default chain, bounded
 * time for every call.
 *
 * @param called is told of each call that has ended
 * @param note takes the `Date` of each answer
 */
export function createAwsClients(
  { region, endpoints }: Place,
  called: (call: AwsCall) => void = () => undefined,
  note: (date: unknown) => void = () => undefined,
): AwsClients {
  const sts = new STSClient(common(region, endpoints.sts, TRY.sts, 3));
  const ssm = new SSMClient(common(region, endpoints.ssm, TRY.ssm, 3));
  const dynamodb = new DynamoDBClient(common(region, endpoints.dynamodb, TRY.dynamodb, 2));
  const feed = new DynamoDBClient(common(region, endpoints.dynamodb, TRY.dynamodb, 2));
  sts.middlewareStack.add(observeCalls('sts', called), OUTERMOST);
  ssm.middlewareStack.add(observeCalls('ssm', called), OUTERMOST);
  dynamodb.middlewareStack.add(observeCalls('dynamodb', called), OUTERMOST);
  feed.middlewareStack.add(observeCalls('dynamodb', called), OUTERMOST);
  boundWholeAnswers(sts, TRY.sts, note);
  boundWholeAnswers(ssm, TRY.ssm, note);
  boundWholeAnswers(dynamodb, TRY.dynamodb, note);
  boundWholeAnswers(feed, TRY.dynamodb, note);
  return { sts, ssm, dynamodb, feed };
}

/**
 * Constructs the client of SNS for the region of one topic, which need not be the server's own.
 *
 * @param called is told of each call that has ended
 */
export function createSnsClient(
  { region, endpoint }: { readonly region: string; readonly endpoint: string | undefined },
  called: (call: AwsCall) => void = () => undefined,
): SNSClient {
  const sns = new SNSClient(common(region, endpoint, TRY.sns, 2));
  sns.middlewareStack.add(observeCalls('sns', called), OUTERMOST);
  boundWholeAnswers(sns, TRY.sns);
  return sns;
}
