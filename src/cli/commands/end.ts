import * as v from 'valibot';
import { reason } from '../../contract/fields.ts';
import type { Outcome } from '../command.ts';
import { requestId } from '../field-flags.ts';
import { switchFlag, textFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { toRequestOutput } from '../requests.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const FLAGS = {
  id: wordFlag(requestId),
  reason: textFlag(v.pipe(v.string('must say why'), reason)),
  json: switchFlag(),
};

/** `end`: ends what was approved before its time. */
async function run(tvm: Tvm, { id, json, ...body }: ValuesOf<typeof FLAGS>): Outcome {
  const answer = await tvm.ask('endRequest', { id, body });
  return answer.ok ? toRequestOutput(answer.value, json) : answer;
}

export const end = defineTvmCommand({
  name: 'end',
  flags: FLAGS,
  help: [['end ID --reason TEXT [--json]', 'end what was approved before its time']],
  run,
});
