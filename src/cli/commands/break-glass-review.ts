import * as v from 'valibot';
import { comment } from '../../contract/fields.ts';
import type { Outcome } from '../command.ts';
import { toEventOutput } from '../events.ts';
import { eventId } from '../field-flags.ts';
import { switchFlag, textFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const FLAGS = {
  id: wordFlag(eventId),
  comment: textFlag(v.pipe(v.string('must say what you found'), comment)),
  json: switchFlag(),
};

/** `break-glass review`: reviews what an event was used for. */
async function run(tvm: Tvm, { id, json, ...body }: ValuesOf<typeof FLAGS>): Outcome {
  const answer = await tvm.ask('reviewEvent', { id, body });
  return answer.ok ? toEventOutput(answer.value, json) : answer;
}

export const breakGlassReview = defineTvmCommand({
  name: 'break-glass review',
  flags: FLAGS,
  help: [
    [
      'break-glass review ID --comment TEXT [--json]',
      'review what an event was used for, once it is over',
    ],
  ],
  run,
});
