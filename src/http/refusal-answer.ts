import type { ErrorName, ErrorStatus } from '../contract/errors.ts';

/**
 * A refusal in words: what goes into the body, the status, and headers beyond the ordinary ones.
 */
export type RefusalAnswer = {
  readonly status: ErrorStatus;
  readonly error: ErrorName;
  readonly message: string;
  /** What is undefined is left out of the body. */
  readonly details?: Readonly<Record<string, string | number | readonly unknown[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Whether the connection ends with the answer: its other end is still sending what nobody reads.
   */
  readonly close?: boolean;
};

/** Seconds after which a retry is worth while. */
export const RETRY_THROTTLED = 2;
export const RETRY_UNAVAILABLE = 5;
export const RETRY_OVERLOADED = 1;
/**
 * Signatures have a resolution of one second, so that a second later an equal request has another.
 */
export const RETRY_REPLAYED = 1;

/** A request that is not as it must be. */
export function validation(status: RefusalAnswer['status'], message: string): RefusalAnswer {
  return { status, error: 'ValidationError', message };
}

/** A request that is understood and not allowed. */
export function forbidden(
  error: ErrorName,
  message: string,
  details: NonNullable<RefusalAnswer['details']>,
): RefusalAnswer {
  return { status: 403, error, message, details };
}

/** A request that may be sent again after so many seconds. */
export function retryLater(
  status: 403 | 429 | 503,
  error: ErrorName,
  message: string,
  retryAfter: number,
): RefusalAnswer {
  return {
    status,
    error,
    message,
    details: { retry_after: retryAfter },
    headers: { 'retry-after': String(retryAfter) },
  };
}
