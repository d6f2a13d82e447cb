import type { ErrorName } from '../contract/errors.ts';
import { SECOND } from '../lib/clock.ts';
import type { Result } from '../lib/result.ts';
import type { TvmAnswer } from './http.ts';
import { printable } from './printable.ts';

/** The longest Retry-After, in seconds, that is waited for: an SDK waits for the command. */
const PATIENCE = 5;

/** Sends a request, signed anew each time. */
export type Send = () => Promise<Result<TvmAnswer, string>>;

function isRefusedAs({ status, json }: TvmAnswer, ...errors: readonly ErrorName[]): boolean {
  return status === 403 && errors.some((error) => json['error'] === error);
}

/**
 * Whether another request of this key and second was served first. A Function URL or a REST API of
 * AWS hands on neither signatures nor nonces, so that behind it two equal requests count as one.
 */
function isCopy(answer: TvmAnswer): boolean {
  return isRefusedAs(answer, 'RequestReplayed');
}

/**
 * Sends, and once more where the TVM says so; each time signed anew, because a signature is good
 * once.
 */
export async function patiently(
  attempt: Send,
  sleep: (ms: number) => Promise<unknown>,
): Promise<Result<TvmAnswer, string>> {
  const first = await attempt();
  if (!first.ok) return first;
  const { status, retryAfter = PATIENCE } = first.value;
  if ((status !== 429 && status !== 503 && !isCopy(first.value)) || retryAfter > PATIENCE)
    return first;
  // It was done, and only its record is missing; a second time it would be refused as done already.
  if (status === 503 && first.value.json['request_id'] !== undefined) return first;
  await sleep(retryAfter * SECOND);
  return attempt();
}

/** What a TVM says of a refusal, made printable: it may be anybody who answers. */
export function toSentence({ status, json }: TvmAnswer): string {
  const message =
    printable(json['message']).replace(/\.$/u, '') || `the TVM answers with status ${status}`;
  const error = printable(json['error']);
  return error === '' ? `${message}.` : `${message} (${error}).`;
}

/** Whether it was done as asked. */
export function isGood({ status }: TvmAnswer): boolean {
  return status === 200 || status === 201;
}

/** Whether a new key helps: the one that signed has ended, or the key that sealed it is gone. */
export function isStale(answer: TvmAnswer): boolean {
  return isRefusedAs(answer, 'ExpiredToken', 'InvalidClientTokenId');
}
