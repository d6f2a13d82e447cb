import { createHash } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js';
import { attributes, numberAt, textAt, toTtl, type Item } from '../aws/attributes.ts';
import { updateAs } from '../aws/change.ts';
import { readItem, updateIf } from '../aws/table.ts';
import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { newHexId } from '../lib/ids.ts';
import { createLru } from '../lib/lru.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** How many requests a caller may make in each window of so many milliseconds. */
export type CallerQuota = { readonly requests: number; readonly window: number };

/**
 * What a caller has left: requests, and whole seconds until the window ends and the quota is whole
 * again.
 */
export type Allowance = { readonly left: number; readonly resetSeconds: number };

/** Why a request is not served: too many came before it, or nobody knows how many did. */
export type LimitRefusal =
  | { readonly kind: 'exhausted'; readonly allowance: Allowance }
  | { readonly kind: 'unavailable' };

/** Counts requests by caller, whichever session or key they use. */
export type CallerLimit = {
  readonly quota: CallerQuota;
  /** Counts one request of the caller, unless there were too many. */
  readonly take: (caller: string) => Promise<Result<Allowance, LimitRefusal>>;
  /**
   * Refuses a caller that is known here to have nothing left. Asks no table, and counts nothing.
   */
  readonly peek: (caller: string) => Promise<Result<undefined, LimitRefusal>>;
  /**
   * Gives one request back, which turned out to be somebody's copy of the caller's. A best effort;
   * never rejects.
   */
  readonly giveBack: (caller: string) => Promise<void>;
};

function inSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / SECOND));
}

function exhausted(resetSeconds: number) {
  return refuse<LimitRefusal>({ kind: 'exhausted', allowance: { left: 0, resetSeconds } });
}

/**
 * Counts in this instance's memory: caller → requests in the window, for as long as the window
 * lasts. The number of entries is bounded by that of callers who proved who they are within a
 * window.
 */
export function createMemoryCallerLimit(quota: CallerQuota): CallerLimit {
  const limiter = new RateLimiterMemory({
    points: quota.requests,
    duration: quota.window / SECOND,
  });

  async function take(caller: string): Promise<Result<Allowance, LimitRefusal>> {
    const used = await limiter.penalty(caller);
    const resetSeconds = inSeconds(used.msBeforeNext);
    if (used.consumedPoints > quota.requests) return exhausted(resetSeconds);
    return ok({ left: Math.max(0, quota.requests - used.consumedPoints), resetSeconds });
  }

  async function peek(caller: string): Promise<Result<undefined, LimitRefusal>> {
    const used = await limiter.get(caller);
    return used === null || used.consumedPoints < quota.requests
      ? ok(undefined)
      : exhausted(inSeconds(used.msBeforeNext));
  }

  async function giveBack(caller: string): Promise<void> {
    const used = await limiter.get(caller);
    if (used !== null && used.consumedPoints > 0) await limiter.reward(caller);
  }

  return { quota, take, peek, giveBack };
}

/** How long counting one request may take, its second look included: the request waits for it. */
const DEADLINE = 2 * SECOND;

/**
 * How many callers that have nothing left in this window are remembered, and refused without a
 * write.
 */
const MAX_EXHAUSTED = 10_000;

/** The item that counts a caller's requests in one window. */
type Place = { readonly id: string; readonly end: number };

/**
 * Counts for all instances, in the guard table: one conditional update a request, on an item for
 * each caller and window that DynamoDB deletes by itself. The item holds the id of the attempt that
 * wrote it last. When the SDK repeats an update whose answer was lost, it finds its own attempt and
 * does not count twice (unless another request of the same caller came in between). A request that
 * cannot be counted is refused.
 *
 *     update if last is not mine ── counted ── answer lost
 *     ── update again: last is mine ── read: mine ── ok
 *
 * @param onFault is told of each error of DynamoDB
 */
