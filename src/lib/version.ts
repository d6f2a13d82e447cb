/**
 * The version of this program; a test compares it with package.json, which the image does not hold.
 */
export const VERSION = '0.1.0';
