import * as v from 'valibot';
import { crossCheck, dictionary, type CrossFinding, type Schema } from './schema.ts';
import { quote } from './problem.ts';

/** STS takes 50 session tags; five are the TVM's own. */
const MAX_TAGS = 45;

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html */
const KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/** Keys that differ only in case are one key to IAM; letters with several cases (ſ, K) are folded too. */
const fold = (key: string): string => key.toLowerCase().toUpperCase();

const RESERVED = ['SENTINEL', 'AWS:'] as const;

const checkKey = (key: string, keys: readonly string[]): string | undefined => {
  if (!KEY.test(key)) return `the tag's key must be 1 to 128 letters, digits, spaces and _.:/=+-@`;
  if (RESERVED.some((prefix) => fold(key).startsWith(prefix))) return 'tags must not begin with sentinel or aws:';
  const twin = keys.find((other) => other !== key && fold(other) === fold(key));
  return twin === undefined ? undefined : `differs from ${quote(twin)} only in case`;
};

const checkTags = (tags: Readonly<Record<string, string>>): readonly CrossFinding[] => {
  const keys = Object.keys(tags);
  return keys.flatMap((key) => {
    const message = checkKey(key, keys);
    return message === undefined ? [] : [{ key, message }];
  });
};

const value: Schema<string> = v.pipe(
  v.string('must be text; put it in quotes'),
  v.regex(VALUE, 'must be at most 256 letters, digits, spaces and _.:/=+-@'),
);

/** A profile's own session tags: what STS accepts, and no name that could pass for one of the TVM's. */
export const profileTags: Schema<Record<string, string>> = v.pipe(
  dictionary(value),
  v.check((tags) => Object.keys(tags).length <= MAX_TAGS, `must be at most ${MAX_TAGS} tags`),
  crossCheck(checkTags),
);
