/** Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b` (optimal string alignment). */
function distance(a: readonly string[], b: readonly string[]): number {
  let before: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, left] of a.entries()) {
    const current = [row + 1];
    for (const [column, right] of b.entries()) {
      const replaced = (previous[column] ?? 0) + (left === right ? 0 : 1);
      const isSwap = row > 0 && column > 0 && left === b[column - 1] && a[row - 1] === right;
      const swapped = isSwap ? (before[column - 1] ?? 0) + 1 : replaced;
      current.push(Math.min(replaced, swapped, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    before = previous;
    previous = current;
  }
  return previous.at(-1) ?? 0;
}

/** No name that is known anywhere is longer; what is compared takes time in proportion to both lengths. */
const LONGEST = 200;

/** So many edits turn a name into a near one: a third of its length, as the compilers of Rust and C++ have it. */
function reach(name: string): number {
  return Math.floor(Math.max(name.length, 3) / 3);
}

/**
 * The known name with the fewest edits to `name`, upper and lower case being one, for "did you mean" sentences. Undefined
 * if none is near: a wrong guess sends its reader further away than none.
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
