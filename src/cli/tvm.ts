import * as v from 'valibot';
import { KEY_SECONDS } from '../contract/bounds.ts';
import { ROUTES, type IdentifiedOperation } from '../contract/routes.ts';
import { SigningKey } from '../contract/shapes.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { formatAmzDate } from '../sigv4/amz-date.ts';
import { canonicalQuery } from '../sigv4/canonical.ts';
import { signRequest, type SigningCredentials } from '../sigv4/sign.ts';
import { isGood, isStale, patiently, toSentence, type Send } from './answers.ts';
import { forwardedAuthorization, newNonce } from './forward.ts';
import { send, type TvmAnswer } from './http.ts';
import { findKey, readLoginFile, withKey, writeLoginFile, type StoredKey } from './login-file.ts';
import { isKeySource, keySource, type Settings } from './settings.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a command asks, besides the operation; the rest is the client's. */
export type Question = {
  readonly query?: Readonly<Record<string, string>>;
  /** What stands in the place of `:id`, in the form that the route has for it. */
  readonly id?: string;
  /** The fields of a POST; what is undefined is left out. */
  readonly body?: Json;
};

/** A request as a command wants it. */
type Wish = Question & { readonly name: IdentifiedOperation };

/** What asks a TVM as the settings say. Every refusal is a sentence. */
export type Tvm = {
  /** Gets a key anew, and keeps it as the login that commands without flags follow. */
  readonly login: () => Promise<Result<StoredKey, string>>;
  /**
   * Asks with a minted key, after a login if there is none, or with the caller's own credentials.
   */
  readonly ask: (name: IdentifiedOperation, question?: Question) => Promise<Result<Json, string>>;
  /** The same, and gives refusals of the TVM as they are: for those who act on them. */
  readonly askOpenly: (
    name: IdentifiedOperation,
    question?: Question,
  ) => Promise<Result<TvmAnswer, string>>;
};

type Dependencies = {
  readonly clock: Clock;
  readonly loginFile: string;
  /** The caller's own AWS credentials. */
  readonly sourceCredentials: () => Promise<Result<SigningCredentials, string>>;
  readonly sleep: (ms: number) => Promise<unknown>;
};

/** A key that ends sooner is not used: it could end on the way. */
const KEY_MARGIN = 60 * SECOND;

const SIGNER_IS_GONE =
  'The AWS key of the last login is not in the environment any more; put it there, or run sentinel-tvm login with others.';

