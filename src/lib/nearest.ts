/**
 * How many insertions, deletions, replacements and swaps of neighbours lead from `a` to `b`
 * (optimal string alignment).
 */
function distance(a: readonly string[], b: readonly string[]): number {
  let before: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, left] of a.entries()) {
    const current = [row + 1];
    for (const [column, right] of b.entries()) {
      const replaced = (previous[column] ?? 0) + (left === right ? 0 : 1);
      const isSwap = row > 0 && column > 0 && left === b[column - 1] && a[row - 1] === right;
      const swapped = isSwap ? (before[column - 1] ?? 0) + 1 : replaced;
      current.push(
        Math.min(replaced, swapped, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1),
      );
    }
    before = previous;
    previous = current;
  }
  return previous.at(-1) ?? 0;
}

/**
 * The longest name that is compared: comparing takes time in proportion to both lengths, and no
 * known name is longer.
 */
const LONGEST = 200;

/**
 * How many edits a near name may be away: a third of its length, as in the compilers of Rust and
 * C++.
 */
function reach(name: string): number {
  return Math.floor(Math.max(name.length, 3) / 3);
}

/**
 * The known name with the fewest edits to `name`, ignoring case, for "did you mean" sentences.
 * Undefined if none is near: a wrong guess misleads its reader.
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined;
  const letters = Array.from(name.toLowerCase());
  let best: { readonly name: string; readonly edits: number } | undefined;
  for (const candidate of known) {
    const edits = distance(letters, Array.from(candidate.toLowerCase()));
    if (best === undefined || edits < best.edits) best = { name: candidate, edits };
  }
  return best !== undefined && best.edits <= reach(name) ? best.name : undefined;
}
