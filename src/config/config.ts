import * as v from 'valibot';
import { findTrustedTwice, findUnknown, findWebhookFault, freeze, frontIdOfUrl, toTrustedRole } from './values.ts';
import { SENTINEL, Variables } from './variables.ts';
import type { TableNames } from '../aws/tables.ts';
import { isLocalEndpoint } from '../aws/endpoint.ts';
import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** The environment as the process got it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The endpoint of each AWS service in use; undefined leaves the choice to the SDK. */
export type Endpoints = { readonly [service in 'sts' | 'ssm' | 'dynamodb' | 'iam']: string | undefined };

type Values = v.InferOutput<typeof Variables>;

/** What one caller may ask in a window. On a desk one caller is everybody who tries something out, load tests among them. */
const USUAL_REQUESTS = 100;
const DESK_REQUESTS = 10_000;

const METRICS_PORT = 9_090;

/** A load balancer that asks every few seconds for health needs some of them to look away; a desk has none. */
const DRAIN = 20 * SECOND;

/** Variables whose part of the server is not built yet: they are checked, and a warning says that they do nothing. */
const NOT_USED_YET: readonly (keyof typeof SENTINEL)[] = [
  'SENTINEL_APPROVAL_TABLE',
  'SENTINEL_BREAKGLASS_TABLE',
  'SENTINEL_AUDIT_TABLE',
  'SENTINEL_AUDIT_BUCKET',
  'SENTINEL_STATE_REGION',
  'SENTINEL_STS_REGIONS',
  'SENTINEL_WEBHOOK_URL',
  'SENTINEL_WEBHOOK_FORMAT',
  'SENTINEL_SNS_TOPIC_ARN',
  'SENTINEL_LOG_SIGNING_KEY',
  'SENTINEL_LOG_SIGNING_KEY_ID',
];

/** What the operator configured, checked and frozen. Durations are in milliseconds. */
export type Config = ReturnType<typeof assembleConfig>;

/**
 * Reads the configuration. Refuses with one sentence that names the variable: a value that is out of form, a required
 * one that is missing, a combination that cannot be safe, and any unknown `SENTINEL_*` (with the nearest known name).
 */
export function readConfig(environment: Environment = process.env): Result<Config, string> {
  const unknown = findUnknown(Object.keys(environment), Object.keys(SENTINEL));
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
}

function assembleConfig(values: Values, home: string, given: Environment) {
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
    audit: values.SENTINEL_AUDIT_TABLE,
  };
  const local = [endpoints.sts, endpoints.ssm, endpoints.dynamodb].every(isLocalEndpoint);
  const onLambda = values.AWS_LAMBDA_RUNTIME_API !== undefined;
  const publicUrl = values.SENTINEL_PUBLIC_URL ?? (local ? `http://localhost:${values.PORT}` : undefined);
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
    trustedSessionRoles: (values.SENTINEL_TRUSTED_SESSION_ROLES ?? []).map(toTrustedRole),
    /** Which kind of caller documents call by a bare name. */
    bareNames: values.SENTINEL_BARE_NAMES,
    /** What callers of forwarded STS sign for, and minted keys are bound to; undefined switches forwarded STS off. */
    serverId: values.SENTINEL_SERVER_ID,
    /** Regions beyond the server's own table in whose STS callers may sign. */
    stsExtraRegions: values.SENTINEL_STS_EXTRA_REGIONS ?? [],
    /** The front of AWS Lambda that verifies callers, and its id; undefined where the server verifies them itself. */
    front: toFront(values),
    sessionLife: values.SENTINEL_SESSION_LIFE,
    /** The longest life of a minted key. */
    keyLife: values.SENTINEL_KEY_LIFE,
    /** How long at least the door stays open after SIGTERM; nothing is awaited so on AWS Lambda. */
    drain: values.SENTINEL_DRAIN ?? (local ? 0 : DRAIN),
    outageGrace: values.SENTINEL_OUTAGE_GRACE,
    /** Whether this is AWS Lambda, which freezes the process between requests. */
    onLambda,
    rateLimit: {
      requests: values.SENTINEL_RATE_LIMIT_REQUESTS ?? (local ? DESK_REQUESTS : USUAL_REQUESTS),
      window: values.SENTINEL_RATE_LIMIT_WINDOW,
      store: values.SENTINEL_RATE_LIMIT_STORE ?? (onLambda ? 'shared' : 'memory'),
    },
    publicUrl,
    /** Values of Host that are served; undefined for any, where AWS verified whom the request was signed for. */
    hosts: values.SENTINEL_HOSTS ?? toHosts(publicUrl, local, values.SENTINEL_FRONT),
    /** On AWS Lambda the peer is the adapter, and there is always one hop that tells the caller's address. */
    trustedHops: values.SENTINEL_TRUSTED_HOPS ?? (onLambda ? 1 : 0),
    clockSkew: values.SENTINEL_CLOCK_SKEW,
    catalogMaxAge: values.SENTINEL_CATALOG_MAX_AGE,
    replayGuard: values.SENTINEL_REPLAY_GUARD,
    logLevel: values.SENTINEL_LOG_LEVEL,
    logLevelStyle: values.SENTINEL_LOG_LEVEL_STYLE,
    /** Names of variables that are set but have no effect yet. */
    withoutEffect: NOT_USED_YET.filter((name) => given[name] !== undefined),
  };
}

const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The host of the public URL, on any port, and on a desk those of the machine itself. A front that verifies callers is
 * one API with an id that is checked, whose domains are AWS's to serve.
 */
function toHosts(publicUrl: string | undefined, local: boolean, front: Values['SENTINEL_FRONT']) {
  if (publicUrl === undefined || front !== 'none') return undefined;
  return [...new Set([new URL(publicUrl).hostname, ...(local ? LOCAL_HOSTS : [])])];
}

/** AWS Lambda lets nobody ask a port; metrics are lines of the log there. */
function toMetricsPort({ METRICS_PORT: port, AWS_LAMBDA_RUNTIME_API: lambda }: Values): number | undefined {
  return port === 'off' || lambda !== undefined ? undefined : (port ?? METRICS_PORT);
}

/** The front's id is the configured one, else the one that the public URL begins with; empty if neither tells it. */
function toFront({ SENTINEL_FRONT: kind, SENTINEL_FRONT_ID: id, SENTINEL_PUBLIC_URL: publicUrl }: Values) {
  if (kind === 'none') return undefined;
  return { kind, id: id ?? frontIdOfUrl(publicUrl) };
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

function findContradiction(values: Values, config: Config): string | undefined {
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
  return findTrustedTwice(config.trustedSessionRoles) ?? findWebhookFault(values.SENTINEL_WEBHOOK_URL, config);
}
