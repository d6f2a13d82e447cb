import * as v from 'valibot';
import { parseGoDuration } from './lib/go-duration.ts';

/** A number of milliseconds in a variable written as a Go duration, within bounds. */
export const duration = (low: number, high: number, range: string) =>
  v.pipe(
    v.string(),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const parsed = parseGoDuration(dataset.value);
      if (!parsed.ok) addIssue({ message: parsed.refusal });
      else if (parsed.value < low || parsed.value > high) addIssue({ message: `must be ${range}` });
      else return parsed.value;
      return NEVER;
    }),
  );

/** A whole number within bounds. */
export const integer = (low: number, high: number) =>
  v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/u, `must be a whole number from ${low} to ${high}`),
    v.transform(Number),
    v.minValue(low, `must be a whole number from ${low} to ${high}`),
    v.maxValue(high, `must be a whole number from ${low} to ${high}`),
  );

/** Items between commas, each of which is what it should be. */
export const list = (what: string, accepts: (item: string) => boolean) =>
  v.pipe(
    v.string(),
    v.transform((text) => text.split(',').map((item) => item.trim())),
    v.array(
      v.pipe(
        v.string(),
        v.check(accepts, ({ input }) => `"${input}" is not ${what}`),
      ),
    ),
  );

/** An address of the web. */
export const url = v.pipe(
  v.string(),
  v.check((text) => URL.canParse(text) && /^https?:$/u.test(new URL(text).protocol), 'must be an http or https URL'),
);

/** One of a few words. */
export const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  v.picklist(names, `must be one of ${names.join(', ')}`);

/** A path of SSM, a table's name, a region: in AWS's own forms. */
export const ssmRoot = v.pipe(v.string(), v.regex(/^(?:\/[A-Za-z0-9_.-]+)+$/u, 'must be a path like /sentinel'));
export const tableName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.-]{3,255}$/u, 'must be the name of a DynamoDB table'),
);
export const region = v.pipe(v.string(), v.regex(/^[a-z]{2,4}(?:-[a-z]+)+-\d$/u, 'must be a region like eu-central-1'));
