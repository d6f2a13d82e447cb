import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SECOND } from '../lib/clock.ts';
import { ipv6Network } from '../lib/ip.ts';
import { answerBroken, answerFull, HEAD_TIMEOUT, HEADERS_LIMIT } from './broken.ts';
import { clientAddress } from './client-address.ts';
import { openConnection, type Connection, type Place } from './connection.ts';

/**
 * How long a connection may rest between requests: longer than an ALB's 60 s, so that the ALB
 * closes first.
 */
const KEEP_ALIVE = 75 * SECOND;
/**
 * How long a whole request may take: a safety net below the limits of a head and of a body
 * (body.ts).
 */
const REQUEST_TIMEOUT = 30 * SECOND;
/** How often Node looks for heads and requests that have taken too long. */
const TIMEOUT_CHECK = 1 * SECOND;

/** What a server is created with, so that its heads and connections end. */
export const SERVER_OPTIONS: ServerOptions = {
  maxHeaderSize: HEADERS_LIMIT,
  /** Node would answer by itself, before the request is counted here. */
  requireHostHeader: false,
  keepAliveTimeout: KEEP_ALIVE,
  headersTimeout: HEAD_TIMEOUT,
  requestTimeout: REQUEST_TIMEOUT,
  connectionsCheckingInterval: TIMEOUT_CHECK,
};

/**
 * How long an answer may wait until any byte of it is taken: an ALB gives up after 60 s as well.
 */
const STALLED = 60 * SECOND;

/** How many connections there may be; per source only where sources can be told apart. */
export type ConnectionLimits = { readonly total: number; readonly perSource: number | undefined };

/** A newcomer that there was no room for was refused, or another connection was closed for it. */
export type TurnedAway = 'connection_refused' | 'connection_closed';

/**
 * Bounds what connections may cost an HTTP server before any handler sees a request: how many there
 * are, in all and per source; how many requests each works on, which is one; how many bytes it
 * holds; and how long each step may take. When all places are taken, a newcomer gets the place of
 * the connection that has waited for the other end for longest, or else of the one that has rested
 * between requests for longest, so that half-open heads cannot lock others out. If all connections
 * are working, the newcomer is refused.
 *
 * @param onTurnedAway called for each newcomer that is refused, and for each connection closed for
 *   one
 */
export function guardConnections(
  server: Server,
  limits: ConnectionLimits,
  onTurnedAway: (what: TurnedAway) => void,
): void {
  const known = new WeakMap<Socket, Connection>();
  /** Connections by their state; in each, the one that is in it for longest comes first. */
  const places: Readonly<Record<Place, Set<Connection>>> = {
    waiting: new Set(),
    resting: new Set(),
    working: new Set(),
  };
  /** Source → how many open connections it has; bounded by those. */
  const sources = new Map<string, number>();
  const open = new Set<Connection>();

  function forget(connection: Connection): void {
    if (!open.delete(connection)) return;
    for (const others of Object.values(places)) others.delete(connection);
    const { source } = connection;
    if (source === undefined) return;
    const left = (sources.get(source) ?? 1) - 1;
    if (left === 0) sources.delete(source);
    else sources.set(source, left);
  }

  function move(connection: Connection, from: Place, to: Place): void {
    if (places[from].delete(connection)) places[to].add(connection);
  }

  /**
   * Closes the connection that needs its place least, of the given source if any; false if there is
   * none.
   */
  function makeRoom(source: string | undefined): boolean {
    for (const idle of [places.waiting, places.resting]) {
      for (const connection of idle) {
        if (source !== undefined && connection.source !== source) continue;
        forget(connection);
        connection.socket.destroy();
        onTurnedAway('connection_closed');
        return true;
      }
    }
    return false;
  }

  function hasRoom(source: string | undefined): boolean {
    const { total, perSource = Number.POSITIVE_INFINITY } = limits;
    if (source !== undefined && (sources.get(source) ?? 0) >= perSource) return makeRoom(source);
    return open.size < total || makeRoom(undefined);
  }

  function accept(socket: Socket): void {
    const source = limits.perSource === undefined ? undefined : sourceOf(socket);
    if (!hasRoom(source)) {
      onTurnedAway('connection_refused');
      socket.end(answerFull(), () => socket.destroy());
      return;
    }
    let place: Place = 'waiting';
    const connection = openConnection(socket, {
      source,
      onPlace: (now) => {
        move(connection, place, now);
        place = now;
      },
    });
    known.set(socket, connection);
    open.add(connection);
    places.waiting.add(connection);
    if (source !== undefined) sources.set(source, (sources.get(source) ?? 0) + 1);
    socket.once('close', () => forget(connection));
  }

  function begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
    known.get(incoming.socket)?.begin(incoming, outgoing);
  }

  server.timeout = STALLED;
  server.on('connection', accept);
  server.prependListener('request', begin);
  // Node answers these by itself, and would read their bodies without end.
  server.on('checkExpectation', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    begin(incoming, outgoing);
    outgoing.writeHead(417, { 'content-length': 0 }).end();
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = known.get(socket);
    if (connection === undefined || error.code === 'ECONNRESET') socket.destroy();
    else connection.fail(answerBroken(error, socket));
  });
}

/**
 * What a connection counts against: its address, or the /64 of an IPv6 address, which has one
 * holder.
 */
function sourceOf(socket: Socket): string {
  const address = clientAddress([], socket.remoteAddress, 0);
  return (address && ipv6Network(address)) ?? address ?? 'unknown';
}
