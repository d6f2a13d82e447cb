import type { SNSClient } from '@aws-sdk/client-sns';
import type { Clock } from '../lib/clock.ts';
import type { Way } from './post.ts';
import type { Receiver } from './receiver.ts';
import { createTopic } from './sns.ts';
import { createWebhook, type WebhookTarget } from './webhook.ts';

type Options = {
  /** SENTINEL_WEBHOOK_URL. */
  readonly webhookUrl: string | undefined;
  readonly webhookFormat: 'json' | 'slack';
  /**
   * The document `webhook` as it is at the moment: keys of events, and a URL where no variable has
   * one.
   */
  readonly document: () =>
    | { readonly keys: readonly Uint8Array[]; readonly url: string | undefined }
    | undefined;
  /** SENTINEL_SNS_TOPIC_ARN, and a client for its region; undefined without one. */
  readonly topic: { readonly arn: string; readonly client: SNSClient } | undefined;
  /** What links begin with. */
  readonly publicUrl: string;
  readonly clock: Clock;
  /** Whether the AWS endpoint is local, so that a webhook may be this very machine. */
  readonly local: boolean;
  /**
   * On AWS Lambda there is no webhook: the process is frozen after each answer, within a posting
   * perhaps.
   */
  readonly onLambda: boolean;
  /** What a test puts in the place of the system's resolver and of Node's certificates. */
  readonly way?: Partial<Pick<Way, 'resolve' | 'ca'>> | undefined;
};

/**
 * Gives the receivers that are configured at the moment: a webhook, a topic of SNS, both, or none.
 */
export function createReceivers(options: Options): () => readonly Receiver[] {
  const { webhookUrl, webhookFormat, document, topic, publicUrl, clock, local, onLambda, way } =
    options;

  function urlNow(): string | undefined {
    return onLambda ? undefined : (webhookUrl ?? document()?.url);
  }

  /**
   * Without keys there is no target, and each try says so: whoever configured a URL waits for its
   * events.
   */
  function target(): WebhookTarget | undefined {
    const [url, keys] = [urlNow(), document()?.keys];
    return url === undefined || keys === undefined ? undefined : { url, keys };
  }

  const webhook = createWebhook({
    target,
    format: webhookFormat,
    publicUrl,
    clock,
    allowsLoopback: local,
    way,
  });
  const topics =
    topic === undefined
      ? []
      : [createTopic({ client: topic.client, topicArn: topic.arn, publicUrl })];

  function receivers(): readonly Receiver[] {
    return urlNow() === undefined ? topics : [webhook, ...topics];
  }

  return receivers;
}
