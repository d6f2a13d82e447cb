import { createHash } from 'node:crypto';
import { ConditionalCheckFailedException, UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js';
import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** So many requests in each window of so many milliseconds. */
export type CallerQuota = { readonly requests: number; readonly window: number };

/** What a caller has left: requests, and whole seconds until there are as many again as at first. */
export type Allowance = { readonly left: number; readonly resetSeconds: number };

/** Why a request is not served: too many came before it, or nobody can tell how many did. */
export type LimitRefusal =
  | { readonly kind: 'exhausted'; readonly allowance: Allowance }
  | { readonly kind: 'unavailable' };

/** Counts requests by principal, whatever session or key they come by. */
export type CallerLimit = {
  readonly quota: CallerQuota;
  readonly take: (principal: string) => Promise<Result<Allowance, LimitRefusal>>;
};

const inSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / SECOND));

/** Counts in this instance's memory. Only principals that proved who they are get here, so their number is bounded. */
export const createMemoryCallerLimit = (quota: CallerQuota): CallerLimit => {
  const limiter = new RateLimiterMemory({ points: quota.requests, duration: quota.window / SECOND });
  return {
    quota,
    take: async (principal) => {
      const used = await limiter.penalty(principal);
      const allowance = {
        left: Math.max(0, quota.requests - used.consumedPoints),
        resetSeconds: inSeconds(used.msBeforeNext),
      };
      return used.consumedPoints > quota.requests ? refuse({ kind: 'exhausted', allowance }) : ok(allowance);
    },
  };
};

const DEADLINE = 2 * SECOND;

/**
 * Counts for all instances, in the guard table: one conditional update a request, on an item for each principal and window
 * that DynamoDB forgets by itself. What cannot be counted is refused.
 */
export const createSharedCallerLimit = (
  quota: CallerQuota,
  { client, table, clock }: { readonly client: DynamoDBClient; readonly table: string; readonly clock: Clock },
  onFault: (error: unknown) => void,
): CallerLimit => ({
  quota,
  take: async (principal) => {
    const now = clock();
    const number = Math.floor(now / quota.window);
    const end = (number + 1) * quota.window;
    const resetSeconds = inSeconds(end - now);
    const name = createHash('sha256').update(principal).digest('hex');
    try {
      const { Attributes } = await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: { id: { S: `rate#${name}#${number}` } },
          UpdateExpression: 'SET #ttl = :ttl ADD #count :one',
          ConditionExpression: 'attribute_not_exists(#count) OR #count < :limit',
          ExpressionAttributeNames: { '#ttl': 'ttl', '#count': 'count' },
          ExpressionAttributeValues: {
            ':ttl': { N: String(Math.ceil((end + MINUTE) / SECOND)) },
            ':one': { N: '1' },
            ':limit': { N: String(quota.requests) },
          },
          ReturnValues: 'UPDATED_NEW',
        }),
        { abortSignal: AbortSignal.timeout(DEADLINE) },
      );
      const used = Number(Attributes?.['count']?.N);
      if (!Number.isSafeInteger(used)) throw new Error("the answer to UpdateItem is not DynamoDB's");
      return ok({ left: Math.max(0, quota.requests - used), resetSeconds });
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) {
        return refuse({ kind: 'exhausted', allowance: { left: 0, resetSeconds } });
      }
      onFault(error);
      return refuse({ kind: 'unavailable' });
    }
  },
});
