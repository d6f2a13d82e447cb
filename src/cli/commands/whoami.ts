import { ok } from '../../lib/result.ts';
import { toStdout, type Outcome } from '../command.ts';
import { switchFlag } from '../flags.ts';
import { jsonLine, valueLine } from '../printable.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

/** `whoami`: a line for each thing that the TVM knows of the caller. */
async function run(tvm: Tvm, { json }: { readonly json: boolean }): Outcome {
  const answer = await tvm.ask('whoami');
  if (!answer.ok) return answer;
  const lines = Object.entries(answer.value).map(([name, value]) => valueLine(name, value));
  return ok(toStdout(json ? jsonLine(answer.value) : lines.join('')));
}

export const whoami = defineTvmCommand({
  name: 'whoami',
  flags: { json: switchFlag() },
  help: [['whoami [--json]', 'whom the TVM takes you for']],
  run,
});
