import * as v from 'valibot';
import { duration, integer, list, oneOf, region, ssmRoot, tableName, url } from './config-values.ts';
import { DEFAULT_TABLE_NAMES, type TableNames } from './aws/tables.ts';
import { isLocalEndpoint } from './aws/endpoint.ts';
import { isAccountId, parseRoleArn } from './lib/arn.ts';
import { MINUTE, SECOND } from './lib/clock.ts';
import { NAMED_KINDS } from './lib/names.ts';
import { nearest } from './lib/nearest.ts';
import { ok, refuse, type Result } from './lib/result.ts';

/** The environment as the process got it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The endpoint of each AWS service in use; undefined leaves the choice to the SDK. */
export type Endpoints = { readonly [service in 'sts' | 'ssm' | 'dynamodb' | 'iam']: string | undefined };

const FRONT_ID = /^[a-z0-9]{8,64}$/u;

const SSO_SUFFIX = /=sso$/u;

const withoutKind = (item: string): string => item.replace(SSO_SUFFIX, '');

/** Every `SENTINEL_*` variable that this server knows; any other is a start error. */
const SENTINEL = {
  SENTINEL_ROOT: v.optional(ssmRoot, '/sentinel'),
  SENTINEL_SECRETS_ROOT: v.optional(ssmRoot, '/sentinel-secrets'),
  SENTINEL_SESSION_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.sessions),
  SENTINEL_APPROVAL_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.requests),
  SENTINEL_BREAKGLASS_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.breakglass),
  SENTINEL_REVOCATION_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.revocations),
  SENTINEL_GUARD_TABLE: v.optional(tableName, DEFAULT_TABLE_NAMES.guard),
  SENTINEL_ALLOWED_ACCOUNTS: v.optional(list('an account id of twelve digits', isAccountId)),
  SENTINEL_SSO_ACCOUNTS: v.optional(list('an account id of twelve digits', isAccountId)),
  SENTINEL_SSO_ROLES: v.optional(list('the unique id of a role (AROA…)', (id) => /^AROA[A-Z0-9]{12,124}$/u.test(id))),
  SENTINEL_TRUSTED_SESSION_ROLES: v.optional(
    list('the ARN of an IAM role, alone or followed by "=sso"', (item) => parseRoleArn(withoutKind(item)).ok),
  ),
  SENTINEL_BARE_NAMES: v.optional(oneOf(...NAMED_KINDS), 'key'),
  SENTINEL_PUBLIC_URL: v.optional(url),
  SENTINEL_HOSTS: v.optional(list('a host or host:port', (host) => /^[A-Za-z0-9.[\]:_-]+$/u.test(host))),
  SENTINEL_SERVER_ID: v.optional(v.pipe(v.string(), v.regex(/^[\u0021-\u007e]{1,128}$/u, 'must be 1-128 characters'))),
  SENTINEL_FRONT: v.optional(oneOf('none', 'function-url', 'http-api', 'rest-api'), 'none'),
  SENTINEL_FRONT_ID: v.optional(v.pipe(v.string(), v.regex(FRONT_ID, 'must be the id of an API or a Function URL'))),
  SENTINEL_TRUSTED_HOPS: v.optional(integer(0, 16)),
  SENTINEL_CLOCK_SKEW: v.optional(duration(SECOND, 15 * MINUTE, 'from 1s to 15m'), '5m'),
  SENTINEL_CATALOG_MAX_AGE: v.optional(duration(30 * SECOND, 60 * MINUTE, 'from 30s to 1h'), '5m'),
  SENTINEL_SESSION_LIFE: v.optional(duration(15 * MINUTE, 24 * 60 * MINUTE, 'from 15m to 24h'), '8h'),
  SENTINEL_OUTAGE_GRACE: v.optional(duration(0, 15 * MINUTE, 'from 0s to 15m'), '0s'),
  SENTINEL_REPLAY_GUARD: v.optional(oneOf('shared', 'instance'), 'shared'),
  SENTINEL_STS_REGIONS: v.optional(list('a region', (name) => v.is(region, name))),
  SENTINEL_STS_EXTRA_REGIONS: v.optional(list('a region', (name) => v.is(region, name))),
  SENTINEL_RATE_LIMIT_REQUESTS: v.optional(integer(1, 1_000_000)),
  SENTINEL_RATE_LIMIT_WINDOW: v.optional(duration(SECOND, 60 * MINUTE, 'from 1s to 1h'), '60s'),
  SENTINEL_RATE_LIMIT_STORE: v.optional(oneOf('memory', 'shared')),
  SENTINEL_LOG_LEVEL: v.optional(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info'),
  SENTINEL_LOG_SIGNING_KEY: v.optional(v.string()),
  SENTINEL_LOG_SIGNING_KEY_ID: v.optional(v.string()),
};