/** Makes what asks a TVM, as the settings describe it. */
export function createTvm(settings: Settings, dependencies: Dependencies): Tvm {
  const { url, region, ownService } = settings;
  const { clock, loginFile, sourceCredentials, sleep } = dependencies;
  const base = new URL(url);
  const prefix = base.pathname.replace(/\/+$/u, '');

  /** An id has the form that its route says, in which nothing needs to be encoded. */
  function toTarget({ name, id = '', query = {} }: Wish) {
    const path = `${prefix}${ROUTES[name].path.replace(':id', id)}`;
    return { path, rawQuery: canonicalQuery(new Map(Object.entries(query))) };
  }

  /** Makes what signs a request and sends it, anew each time. */
  function signed(wish: Wish, credentials: SigningCredentials, service: string): Send {
    const { method } = ROUTES[wish.name];
    const target = toTarget(wish);
    const mark = target.rawQuery === '' ? '' : '?';
    const body = method === 'POST' ? JSON.stringify(wish.body ?? {}) : undefined;
    const type: Readonly<Record<string, string>> =
      body === undefined ? {} : { 'content-type': 'application/json' };

    function sendSigned() {
      const { host: _, ...headers } = signRequest(
        {
          method,
          ...target,
          headers: { host: base.host, 'x-sentinel-nonce': newNonce(), ...type },
          body: body ?? '',
        },
        credentials,
        { region, service, amzDate: formatAmzDate(clock()) },
      ).headers;
      return send({
        url: `${base.origin}${target.path}${mark}${target.rawQuery}`,
        method,
        headers,
        body,
      });
    }

    return sendSigned;
  }

  /** Asks for a key that lives as long as any may, with the word of STS on who asks. */
  async function mintKey(
    credentials: SigningCredentials,
    serverId: string,
  ): Promise<Result<TvmAnswer, string>> {
    const { method } = ROUTES.mintKey;
    const path = `${prefix}${ROUTES.mintKey.path}`;
    const body = JSON.stringify({ duration: KEY_SECONDS.longest });

    async function sendForwarded(): Promise<Result<TvmAnswer, string>> {
      const authorization = forwardedAuthorization(
        { method, path, rawQuery: '', body },
        credentials,
        {
          serverId,
          region: settings.stsRegion,
          now: clock(),
        },
      );
      if (!authorization.ok) return authorization;
      const headers = { authorization: authorization.value, 'content-type': 'application/json' };
      return send({ url: `${base.origin}${path}`, method, headers, body });
    }

    return patiently(sendForwarded, sleep);
  }

  /** Gets a key and keeps it; `asLast` if commands without flags are to follow this login. */
  async function logIn(asLast: boolean): Promise<Result<StoredKey, string>> {
    const { serverId, source, sourceProfile } = settings;
    if (serverId === undefined)
      return refuse('There is no login without the id of the TVM; name it with --server-id.');
    const file = readLoginFile(loginFile);
    if (!file.ok) return file;
    const credentials = await sourceCredentials();
    if (!credentials.ok) return credentials;
    // If somebody else signed, their key would be kept and used as the key of whoever logged in.
    if (isKeySource(source) && source !== keySource(credentials.value.accessKeyId))
      return refuse(SIGNER_IS_GONE);
    const answer = await mintKey(credentials.value, serverId);
    if (!answer.ok) return answer;
    if (answer.value.status !== 200)
      return refuse(`The login was refused: ${toSentence(answer.value)}`);
    const parsed = v.safeParse(SigningKey, answer.value.json);
    if (!parsed.success) return refuse(`${base.origin} answered without a key; check --url.`);
    const key: StoredKey = {
      url,
      serverId,
      region,
      source,
      sourceProfile,
      accessKeyId: parsed.output.AccessKeyId,
      secretAccessKey: parsed.output.SecretAccessKey,
      sessionToken: parsed.output.SessionToken,
      expiresAt: Date.parse(parsed.output.Expiration),
    };
    const written = writeLoginFile(
      loginFile,
      withKey(file.value.content, key, { now: clock(), asLast }),
    );
    return written.ok ? ok(key) : written;
  }

  function keptKey(): Result<StoredKey | undefined, string> {
    const file = readLoginFile(loginFile);
    if (!file.ok) return file;
    const { serverId = '', source } = settings;
    return ok(findKey(file.value.content, { url, serverId, source }, clock(), KEY_MARGIN));
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

  async function askAsOneself(wish: Wish, service: string): Promise<Result<TvmAnswer, string>> {
    const credentials = await sourceCredentials();
    return credentials.ok
      ? patiently(signed(wish, credentials.value, service), sleep)
      : credentials;
  }

  function login(): Promise<Result<StoredKey, string>> {
    return logIn(true);
  }

  function askOpenly(
    name: IdentifiedOperation,
    question: Question = {},
  ): Promise<Result<TvmAnswer, string>> {
    const wish = { name, ...question };
    return ownService === undefined ? askWithKey(wish) : askAsOneself(wish, ownService);
  }

  async function ask(
    name: IdentifiedOperation,
    question: Question = {},
  ): Promise<Result<Json, string>> {
    const answer = await askOpenly(name, question);
    if (!answer.ok) return answer;
    return isGood(answer.value) ? ok(answer.value.json) : refuse(toSentence(answer.value));
  }

  return { login, ask, askOpenly };
}
