import { MINUTE, SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { Process } from './command.ts';
import type { TvmAnswer } from './http.ts';
import { readRequest, toSentenceOf } from './requests.ts';
import { isGood, toSentence } from './answers.ts';
import type { Tvm } from './tvm.ts';

/**
 * The pause before the first look, what each next one is longer by, and the longest: a limit of
 * requests is for all.
 */
const PAUSE = { first: SECOND, growth: 1.5, longest: 15 * SECOND } as const;

/** So many looks in a row may fail, some minutes long, as while a TVM is started anew. */
const MOST_FAILURES = 12;

/** The longest Retry-After, in milliseconds, that is followed. */
const LONGEST_RETRY = 5 * MINUTE;

type Clockwork = Pick<Process, 'clock' | 'sleep'>;

/** Whether an answer says to ask again later. */
function isLater({ status }: TvmAnswer): boolean {
  return status === 429 || status === 503;
}

/** The milliseconds for which an answer asks to wait. */
export function retryAfterOf(answer: Result<TvmAnswer, string>): number {
  const seconds = answer.ok && isLater(answer.value) ? (answer.value.retryAfter ?? 0) : 0;
  return Math.min(seconds * SECOND, LONGEST_RETRY);
}

/**
 * Whether a look finds the request approved, or still undecided; refuses with a sentence if it
 * comes to nothing.
 */
function isApproved({ json }: TvmAnswer): Result<boolean, string> {
  const request = readRequest(json);
  if (!request.ok) return request;
  const { status, phase } = request.value;
  // What ended in the log of revocations is over, whatever its row says.
  if (status === 'pending' && phase !== 'ended') return ok(false);
  return status === 'approved' && phase !== 'ended'
    ? ok(true)
    : refuse(toSentenceOf(request.value));
}

/**
 * Whether the log of revocations says that it is over, and its row does not say yet how that came.
 */
function isEnding({ json }: TvmAnswer): boolean {
  const request = readRequest(json);
  return request.ok && request.value.status === 'pending' && request.value.phase === 'ended';
}

/**
 * Looks at a request, less and less often, until it is approved. Refuses with a sentence if it
 * comes to nothing, if it is not decided in time, or if the TVM does not answer any more.
 *
 * @param seconds how long to wait at most
 */
export async function waitForApproval(
  tvm: Pick<Tvm, 'askOpenly'>,
  id: string,
  seconds: number,
  { clock, sleep }: Clockwork,
): Promise<Result<undefined, string>> {
  const deadline = clock() + seconds * SECOND;
  let pause: number = PAUSE.first;
  let retryAfter = 0;
  let failures = 0;
  let endings = 0;
  for (let left = deadline - clock(); left > 0; left = deadline - clock()) {
    await sleep(Math.min(left, Math.max(pause, retryAfter)));
    pause = Math.min(pause * PAUSE.growth, PAUSE.longest);
    const answer = await tvm.askOpenly('showRequest', { id });
    retryAfter = retryAfterOf(answer);
    if (!answer.ok || isLater(answer.value)) {
      failures += 1;
      if (failures < MOST_FAILURES) continue;
      return answer.ok ? refuse(toSentence(answer.value)) : answer;
    }
    failures = 0;
    if (!isGood(answer.value)) return refuse(toSentence(answer.value));
    // The row follows the log at once, unless whoever ended it died in between.
    if (isEnding(answer.value)) {
      endings += 1;
      if (endings === 1) continue;
    }
    const approved = isApproved(answer.value);
    if (!approved.ok) return approved;
    if (approved.value) return ok(undefined);
  }
  return refuse(
    `Request ${id} was not decided in ${seconds} s; it stays, and the same command waits for it again.`,
  );
}