const Variables = v.object({
  ...SENTINEL,
  PORT: v.optional(integer(0, 65_535), '8080'),
  HOST: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9.:_-]+$/u, 'must be an address or a host name')), '0.0.0.0'),
  METRICS_PORT: v.optional(v.union([v.literal('off'), integer(0, 65_535)], 'must be a port, or "off"')),
  AWS_REGION: v.optional(region),
  AWS_DEFAULT_REGION: v.optional(region),
  AWS_ENDPOINT_URL: v.optional(url),
  AWS_ENDPOINT_URL_STS: v.optional(url),
  AWS_ENDPOINT_URL_SSM: v.optional(url),
  AWS_ENDPOINT_URL_DYNAMODB: v.optional(url),
  AWS_ENDPOINT_URL_IAM: v.optional(url),
  AWS_LAMBDA_RUNTIME_API: v.optional(v.string()),
});

type Values = v.InferOutput<typeof Variables>;

/** What one caller may ask in a window. On a desk one caller is everybody who tries something out, load tests among them. */
const USUAL_REQUESTS = 100;
const DESK_REQUESTS = 10_000;

const METRICS_PORT = 9_090;

/** Variables whose part of the server is not built yet: they are checked, and a warning says that they do nothing. */
const NOT_USED_YET: readonly (keyof typeof SENTINEL)[] = [
  'SENTINEL_STS_REGIONS',
  'SENTINEL_LOG_SIGNING_KEY',
  'SENTINEL_LOG_SIGNING_KEY_ID',
];

/** What the operator configured, checked and frozen. Durations are in milliseconds. */
export type Config = ReturnType<typeof assembleConfig>;

/**
 * Reads the configuration. Refuses with one sentence that names the variable: a value that is out of form, a required
 * one that is missing, a combination that cannot be safe, and any unknown `SENTINEL_*` (with the nearest known name).
 */
export const readConfig = (environment: Environment = process.env): Result<Config, string> => {
  const unknown = findUnknown(environment);
  if (unknown !== undefined) return refuse(unknown);
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = v.safeParse(Variables, given);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    return refuse(`${v.getDotPath(issue)?.split('.')[0] ?? 'The environment'}: ${issue.message}.`);
  }
  const values = parsed.output;
  const home = values.AWS_REGION ?? values.AWS_DEFAULT_REGION;
  if (home === undefined) return refuse('AWS_REGION is not set; set it to the region of the TVM, like eu-central-1.');
  const config = assembleConfig(values, home, given);
  const wrong = findContradiction(values, config);
  return wrong === undefined ? ok(freeze(config)) : refuse(wrong);
};

/** Freezes a value with all that it holds. */
const freeze = <Value>(value: Value): Value => {
  if (typeof value === 'object' && value !== null) for (const held of Object.values(value)) freeze(held);
  return Object.freeze(value);
};

/** Kubernetes puts `SENTINEL_SERVICE_HOST` and `SENTINEL_PORT…` into the pods beside a service called `sentinel`. */
const INJECTED = /^SENTINEL_(?:SERVICE_|PORT)/u;

const findUnknown = (environment: Environment): string | undefined => {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('SENTINEL_') || Object.hasOwn(SENTINEL, name) || INJECTED.test(name)) continue;
    const meant = nearest(name, Object.keys(SENTINEL));
    return `${name} is not a variable of this server${meant === undefined ? '.' : `; did you mean ${meant}?`}`;
  }
  return undefined;
};

