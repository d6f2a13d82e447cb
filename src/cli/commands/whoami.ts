import { ok } from '../../lib/result.ts';
import { toStdout, type Outcome } from '../command.ts';
import { switchFlag } from '../flags.ts';
import { jsonLine, printable } from '../printable.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

/** Characters of a value on its line; ARNs have no more. */
const LONGEST_VALUE = 2_048;

function toLine([name, value]: readonly [string, unknown]): string {
  return `${`${printable(name)}:`.padEnd(22)}${printable(value, LONGEST_VALUE)}\n`;
}

/** `whoami`: a line for each thing that the TVM knows of the caller. */
async function run(tvm: Tvm, { json }: { readonly json: boolean }): Outcome {
  const answer = await tvm.ask('whoami');
  if (!answer.ok) return answer;
  return ok(
    toStdout(json ? jsonLine(answer.value) : Object.entries(answer.value).map(toLine).join('')),
  );
}

export const whoami = defineTvmCommand({
  name: 'whoami',
  flags: { json: switchFlag() },
  help: [['whoami [--json]', 'whom the TVM takes you for']],
  run,
});
