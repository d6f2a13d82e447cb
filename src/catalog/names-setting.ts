import { ConditionalCheckFailedException, PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { readItem } from '../aws/read-item.ts';
import { SECOND } from '../lib/clock.ts';
import type { NamedKind } from '../lib/names.ts';

const DEADLINE = 3 * SECOND;

const ID = 'setting#bare-names';

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly bareNames: NamedKind;
  /** Told once, in a sentence, that the tables were written under another setting: then nothing may be served. */
  readonly onMismatch: (sentence: string) => void;
};

/**
 * Compares SENTINEL_BARE_NAMES with what the tables were first used with, and takes it down where nothing was: under
 * another setting rules and revocations would mean other people, without a word. Asks until it knows; rejects while
 * that cannot be known, and for good when the settings differ.
 */
export function createNamesSetting({ client, table, bareNames, onMismatch }: Options): () => Promise<void> {
  let confirmed = false;
  return async () => {
    if (confirmed) return;
    const found = (await takeDown()) ? bareNames : (await readItem(client, table, ID, DEADLINE))?.['value']?.S;
    if (found === bareNames) {
      confirmed = true;
      return;
    }
    const sentence =
      `SENTINEL_BARE_NAMES is "${bareNames}", but the tables were used with "${found ?? 'none'}"; set it back, or let ` +
      '"sentinel-tvm names migrate" show which rules and revocations would change their meaning.';
    onMismatch(sentence);
    throw new Error(sentence);
  };

  /** Writes the setting, unless another one stands there. */
  async function takeDown(): Promise<boolean> {
    try {
      const answer = await client.send(
        new PutItemCommand({
          TableName: table,
          Item: { id: { S: ID }, value: { S: bareNames } },
          ConditionExpression: 'attribute_not_exists(id) OR #value = :value',
          ExpressionAttributeNames: { '#value': 'value' },
          ExpressionAttributeValues: { ':value': { S: bareNames } },
          ReturnConsumedCapacity: 'TOTAL',
        }),
        { abortSignal: AbortSignal.timeout(DEADLINE) },
      );
      if (answer.ConsumedCapacity?.TableName === undefined) throw new Error("the answer to PutItem is not DynamoDB's");
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }
}
