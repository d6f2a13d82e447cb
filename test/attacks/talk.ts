import { connect } from 'node:net';
import type { Shot } from './support.ts';

type Manners = {
  /** What the client does after the silence: end its side (FIN), or destroy the connection. */
  readonly leave?: 'end' | 'destroy';
  /** Milliseconds of silence before the client leaves. */
  readonly patience?: number;
};

const HANG_MS = 20_000;

/**
 * Writes bytes, listens, leaves after a silence, and waits until the server has closed the
 * connection too. Rejects if it does not, because that is a hang.
 */
export function talk(
  port: number,
  bytes: string | Uint8Array,
  { leave = 'end', patience = 250 }: Manners = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
      quiet.refresh();
    });
    function text(): string {
      return Buffer.concat(chunks).toString('latin1');
    }
    const quiet = setTimeout(() => {
      if (leave === 'end') socket.end();
      else socket.destroy();
    }, patience);
    const hang = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(`the server did not close the connection; it said: ${text().slice(0, 500)}`),
      );
    }, HANG_MS);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      quiet.refresh();
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(quiet);
      clearTimeout(hang);
      resolve(text());
    });
  });
}

/** The request as bytes in a string, one character each. */
export function toBytes({ method, target, headers, body }: Shot, version = 'HTTP/1.1'): string {
  return [
    `${method} ${target} ${version}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    '',
    Buffer.from(body ?? '').toString('latin1'),
  ].join('\r\n');
}

/** The statuses of all answers on a connection, interim ones (1xx) included. */
export function statuses(text: string): readonly number[] {
  return [...text.matchAll(/^HTTP\/1\.[01] (\d{3}) /gmu)].map(([, status]) => Number(status));
}

export function holdsCredentials(text: string): boolean {
  return /AccessKeyId|SecretAccessKey|SessionToken/u.test(text);
}
