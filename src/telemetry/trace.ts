import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * What links a line of the logs to a request, and the request to a trace; the names are those in
 * the logs.
 */
export type Trace = {
  /** The `x-request-id` of the answer. */
  readonly http_request_id: string;
  /** The trace id of W3C Trace Context: 32 hexadecimal digits. */
  readonly trace_id?: string;
  /**
   * The root of AWS X-Ray, which load balancers and AWS Lambda set:
   * `1-5759e988-bd862e3fe1be46a994272793`.
   */
  readonly xray_trace_id?: string;
};

/**
 * https://www.w3.org/TR/trace-context/#traceparent-header: version ff is invalid, and so is an id
 * of zeros.
 */
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/u;

/**
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
 */
const ROOT = /(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})\s*(?:;|$)/u;

const storage = new AsyncLocalStorage<Trace>();

/** The only value of a header, by its lower-case name; undefined if it is missing or repeated. */
function only(rawHeaders: readonly string[], name: string): string | undefined {
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name,
  );
  return values.length === 1 ? values[0] : undefined;
}

/**
 * Reads the trace that a request names. Nothing verifies it: it helps to find lines of the logs,
 * and decides nothing. Malformed values are left out.
 */
export function readTrace(requestId: string, rawHeaders: readonly string[]): Trace {
  const [, version, traceId, more] = TRACEPARENT.exec(only(rawHeaders, 'traceparent') ?? '') ?? [];
  const root = ROOT.exec(only(rawHeaders, 'x-amzn-trace-id') ?? '')?.[1];
  // Later versions may append fields; version 00 has none.
  const isValid = traceId !== undefined && (version !== '00' || more === undefined);
  return {
    http_request_id: requestId,
    ...(isValid ? { trace_id: traceId } : {}),
    ...(root === undefined ? {} : { xray_trace_id: root }),
  };
}

/** Runs the handling of a request so that everything it logs has the request's trace. */
export function inTrace(trace: Trace, run: () => void): void {
  return storage.run(trace, run);
}

/** The trace of the current request; undefined outside of one. */
export function currentTrace(): Trace | undefined {
  return storage.getStore();
}
