import type { Outcome } from '../command.ts';
import { requestId } from '../field-flags.ts';
import { switchFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { toRequestOutput } from '../requests.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const FLAGS = { id: wordFlag(requestId), json: switchFlag() };

/** `cancel`: withdraws one's own request, also after it was approved. */
async function run(tvm: Tvm, { id, json }: ValuesOf<typeof FLAGS>): Outcome {
  const answer = await tvm.ask('cancelRequest', { id });
  return answer.ok ? toRequestOutput(answer.value, json) : answer;
}

export const cancel = defineTvmCommand({
  name: 'cancel',
  flags: FLAGS,
  help: [['cancel ID [--json]', 'withdraw a request of yours']],
  run,
});
