import { readArguments } from './arguments.ts';
import type { Output, Process } from './command.ts';
import { printable } from './printable.ts';

/** How a run ended: the exit code, and what is to be written where. */
export type Ended = Output & { readonly code: 0 | 1 | 2 };

/** Characters of the longest sentence, with a name or two in it of whoever called or answered. */
const LONGEST = 2_000;

function toFailure(code: 1 | 2, sentence: string): Ended {
  return { code, stdout: '', stderr: `sentinel-tvm: ${printable(sentence, LONGEST)}\n` };
}

/** Runs one command line. Nothing is on stdout unless it succeeds: an SDK reads it. */
export async function run(process: Process): Promise<Ended> {
  const invocation = readArguments(process.argv);
  if (!invocation.ok) return toFailure(2, invocation.refusal);
  const outcome = await invocation.value.run(process);
  return outcome.ok ? { code: 0, ...outcome.value } : toFailure(1, outcome.refusal);
}
