import { isProfileName, MAX_NAME_LENGTH, MAX_NAME_SEGMENTS } from '../lib/profile-name.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard } from './arn-pattern.ts';
import { quote } from './reading/problem.ts';

/**
 * Checks that a text of `profiles` could be a profile's name. Refuses with a sentence that says
 * what could, or gives the text back.
 */
export function checkProfile(text: string): Result<string, string> {
  return isProfileName(text) ? ok(text) : refuse(`${quote(text)} ${problemOf(text)}`);
}

function problemOf(text: string): string {
  if (hasWildcard(text)) return 'has a wildcard, but profiles are named in full; list each of them';
  if (text.length > MAX_NAME_LENGTH)
    return `is longer than ${MAX_NAME_LENGTH} characters, the most that a profile's name may have`;
  const plain = text
    .split('/')
    .map((segment) => segment.trim())
    .filter((segment) => segment !== '')
    .join('/');
  if (plain !== text && isProfileName(plain))
    return `cannot be a profile's name, because SSM could not store it; write ${plain}`;
  if (text.split('/').length > MAX_NAME_SEGMENTS)
    return `has more than the ${MAX_NAME_SEGMENTS} levels that SSM can store`;
  return "cannot be a profile's name, which is letters, digits and _.- in segments joined by /, like team/prod";
}
