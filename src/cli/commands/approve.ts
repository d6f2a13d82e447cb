import * as v from 'valibot';
import { APPROVAL_SECONDS } from '../../contract/bounds.ts';
import { comment, digest } from '../../contract/fields.ts';
import { refuse } from '../../lib/result.ts';
import type { Outcome, Process } from '../command.ts';
import { durationText, requestId } from '../field-flags.ts';
import { switchFlag, textFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { printable } from '../printable.ts';
import { describeFacts, readRequest, toRequestOutput } from '../requests.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const FLAGS = {
  id: wordFlag(requestId),
  comment: textFlag(v.optional(comment)),
  duration: textFlag(v.optional(durationText(APPROVAL_SECONDS))),
  digest: textFlag(v.optional(digest)),
  json: switchFlag(),
};

/**
 * `approve`: shows what a request allows, and approves exactly that: what changes in between is
 * refused.
 */
async function run(tvm: Tvm, input: ValuesOf<typeof FLAGS>, { say }: Process): Outcome {
  const { id, json, digest: insisted, ...more } = input;
  const shown = await tvm.ask('showRequest', { id });
  if (!shown.ok) return shown;
  const request = readRequest(shown.value);
  if (!request.ok) return request;
  if (insisted !== undefined && insisted !== request.value.digest) {
    const now = printable(request.value.digest);
    return refuse(
      `What request ${id} asks for is not what you saw: its digest is ${now} now; look at it again.`,
    );
  }
  say(`Request ${id} allows:\n${describeFacts(request.value)}`);
  const answer = await tvm.ask('approveRequest', {
    id,
    body: { digest: request.value.digest, ...more },
  });
  return answer.ok ? toRequestOutput(answer.value, json) : answer;
}

export const approve = defineTvmCommand({
  name: 'approve',
  flags: FLAGS,
  help: [
    [
      'approve ID [--comment TEXT]',
      'show what a request allows, and approve it, for a shorter time if you like',
    ],
    [
      '[--duration DURATION] [--digest DIGEST] [--json]',
      '(--digest: only if it is what you saw before)',
    ],
  ],
  run,
});
