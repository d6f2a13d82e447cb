import * as v from 'valibot';
import { isLocalEndpoint } from '../aws/endpoint.ts';
import type { TableNames } from '../aws/tables.ts';
import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { combine, type Combination, type Place } from './combination.ts';
import { findUnknown } from './unknown.ts';
import { NOT_USED_YET, SENTINEL, Variables, type Values } from './variables.ts';

/** The environment as the process got it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The endpoint of each AWS service; undefined leaves the choice to the SDK. */
export type Endpoints = {
  readonly [service in 'sts' | 'ssm' | 'dynamodb' | 'iam' | 'sns']: string | undefined;
};

/** What the operator configured, checked and frozen. Durations are in milliseconds. */
export type Config = ReturnType<typeof assembleConfig> & {
  /** Names of variables that are set but have no effect yet. */
  readonly withoutEffect: readonly string[];
};

/**
 * Reads the configuration. Refuses with one sentence that names the variable: an unknown
 * `SENTINEL_*` (with the nearest known name), a malformed value, a required one that is missing,
 * and a combination that cannot work or cannot be safe.
 */
export function readConfig(environment: Environment = process.env): Result<Config, string> {
  // Refuse variables that this server does not know.
  const unknown = findUnknown(Object.keys(environment), Object.keys(SENTINEL));
  if (unknown !== undefined) return refuse(unknown);

  // Read each variable for itself. An empty one is not set.
  const entries = Object.entries(environment).filter(
    ([, value]) => value !== undefined && value !== '',
  );
  const given: Environment = Object.fromEntries(entries);
  const parsed = v.safeParse(Variables, given);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    return refuse(`${v.getDotPath(issue)?.split('.')[0] ?? 'The environment'}: ${issue.message}.`);
  }
  const values = parsed.output;

  // Find out where the server runs.
  const region = values.AWS_REGION ?? values.AWS_DEFAULT_REGION;
  if (region === undefined)
    return refuse('AWS_REGION is not set; set it to the region of the TVM, like eu-central-1.');
  const endpoints = toEndpoints(values);
  const local = [endpoints.sts, endpoints.ssm, endpoints.dynamodb].every(isLocalEndpoint);
  const onLambda = values.AWS_LAMBDA_RUNTIME_API !== undefined;

  // Check the variables that depend on one another, and on that place.
  const combination = combine(values, { local, onLambda });
  if (!combination.ok) return combination;

  const withoutEffect = NOT_USED_YET.filter((name) => given[name] !== undefined);
  const place = { region, endpoints, local, onLambda };
  return ok(freeze({ ...assembleConfig(values, combination.value, place), withoutEffect }));
}

function assembleConfig(
  values: Values,
  combination: Combination,
  place: Place & { readonly region: string; readonly endpoints: Endpoints },
) {
  return {
    ...place,
    ...combination,
    ...toServing(values, combination, place),
    ...toDocuments(values),
    ...toCallers(values),
    ...toLimits(values, place),
    tables: toTables(values),
    events: toEvents(values),
  };
}

function toEndpoints(values: Values): Endpoints {
  return {
    sts: values.AWS_ENDPOINT_URL_STS ?? values.AWS_ENDPOINT_URL,
    ssm: values.AWS_ENDPOINT_URL_SSM ?? values.AWS_ENDPOINT_URL,
    dynamodb: values.AWS_ENDPOINT_URL_DYNAMODB ?? values.AWS_ENDPOINT_URL,
    iam: values.AWS_ENDPOINT_URL_IAM ?? values.AWS_ENDPOINT_URL,
    sns: values.AWS_ENDPOINT_URL_SNS ?? values.AWS_ENDPOINT_URL,
  };
}

function toEvents(values: Values) {
  return {
    /**
     * Where events are posted; undefined leaves it to the document `webhook`. Often a secret, never
     * logged.
     */
    webhookUrl: values.SENTINEL_WEBHOOK_URL,
    webhookFormat: values.SENTINEL_WEBHOOK_FORMAT,
    topicArn: values.SENTINEL_SNS_TOPIC_ARN,
  };
}

function toTables(values: Values): TableNames {
  return {
    sessions: values.SENTINEL_SESSION_TABLE,
    requests: values.SENTINEL_APPROVAL_TABLE,
    breakglass: values.SENTINEL_BREAKGLASS_TABLE,
    revocations: values.SENTINEL_REVOCATION_TABLE,
    guard: values.SENTINEL_GUARD_TABLE,
    audit: values.SENTINEL_AUDIT_TABLE,
  };
}

