/**
 * Makes what a server says fit for a terminal, which would act on escape sequences: one line of printable characters.
 * Objects, which no TVM sends there, come out as JSON.
 */
export const printable = (value: unknown, longest = 500): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
    .replace(/[^\u0020-\u007e\u00a0-\uffff]/gu, ' ')
    .slice(0, longest);
