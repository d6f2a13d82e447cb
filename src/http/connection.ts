import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SECOND } from '../lib/clock.ts';

/**
 * What a sender may still send of a body that nobody reads, and how long it has to read its answer,
 * before the connection is cut. Cut at once, it would be reset, and its sender would see that in the
 * place of the answer. Twice the body that an ALB hands to AWS Lambda; a round trip to anywhere.
 */
const LINGER_BYTES = 2 * 1024 * 1024;
const LINGER = 1 * SECOND;

/** So many slices are parsed in one go; whoever sends empty lines only makes no others wait. */
const SLICES_AT_ONCE = 64;

/** Where a head ends, and so do the chunks of a body. */
const HEAD_END = '\r\n\r\n';

/** One connection of an HTTP server, on which one request is worked on at a time. */
export type Connection = {
  readonly socket: Socket;
  /** Whom the connection counts against; undefined where addresses are not told apart. */
  readonly source: string | undefined;
  /** Notes that a request begins, and that it is over when its answer is. */
  readonly begin: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  /** Ends the connection for what is no request; with this answer, where one can still be given. */
  readonly fail: (answer: string | undefined) => void;
};

/**
 * What a connection is there for: `working` has a whole request that is not answered; `resting` waits
 * for its next request; `waiting` for what others owe: a first head, a body, the taking of an answer.
 */
export type Place = 'working' | 'resting' | 'waiting';

type Owner = {
  readonly source: string | undefined;
  /** Told of each change; a connection begins as `waiting`. */
  readonly onPlace: (place: Place) => void;
};

/**
 * Takes the bytes of a connection over from Node's HTTP server, which makes requests of all that it
 * has read, however many: here the parser gets the next request when the last one is answered, and
 * the socket rests meanwhile. No more than one reading of the socket (64 KiB) is kept.
 */
export function openConnection(socket: Socket, { source, onPlace }: Owner): Connection {
  const [parse] = socket.listeners('data') as unknown as readonly ((bytes: Buffer) => void)[];
  if (parse === undefined) throw new Error('a connection without a parser');
  /** Bytes that the parser has not seen yet. */
  let held: Buffer | undefined;
  let unanswered = 0;
  let current: IncomingMessage | undefined;
  let answer: ServerResponse | undefined;
  let place: Place = 'waiting';
  /** What is left of the announced length of the current body. */
  let bodyLeft = 0;
  let phase: 'open' | 'reading-away' | 'failed' | 'ending' = 'open';
  let lastWords: string | undefined;
  let bytesLeft = LINGER_BYTES;
  let timer: NodeJS.Timeout | undefined;

  function isWhole(): boolean {
    return current === undefined || current.complete;
  }

  function readPlace(): Place {
    if (!isWhole() || answer === undefined || phase === 'ending') return 'waiting';
    if (unanswered === 0) return 'resting';
    return answer.writableEnded ? 'waiting' : 'working';
  }

  function notePlace(): void {
    const now = readPlace();
    if (now === place) return;
    place = now;
    onPlace(now);
  }

  /** A body goes to the request that waits for it; the next request waits for the answer. */
  function mayParse(): boolean {
    if (socket.destroyed || phase === 'failed' || phase === 'ending') return false;
    return !socket.writableNeedDrain && (unanswered === 0 || (unanswered === 1 && !isWhole()));
  }

  /** At most one head: what else has been read may be thousands of them. */
  function takeSlice(bytes: Buffer): Buffer {
    const found = bytes.indexOf(HEAD_END);
    const end = found === -1 ? bytes.length : found + HEAD_END.length;
    const slice = bytes.subarray(0, bodyLeft > 0 ? Math.min(bodyLeft, end) : end);
    bodyLeft = Math.max(0, bodyLeft - slice.length);
    held = slice.length === bytes.length ? undefined : bytes.subarray(slice.length);
    return slice;
  }

  function pump(): void {
    for (let slices = 0; held !== undefined && mayParse(); slices += 1) {
      if (slices === SLICES_AT_ONCE) {
        socket.pause();
        setImmediate(pump);
        return;
      }
      parse?.(takeSlice(held));
      if (phase === 'reading-away' && isWhole()) goOn();
      notePlace();
    }
    if (socket.destroyed) held = undefined;
    else if (held !== undefined) socket.pause();
    else if (socket.isPaused() && phase !== 'ending') socket.resume();
    if (held !== undefined && socket.writableNeedDrain) socket.once('drain', pump);
  }

  function receive(bytes: Buffer): void {
    if (phase === 'reading-away' || phase === 'ending') {
      bytesLeft -= bytes.length;
      if (bytesLeft < 0) return phase === 'ending' ? void socket.pause() : closeGently();
    }
    if (phase === 'ending' || phase === 'failed') return;
    held = held === undefined ? bytes : Buffer.concat([held, bytes]);
    pump();
  }

  /** The rest of the body has come in time: the next request may follow. */
  function goOn(): void {
    clearTimeout(timer);
    phase = 'open';
    bytesLeft = LINGER_BYTES;
  }

  function begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
    unanswered += 1;
    current = incoming;
    answer = outgoing;
    const length = Number(incoming.headers['content-length'] ?? 0);
    bodyLeft = length;
    // Nobody reads so much, nor is it read away: the sender learns that from the answer.
    if (length > LINGER_BYTES) outgoing.setHeader('connection', 'close');
    outgoing.once('prefinish', notePlace).once('close', answered);
  }

  function answered(): void {
    unanswered -= 1;
    if (socket.destroyed || phase === 'ending') return;
    if (phase === 'failed') {
      if (unanswered === 0) closeGently();
      return;
    }
    if (unanswered === 0 && !isWhole()) readAway();
    notePlace();
    // Not at once: a connection with a thousand requests in hand lets others have their turn.
    if (held !== undefined || socket.isPaused()) setImmediate(pump);
  }

  /** The request is answered, but its body has not arrived: it may, within bounds. */
  function readAway(): void {
    phase = 'reading-away';
    timer = setTimeout(closeGently, LINGER);
  }

  /** Says that nothing more will come, and lets the other end read what has been said. */
  function closeGently(): void {
    if (phase === 'ending') return;
    phase = 'ending';
    held = undefined;
    clearTimeout(timer);
    if (lastWords === undefined) socket.end();
    else socket.end(lastWords);
    bytesLeft = Math.max(0, bytesLeft);
    timer = setTimeout(() => socket.destroy(), LINGER);
    socket.resume();
    notePlace();
  }

  function fail(words: string | undefined): void {
    if (!socket.writable && phase !== 'ending') socket.destroy();
    if (phase === 'ending' || phase === 'failed' || socket.destroyed) return;
    held = undefined;
    // The answer to that request was given: what broke is the body that nobody waits for.
    if (phase !== 'reading-away') lastWords = words;
    phase = 'failed';
    // Whatever came before is answered first, but for the request that broke itself.
    if (unanswered === 0 || (unanswered === 1 && !isWhole())) closeGently();
  }

  socket.on('data', receive);
  socket.off('data', parse);
  socket.once('close', () => {
    held = undefined;
    clearTimeout(timer);
  });
  // What Node calls behind an answer that ends the connection.
  const closeAtOnce = socket.destroySoon.bind(socket);
  socket.destroySoon = () => (held === undefined && isWhole() ? closeAtOnce() : closeGently());
  return { socket, source, begin, fail };
}
