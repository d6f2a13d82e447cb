import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { ok, refuse } from '../lib/result.ts';
import type { ReplayGuard } from './guard.ts';

/** Items outlive the signature by this much, so that a clock that is late cannot make DynamoDB forget too early. */
const TTL_MARGIN = 60 * SECOND;

/** What one reservation may take, its retry included, before the answer is "cannot tell". */
const DEADLINE = 5 * SECOND;

/**
 * The guard that all instances share: one conditional write per request. The item holds the id of the attempt that wrote
 * it: when the SDK repeats a write whose answer was lost, the item it finds is its own, and that is no replay.
 *
 *     A  put if absent ── written ── answer lost ── put again: mine ── ok
 *     B               put if absent ── there, of A ── replayed
 */
export const createDynamoDbGuard = (
  client: DynamoDBClient,
  table: string,
  onFault: (error: unknown) => void,
): ReplayGuard => ({
  reserve: async (request) => {
    const attempt = newHexId();
    const id = `replay#${request.key}`;
    const owned = {
      ExpressionAttributeNames: { '#a': 'attempt' },
      ExpressionAttributeValues: { ':a': { S: attempt } },
    };
    try {
      const written = await client.send(
        new PutItemCommand({
          TableName: table,
          Item: {
            id: { S: id },
            attempt: { S: attempt },
            ttl: { N: String(Math.ceil((request.forgetAt + TTL_MARGIN) / SECOND)) },
          },
          ConditionExpression: 'attribute_not_exists(id) OR #a = :a',
          ReturnConsumedCapacity: 'TOTAL',
          ...owned,
        }),
        { abortSignal: AbortSignal.timeout(DEADLINE) },
      );
      // The SDK takes an empty 200 of whatever stands in between for a success; DynamoDB says what it wrote to.
      if (written.ConsumedCapacity?.TableName === undefined) throw new Error("the answer to PutItem is not DynamoDB's");
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return refuse('replayed');
      onFault(error);
      return refuse('unavailable');
    }
    const remove = new DeleteItemCommand({
      TableName: table,
      Key: { id: { S: id } },
      ConditionExpression: '#a = :a',
      ...owned,
    });
    return ok({
      // A hold that cannot be released costs its caller one more signature, nothing else.
      release: () =>
        client.send(remove, { abortSignal: AbortSignal.timeout(DEADLINE) }).then(
          () => undefined,
          (error: unknown) => {
            onFault(error);
          },
        ),
    });
  },
});
