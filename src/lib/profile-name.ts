/** Characters of the longest name. */
export const MAX_NAME_LENGTH = 256;

/**
 * SSM has at most fifteen levels, and a document lies at least two down, like `/sentinel/policies/<profile>`:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-hierarchies.html
 */
export const MAX_NAME_SEGMENTS = 13;

/** A segment is neither `.` nor `..`: what reads a path like a file system would take it for another. */
const SEGMENTS = /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+)*$/u;

/**
 * Whether a text can be a profile's name: segments of letters, digits, `_`, `.` and `-`, joined by `/`, none of them `.`
 * or `..`, at most 256 characters. That is what an SSM parameter's name can hold:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 *
 * It stands in `lib` because both `policy`, which reads documents, and `contract`, which says what
 * callers may ask for, need it, and neither imports the other.
 */
export function isProfileName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && SEGMENTS.test(text) && text.split('/').length <= MAX_NAME_SEGMENTS;
}
