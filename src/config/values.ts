import * as v from 'valibot';
import { isAccountId, parseArn, parseRoleArn, toRolePrincipal } from '../lib/arn.ts';
import { parseGoDuration } from '../lib/go-duration.ts';
import { nearest } from '../lib/nearest.ts';
import { readFrontHost } from '../lib/partitions.ts';
import { escapeUnseen } from '../lib/unseen.ts';

const PREFIX = 'SENTINEL_';

/** Kubernetes puts `SENTINEL_SERVICE_HOST` and `SENTINEL_PORT…` into the pods beside a service called `sentinel`. */
const INJECTED = /^SENTINEL_(?:SERVICE_|PORT)/u;

const DEVICES = 'no device can be verified here; rules with a device condition never allow, so leave it out';
const SIGNATURES =
  'it signs no policies and checks no such signatures; guard who may write below SENTINEL_ROOT, and leave it out';
const SECOND_FACTORS = 'break-glass asks for no second factor here; leave it out';
const STREAMS = 'audit records go to stdout, whose destination is set where the container runs; leave it out';

/** Variables of Sentinel, the Go project, that have another name here or none: what to do, as the end of a sentence. */
const SENTINELS_OWN: ReadonlyMap<string, string> = new Map([
  ['POLICY_ROOT', 'here policies lie under SENTINEL_ROOT/policies, so set SENTINEL_ROOT to the path above them'],
  ['POLICY_PARAMETER', 'here each profile has a policy of its own, SENTINEL_ROOT/policies/<profile>; leave it out'],
  ['REQUEST_TABLE', 'here it is SENTINEL_APPROVAL_TABLE'],
  [
    'RATE_LIMIT_TABLE',
    'here shared counts lie in SENTINEL_GUARD_TABLE, with SENTINEL_RATE_LIMIT_STORE=shared; leave it out',
  ],
  ['POLICY_SIGNING_KEY', SIGNATURES],
  ['ENFORCE_POLICY_SIGNING', SIGNATURES],
  ['MFA_TOTP_SECRETS_PARAM', SECOND_FACTORS],
  ['MFA_SMS_PHONES_PARAM', SECOND_FACTORS],
  ['CLOUDWATCH_LOG_GROUP', STREAMS],
  ['CLOUDWATCH_STREAM', STREAMS],
  ['REQUIRE_DEVICE', DEVICES],
  ['MDM_PROVIDER', DEVICES],
  ['MDM_BASE_URL', DEVICES],
  ['MDM_API_SECRET_ID', DEVICES],
  ['MDM_API_TOKEN', DEVICES],
  ['MDM_TENANT_ID', DEVICES],
]);

/**
 * Looks for a `SENTINEL_*` variable that this server does not know.
 *
 * @param given the names in the environment
 * @param known the names that there are
 * @returns a sentence that names it, and what stands for it here if it is Sentinel's own, or the known one that is near;
 *   undefined if there is none
 */
export function findUnknown(given: readonly string[], known: readonly string[]): string | undefined {
  const unknown = given.find((name) => name.startsWith(PREFIX) && !known.includes(name) && !INJECTED.test(name));
  if (unknown === undefined) return undefined;
  const name = unknown.slice(PREFIX.length);
  const here = SENTINELS_OWN.get(name);
  if (here !== undefined) return `${unknown} is a variable of Sentinel, not of this server: ${here}.`;
  // Without the prefix that all of them have, which would make any two of them near.
  const names = known.map((one) => one.slice(PREFIX.length));
  const meant = nearest(name, names);
  const guess = meant === undefined ? '.' : `; did you mean ${PREFIX}${meant}?`;
  return `${escapeUnseen(unknown)} is not a variable of this server${guess}`;
}

/** Freezes a value with all that it holds. */
export function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) for (const held of Object.values(value)) freeze(held);
  return Object.freeze(value);
}

/** A number of milliseconds in a variable written as a Go duration, within bounds. */
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

/** Items between commas, each of which is what it should be. */
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

/** An address of the web. */
export const url = v.pipe(
  v.string(),
  v.check((text) => URL.canParse(text) && /^https?:$/u.test(new URL(text).protocol), 'must be an http or https URL'),
);

/** One of a few words. */
export function oneOf<const Names extends readonly string[]>(...names: Names) {
  return v.picklist(names, `must be one of ${names.join(', ')}`);
}

