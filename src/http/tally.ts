import { MINUTE } from '../lib/clock.ts';

/** How often the log tells of those who are turned away: a flood of them must not fill it. */
const WINDOW = 1 * MINUTE;

/**
 * Counts what happens too often to be reported each time: the first is reported at once, the others
 * together at the end of each window.
 *
 * @param say gets how often each thing has happened since the last report
 */
export function createTally<Name extends string>(
  say: (counts: Readonly<Partial<Record<Name, number>>>) => void,
  window = WINDOW,
): (name: Name) => void {
  let counts = new Map<Name, number>();
  let timer: NodeJS.Timeout | undefined;

  function sayNow(): void {
    timer = undefined;
    if (counts.size === 0) return;
    const said = Object.fromEntries(counts) as Partial<Record<Name, number>>;
    counts = new Map();
    timer = setTimeout(sayNow, window).unref();
    say(said);
  }

  function countOne(name: Name): void {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (timer === undefined) sayNow();
  }

  return countOne;
}
