import { ok, refuse, type Result } from './result.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  '\u00b5s': 1e-3,
  '\u03bcs': 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const TERM = /(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/gu;
const WHOLE = /^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/u;

/**
 * Parses a duration as Go's `time.ParseDuration` reads it (`45m`, `1h30m`, `0.5h`, `0`), the format
 * of Sentinel's documents, into milliseconds. Refuses anything else with a sentence, negative
 * durations included.
 */
export function parseGoDuration(text: string): Result<number, string> {
  if (text === '0') return ok(0);
  if (text.length > 64 || !WHOLE.test(text))
    return refuse(`"${text}" is not a duration like 45m or 1h30m`);
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(TERM))
    total += Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  return Number.isFinite(total) && total <= Number.MAX_SAFE_INTEGER
    ? ok(total)
    : refuse(`"${text}" is longer than any duration can be`);
}
