import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js';
import { SECOND } from '../lib/clock.ts';
import { ipv6Network } from '../lib/ip.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** What an address may cost: `points` in each window of so many milliseconds. */
export type SourceQuota = { readonly points: number; readonly window: number };

/** So many addresses are told apart; those beyond share one count, so that a flood of addresses costs no memory. */
const MAX_SOURCES = 20_000;

const OTHERS = 'others';

const sourceOf = (address: string | undefined): string => (address && ipv6Network(address)) ?? address ?? 'unknown';

/**
 * Counts what each source costs, in this instance's memory: IPv4 by address, IPv6 by /64, and all whose address cannot be
 * told as one.
 */
export const createSourceLimit = ({ points, window }: SourceQuota, maxSources = MAX_SOURCES) => {
  const limiter = new RateLimiterMemory({ points, duration: window / SECOND });
  /** When each source last cost something; the oldest first. */
  const charged = new Map<string, number>();

  /** Sources that have cost nothing for a window are forgotten, as the limiter forgets them. */
  const forgetOld = (now: number): void => {
    for (const [key, at] of charged) {
      if (now - at < window) break;
      charged.delete(key);
    }
  };

  return {
    /** Whether the source may cost more; refuses with the whole seconds until it may again. */
    check: async (address: string | undefined): Promise<Result<undefined, number>> => {
      forgetOld(performance.now());
      const source = sourceOf(address);
      const isFull = charged.size >= maxSources && !charged.has(source);
      const used = await limiter.get(isFull ? OTHERS : source);
      if (used === null || used.consumedPoints < points) return ok(undefined);
      return refuse(Math.max(1, Math.ceil(used.msBeforeNext / SECOND)));
    },
    /** Counts one against the source. */
    charge: async (address: string | undefined): Promise<void> => {
      const now = performance.now();
      forgetOld(now);
      const source = sourceOf(address);
      const isKnown = charged.delete(source) || charged.size < maxSources;
      if (isKnown) charged.set(source, now);
      await limiter.penalty(isKnown ? source : OTHERS);
    },
  };
};

/** What is counted against addresses; whoever gets one over sees only what it needs. */
export type SourceLimit = ReturnType<typeof createSourceLimit>;
