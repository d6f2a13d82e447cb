import * as v from 'valibot';
import { comment } from '../../contract/fields.ts';
import type { Outcome } from '../command.ts';
import { requestId } from '../field-flags.ts';
import { switchFlag, textFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { toRequestOutput } from '../requests.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const FLAGS = {
  id: wordFlag(requestId),
  comment: textFlag(v.pipe(v.string('must say why'), comment)),
  json: switchFlag(),
};

/** `deny`: denies a request. */
async function run(tvm: Tvm, { id, json, ...body }: ValuesOf<typeof FLAGS>): Outcome {
  const answer = await tvm.ask('denyRequest', { id, body });
  return answer.ok ? toRequestOutput(answer.value, json) : answer;
}

export const deny = defineTvmCommand({
  name: 'deny',
  flags: FLAGS,
  help: [['deny ID --comment TEXT [--json]', 'deny a request, and say why']],
  run,
});
