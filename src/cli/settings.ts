import { homedir } from 'node:os';
import { join } from 'node:path';
import { readFrontHost } from '../lib/partitions.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { Environment } from './command.ts';
import { REGION, type ConnectionFlags } from './connection-flags.ts';
import type { Login } from './login-file.ts';

/** Where the TVM is, and whose AWS credentials sign. */
export type Settings = {
  /** Without a trailing slash. */
  readonly url: string;
  /** What the caller's signature is bound to; undefined where no token is made. */
  readonly serverId: string | undefined;
  readonly region: string;
  readonly stsRegion: string;
  /** The AWS profile that signs, if one is named. */
  readonly sourceProfile: string | undefined;
  /**
   * Whose credentials those are, as far as the environment tells: a key of one source is not used
   * for another.
   */
  readonly source: string;
  /**
   * The service to sign requests for with the caller's own credentials, behind a Lambda front or
   * with a registered key; undefined where a minted key signs.
   */
  readonly ownService: string | undefined;
};

/** The name of a static key of the environment as a source. */
export function keySource(accessKeyId: string): string {
  return `key ${accessKeyId}`;
}

/** Whether a source is such a key. */
export function isKeySource(source: string): boolean {
  return source.startsWith('key ');
}

const LOCAL_URL = 'http://127.0.0.1:8080';
const LOCAL_SERVER_ID = 'sentinel-local';
const LOCAL_REGION = 'us-east-1';

/** The path of the file of logins. */
export function loginFilePath(flags: ConnectionFlags, environment: Environment): string {
  return (
    flags.loginFile ??
    (environment['TVM_LOGIN_FILE'] || join(homedir(), '.sentinel-tvm', 'login.json'))
  );
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/u.test(hostname)
  );
}

/**
 * Settles where the TVM is and who asks, by flags, environment, the last login and the ways of AWS,
 * in this order.
 */
export function readSettings(
  flags: ConnectionFlags,
  environment: Environment,
  last: Login | undefined,
): Result<Settings, string> {
  const url = readUrl(flags.url ?? (environment['TVM_URL'] || last?.url || LOCAL_URL));
  if (!url.ok) return url;
  const { hostname } = url.value;
  const text = `${url.value.origin}${url.value.pathname}`.replace(/\/+$/u, '');
  const known = last?.url === text ? last : undefined;
  const local = isLoopback(hostname);
  const { service: gateway, region: hostRegion } = readFrontHost(hostname) ?? {};
  const region =
    flags.region ??
    hostRegion ??
    known?.region ??
    (environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || (local ? LOCAL_REGION : ''));
  if (!REGION.test(region))
    return refuse('The region of the TVM is not known; name it with --region, like eu-central-1.');
  const serverId =
    flags.serverId ??
    (environment['TVM_SERVER_ID'] || known?.serverId || (local ? LOCAL_SERVER_ID : undefined));
  const isDirect = flags.front !== undefined || flags.registeredKey;
  if (serverId === undefined && !isDirect) {
    return refuse(
      'The id of the TVM is not known; ask its operator for SENTINEL_SERVER_ID and name it with --server-id. It is never ' +
        'taken from the server: one that names its own could pass your signature on to another.',
    );
  }
  const ownService = flags.service ?? (gateway === 'lambda-url' ? 'lambda' : 'execute-api');
  return ok({
    url: text,
    serverId,
    region,
    stsRegion: flags.stsRegion ?? region,
    ownService: isDirect ? ownService : undefined,
    ...readSource(flags, environment, known),
  });
}

function readUrl(text: string): Result<URL, string> {
  if (!URL.canParse(text)) return refuse('--url must be a URL like https://tvm.example.com.');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return refuse('--url must be a scheme, a host and at most a path.');
  }
  const mayBePlain = isLoopback(url.hostname) || /^[a-z0-9_-]+$/u.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && mayBePlain)) return ok(url);
  return refuse(
    '--url must begin with https://; credentials travel in the clear only to this machine.',
  );
}

/**
 * The id of the static key in the environment, which counts only with its secret, as for AWS's
 * SDKs.
 */
export function staticKeyId({
  AWS_ACCESS_KEY_ID: id,
  AWS_SECRET_ACCESS_KEY: secret,
}: Environment): string | undefined {
  return (secret && id) || undefined;
}

/**
 * Tells who signs: the profile that is named, else AWS_PROFILE, else the static key of the
 * environment. Without any of these it is whoever logged in last, and if nobody did, whom the SDK's
 * default chain finds.
 */
function readSource(
  { sourceProfile }: ConnectionFlags,
  environment: Environment,
  last: Login | undefined,
): Pick<Settings, 'source' | 'sourceProfile'> {
  if (sourceProfile !== undefined) return { source: `profile ${sourceProfile}`, sourceProfile };
  // Kept by its name, so that a later run without AWS_PROFILE signs with the same profile again.
  const { AWS_PROFILE: profile } = environment;
  if (profile) return { source: `profile ${profile}`, sourceProfile: profile };
  const keyId = staticKeyId(environment);
  if (keyId !== undefined) return { source: keySource(keyId), sourceProfile: undefined };
  return { source: last?.source ?? 'default', sourceProfile: last?.sourceProfile };
}
