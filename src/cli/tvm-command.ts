import { ok, refuse, type Result } from '../lib/result.ts';
import type { Command, Described, Invocation, Outcome, Process } from './command.ts';
import { CONNECTION_FLAGS, toConnectionFlags, type ConnectionFlags } from './connection-flags.ts';
import { readFlags, type FlagSet, type ValuesOf } from './flags.ts';
import { readLoginFile, type Login } from './login-file.ts';
import { printable } from './printable.ts';
import { loginFilePath, readSettings } from './settings.ts';
import { NESTED, NESTED_SENTENCE, resolveSourceCredentials } from './source-credentials.ts';
import { createTvm, type Tvm } from './tvm.ts';

/** Which of the last login a command goes on from. */
type Inherit = (last: Login | undefined) => Login | undefined;

/** A command that asks a TVM. */
type Definition<Flags extends FlagSet> = Described & {
  /** Its flags besides those that say which TVM it is, and who asks. */
  readonly flags: Flags;
  /** What it has against these flags, as a sentence; undefined for nothing. */
  readonly object?: (connection: ConnectionFlags) => string | undefined;
  /** What it goes on from; the last login as it is, unless given. */
  readonly inherit?: Inherit;
  readonly run: (tvm: Tvm, input: ValuesOf<Flags>, process: Process) => Outcome;
};

function keep(last: Login | undefined): Login | undefined {
  return last;
}

/** Finds out which TVM is meant and who asks it; refuses with a sentence. */
function connect(flags: ConnectionFlags, inherit: Inherit, process: Process): Result<Tvm, string> {
  const { environment, clock, sleep, mark, say } = process;
  if (environment[NESTED]) return refuse(NESTED_SENTENCE);
  const loginFile = loginFilePath(flags, environment);
  const file = readLoginFile(loginFile);
  if (!file.ok) return file;
  if (file.value.isDamaged) {
    say(`sentinel-tvm: ${printable(loginFile)} holds no logins and is taken for empty.\n`);
  }
  const settings = readSettings(flags, environment, inherit(file.value.content.last));
  if (!settings.ok) return settings;
  const { sourceProfile } = settings.value;

  function sourceCredentials() {
    mark(NESTED);
    return resolveSourceCredentials(sourceProfile, environment);
  }

  return ok(createTvm(settings.value, { clock, loginFile, sourceCredentials, sleep }));
}

/** Defines a command that asks a TVM, with the flags that all of these have. */
export function defineTvmCommand<Flags extends FlagSet>({
  flags: own,
  object,
  inherit = keep,
  run,
  ...described
}: Definition<Flags>): Command {
  function prepare(given: Readonly<Record<string, unknown>>): Result<Invocation, string> {
    const connection = readFlags(CONNECTION_FLAGS, given);
    if (!connection.ok) return connection;
    const flags = toConnectionFlags(connection.value);
    const objection = object?.(flags);
    if (objection !== undefined) return refuse(objection);
    const input = readFlags(own, given);
    if (!input.ok) return input;
    const { value: values } = input;

    async function runHere(process: Process): Outcome {
      const tvm = connect(flags, inherit, process);
      return tvm.ok ? run(tvm.value, values, process) : tvm;
    }

    return ok({ name: described.name, input: { ...values, flags }, run: runHere });
  }

  return { ...described, flags: { ...CONNECTION_FLAGS, ...own }, prepare };
}
