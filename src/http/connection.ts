import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SECOND } from '../lib/clock.ts';

/**
 * How many bytes of an unwanted body are still read, and how long the sender has to read its
 * answer, before the connection is closed. If it were closed at once, it would be reset, and the
 * sender would see the reset instead of the answer. The bytes are twice the body that an ALB hands
 * to AWS Lambda, the time is enough for a round trip to anywhere.
 */
const LINGER_BYTES = 2 * 1024 * 1024;
const LINGER = 1 * SECOND;

/**
 * How many slices are parsed before others have their turn: a sender of nothing but empty lines
 * makes many.
 */
const SLICES_AT_ONCE = 64;

/** The end of a head, and of the chunks of a body. */
const HEAD_END = '\r\n\r\n';

/** One connection of an HTTP server, on which one request is worked on at a time. */
export type Connection = {
  readonly socket: Socket;
  /** What the connection counts against; undefined where sources cannot be told apart. */
  readonly source: string | undefined;
  /** Notes that a request begins, and that it is over when its answer is. */
  readonly begin: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  /** Ends the connection for what is no request; with this answer, where one can still be given. */
  readonly fail: (answer: string | undefined) => void;
};

/**
 * The state of a connection: `working` has a whole request that is not answered yet; `resting`
 * waits for its next request; `waiting` waits for the other end, to send its first head or a body,
 * or to take its answer.
 */
export type Place = 'working' | 'resting' | 'waiting';

type Owner = {
  readonly source: string | undefined;
  /** Told of each change; a connection begins as `waiting`. */
  readonly onPlace: (place: Place) => void;
};

/**
 * Stands between a socket and Node's HTTP parser, which would make requests of all that was read,
 * however many they are. Here the parser gets the next request when the last one is answered, and
 * the socket is paused meanwhile. At most one reading of the socket (64 KiB) is held.
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

  /**
   * Whether the parser may get more: the body of the current request, or the next one after the
   * answer.
   */
  function mayParse(): boolean {
    if (socket.destroyed || phase === 'failed' || phase === 'ending') return false;
    return !socket.writableNeedDrain && (unanswered === 0 || (unanswered === 1 && !isWhole()));
  }

  /** Takes at most one head of what was read, which may hold thousands. */
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

  /** The rest of the body arrived in time: the next request may follow. */
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
    // A body of this length is neither read nor discarded: the answer says that the connection
    // ends.
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
    // Not at once: a connection with a thousand requests waiting lets others have their turn.
    if (held !== undefined || socket.isPaused()) setImmediate(pump);
  }

  /** Discards the rest of a body whose request is answered already, within bounds. */
  function readAway(): void {
    phase = 'reading-away';
    timer = setTimeout(closeGently, LINGER);
  }

  /** Closes the writing side, and gives the other end time to read what was written. */
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
    // That request was answered: what broke is the rest of its body, which nobody waits for.
    if (phase !== 'reading-away') lastWords = words;
    phase = 'failed';
    // Requests that came before are answered first, but not the one that broke.
    if (unanswered === 0 || (unanswered === 1 && !isWhole())) closeGently();
  }

  socket.on('data', receive);
  socket.off('data', parse);
  socket.once('close', () => {
    held = undefined;
    clearTimeout(timer);
  });
  // Node calls this after an answer that ends the connection.
  const closeAtOnce = socket.destroySoon.bind(socket);
  socket.destroySoon = () => (held === undefined && isWhole() ? closeAtOnce() : closeGently());
  return { socket, source, begin, fail };
}