const assembleConfig = (values: Values, home: string, given: Environment) => {
  const endpoints: Endpoints = {
    sts: values.AWS_ENDPOINT_URL_STS ?? values.AWS_ENDPOINT_URL,
    ssm: values.AWS_ENDPOINT_URL_SSM ?? values.AWS_ENDPOINT_URL,
    dynamodb: values.AWS_ENDPOINT_URL_DYNAMODB ?? values.AWS_ENDPOINT_URL,
    iam: values.AWS_ENDPOINT_URL_IAM ?? values.AWS_ENDPOINT_URL,
  };
  const tables: TableNames = {
    sessions: values.SENTINEL_SESSION_TABLE,
    requests: values.SENTINEL_APPROVAL_TABLE,
    breakglass: values.SENTINEL_BREAKGLASS_TABLE,
    revocations: values.SENTINEL_REVOCATION_TABLE,
    guard: values.SENTINEL_GUARD_TABLE,
  };
  const local = [endpoints.sts, endpoints.ssm, endpoints.dynamodb].every(isLocalEndpoint);
  const onLambda = values.AWS_LAMBDA_RUNTIME_API !== undefined;
  return {
    port: values.PORT,
    host: values.HOST,
    region: home,
    endpoints,
    /** Whether the AWS in use is a desk's: only there are demo keys accepted. */
    local,
    /** What the metrics are served on; undefined where they are not. */
    metricsPort: toMetricsPort(values),
    /** Whether the operator asked for them, so that the server does not start without. */
    metricsRequired: values.METRICS_PORT !== undefined,
    root: values.SENTINEL_ROOT,
    secretsRoot: values.SENTINEL_SECRETS_ROOT,
    tables,
    allowedAccounts: values.SENTINEL_ALLOWED_ACCOUNTS,
    ssoAccounts: values.SENTINEL_SSO_ACCOUNTS ?? [],
    /** Unique ids of the only Identity Center roles whose session names are trusted; empty for all. */
    ssoRoles: values.SENTINEL_SSO_ROLES ?? [],
    trustedSessionRoles: (values.SENTINEL_TRUSTED_SESSION_ROLES ?? []).map((item) => ({
      arn: withoutKind(item),
      kind: SSO_SUFFIX.test(item) ? ('sso' as const) : ('role' as const),
    })),
    /** Which kind of caller documents call by a bare name. */
    bareNames: values.SENTINEL_BARE_NAMES,
    /** What callers of forwarded STS sign for, and minted keys are bound to; undefined switches forwarded STS off. */
    serverId: values.SENTINEL_SERVER_ID,
    /** Regions beyond the server's own table in whose STS callers may sign. */
    stsExtraRegions: values.SENTINEL_STS_EXTRA_REGIONS ?? [],
    /** The front of AWS Lambda that verifies callers, and its id; undefined where the server verifies them itself. */
    front: toFront(values),
    sessionLife: values.SENTINEL_SESSION_LIFE,
    outageGrace: values.SENTINEL_OUTAGE_GRACE,
    /** Whether this is AWS Lambda, which freezes the process between requests. */
    onLambda,
    rateLimit: {
      requests: values.SENTINEL_RATE_LIMIT_REQUESTS ?? (local ? DESK_REQUESTS : USUAL_REQUESTS),
      window: values.SENTINEL_RATE_LIMIT_WINDOW,
      store: values.SENTINEL_RATE_LIMIT_STORE ?? (onLambda ? 'shared' : 'memory'),
    },
    publicUrl: values.SENTINEL_PUBLIC_URL ?? (local ? `http://localhost:${values.PORT}` : undefined),
    hosts: values.SENTINEL_HOSTS,
    /** On AWS Lambda the peer is the adapter, and there is always one hop that tells the caller's address. */
    trustedHops: values.SENTINEL_TRUSTED_HOPS ?? (onLambda ? 1 : 0),
    clockSkew: values.SENTINEL_CLOCK_SKEW,
    catalogMaxAge: values.SENTINEL_CATALOG_MAX_AGE,
    replayGuard: values.SENTINEL_REPLAY_GUARD,
    logLevel: values.SENTINEL_LOG_LEVEL,
    /** Names of variables that are set but have no effect yet. */
    withoutEffect: NOT_USED_YET.filter((name) => given[name] !== undefined),
  };
};

/** AWS Lambda lets nobody ask a port; metrics are lines of the log there. */
const toMetricsPort = ({ METRICS_PORT: port, AWS_LAMBDA_RUNTIME_API: lambda }: Values): number | undefined =>
  port === 'off' || lambda !== undefined ? undefined : (port ?? METRICS_PORT);

/** The first label of a host that AWS made: https://<id>.execute-api.…, https://<id>.lambda-url.… */
const AWS_HOST = /^([a-z0-9]+)\.(?:execute-api|lambda-url)\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/u;

/** The front's id is the configured one, else the one that the public URL begins with; empty if neither tells it. */
const toFront = ({ SENTINEL_FRONT: kind, SENTINEL_FRONT_ID: id, SENTINEL_PUBLIC_URL: publicUrl }: Values) => {
  if (kind === 'none') return undefined;
  const host = publicUrl === undefined ? '' : new URL(publicUrl).hostname;
  return { kind, id: id ?? AWS_HOST.exec(host)?.[1] ?? '' };
};

const isBelow = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

const findContradiction = (values: Values, config: Config): string | undefined => {
  const { onLambda } = config;
  if (isBelow(config.root, config.secretsRoot) || isBelow(config.secretsRoot, config.root)) {
    return 'SENTINEL_ROOT and SENTINEL_SECRETS_ROOT must not lie under one another: who may read a path reads all below it.';
  }
  if (config.publicUrl === undefined) {
    return 'SENTINEL_PUBLIC_URL is not set; set it to the URL that callers use, like https://tvm.example.com.';
  }
  if (config.front !== undefined && !onLambda) {
    return `SENTINEL_FRONT=${config.front.kind} is for AWS Lambda only; elsewhere it must be "none".`;
  }
  if (config.front?.id === '') {
    return 'SENTINEL_FRONT_ID is not set; set it to the id of the API or Function URL, the first part of its AWS host name.';
  }
  if (config.front === undefined && values.SENTINEL_FRONT_ID !== undefined) {
    return 'SENTINEL_FRONT_ID is set, but SENTINEL_FRONT is "none"; set that to function-url, http-api or rest-api.';
  }
  if (onLambda && config.front === undefined && config.trustedHops === 0) {
    return 'SENTINEL_TRUSTED_HOPS must be at least 1 on AWS Lambda: the peer is the adapter there, whoever calls.';
  }
  if (onLambda && config.replayGuard === 'instance') {
    return 'SENTINEL_REPLAY_GUARD must be "shared" on AWS Lambda: instances there share no memory.';
  }
  if (onLambda && values.SENTINEL_RATE_LIMIT_STORE === 'memory') {
    return 'SENTINEL_RATE_LIMIT_STORE must be "shared" on AWS Lambda: instances there share no memory.';
  }
  return undefined;
};
