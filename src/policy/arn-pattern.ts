import { ok, refuse, type Result } from '../lib/result.ts';
import { quote } from './problem.ts';

/** IAM's limit for an ARN: https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyDescriptorType.html */
const MAX_LENGTH = 2_048;

/** What an ARN of IAM is made of: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html (path, name). */
const PRINTABLE = /^[\u0021-\u007e]+$/u;

const KEY = /^sentinel:key\/[\w*?-]{1,128}$/u;

const isSeparator = (character: string | undefined): boolean => character === ':' || character === '/';

/** Whether a pattern has a wildcard, and so can mean more than one principal. */
export const hasWildcard = (pattern: string): boolean => /[*?]/u.test(pattern);

/**
 * Checks a pattern of `principals`: an ARN of six parts, or `sentinel:key/<access key id>` for a registered key; in
 * both `*` and `?` stand for characters other than `:` and `/`. Refuses with a sentence; hands back the pattern.
 */
export const parsePrincipalPattern = (pattern: string): Result<string, string> => {
  if (KEY.test(pattern)) return ok(pattern);
  const [scheme, , service, , , ...resource] = pattern.split(':');
  const name = resource.join(':');
  if (scheme !== 'arn' || name === '' || !PRINTABLE.test(pattern) || pattern.length > MAX_LENGTH) {
    return refuse(`${quote(pattern)} is neither an ARN like arn:aws:iam::111122223333:role/* nor sentinel:key/<id>`);
  }
  // A session's principal is its role, so such an entry would never match: a deny that denies nothing.
  if (service === 'sts' && name.startsWith('assumed-role/')) {
    return refuse(`${quote(pattern)} names a session; name its role, like arn:aws:iam::111122223333:role/Name`);
  }
  return ok(pattern);
};

/**
 * Whether a text is what a pattern describes: `*` is any number of characters and `?` exactly one, none of them `:` or
 * `/`; all else is itself. Goes back to the last star only. That is enough: separators stand for themselves, so both
 * sides fall into the same segments, and within one a star may take anything. Thus never more than
 * pattern × text steps, whatever the pattern.
 */
export const matchesPattern = (pattern: string, text: string): boolean => {
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
};
