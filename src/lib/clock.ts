/** Milliseconds since the Unix epoch. Every pure check takes such a number instead of asking a clock. */
export type Clock = () => number;

/** The machine's clock. */
export const systemClock: Clock = () => Date.now();

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** Formats epoch milliseconds as `2026-01-02T03:04:05Z`; the fraction of the second is cut off, never rounded up. */
export const formatInstant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
