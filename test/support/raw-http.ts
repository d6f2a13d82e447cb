import { connect } from 'node:net';

/** An answer as it was on the wire. */
export type RawAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body as JSON; an empty object if it is not JSON. */
  readonly json: Readonly<Record<string, unknown>>;
};

type HeaderList = readonly (readonly [name: string, value: string])[];

const DEADLINE_MS = 15_000;

/**
 * Writes bytes to a socket and reads until the server closes it; rejects after 15 s, because that
 * is a hang.
 */
export function sendBytes(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `no end after ${DEADLINE_MS} ms; so far: ${Buffer.concat(chunks).toString('latin1').slice(0, 500)}`,
        ),
      );
    }, DEADLINE_MS);
    function finish(): void {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('utf8'));
    }
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('close', finish);
    socket.on('error', finish);
  });
}

/** Parses one answer; the status is 0 if the connection ended without one. */
export function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body = end === -1 ? '' : text.slice(end + 4);
  return { status: Number(statusLine.split(' ')[1] ?? 0), headers, body, json: parseJson(body) };
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/**
 * Sends one request exactly as given, with its target and repeated headers, and reads the answer.
 */
export async function sendRaw(
  port: number,
  request: {
    readonly method?: string;
    readonly target: string;
    readonly headers: HeaderList | Readonly<Record<string, string>>;
    readonly body?: string | Uint8Array;
  },
): Promise<RawAnswer> {
  const list = Array.isArray(request.headers)
    ? (request.headers as HeaderList)
    : Object.entries(request.headers);
  const body = Buffer.from(request.body ?? '');
  const framed = list.some(([name]) => /^(?:content-length|transfer-encoding)$/iu.test(name));
  const lines = [
    `${request.method ?? 'GET'} ${request.target} HTTP/1.1`,
    ...list.map(([name, value]) => `${name}: ${value}`),
    ...(framed || body.length === 0 ? [] : [`content-length: ${body.length}`]),
    'connection: close',
  ];
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return parseAnswer(await sendBytes(port, Buffer.concat([head, body])));
}
