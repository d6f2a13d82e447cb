import * as v from 'valibot';
import { SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { formatAmzDate } from '../sigv4/amz-date.ts';
import { canonicalQuery } from '../sigv4/canonical.ts';
import { signRequest, type SigningCredentials } from '../sigv4/sign.ts';
import { forwardedAuthorization, newNonce } from './forward.ts';
import { send, type TvmAnswer } from './http.ts';
import { findKey, readLoginFile, withKey, writeLoginFile, type StoredKey } from './login-file.ts';
import { printable } from './printable.ts';
import { isKeySource, keySource, type Settings } from './settings.ts';

/** A request as a command wants it; the rest is the client's. */
export type Wish = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
};

type Json = Readonly<Record<string, unknown>>;

/** A TVM, asked as the settings say. Every refusal is a sentence. */
export type Tvm = {
  /** Gets a key anew, and keeps it as the login that commands without flags follow. */
  readonly login: () => Promise<Result<StoredKey, string>>;
  /** Asks with a key, logging in where there is none; behind a Lambda front with the caller's own credentials. */
  readonly ask: (wish: Wish) => Promise<Result<Json, string>>;
};

type Dependencies = {
  readonly clock: Clock;
  readonly loginFile: string;
  /** The caller's own AWS credentials. */
  readonly sourceCredentials: () => Promise<Result<SigningCredentials, string>>;
  readonly sleep: (ms: number) => Promise<unknown>;
};

/** A key with less life than this is not worth a request. */
const KEY_MARGIN = 60 * SECOND;

const KEY_SECONDS = 3_600;

/** The longest Retry-After that is worth waiting for, in seconds: whoever waits is an SDK. */
const PATIENCE = 5;

const MintedKey = v.object({
  AccessKeyId: v.string(),
  SecretAccessKey: v.string(),
  SessionToken: v.string(),
  Expiration: v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u)),
});

const SIGNER_IS_GONE =
  'The AWS key of the last login is not in the environment any more; put it there, or run sentinel-tvm login with others.';

type Send = () => Promise<Result<TvmAnswer, string>>;

/**
 * Another request of this key and second was served first. Behind a Function URL or a REST API of AWS, which keep
 * signatures and nonces to themselves, two equal ones are taken for one.
 */
function isCopy({ status, json }: TvmAnswer): boolean {
  return status === 403 && json['error'] === 'RequestReplayed';
}

/** Sends, and where the TVM says to come again, once more; each time signed anew, for a signature is good once. */
async function patiently(attempt: Send, sleep: Dependencies['sleep']): Promise<Result<TvmAnswer, string>> {
  const first = await attempt();
  if (!first.ok) return first;
  const { status, retryAfter = PATIENCE } = first.value;
  if ((status !== 429 && status !== 503 && !isCopy(first.value)) || retryAfter > PATIENCE) return first;
  await sleep(retryAfter * SECOND);
  return attempt();
}

/** What a TVM says of a refusal; it may be anybody who answers. */
function toSentence({ status, json }: TvmAnswer): string {
  const message = printable(json['message']).replace(/\.$/u, '') || `the TVM answers with status ${status}`;
  const error = printable(json['error']);
  return error === '' ? `${message}.` : `${message} (${error}).`;
}

/** Refusals after which a new key helps: the one that signed has ended, or what sealed it is gone. */
function isStale({ status, json }: TvmAnswer): boolean {
  return status === 403 && (json['error'] === 'ExpiredToken' || json['error'] === 'InvalidClientTokenId');
}

