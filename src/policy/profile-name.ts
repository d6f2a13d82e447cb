import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard } from './arn-pattern.ts';
import { quote } from './reading/problem.ts';

/** The name is also the value of a session tag, of which STS takes 256 characters. */
const MAX_LENGTH = 256;

/**
 * SSM allows fifteen levels, and two come before the name, as in `/sentinel/policies/<profile>`:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-hierarchies.html
 */
const MAX_SEGMENTS = 13;

/**
 * No segment may be `.` or `..`: software that treats the name as a file path would resolve it to
 * another name.
 */
const SEGMENTS = /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+)*$/u;

/**
 * Whether a text can be a profile's name: segments of letters, digits, `_`, `.` and `-`, joined by
 * `/`, none of them `.` or `..`, at most 256 characters. That is what an SSM parameter's name can
 * hold:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 */
export function isProfileName(text: string): boolean {
  return text.length <= MAX_LENGTH && SEGMENTS.test(text) && text.split('/').length <= MAX_SEGMENTS;
}

/**
 * Checks that a text of `profiles` could be a profile's name. Refuses with a sentence that says
 * what could, or gives the text back.
 */
export function checkProfile(text: string): Result<string, string> {
  return isProfileName(text) ? ok(text) : refuse(`${quote(text)} ${problemOf(text)}`);
}

function problemOf(text: string): string {
  if (hasWildcard(text)) return 'has a wildcard, but profiles are named in full; list each of them';
  if (text.length > MAX_LENGTH)
    return `is longer than ${MAX_LENGTH} characters, the most that a profile's name may have`;
  const plain = text
    .split('/')
    .map((segment) => segment.trim())
    .filter((segment) => segment !== '')
    .join('/');
  if (plain !== text && isProfileName(plain))
    return `cannot be a profile's name, because SSM could not store it; write ${plain}`;
  if (text.split('/').length > MAX_SEGMENTS) return `has more than the ${MAX_SEGMENTS} levels that SSM can store`;
  return "cannot be a profile's name, which is letters, digits and _.- in segments joined by /, like team/prod";
}
