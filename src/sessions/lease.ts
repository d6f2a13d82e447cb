import {
  ConditionalCheckFailedException,
  PutItemCommand,
  UpdateItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { HOUR, SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';

/** Longer than what is done under it can take. */
const HELD = 30 * SECOND;
const DEADLINE = 3 * SECOND;
const PAUSE = 0.25 * SECOND;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<unknown>;
};

/**
 * Runs something while nobody else does, on any instance: an item of the guard table with the holder's id and the end of its
 * hold. Who dies holding it is waited for until that end.
 *
 * @returns the value of the run, or `busy` if the lease was not to be had in `patience` milliseconds
 */
export const createLease = ({ client, table, now, sleep }: Options) => {
  const take = async (id: string, holder: string): Promise<boolean> => {
    try {
      await client.send(
        new PutItemCommand({
          TableName: table,
          Item: {
            id: { S: id },
            holder: { S: holder },
            ends: { N: String(now() + HELD) },
            ttl: { N: String(Math.ceil((now() + HOUR) / SECOND)) },
          },
          ConditionExpression: 'attribute_not_exists(id) OR ends < :now OR #h = :holder',
          ExpressionAttributeNames: { '#h': 'holder' },
          ExpressionAttributeValues: { ':now': { N: String(now()) }, ':holder': { S: holder } },
        }),
        { abortSignal: AbortSignal.timeout(DEADLINE) },
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  };

  const give = async (id: string, holder: string): Promise<void> => {
    try {
      await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: { id: { S: id } },
          UpdateExpression: 'SET ends = :zero',
          ConditionExpression: '#h = :holder',
          ExpressionAttributeNames: { '#h': 'holder' },
          ExpressionAttributeValues: { ':zero': { N: '0' }, ':holder': { S: holder } },
        }),
        { abortSignal: AbortSignal.timeout(DEADLINE) },
      );
    } catch {
      // It ends by itself.
    }
  };

  return async <Value>(name: string, patience: number, run: () => Promise<Value>): Promise<Value | 'busy'> => {
    const id = `lease#${name}`;
    const holder = newHexId();
    const end = now() + patience;
    while (!(await take(id, holder))) {
      if (now() >= end) return 'busy';
      await sleep(PAUSE);
    }
    try {
      return await run();
    } finally {
      await give(id, holder);
    }
  };
};

export type Lease = ReturnType<typeof createLease>;
