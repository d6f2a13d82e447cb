const FORMAT = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/u;

/**
 * Parses `20260102T030405Z` (ISO 8601 basic format) to epoch milliseconds; undefined for anything
 * else. `Date.UTC` silently turns month 13 and hour 24 into later dates, so the result is formatted
 * again and compared.
 */
export function parseAmzDate(text: string): number | undefined {
  const match = FORMAT.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return formatAmzDate(ms) === text ? ms : undefined;
}

/** Formats epoch milliseconds as `20260102T030405Z`. */
export function formatAmzDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/gu, '')}Z`;
}