/** A TVM as the settings describe it. */
export function createTvm(settings: Settings, dependencies: Dependencies): Tvm {
  const { url, region, frontService } = settings;
  const { clock, loginFile, sourceCredentials, sleep } = dependencies;
  const base = new URL(url);
  const prefix = base.pathname.replace(/\/+$/u, '');

  function signed({ method, path, query = {} }: Wish, credentials: SigningCredentials, service: string): Send {
    const target = { path: `${prefix}${path}`, rawQuery: canonicalQuery(new Map(Object.entries(query))) };
    return () => {
      const { host: _, ...headers } = signRequest(
        { method, ...target, headers: { host: base.host, 'x-sentinel-nonce': newNonce() }, body: '' },
        credentials,
        { region, service, amzDate: formatAmzDate(clock()) },
      ).headers;
      const mark = target.rawQuery === '' ? '' : '?';
      return send({ url: `${base.origin}${target.path}${mark}${target.rawQuery}`, method, headers });
    };
  }

  async function forwardLogin(credentials: SigningCredentials, serverId: string): Promise<Result<TvmAnswer, string>> {
    const body = JSON.stringify({ duration: KEY_SECONDS });
    const path = `${prefix}/keys`;
    const outer = { method: 'POST', path, rawQuery: '', body };
    return patiently(async () => {
      const authorization = forwardedAuthorization(outer, credentials, {
        serverId,
        region: settings.stsRegion,
        now: clock(),
      });
      if (!authorization.ok) return authorization;
      const headers = { authorization: authorization.value, 'content-type': 'application/json' };
      return send({ url: `${base.origin}${path}`, method: 'POST', headers, body });
    }, sleep);
  }

  async function logIn(asLast: boolean): Promise<Result<StoredKey, string>> {
    const { serverId, source, sourceProfile } = settings;
    if (serverId === undefined) return refuse('There is no login without the id of the TVM; name it with --server-id.');
    const file = readLoginFile(loginFile);
    if (!file.ok) return file;
    const credentials = await sourceCredentials();
    if (!credentials.ok) return credentials;
    // Signed by somebody else, the new key would be kept, and used, as if it were of the one who logged in.
    if (isKeySource(source) && source !== keySource(credentials.value.accessKeyId)) return refuse(SIGNER_IS_GONE);
    const answer = await forwardLogin(credentials.value, serverId);
    if (!answer.ok) return answer;
    if (answer.value.status !== 200) return refuse(`The login was refused: ${toSentence(answer.value)}`);
    const parsed = v.safeParse(MintedKey, answer.value.json);
    if (!parsed.success) return refuse(`${base.origin} answered without a key; check --url.`);
    const key: StoredKey = {
      url,
      serverId,
      region,
      source,
      ...(sourceProfile === undefined ? {} : { sourceProfile }),
      accessKeyId: parsed.output.AccessKeyId,
      secretAccessKey: parsed.output.SecretAccessKey,
      sessionToken: parsed.output.SessionToken,
      expiresAt: Date.parse(parsed.output.Expiration),
    };
    const written = writeLoginFile(loginFile, withKey(file.value, key, { now: clock(), asLast }));
    return written.ok ? ok(key) : written;
  }

  function keptKey(): Result<StoredKey | undefined, string> {
    const file = readLoginFile(loginFile);
    if (!file.ok) return file;
    const { serverId = '', source } = settings;
    return ok(findKey(file.value, { url, serverId, source }, clock(), KEY_MARGIN));
  }

  async function askWithKey(wish: Wish): Promise<Result<TvmAnswer, string>> {
    const kept = keptKey();
    if (!kept.ok) return kept;
    if (kept.value !== undefined) {
      const answer = await patiently(signed(wish, kept.value, 'execute-api'), sleep);
      if (!answer.ok || !isStale(answer.value)) return answer;
    }
    const fresh = await logIn(false);
    return fresh.ok ? patiently(signed(wish, fresh.value, 'execute-api'), sleep) : fresh;
  }

  async function askFront(wish: Wish, service: string): Promise<Result<TvmAnswer, string>> {
    const credentials = await sourceCredentials();
    return credentials.ok ? patiently(signed(wish, credentials.value, service), sleep) : credentials;
  }

  function login() {
    return logIn(true);
  }

  async function ask(wish: Wish): Promise<Result<Json, string>> {
    const answer = await (frontService === undefined ? askWithKey(wish) : askFront(wish, frontService));
    if (!answer.ok) return answer;
    return answer.value.status === 200 ? ok(answer.value.json) : refuse(toSentence(answer.value));
  }

  return { login, ask };
}
