import { MINUTE } from '../lib/clock.ts';

/**
 * How many sessions are kept in memory; beyond, the one used longest ago is forgotten and read
 * again when asked for.
 */
export const MAX_SESSIONS = 100_000;

/** How often the ends of sessions are looked for, and deny policies that have done their work. */
export const SWEEP = 1 * MINUTE;
