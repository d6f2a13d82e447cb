import { isProfileName, MAX_NAME_LENGTH, MAX_NAME_SEGMENTS } from '../lib/profile-name.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard } from './arn-pattern.ts';
import { quote } from './reading/problem.ts';

/**
 * Checks a text of `profiles`: whether some profile could ever have this name. Refuses with a sentence that says what
 * could; hands back the text.
 */
export function checkProfile(text: string): Result<string, string> {
  return isProfileName(text) ? ok(text) : refuse(`${quote(text)} ${problemOf(text)}`);
}

function problemOf(text: string): string {
  if (hasWildcard(text)) return 'has a wildcard, and profiles are named in full; list each of them';
  if (text.length > MAX_NAME_LENGTH) return `is longer than ${MAX_NAME_LENGTH} characters, which no profile's name is`;
  const plain = text
    .split('/')
    .map((segment) => segment.trim())
    .filter((segment) => segment !== '')
    .join('/');
  if (plain !== text && isProfileName(plain)) return `can be no profile's name, which SSM must store; write ${plain}`;
  if (text.split('/').length > MAX_NAME_SEGMENTS)
    return `has more than the ${MAX_NAME_SEGMENTS} levels that SSM can store`;
  return "can be no profile's name: that is letters, digits and _.- in segments joined by /, like team/prod";
}
