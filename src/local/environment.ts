import { devNull } from 'node:os';
import { DEFAULT_TABLE_NAMES } from '../aws/tables.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { DEMO_TVM_KEY, EMBEDDED_REGION } from './aws/account.ts';
import { DEFAULT_ROOTS, type SeedOptions } from './seed.ts';

/** The variables of a process, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The ports of `npm run local`: that of the TVM and that of the embedded AWS. */
export type Ports = { readonly tvm: number; readonly aws: number };

function readPort(
  environment: Environment,
  variable: string,
  fallback: number,
): Result<number, string> {
  const text = environment[variable];
  if (text === undefined || text === '') return ok(fallback);
  const port = /^[1-9]\d{0,4}$/u.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535
    ? ok(port)
    : refuse(`${variable} must be a port from 1 to 65535, not "${text}".`);
}

/** Reads `PORT` (8080) and `AWS_PORT` (4566); refuses with a sentence. */
export function readPorts(environment: Environment): Result<Ports, string> {
  const tvm = readPort(environment, 'PORT', 8_080);
  if (!tvm.ok) return tvm;
  const aws = readPort(environment, 'AWS_PORT', 4_566);
  if (!aws.ok) return aws;
  return tvm.value === aws.value
    ? refuse(
        `PORT and AWS_PORT are both ${tvm.value}; give the TVM and the embedded AWS a port each.`,
      )
    : ok({ tvm: tvm.value, aws: aws.value });
}

/**
 * The environment of the TVM in `npm run local`: the user's own, without anything of a real AWS.
 * Every `AWS_*` variable and the shared configuration files are left out, so that no profile,
 * region or endpoint of the machine affects the demo.
 *
 * @param webhookUrl where events go, unless the user has set SENTINEL_WEBHOOK_URL
 */
export function tvmEnvironment(
  environment: Environment,
  ports: Ports,
  webhookUrl?: string,
): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !/^aws_/iu.test(entry[0]),
  );
  return {
    SENTINEL_SERVER_ID: 'sentinel-local',
    ...(webhookUrl === undefined ? {} : { SENTINEL_WEBHOOK_URL: webhookUrl }),
    ...Object.fromEntries(kept),
    PORT: `${ports.tvm}`,
    HOST: '127.0.0.1',
    AWS_REGION: EMBEDDED_REGION,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${ports.aws}`,
    AWS_ACCESS_KEY_ID: DEMO_TVM_KEY.accessKeyId,
    AWS_SECRET_ACCESS_KEY: DEMO_TVM_KEY.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  };
}

type SeedSettings = Required<Pick<SeedOptions, 'root' | 'secretsRoot' | 'tables'>>;

/** Roots and table names for the seed, from the same variables as the TVM's. */
export function seedSettings(environment: Environment): SeedSettings {
  return {
    root: environment['SENTINEL_ROOT'] || DEFAULT_ROOTS.root,
    secretsRoot: environment['SENTINEL_SECRETS_ROOT'] || DEFAULT_ROOTS.secretsRoot,
    tables: {
      sessions: environment['SENTINEL_SESSION_TABLE'] || DEFAULT_TABLE_NAMES.sessions,
      requests: environment['SENTINEL_APPROVAL_TABLE'] || DEFAULT_TABLE_NAMES.requests,
      breakglass: environment['SENTINEL_BREAKGLASS_TABLE'] || DEFAULT_TABLE_NAMES.breakglass,
      revocations: environment['SENTINEL_REVOCATION_TABLE'] || DEFAULT_TABLE_NAMES.revocations,
      guard: environment['SENTINEL_GUARD_TABLE'] || DEFAULT_TABLE_NAMES.guard,
      audit: environment['SENTINEL_AUDIT_TABLE'] || DEFAULT_TABLE_NAMES.audit,
    },
  };
}

/**
 * Endpoint, region and credentials for `npm run seed`; refuses with a sentence if no endpoint is
 * set.
 */
export function seedTarget(
  environment: Environment,
): Result<Pick<SeedOptions, 'endpoint' | 'region' | 'credentials'>, string> {
  const endpoint = environment['AWS_ENDPOINT_URL'];
  if (endpoint === undefined || endpoint === '') {
    return refuse('AWS_ENDPOINT_URL must name the local AWS to seed, like http://127.0.0.1:4566.');
  }
  const region = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || EMBEDDED_REGION;
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  if (!accessKeyId || !secretAccessKey) return ok({ endpoint, region });
  return ok({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) },
  });
}
