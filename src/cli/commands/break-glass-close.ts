import * as v from 'valibot';
import { reason } from '../../contract/fields.ts';
import type { Outcome } from '../command.ts';
import { toEventOutput } from '../events.ts';
import { eventId } from '../field-flags.ts';
import { switchFlag, textFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const FLAGS = {
  id: wordFlag(eventId),
  reason: textFlag(v.pipe(v.string('must say why'), reason)),
  json: switchFlag(),
};

/** `break-glass close`: closes an event before its time. */
async function run(tvm: Tvm, { id, json, ...body }: ValuesOf<typeof FLAGS>): Outcome {
  const answer = await tvm.ask('closeEvent', { id, body });
  return answer.ok ? toEventOutput(answer.value, json) : answer;
}

export const breakGlassClose = defineTvmCommand({
  name: 'break-glass close',
  flags: FLAGS,
  help: [['break-glass close ID --reason TEXT [--json]', 'close an event before its time']],
  run,
});
