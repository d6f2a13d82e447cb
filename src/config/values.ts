import * as v from 'valibot';
import { isAccountId, parseArn, parseRoleArn } from '../lib/arn.ts';
import { parseGoDuration } from '../lib/go-duration.ts';
import { isWebhookUrl } from '../lib/webhook-url.ts';

// The kinds of value that variables have. Each message is the end of a sentence that begins with
// the name of the variable.

/** A Go duration within bounds, like `5m`; comes out in milliseconds. */
export function duration(low: number, high: number, range: string) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const parsed = parseGoDuration(dataset.value);
      if (!parsed.ok) addIssue({ message: parsed.refusal });
      else if (parsed.value < low || parsed.value > high) addIssue({ message: `must be ${range}` });
      else return parsed.value;
      return NEVER;
    }),
  );
}

/** A whole number within bounds. */
export function integer(low: number, high: number) {
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/u, `must be a whole number from ${low} to ${high}`),
    v.transform(Number),
    v.minValue(low, `must be a whole number from ${low} to ${high}`),
    v.maxValue(high, `must be a whole number from ${low} to ${high}`),
  );
}

/** A list of items between commas; `what` names an item in messages. */
export function list(what: string, accepts: (item: string) => boolean) {
  return v.pipe(
    v.string(),
    v.transform((text) => text.split(',').map((item) => item.trim())),
    v.array(
      v.pipe(
        v.string(),
        v.check(accepts, ({ input }) => `"${input}" is not ${what}`),
      ),
    ),
  );
}

/** An http or https URL. */
export const url = v.pipe(
  v.string(),
  v.check(
    (text) => URL.canParse(text) && /^https?:$/u.test(new URL(text).protocol),
    'must be an http or https URL',
  ),
);

/** One of these words. */
export function oneOf<const Names extends readonly string[]>(...names: Names) {
  return v.picklist(names, `must be one of ${names.join(', ')}`);
}

/** A path of SSM. */
export const ssmRoot = v.pipe(
  v.string(),
  v.regex(/^(?:\/[A-Za-z0-9_.-]+)+$/u, 'must be a path like /sentinel'),
);

/** The name of a DynamoDB table. */
export const tableName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.-]{3,255}$/u, 'must be the name of a DynamoDB table'),
);

/** A region of AWS. */
export const region = v.pipe(
  v.string(),
  v.regex(/^[a-z]{2,4}(?:-[a-z]+)+-\d$/u, 'must be a region like eu-central-1'),
);

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/u;

/** The name of an S3 bucket. */
export const bucketName = v.pipe(v.string(), v.regex(BUCKET, 'must be the name of an S3 bucket'));

/** Where events go. Its path is often a secret, so no message repeats it. */
export const webhookUrl = v.pipe(
  v.string(),
  v.check(isWebhookUrl, 'must be an https URL without user and password'),
);

/**
 * Standard topics only. FIFO topics need a group id, which notifications do not have:
 * https://docs.aws.amazon.com/sns/latest/dg/fifo-topics.html
 */
function isTopicArn(text: string): boolean {
  const arn = parseArn(text);
  if (!arn.ok) return false;
  const { service, region: place, account, resource } = arn.value;
  return (
    service === 'sns' &&
    v.is(region, place) &&
    isAccountId(account) &&
    /^[\w-]{1,256}$/u.test(resource)
  );
}

/** The ARN of an SNS topic for notifications. */
export const topicArn = v.pipe(
  v.string(),
  v.check(isTopicArn, 'must be the ARN of a standard SNS topic'),
);

/**
 * Whether a text is a role's unique id:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
 */
export function isRoleId(text: string): boolean {
  return /^AROA[A-Z0-9]{12,124}$/u.test(text);
}

/** The id of an API or a Function URL. */
export const frontId = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9]{8,64}$/u, 'must be the id of an API or a Function URL'),
);

const SSO_SUFFIX = /=sso$/u;

/**
 * IAM allows a role named `R=SSO`, but `=sso` was more likely meant. Read as a name, it would trust
 * nobody.
 */
const ANY_SSO_SUFFIX = /=sso$/iu;

/**
 * Whether an item of the list of trusted roles is an ARN, alone or followed by `=sso` in lower
 * case.
 */
export function isTrustedRole(item: string): boolean {
  const { arn } = toTrustedRole(item);
  return !ANY_SSO_SUFFIX.test(arn) && parseRoleArn(arn).ok;
}

/**
 * A role whose session names are trusted: of kind `sso` where they name Identity Center's users.
 */
export type TrustedRole = { readonly arn: string; readonly kind: 'sso' | 'role' };

/** Reads `<arn>` or `<arn>=sso`. */
export function toTrustedRole(item: string): TrustedRole {
  return { arn: item.replace(SSO_SUFFIX, ''), kind: SSO_SUFFIX.test(item) ? 'sso' : 'role' };
}
