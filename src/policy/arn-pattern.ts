function isSeparator(character: string | undefined): boolean {
  return character === ':' || character === '/';
}

/** Whether a pattern has a wildcard, and so can mean more than one principal. */
export function hasWildcard(pattern: string): boolean {
  return /[*?]/u.test(pattern);
}

/**
 * Whether a text is what a pattern describes: `*` is any number of characters and `?` exactly one, none of them `:` or
 * `/`; all else is itself. Goes back to the last star only. That is enough: separators stand for themselves, so both
 * sides fall into the same segments, and within one a star may take anything. Thus never more than
 * pattern × text steps, whatever the pattern.
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
