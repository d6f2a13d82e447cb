import { STATUS_CODES } from 'node:http';
import { escapeUnseen } from '../lib/unseen.ts';
import type { Asked } from './asked.ts';
import { toRefusalAnswer, type Refusal } from './refusals.ts';

/** Headers of every answer. Nobody on the way may store credentials, or what is said of them. */
function ordinaryHeaders(requestId: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
  };
}

/**
 * An answer before it is written: to Hono's Response, or to a bare socket when Hono never saw the
 * request.
 */
export type Answer = {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
};

/**
 * The value as a line of JSON, safe for a terminal: names that callers and AWS chose may be in it.
 */
function toLine(value: unknown): string {
  return `${escapeUnseen(JSON.stringify(value))}\n`;
}

/** An answer with a JSON body. */
export function jsonAnswer(
  requestId: string,
  value: unknown,
  status = 200,
  more: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { ...ordinaryHeaders(requestId), ...more },
    body: toLine(value),
  };
}

/**
 * The answer for a refusal; `Code` and `Message` repeat its name and sentence for SDKs that print
 * those.
 *
 * @param asked what the request was for, where the sentence depends on it
 */
export function refusalAnswer(
  requestId: string,
  refusal: Refusal,
  more: Readonly<Record<string, string>> = {},
  asked?: Asked,
): Answer {
  const { status, error, message, details, headers, close } = toRefusalAnswer(refusal, asked);
  return {
    status,
    headers: {
      ...ordinaryHeaders(requestId),
      ...more,
      'x-amzn-errortype': error,
      ...headers,
      ...(close === true ? { connection: 'close' } : {}),
    },
    body: toLine({ error, message, ...details, Code: error, Message: message }),
  };
}

/** The answer as the Response that Hono hands on. */
export function toResponse({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers });
}

/** The answer as bytes, for a connection on which Node has no response object. */
export function toBytes({ status, headers, body }: Answer): string {
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`;
}
