import { pino, type DestinationStream, type Logger } from 'pino';
import { escapeUnseen } from '../lib/unseen.ts';
import { currentTrace } from './trace.ts';

export type { Logger };

/**
 * The log for people and machines that operate the TVM: JSON lines on stderr. stdout belongs to the audit records.
 *
 * @param style whether lines say their level as pino's number (30) or as text ("info"), which some log services want
 */
export function createLogger(
  level: string,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
  style: 'number' | 'text' = 'number',
): Logger {
  return pino(
    {
      level,
      base: null,
      formatters: { level: (label, number) => ({ level: style === 'text' ? label : number }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: () => ({ ...currentTrace() }),
      // What AWS and callers say may be read at a terminal; the line's own end stays.
      hooks: { streamWrite: (line) => `${escapeUnseen(line.trimEnd())}\n` },
    },
    destination,
  );
}

const MESSAGE_LENGTH = 500;

/**
 * What may be told of an error: its name, the first line of its message and AWS's own facts. Never the whole object: an
 * SDK error carries the request that failed, and that carries credentials. Never further lines: where a signature does
 * not match, AWS prints the canonical request there, with the session token in it.
 */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { name: typeof error };
  const { $metadata, code } = error as Error & {
    readonly $metadata?: { httpStatusCode?: number };
    readonly code?: unknown;
  };
  const [message = ''] = error.message.split('\n', 1);
  return { name: error.name, message: message.slice(0, MESSAGE_LENGTH), code, status: $metadata?.httpStatusCode };
}
