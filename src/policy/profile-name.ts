import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard } from './arn-pattern.ts';
import { quote } from './reading/problem.ts';

const MAX_LENGTH = 256;

/**
 * SSM has at most fifteen levels, and a document lies at least two down, like `/sentinel/policies/<profile>`:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-hierarchies.html
 */
const MAX_SEGMENTS = 13;

/** A segment is neither `.` nor `..`: what reads a path like a file system would take it for another. */
const SEGMENTS = /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+)*$/u;

/**
 * Whether a text can be a profile's name: segments of letters, digits, `_`, `.` and `-`, joined by `/`, none of them `.`
 * or `..`, at most 256 characters. That is what an SSM parameter's name can hold:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 */
export function isProfileName(text: string): boolean {
  return text.length <= MAX_LENGTH && SEGMENTS.test(text) && text.split('/').length <= MAX_SEGMENTS;
}

/**
 * Checks a text of `profiles`: whether some profile could ever have this name. Refuses with a sentence that says what
 * could; hands back the text.
 */
export function checkProfile(text: string): Result<string, string> {
  return isProfileName(text) ? ok(text) : refuse(`${quote(text)} ${problemOf(text)}`);
}

function problemOf(text: string): string {
  if (hasWildcard(text)) return 'has a wildcard, and profiles are named in full; list each of them';
  if (text.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters, which no profile's name is`;
  const plain = text
    .split('/')
    .map((segment) => segment.trim())
    .filter((segment) => segment !== '')
    .join('/');
  if (plain !== text && isProfileName(plain)) return `can be no profile's name, which SSM must store; write ${plain}`;
  if (text.split('/').length > MAX_SEGMENTS) return `has more than the ${MAX_SEGMENTS} levels that SSM can store`;
  return "can be no profile's name: that is letters, digits and _.- in segments joined by /, like team/prod";
}
