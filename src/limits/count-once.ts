import { createLru } from '../lib/lru.ts';
import type { Result } from '../lib/result.ts';
import type { Allowance, CallerLimit, LimitRefusal } from './caller-limit.ts';

/**
 * The result of counting a request, and whether the request is a copy of one that was counted here
 * before.
 */
export type Counted = { readonly copied: boolean; readonly taken: Result<Allowance, LimitRefusal> };

/**
 * How many signed requests are remembered; beyond that the oldest is forgotten, and a copy of it
 * costs its signer one request. At 300 requests a second they are those of ten minutes, which is
 * how long a signature lives.
 */
const MAX_REQUESTS = 200_000;

/**
 * Counts each signed request against its caller once in this instance, however many copies of it
 * come: whoever captured one must not use up its signer's quota. Copies that come while a request
 * is being counted share its result, a refusal too. After a refusal the request is forgotten, and
 * counted again when it is sent again.
 */
export function createCountOnce(limit: CallerLimit, capacity = MAX_REQUESTS) {
  const seen = createLru<string, Promise<Result<Allowance, LimitRefusal>>>(capacity);

  async function takeOnce(
    caller: string,
    request: string,
  ): Promise<Result<Allowance, LimitRefusal>> {
    const taken = await limit.take(caller);
    if (!taken.ok) seen.delete(request);
    return taken;
  }

  /**
   * Counts a request against its caller, unless it is a copy.
   *
   * @param request what all copies of one signed request share; undefined if copies cannot be
   *   recognised
   */
  async function count(caller: string, request: string | undefined): Promise<Counted> {
    if (request === undefined) return { copied: false, taken: await limit.take(caller) };
    const before = seen.get(request);
    if (before !== undefined) return { copied: true, taken: await before };
    const taking = takeOnce(caller, request);
    seen.set(request, taking);
    return { copied: false, taken: await taking };
  }

  /** Whether a request is a copy of one that was counted, or is being counted. */
  function isKnown(request: string | undefined): boolean {
    return request !== undefined && seen.peek(request) !== undefined;
  }

  return { count, isKnown };
}