/** The usual port of the metrics. */
const METRICS_PORT = 9_090;

/**
 * How long the server goes on accepting requests after SIGTERM: a load balancer notices by a few
 * failed health checks, seconds apart. A local AWS has no load balancer before it.
 */
const DRAIN = 20 * SECOND;

/** How the server is reached, how it ends, and what it logs. */
function toServing(values: Values, { publicUrl, front }: Combination, { local, onLambda }: Place) {
  const metrics = values.METRICS_PORT;
  return {
    port: values.PORT,
    host: values.HOST,
    /**
     * Values of Host that are served; undefined for any, where AWS verified what the request was
     * signed for.
     */
    publicUrl,
    hosts: values.SENTINEL_HOSTS ?? (front === undefined ? toHosts(publicUrl, local) : undefined),
    /**
     * Proxies before the server. On AWS Lambda the peer is the adapter, and one hop gives the
     * caller's address.
     */
    trustedHops: values.SENTINEL_TRUSTED_HOPS ?? (onLambda ? 1 : 0),
    /**
     * Undefined where metrics are not served; on AWS Lambda no port can be reached, and they are
     * lines of the log.
     */
    metricsPort: metrics === 'off' || onLambda ? undefined : (metrics ?? METRICS_PORT),
    /** Whether the operator asked for a port, so that the server does not start without it. */
    metricsRequired: metrics !== undefined,
    /**
     * For how long at least the server accepts requests after SIGTERM; without effect on AWS
     * Lambda.
     */
    drain: values.SENTINEL_DRAIN ?? (local ? 0 : DRAIN),
    logLevel: values.SENTINEL_LOG_LEVEL,
    logLevelStyle: values.SENTINEL_LOG_LEVEL_STYLE,
  };
}

const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** The host of the public URL, on any port; with a local AWS also those of the machine itself. */
function toHosts(publicUrl: string, local: boolean): readonly string[] {
  return [...new Set([new URL(publicUrl).hostname, ...(local ? LOCAL_HOSTS : [])])];
}

/** Where documents are read from. */
function toDocuments(values: Values) {
  return {
    root: values.SENTINEL_ROOT,
    secretsRoot: values.SENTINEL_SECRETS_ROOT,
    catalogMaxAge: values.SENTINEL_CATALOG_MAX_AGE,
  };
}

/** Who can be a caller, and how callers are authenticated. */
function toCallers(values: Values) {
  return {
    /** Undefined for the TVM's own account alone. */
    allowedAccounts: values.SENTINEL_ALLOWED_ACCOUNTS,
    ssoAccounts: values.SENTINEL_SSO_ACCOUNTS ?? [],
    /** Unique ids of the Identity Center roles whose session names are trusted; empty for all. */
    ssoRoles: values.SENTINEL_SSO_ROLES ?? [],
    /** The kind of caller that documents call by a bare name. */
    bareNames: values.SENTINEL_BARE_NAMES,
    /**
     * What callers of forwarded STS sign for, and minted keys are bound to; undefined switches
     * forwarded STS off.
     */
    serverId: values.SENTINEL_SERVER_ID,
    /** Regions beyond the server's own table for whose STS callers may sign. */
    stsExtraRegions: values.SENTINEL_STS_EXTRA_REGIONS ?? [],
    clockSkew: values.SENTINEL_CLOCK_SKEW,
    replayGuard: values.SENTINEL_REPLAY_GUARD,
  };
}

/** Requests of one caller in a window. With a local AWS, load tests are one caller, too. */
const USUAL_REQUESTS = 100;
const LOCAL_REQUESTS = 10_000;

/** What callers may ask, and how long things live. */
function toLimits(values: Values, { local, onLambda }: Place) {
  return {
    sessionLife: values.SENTINEL_SESSION_LIFE,
    /** The longest life of a minted key. */
    keyLife: values.SENTINEL_KEY_LIFE,
    outageGrace: values.SENTINEL_OUTAGE_GRACE,
    rateLimit: {
      requests: values.SENTINEL_RATE_LIMIT_REQUESTS ?? (local ? LOCAL_REQUESTS : USUAL_REQUESTS),
      window: values.SENTINEL_RATE_LIMIT_WINDOW,
      store:
        values.SENTINEL_RATE_LIMIT_STORE ?? (onLambda ? ('shared' as const) : ('memory' as const)),
    },
  };
}

/** Freezes a value with everything in it. */
function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null)
    for (const held of Object.values(value)) freeze(held);
  return Object.freeze(value);
}