/** A path of SSM, a table's name, a region: in AWS's own forms. */
export const ssmRoot = v.pipe(v.string(), v.regex(/^(?:\/[A-Za-z0-9_.-]+)+$/u, 'must be a path like /sentinel'));
export const tableName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.-]{3,255}$/u, 'must be the name of a DynamoDB table'),
);
export const region = v.pipe(v.string(), v.regex(/^[a-z]{2,4}(?:-[a-z]+)+-\d$/u, 'must be a region like eu-central-1'));

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/u;

export const bucketName = v.pipe(v.string(), v.regex(BUCKET, 'must be the name of an S3 bucket'));

/** Whether a URL is plain http to this very machine, where nobody can listen in on the way. */
function isLoopbackHttp(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'http:' && /^(?:localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/u.test(hostname);
}

/** What `fetch` can post to without telling the way there; `user:password@` is what it refuses. */
function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'https:' || isLoopbackHttp(text)) && username === '' && password === '';
}

/** Where notifications go. Its path is often a secret, so no message repeats it. */
export const webhookUrl = v.pipe(v.string(), v.check(isWebhookUrl, 'must be an https URL without user and password'));

/** FIFO topics want what no notification has: https://docs.aws.amazon.com/sns/latest/dg/fifo-topics.html */
function isTopicArn(text: string): boolean {
  const arn = parseArn(text);
  if (!arn.ok) return false;
  const { service, region: place, account, resource } = arn.value;
  return service === 'sns' && v.is(region, place) && isAccountId(account) && /^[\w-]{1,256}$/u.test(resource);
}

export const topicArn = v.pipe(v.string(), v.check(isTopicArn, 'must be the ARN of a standard SNS topic'));

/**
 * Looks for what keeps a webhook from working where this server runs.
 *
 * @returns a sentence; undefined if there is nothing, or no webhook
 */
export function findWebhookFault(
  webhook: string | undefined,
  { onLambda, local }: { readonly onLambda: boolean; readonly local: boolean },
): string | undefined {
  if (webhook === undefined) return undefined;
  if (onLambda) {
    return 'SENTINEL_WEBHOOK_URL does not work on AWS Lambda, which freezes the process after each answer; set SENTINEL_SNS_TOPIC_ARN instead.';
  }
  if (isLoopbackHttp(webhook) && !local) {
    return 'SENTINEL_WEBHOOK_URL must begin with https://; http to loopback is for a local AWS endpoint only.';
  }
  return undefined;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids */
export function isRoleId(text: string): boolean {
  return /^AROA[A-Z0-9]{12,124}$/u.test(text);
}

export const frontId = v.pipe(v.string(), v.regex(/^[a-z0-9]{8,64}$/u, 'must be the id of an API or a Function URL'));

/** The id of an API or Function URL from its own URL; empty for any other URL, and without one. */
export function frontIdOfUrl(publicUrl: string | undefined): string {
  const host = publicUrl === undefined ? '' : new URL(publicUrl).hostname;
  const id = readFrontHost(host)?.id ?? '';
  return v.is(frontId, id) ? id : '';
}

const SSO_SUFFIX = /=sso$/u;

/** IAM allows a role `R=SSO`; that `=sso` was meant is likelier, and taken for a name it would trust nobody. */
const ANY_SSO_SUFFIX = /=sso$/iu;

/** Whether an item of the list of trusted roles is an ARN, alone or with the suffix as it is written. */
export function isTrustedRole(item: string): boolean {
  const { arn } = toTrustedRole(item);
  return !ANY_SSO_SUFFIX.test(arn) && parseRoleArn(arn).ok;
}

/** A role whose session names are trusted: `<arn>`, or `<arn>=sso` where they are those of Identity Center's users. */
export function toTrustedRole(item: string): { readonly arn: string; readonly kind: 'sso' | 'role' } {
  return { arn: item.replace(SSO_SUFFIX, ''), kind: SSO_SUFFIX.test(item) ? 'sso' : 'role' };
}

/** A role that is listed in both ways, whose people would have two names: why that is refused. Undefined if none is. */
export function findTrustedTwice(roles: readonly ReturnType<typeof toTrustedRole>[]): string | undefined {
  const kinds = new Map<string | undefined, 'sso' | 'role'>();
  for (const { arn, kind } of roles) {
    const principal = toRolePrincipal(arn);
    if ((kinds.get(principal) ?? kind) !== kind) {
      return `SENTINEL_TRUSTED_SESSION_ROLES lists ${principal} with "=sso" and without; keep one of them.`;
    }
    kinds.set(principal, kind);
  }
  return undefined;
}
