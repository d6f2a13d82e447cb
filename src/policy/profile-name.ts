const MAX_LENGTH = 256;

/** A segment is neither `.` nor `..`: what reads a path like a file system would take it for another. */
const SEGMENTS = /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+)*$/u;

/**
 * Whether a text can be a profile's name: segments of letters, digits, `_`, `.` and `-`, joined by `/`, none of them `.`
 * or `..`, at most 256 characters. That is what an SSM parameter's name can hold:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 */
export const isProfileName = (text: string): boolean => text.length <= MAX_LENGTH && SEGMENTS.test(text);
