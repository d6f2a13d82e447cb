import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/**
 * How an Application Load Balancer changes the head of a request, as AWS describes it:
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 */
const KIB = 1024;
const REQUEST_LINE_LIMIT = 16 * KIB;
const HEADER_LIMIT = 16 * KIB;
/** The limit of all headers of a request together. */
export const HEADERS_LIMIT = 64 * KIB;
/** If the headers are larger than this, the load balancer does not keep the client's trace. */
const TRACE_LIMIT = 7 * KIB;

const TRACE = 'X-Amzn-Trace-Id';

/** Headers that belong to one connection, and Expect, which the load balancer answers itself. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
];

/** Headers that the load balancer always writes itself. */
const REWRITTEN = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-port', TRACE.toLowerCase()];

/** The client's side of a connection, as targets are told it. */
export type ClientSide = { readonly address: string; readonly listenerPort: number };

function pairsOf(raw: readonly string[]): readonly (readonly [name: string, value: string])[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[2 * index] ?? '',
    raw[2 * index + 1] ?? '',
  ]);
}

function valuesOf(raw: readonly string[], wanted: string): readonly string[] {
  return pairsOf(raw)
    .filter(([name]) => name.toLowerCase() === wanted)
    .map(([, value]) => value);
}

/** Raw headers without these names; the others keep their spelling and order. */
function without(raw: readonly string[], names: readonly string[]): readonly string[] {
  return pairsOf(raw)
    .filter(([name]) => !names.includes(name.toLowerCase()))
    .flat();
}

function sizeOf(raw: readonly string[]): number {
  return pairsOf(raw).reduce(
    (sum, [name, value]) => sum + name.length + value.length + ': \r\n'.length,
    0,
  );
}

/** Whether the head of a request is longer than the load balancer accepts. */
export function isTooLong({ method, url, rawHeaders }: IncomingMessage): boolean {
  return (
    `${method} ${url} HTTP/1.1`.length > REQUEST_LINE_LIMIT ||
    pairsOf(rawHeaders).some(([name, value]) => name.length + value.length > HEADER_LIMIT) ||
    sizeOf(rawHeaders) > HEADERS_LIMIT
  );
}

function newTrace(): string {
  return `1-${Math.floor(Date.now() / 1000)
    .toString(16)
    .padStart(8, '0')}-${randomBytes(12).toString('hex')}`;
}

/**
 * The trace header for the target: a new Self before the client's fields, or a new Root if the
 * client sent none.
 */
function traceOf(raw: readonly string[]): string {
  const fields = valuesOf(raw, TRACE.toLowerCase())
    .join(';')
    .split(';')
    .map((field) => field.trim())
    .filter((field) => field !== '' && !/^self=/iu.test(field));
  const keepsRoot = fields.some((field) => /^root=/iu.test(field)) && sizeOf(raw) <= TRACE_LIMIT;
  return keepsRoot ? [`Self=${newTrace()}`, ...fields].join(';') : `Root=${newTrace()}`;
}

/**
 * The headers for the target: those of the client as they were written, Host included, and those
 * that are added.
 */
export function toTargetHeaders(
  raw: readonly string[],
  { address, listenerPort }: ClientSide,
): readonly string[] {
  return [
    ...without(raw, [...HOP_BY_HOP, ...REWRITTEN]),
    'X-Forwarded-For',
    [...valuesOf(raw, 'x-forwarded-for'), address].join(', '),
    'X-Forwarded-Proto',
    'http',
    'X-Forwarded-Port',
    String(listenerPort),
    TRACE,
    traceOf(raw),
    'Connection',
    'keep-alive',
  ];
}

/** The headers of a target's answer for the client, without those that belong to one connection. */
export function toClientHeaders(raw: readonly string[]): string[] {
  return [...without(raw, [...HOP_BY_HOP, 'transfer-encoding'])];
}
