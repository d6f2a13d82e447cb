import { QueryCommand, type AttributeValue, type DynamoDBClient } from '@aws-sdk/client-dynamodb';

/** An item of DynamoDB: attributes by name. */
export type Item = Record<string, AttributeValue>;

/**
 * Reads one item by its key `id`, consistently; undefined if it is not there. It asks by Query, at the price of GetItem: an
 * answer that has no list of items is none of DynamoDB's, while GetItem's "there is none" looks like the empty 200 of
 * whatever stands in between, which the SDK takes for an answer.
 *
 * @param deadline milliseconds, retries included
 */
export const readItem = async (
  client: DynamoDBClient,
  table: string,
  id: string,
  deadline: number,
): Promise<Item | undefined> => {
  const { Items: items } = await client.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: 'id = :id',
      ExpressionAttributeValues: { ':id': { S: id } },
      ConsistentRead: true,
    }),
    { abortSignal: AbortSignal.timeout(deadline) },
  );
  if (items === undefined) throw new Error("the answer to Query is not DynamoDB's");
  return items[0];
};
