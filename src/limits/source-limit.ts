import { isIPv6 } from 'node:net';
import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js';
import RateLimiterRes from 'rate-limiter-flexible/lib/RateLimiterRes.js';
import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** What an address may cost: `points` in each window of so many milliseconds. */
export type SourceQuota = { readonly points: number; readonly window: number };

/** So many addresses are told apart; those beyond share one count, so that a flood of addresses costs no memory. */
const MAX_SOURCES = 20_000;

const OTHERS = 'others';

/** The first four groups of an IPv6 address: its holder has the whole /64. An IPv4 address is a source by itself. */
const toSource = (address: string): string => {
  if (!isIPv6(address)) return address;
  const [head = '', tail = ''] = address.toLowerCase().split('::');
  const left = head.split(':').filter((group) => group !== '');
  const right = tail.split(':').filter((group) => group !== '');
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...zeros, ...right].slice(0, 4).join(':');
};

/**
 * Counts what each source costs, in this instance's memory: IPv4 by address, IPv6 by /64, and all whose address cannot be
 * told as one.
 */
export const createSourceLimit = ({ points, window }: SourceQuota, maxSources = MAX_SOURCES) => {
  const limiter = new RateLimiterMemory({ points, duration: window / SECOND });
  const seen = new Map<string, number>();

  /** Sources that were not heard of for a window are forgotten, as the limiter forgets them. */
  const keyOf = (address: string | undefined): string => {
    const source = toSource(address ?? 'unknown');
    const now = performance.now();
    for (const [key, at] of seen) {
      if (now - at < window) break;
      seen.delete(key);
    }
    if (!seen.delete(source) && seen.size >= maxSources) return OTHERS;
    seen.set(source, now);
    return source;
  };

  return {
    /** Takes one; refuses with the whole seconds until there is one again. */
    take: async (address: string | undefined): Promise<Result<undefined, number>> => {
      try {
        await limiter.consume(keyOf(address));
        return ok(undefined);
      } catch (cause) {
        if (!(cause instanceof RateLimiterRes)) throw cause;
        return refuse(Math.max(1, Math.ceil(cause.msBeforeNext / SECOND)));
      }
    },
    /** Gives back what was taken for somebody who turned out to be no stranger. */
    giveBack: async (address: string | undefined): Promise<void> => {
      await limiter.reward(keyOf(address));
    },
  };
};
