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
  comment: textFlag(v.optional(comment)),
  json: switchFlag(),
};

/** `break-glass confirm`: confirms an event as its second person. */
async function run(tvm: Tvm, { id, json, ...body }: ValuesOf<typeof FLAGS>): Outcome {
  const answer = await tvm.ask('confirmEvent', { id, body });
  return answer.ok ? toEventOutput(answer.value, json) : answer;
}

export const breakGlassConfirm = defineTvmCommand({
  name: 'break-glass confirm',
  flags: FLAGS,
  help: [
    ['break-glass confirm ID [--comment TEXT] [--json]', 'confirm an event as its second person'],
  ],
  run,
});
