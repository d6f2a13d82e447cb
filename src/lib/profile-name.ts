/** The name is also the value of a session tag, of which STS takes 256 characters. */
export const MAX_NAME_LENGTH = 256;

/**
 * SSM allows fifteen levels, and two come before the name, as in `/sentinel/policies/<profile>`:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-hierarchies.html
 */
export const MAX_NAME_SEGMENTS = 13;

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
 *
 * It stands in `lib` because both `policy`, which reads documents, and `contract`, which says what
 * callers may ask for, need it, and neither imports the other.
 */
export function isProfileName(text: string): boolean {
  return (
    text.length <= MAX_NAME_LENGTH &&
    SEGMENTS.test(text) &&
    text.split('/').length <= MAX_NAME_SEGMENTS
  );
}
