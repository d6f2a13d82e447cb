import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { SECOND } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { toBody, type Event } from './event.ts';
import type { Receiver } from './receiver.ts';

/** One event with the SDK's retries. */
const DEADLINE = 5 * SECOND;

/**
 * Constructs the receiver that is a topic of SNS. The message attribute `event_type` is for
 * subscription filters.
 */
export function createTopic({
  client,
  topicArn,
  publicUrl,
}: {
  readonly client: SNSClient;
  readonly topicArn: string;
  /** What links begin with. */
  readonly publicUrl: string;
}): Receiver {
  async function deliver(event: Event): Promise<Result<undefined, string>> {
    const command = new PublishCommand({
      TopicArn: topicArn,
      Message: toBody(event, publicUrl),
      MessageAttributes: { event_type: { DataType: 'String', StringValue: event.type } },
    });
    try {
      const answer = await withDeadline(DEADLINE, 'Publish', (abortSignal) =>
        client.send(command, { abortSignal }),
      );
      // The SDK takes an empty 200 of whatever stands in between for a success.
      return answer.MessageId === undefined
        ? refuse("the answer to Publish is not SNS's")
        : ok(undefined);
    } catch (error) {
      return refuse(`Publish failed: ${error instanceof Error ? error.name : 'unknown'}`);
    }
  }

  return { name: 'sns', deliver };
}
