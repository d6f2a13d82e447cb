import type { Result } from '../lib/result.ts';
import type { Event } from './event.ts';

/** Where events go. */
export type Receiver = {
  readonly name: 'webhook' | 'sns';
  /**
   * Sends one event, in bounded time. Never rejects; a refusal says why in words that hold no URL,
   * secret or text.
   */
  readonly deliver: (event: Event) => Promise<Result<undefined, string>>;
};
