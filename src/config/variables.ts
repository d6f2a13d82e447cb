import * as v from 'valibot';
import {
  bucketName,
  duration,
  frontId,
  integer,
  isRoleId,
  isTrustedRole,
  list,
  oneOf,
  region,
  ssmRoot,
  tableName,
  topicArn,
  toTrustedRole,
  url,
  webhookUrl,
} from './values.ts';
import { DEFAULT_TABLE_NAMES } from '../aws/tables.ts';
import { isAccountId } from '../lib/arn.ts';
import { MINUTE, SECOND } from '../lib/clock.ts';
import { NAMED_KINDS } from '../lib/names.ts';

/** Every `SENTINEL_*` variable that this server knows. With any other it does not start. */
export const SENTINEL = {
  SENTINEL_ROOT: v.optional(ssmRoot, '/sentinel'),
  SENTINEL_SECRETS_ROOT: v.optional(ssmRoot, '/sentinel-secrets'),
  SENTINEL_SESSION_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.sessions),
  SENTINEL_APPROVAL_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.requests),
  SENTINEL_BREAKGLASS_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.breakglass),
  SENTINEL_REVOCATION_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.revocations),
  SENTINEL_GUARD_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.guard),
  SENTINEL_AUDIT_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.audit),
  SENTINEL_AUDIT_BUCKET: v.optional(bucketName),
  SENTINEL_STATE_REGION: v.optional(region),
  SENTINEL_ALLOWED_ACCOUNTS: v.optional(list('an account id of twelve digits', isAccountId)),
  SENTINEL_SSO_ACCOUNTS: v.optional(list('an account id of twelve digits', isAccountId)),
  SENTINEL_TRUSTED_SESSION_ROLES: v.optional(
    v.pipe(
      list('the ARN of an IAM role, alone or followed by "=sso"', isTrustedRole),
      v.transform((items) => items.map(toTrustedRole)),
    ),
  ),
  SENTINEL_BARE_NAMES: v.optional(oneOf(...NAMED_KINDS), 'key'),
  SENTINEL_SSO_ROLES: v.optional(list('the unique id of a role (AROA…)', isRoleId)),
  SENTINEL_PUBLIC_URL: v.optional(url),
  SENTINEL_HOSTS: v.optional(
    list('a host or host:port', (host) => /^[A-Za-z0-9.[\]:_-]+$/u.test(host)),
  ),
  SENTINEL_SERVER_ID: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^[\u0021-\u007e]{1,128}$/u,
        'must be 1-128 characters of printable ASCII without blanks',
      ),
    ),
  ),
  SENTINEL_FRONT: v.optional(oneOf('none', 'function-url', 'http-api', 'rest-api'), 'none'),
  SENTINEL_FRONT_ID: v.optional(frontId),
  SENTINEL_TRUSTED_HOPS: v.optional(integer(0, 16)),
  SENTINEL_CLOCK_SKEW: v.optional(duration(SECOND, 15 * MINUTE, 'from 1s to 15m'), '5m'),
  SENTINEL_CATALOG_MAX_AGE: v.optional(duration(30 * SECOND, 60 * MINUTE, 'from 30s to 1h'), '5m'),
  SENTINEL_SESSION_LIFE: v.optional(
    duration(15 * MINUTE, 24 * 60 * MINUTE, 'from 15m to 24h'),
    '8h',
  ),
  SENTINEL_KEY_LIFE: v.optional(duration(MINUTE, 60 * MINUTE, 'from 1m to 1h'), '1h'),
  SENTINEL_DRAIN: v.optional(duration(0, 100 * SECOND, 'from 0s to 100s')),
  SENTINEL_OUTAGE_GRACE: v.optional(duration(0, 15 * MINUTE, 'from 0s to 15m'), '0s'),
  SENTINEL_REPLAY_GUARD: v.optional(oneOf('shared', 'instance'), 'shared'),
  SENTINEL_STS_REGIONS: v.optional(list('a region', (name) => v.is(region, name))),
  SENTINEL_STS_EXTRA_REGIONS: v.optional(list('a region', (name) => v.is(region, name))),
  SENTINEL_RATE_LIMIT_REQUESTS: v.optional(integer(1, 1_000_000)),
  SENTINEL_RATE_LIMIT_WINDOW: v.optional(duration(SECOND, 60 * MINUTE, 'from 1s to 1h'), '60s'),
  SENTINEL_RATE_LIMIT_STORE: v.optional(oneOf('memory', 'shared')),
  SENTINEL_LOG_LEVEL: v.optional(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
  ),
  SENTINEL_LOG_LEVEL_STYLE: v.optional(oneOf('number', 'text'), 'number'),
  SENTINEL_LOG_SIGNING_KEY: v.optional(v.string()),
  SENTINEL_LOG_SIGNING_KEY_ID: v.optional(v.string()),
  SENTINEL_WEBHOOK_URL: v.optional(webhookUrl),
  SENTINEL_WEBHOOK_FORMAT: v.optional(oneOf('json', 'slack'), 'json'),
  SENTINEL_SNS_TOPIC_ARN: v.optional(topicArn),
};

/**
 * Every variable that this server reads, with its form and default. Durations come out in
 * milliseconds.
 */
export const Variables = v.object({
  ...SENTINEL,
  PORT: v.optional(integer(0, 65_535), '8080'),
  HOST: v.optional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9.:_-]+$/u, 'must be an address or a host name')),
    '0.0.0.0',
  ),
  METRICS_PORT: v.optional(
    v.union([v.literal('off'), integer(0, 65_535)], 'must be a port, or "off"'),
  ),
  AWS_REGION: v.optional(region),
  AWS_DEFAULT_REGION: v.optional(region),
  AWS_ENDPOINT_URL: v.optional(url),
  AWS_ENDPOINT_URL_STS: v.optional(url),
  AWS_ENDPOINT_URL_SSM: v.optional(url),
  AWS_ENDPOINT_URL_DYNAMODB: v.optional(url),
  AWS_ENDPOINT_URL_IAM: v.optional(url),
  AWS_ENDPOINT_URL_SNS: v.optional(url),
  AWS_LAMBDA_RUNTIME_API: v.optional(v.string()),
});

/** The environment after reading, variable by variable. */
export type Values = v.InferOutput<typeof Variables>;

/**
 * Variables for parts of the server that do not exist yet: they are checked, and a warning says
 * that they do nothing.
 */
export const NOT_USED_YET: readonly (keyof typeof SENTINEL)[] = [
  'SENTINEL_AUDIT_TABLE',
  'SENTINEL_AUDIT_BUCKET',
  'SENTINEL_STATE_REGION',
  'SENTINEL_STS_REGIONS',
  'SENTINEL_LOG_SIGNING_KEY',
  'SENTINEL_LOG_SIGNING_KEY_ID',
];
