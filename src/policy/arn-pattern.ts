function isSeparator(character: string | undefined): boolean {
  return character === ':' || character === '/';
}

/** Whether a pattern has a wildcard, so that it may match more than one principal. */
export function hasWildcard(pattern: string): boolean {
  return /[*?]/u.test(pattern);
}

/**
 * Whether a pattern matches a text. `*` matches any number of characters and `?` exactly one, but
 * never `:` or `/`. Every other character matches itself.
 *
 * On a mismatch the search goes back to the last star only. That is enough: separators match only
 * themselves, so pattern and text have the same segments, and within a segment an earlier star need
 * not match more. So it takes at most pattern length × text length steps, whatever the pattern.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let from = 0;
  let star = -1;
  let starEnd = 0;
  while (from < text.length) {
    const expected = pattern[at];
    if (expected === '*') {
      star = at;
      starEnd = from;
      at += 1;
    } else if (expected === '?' ? !isSeparator(text[from]) : expected === text[from]) {
      at += 1;
      from += 1;
    } else if (star >= 0 && !isSeparator(text[starEnd])) {
      starEnd += 1;
      from = starEnd;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