export function createSharedCallerLimit(
  quota: CallerQuota,
  {
    client,
    table: name,
    clock,
  }: { readonly client: DynamoDBClient; readonly table: string; readonly clock: Clock },
  onFault: (error: unknown) => void,
): CallerLimit {
  const table = { client, name, deadline: DEADLINE };
  /**
   * Cache: caller → end of the window in which nothing is left; until then each further request
   * costs no write.
   */
  const spent = createLru<string, number>(MAX_EXHAUSTED);

  function placeOf(caller: string, now: number): Place {
    const number = Math.floor(now / quota.window);
    const name = createHash('sha256').update(caller).digest('hex');
    return { id: `rate#${name}#${number}`, end: (number + 1) * quota.window };
  }

  /**
   * Counts the request; undefined where there were too many before, or where this very attempt was
   * counted already.
   */
  async function count({ id, end }: Place, attempt: string): Promise<number | undefined> {
    const changed = await updateAs(table, id, attempt, {
      update: 'SET #ttl = :ttl, #last = :attempt ADD #count :one',
      condition: 'attribute_not_exists(#count) OR (#count < :limit AND #last <> :attempt)',
      names: { '#ttl': 'ttl', '#count': 'count', '#last': 'attempt' },
      values: attributes({
        ':ttl': toTtl(end + MINUTE),
        ':attempt': attempt,
        ':one': 1,
        ':limit': quota.requests,
      }),
    });
    return changed === 'refused' ? undefined : readCount(changed);
  }

  /** The count, if this attempt is the one that made it. */
  async function countOfMine({ id }: Place, attempt: string): Promise<number | undefined> {
    const item = await readItem(table, id);
    return item !== undefined && textAt(item, 'attempt') === attempt ? readCount(item) : undefined;
  }

  async function countOrFind(place: Place): Promise<number | undefined> {
    const attempt = newHexId();
    return (await count(place, attempt)) ?? (await countOfMine(place, attempt));
  }

  async function take(caller: string): Promise<Result<Allowance, LimitRefusal>> {
    const now = clock();
    const place = placeOf(caller, now);
    const resetSeconds = inSeconds(place.end - now);
    if (spent.peek(caller) === place.end) return exhausted(resetSeconds);
    try {
      const used = await withDeadline(DEADLINE, 'counting a request', () => countOrFind(place));
      if (used !== undefined) return ok({ left: Math.max(0, quota.requests - used), resetSeconds });
      spent.set(caller, place.end);
      return exhausted(resetSeconds);
    } catch (error) {
      onFault(error);
      return refuse({ kind: 'unavailable' });
    }
  }

  async function giveBack(caller: string): Promise<void> {
    spent.delete(caller);
    try {
      // Refused: the window is over, or nothing was counted in it, so there is nothing to give
      // back.
      await updateIf(table, placeOf(caller, clock()).id, 'ADD #count :less', {
        condition: '#count > :none',
        names: { '#count': 'count' },
        values: attributes({ ':less': -1, ':none': 0 }),
      });
    } catch (error) {
      onFault(error);
    }
  }

  function peek(caller: string): Promise<Result<undefined, LimitRefusal>> {
    const now = clock();
    const { end } = placeOf(caller, now);
    return Promise.resolve(
      spent.peek(caller) === end ? exhausted(inSeconds(end - now)) : ok(undefined),
    );
  }

  return { quota, take, peek, giveBack };
}

function readCount(item: Item): number {
  const used = numberAt(item, 'count');
  if (used === undefined || !Number.isSafeInteger(used))
    throw new Error("the answer to UpdateItem is not DynamoDB's");
  return used;
}

/**
 * The shared count, replaced by this instance's own during an outage in the operator's grace
 * (`SENTINEL_OUTAGE_GRACE`). Each instance then gives a caller the whole quota.
 *
 * @param inGrace whether the grace is being used
 */
export function createGraceCallerLimit(shared: CallerLimit, inGrace: () => boolean): CallerLimit {
  const memory = createMemoryCallerLimit(shared.quota);
  function current(): CallerLimit {
    return inGrace() ? memory : shared;
  }
  async function take(caller: string): Promise<Result<Allowance, LimitRefusal>> {
    if (inGrace()) return memory.take(caller);
    const taken = await shared.take(caller);
    // The outage may have begun with this very request.
    return !taken.ok && taken.refusal.kind === 'unavailable' && inGrace()
      ? memory.take(caller)
      : taken;
  }

  function peek(caller: string): Promise<Result<undefined, LimitRefusal>> {
    return current().peek(caller);
  }

  function giveBack(caller: string): Promise<void> {
    return current().giveBack(caller);
  }

  return { quota: shared.quota, take, peek, giveBack };
}
