import { createServer, type Server, type ServerOptions } from 'node:http';
import { singleFlight } from '../lib/single-flight.ts';
import type { PrometheusMeter } from './prometheus.ts';

/**
 * `GET /metrics` on a port of its own, which neither the load balancer nor callers need to reach.
 * It asks for no identity, and no metric names a caller. The server is not yet listening.
 *
 * @param times the time limits of its connections
 */
export function createMetricsServer(
  meter: Pick<PrometheusMeter, 'scrape'>,
  times: ServerOptions,
): Server {
  // A scrape takes milliseconds of processor time, so requests at the same time share one.
  const scrape = singleFlight(meter.scrape);
  return createServer(times, (incoming, outgoing) => {
    function answer(status: number, headers: Record<string, string>, text: string): void {
      outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) });
      outgoing.end(incoming.method === 'HEAD' ? undefined : text);
    }
    const plain = { 'content-type': 'text/plain; charset=utf-8' };
    if (incoming.url?.split('?', 1)[0] !== '/metrics')
      return answer(404, plain, 'Metrics are at /metrics.\n');
    if (incoming.method !== 'GET' && incoming.method !== 'HEAD') {
      return answer(405, { ...plain, allow: 'GET, HEAD' }, '/metrics answers GET and HEAD only.\n');
    }
    scrape().then(
      ({ contentType, text }) => answer(200, { 'content-type': contentType }, text),
      () => answer(500, plain, 'The metrics cannot be told just now.\n'),
    );
  });
}
