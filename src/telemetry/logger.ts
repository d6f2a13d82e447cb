import { pino, type Logger } from 'pino';

export type { Logger };

/** The log for people and machines that operate the TVM: JSON lines on stderr. stdout belongs to the audit records. */
export const createLogger = (level: string): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));

/**
 * What may be told of an error: its name, message and AWS's own facts. Never the whole object: an SDK error carries the
 * request that failed, and that carries credentials.
 */
export const describeError = (error: unknown): Readonly<Record<string, unknown>> => {
  if (!(error instanceof Error)) return { name: typeof error };
  const { $metadata, code } = error as Error & {
    readonly $metadata?: { httpStatusCode?: number };
    readonly code?: unknown;
  };
  return { name: error.name, message: error.message, code, status: $metadata?.httpStatusCode };
};
