import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { STSClient } from '@aws-sdk/client-sts';
import { withDeadline } from '../lib/deadline.ts';

/**
 * The longest answer, in bytes: a page of DynamoDB is 1 MB of data, and a few times that as JSON.
 */
const MAX_ANSWER = 16 * 1024 * 1024;

type Body = AsyncIterable<Uint8Array> & { readonly destroy: (error?: Error) => void };

function isStream(body: unknown): body is Body {
  return (
    typeof body === 'object' && body !== null && Symbol.asyncIterator in body && 'destroy' in body
  );
}

async function readBody(body: Body, signal: AbortSignal): Promise<Uint8Array> {
  function stop(): void {
    return body.destroy();
  }
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_ANSWER) throw new Error(`an answer of AWS is longer than ${MAX_ANSWER} bytes`);
      chunks.push(chunk);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

/**
 * Bounds each try of each call of a client by a deadline for its whole answer. The SDK's own time
 * limit ends with the head, so it would wait forever for a body that stalls or comes a byte a
 * second. A late answer is a TimeoutError, and the SDK tries again as it does for a late head.
 *
 * @param ms for one try: connection, head and body
 * @param note takes the `Date` of each answer
 */
export function boundWholeAnswers(
  client: DynamoDBClient | SNSClient | SSMClient | STSClient,
  ms: number,
  note: (date: unknown) => void = () => undefined,
): void {
  // The stacks of the clients differ only in the types of their commands.
  const { middlewareStack } = client as SSMClient;
  middlewareStack.add(
    (next) => (args) =>
      withDeadline(ms, 'an answer of AWS', async (signal) => {
        const result = await next(args);
        const response = result.response as { body?: unknown; headers?: Record<string, unknown> };
        note(response.headers?.['date']);
        if (isStream(response.body)) response.body = await readBody(response.body, signal);
        return result;
      }),
    // Beneath the SDK's parser, and within its retries.
    { step: 'deserialize', priority: 'low', name: 'wholeAnswer' },
  );
}
