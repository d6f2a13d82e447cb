import type { Clock } from '../lib/clock.ts';
import { ok, type Result } from '../lib/result.ts';
import { readFlags, type FlagSet, type ValuesOf } from './flags.ts';

/** The variables of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a run needs of the process. */
export type Process = {
  readonly argv: readonly string[];
  readonly environment: Environment;
  readonly version: string;
  readonly clock: Clock;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** Sets a variable that programs started from here inherit. */
  readonly mark: (variable: string) => void;
  /** Writes a note to stderr. */
  readonly say: (text: string) => void;
};

/** What a command has to say: data on stdout, words for people on stderr. */
export type Output = { readonly stdout: string; readonly stderr: string };

/** What a run of a command comes to; refusals are sentences. */
export type Outcome = Promise<Result<Output, string>>;

/** Output for programs, or for people who asked. */
export function toStdout(stdout: string): Output {
  return { stdout, stderr: '' };
}

/** A command line that was understood: what it asks for, and what does that. */
export type Invocation = {
  readonly name: string;
  /** What the flags came to. */
  readonly input: object;
  readonly run: (process: Process) => Outcome;
};

/** What every command is, whatever it needs to run. */
export type Described = {
  /** One word, or several with blanks between. */
  readonly name: string;
  /** Lines of `--help`: what is written, and what it does. */
  readonly help: readonly (readonly [written: string, does: string])[];
  /** The sentence for whoever writes the first word alone, where the name has several. */
  readonly usage?: string;
};

/** A command as the list of them holds it. */
export type Command = Described & {
  readonly flags: FlagSet;
  /** Understands the values of its flags; refuses with a sentence. */
  readonly prepare: (given: Readonly<Record<string, unknown>>) => Result<Invocation, string>;
};

/** Defines a command that asks no TVM. */
export function defineCommand<Flags extends FlagSet>({
  flags,
  run,
  ...described
}: Described & {
  readonly flags: Flags;
  readonly run: (input: ValuesOf<Flags>, process: Process) => Outcome;
}): Command {
  function prepare(given: Readonly<Record<string, unknown>>): Result<Invocation, string> {
    const input = readFlags(flags, given);
    if (!input.ok) return input;
    return ok({
      name: described.name,
      input: input.value,
      run: (process) => run(input.value, process),
    });
  }

  return { ...described, flags, prepare };
}
