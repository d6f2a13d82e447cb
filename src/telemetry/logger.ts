import { pino, type DestinationStream, type Logger } from 'pino';
import { escapeUnseen } from '../lib/unseen.ts';
import { currentTrace } from './trace.ts';

export type { Logger };

/**
 * The log for whoever operates the TVM: JSON lines on stderr. stdout is for audit records.
 *
 * @param style whether lines have their level as pino's number (30) or as text ("info"), which some
 *   log services need
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
      // Texts of AWS and of callers may be read at a terminal, so invisible characters are escaped.
      hooks: { streamWrite: (line) => `${escapeUnseen(line.trimEnd())}\n` },
    },
    destination,
  );
}

/** Characters of an error's message in the log: enough for what AWS says, and a bound on a line. */
const MESSAGE_LENGTH = 500;

/**
 * What the log may show of an error: its name, the first line of its message, its code and AWS's
 * status. Never the whole object, because an SDK error contains the failed request with its
 * credentials. Never further lines, because AWS prints the canonical request there if a signature
 * does not match, with the session token in it.
 */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { name: typeof error };
  const { $metadata, code } = error as Error & {
    readonly $metadata?: { httpStatusCode?: number };
    readonly code?: unknown;
  };
  const [message = ''] = error.message.split('\n', 1);
  return {
    name: error.name,
    message: message.slice(0, MESSAGE_LENGTH),
    code,
    status: $metadata?.httpStatusCode,
  };
}
