import { escapeUnseen } from '../lib/unseen.ts';

/**
 * Makes what a server says safe for a terminal, which would act on escape sequences and reverse
 * text: one line, with invisible characters written as `\uXXXX`. Objects, which no TVM sends there,
 * come out as JSON.
 */
export function printable(value: unknown, longest = 500): string {
  return escapeUnseen(
    (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
      .slice(0, longest)
      .replace(/[\t\r\n]+/gu, ' '),
  );
}

/** A line of JSON for programs; whoever reads it at a terminal sees all that is in it. */
export function jsonLine(value: unknown): string {
  return `${escapeUnseen(JSON.stringify(value))}\n`;
}

/** Characters of a value on its line; ARNs have no more. */
const LONGEST_VALUE = 2_048;

/** A line for people: a name and its value. */
export function valueLine(name: string, value: unknown, longest = LONGEST_VALUE): string {
  return `${`${printable(name)}:`.padEnd(22)}${printable(value, longest)}\n`;
}
