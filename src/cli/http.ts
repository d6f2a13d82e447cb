import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** One request to a TVM, signed already. */
export type TvmRequest = {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
};

/** What a TVM answered: the JSON object of its body, and what is needed to act on a refusal. */
export type TvmAnswer = {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
  /** Seconds; undefined if the answer does not say. */
  readonly retryAfter: number | undefined;
};

/** How long a whole answer may take: somebody, or an SDK, waits for the command. */
const DEADLINE = 10 * SECOND;

/**
 * Bytes of an answer; no TVM sends as many: a page has at most some hundred requests, each with its
 * profile.
 */
const ANSWER_LIMIT = 4 * 1024 * 1024;

/**
 * Sends a request. Refuses, with a sentence that holds nothing secret, what no TVM answers: a
 * redirect (it would carry the signature to somebody else), more than 4 MiB, anything but a JSON
 * object, or nothing in ten seconds.
 */
export async function send({
  url,
  method,
  headers,
  body,
}: TvmRequest): Promise<Result<TvmAnswer, string>> {
  const where = new URL(url).origin;
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(DEADLINE),
      body: body ?? null,
    });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      return refuse(`${where} answers with a redirect, which no TVM does; check --url.`);
    }
    const text = await readBounded(response);
    const json = text === undefined ? undefined : parseObject(text);
    if (json === undefined) {
      return refuse(
        `${where} does not answer as a TVM does (status ${response.status}); check --url.`,
      );
    }
    const retryAfter = /^\d{1,4}$/u.exec(response.headers.get('retry-after') ?? '')?.[0];
    return ok({
      status: response.status,
      json,
      retryAfter: retryAfter === undefined ? undefined : Number(retryAfter),
    });
  } catch (cause) {
    return refuse(`${where} cannot be reached: ${describe(cause)}.`);
  }
}

/** Characters of what the system says of a failure. */
const LONGEST_CAUSE = 200;

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown error';
  if (cause.name === 'TimeoutError') return `no answer in ${DEADLINE / SECOND} s`;
  // What `fetch` throws says only that it failed; its cause says why.
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  const said = 'code' in inner && typeof inner.code === 'string' ? inner.code : inner.message;
  return (said.split('\n')[0] ?? '').slice(0, LONGEST_CAUSE);
}

async function readBounded(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > ANSWER_LIMIT) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
