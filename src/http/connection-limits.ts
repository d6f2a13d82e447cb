import { readFileSync } from 'node:fs';
import type { ConnectionLimits } from './connections.ts';

/**
 * The most connections: more are of no use to one process, and each may hold 128 KiB of what it
 * sent.
 */
const MOST = 2_048;

/**
 * Taken where the system does not tell its limit: the lowest that is usual where this server runs.
 */
const USUAL_DESCRIPTORS = 1_024;

/** The limits of the metrics server, which one or two scrapers ask. */
export const METRICS_LIMITS: ConnectionLimits = { total: 32, perSource: 8 };

/**
 * How many descriptors this process may have open (`ulimit -n`). Node raises the soft limit to the
 * hard one when it starts, so this is what `/proc` says afterwards.
 */
export function readDescriptorLimit(file = '/proc/self/limits'): number {
  try {
    const [, soft] = /^Max open files\s+(\d+|unlimited)/mu.exec(readFileSync(file, 'utf8')) ?? [];
    if (soft === 'unlimited') return Number.POSITIVE_INFINITY;
    return soft === undefined ? USUAL_DESCRIPTORS : Number(soft);
  } catch {
    return USUAL_DESCRIPTORS;
  }
}

/**
 * The limits of the API's server: half of the descriptors, because the other half is for calls of
 * AWS (one to three for each request that is worked on, gate.ts), files and pipes. One source,
 * which may be a whole office, gets half of these connections.
 *
 * @param descriptors how many the process may have open
 * @param tellsSources false where all connections come from a proxy, whose address says nothing
 */
export function toConnectionLimits(descriptors: number, tellsSources: boolean): ConnectionLimits {
  const total = Math.max(1, Math.min(MOST, Math.floor(descriptors / 2)));
  return { total, perSource: tellsSources ? Math.ceil(total / 2) : undefined };
}
