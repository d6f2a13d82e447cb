import { SECOND, type Clock } from '../lib/clock.ts';
import { refuse, type Result } from '../lib/result.ts';
import { VERSION } from '../lib/version.ts';
import { toBody, type Event } from './event.ts';
import { post, resolveHost, type Way } from './post.ts';
import type { Receiver } from './receiver.ts';
import { signEvent } from './signature.ts';
import { toSlack } from './slack.ts';

/** Where a webhook is and what is signed with, as the documents have it at the moment. */
export type WebhookTarget = { readonly url: string; readonly keys: readonly Uint8Array[] };

type Options = {
  /** Asked at each attempt, so that keys and URL change without a restart. */
  readonly target: () => WebhookTarget | undefined;
  readonly format: 'json' | 'slack';
  /** What links begin with. */
  readonly publicUrl: string;
  readonly clock: Clock;
  /** Whether the webhook may be this very machine: only where the AWS endpoint is local. */
  readonly allowsLoopback: boolean;
  /** What a test puts in the place of the system's resolver and of Node's certificates. */
  readonly way?: Partial<Pick<Way, 'resolve' | 'ca'>> | undefined;
};

/**
 * Constructs the receiver that is a webhook. Timestamp and signature are made anew at each attempt:
 * a receiver that refuses old ones takes what was sent again. Without a key nothing is sent.
 */
export function createWebhook({
  target,
  format,
  publicUrl,
  clock,
  allowsLoopback,
  way = {},
}: Options): Receiver {
  async function deliver(event: Event): Promise<Result<undefined, string>> {
    const to = target();
    if (to === undefined)
      return refuse('the document "webhook", with the keys of events, is missing or broken');
    const body = format === 'slack' ? toSlack(event, publicUrl) : toBody(event, publicUrl);
    const timestamp = String(Math.floor(clock() / SECOND));
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'user-agent': `sentinel-tvm/${VERSION}`,
      'x-sentinel-event': event.type,
      'x-sentinel-timestamp': timestamp,
      'x-sentinel-signature': signEvent(to.keys, timestamp, body),
    };
    return post(
      new URL(to.url),
      { headers, body },
      { resolve: resolveHost, ca: undefined, ...way, allowsLoopback },
    );
  }

  return { name: 'webhook', deliver };
}
