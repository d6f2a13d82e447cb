import type { Clock } from '../lib/clock.ts';
import { refuse, type Result } from '../lib/result.ts';
import { HELP, readArguments, type Command } from './arguments.ts';
import { credentials, login, whoami, type Output } from './commands.ts';
import { readLoginFile, type Login } from './login-file.ts';
import { printable } from './printable.ts';
import { isKeySource, loginFilePath, readSettings, type Environment } from './settings.ts';
import { NESTED, NESTED_SENTENCE, resolveSourceCredentials } from './source-credentials.ts';
import { createTvm } from './tvm.ts';

/** How a run ended: the exit code, and what is to be written where. */
export type Ended = Output & { readonly code: 0 | 1 | 2 };

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

/** The longest sentence, with a name or two of whoever called or answered in it. */
const LONGEST = 2_000;

function failed(code: 1 | 2, sentence: string): Ended {
  return {
    code,
    stderr: `sentinel-tvm: ${printable(sentence, LONGEST)}\n`,
  };
}

/** Runs one command line. Nothing is on stdout unless it succeeds: an SDK reads it. */
export async function run(process: Process): Promise<Ended> {
  const { argv, environment } = process;
  const command = readArguments(argv);
  if (!command.ok) return failed(2, command.refusal);
  if (command.value.name === 'help') return { code: 0, stdout: HELP };
  if (command.value.name === 'version') return { code: 0, stdout: `${process.version}\n` };
  const result =
    command.value.name === 'names'
      ? await (await import('./names-migrate.ts')).migrateNames(command.value, environment)
      : await execute(command.value, process);
  return result.ok ? { code: 0, ...result.value } : failed(1, result.refusal);
}

type TvmCommand = Extract<Command, { flags: unknown }>;

/** A new login does not ask for the key of the last one: whoever is there now signs. */
function heirOf({ name }: TvmCommand, last: Login | undefined): Login | undefined {
  return name === 'login' && last !== undefined && isKeySource(last.source) ? { ...last, source: 'default' } : last;
}

async function execute(command: TvmCommand, process: Process): Promise<Result<Output, string>> {
  const { environment, clock, sleep, mark, say } = process;
  if (environment[NESTED]) return refuse(NESTED_SENTENCE);
  const loginFile = loginFilePath(command.flags, environment);
  const file = readLoginFile(loginFile);
  if (!file.ok) return file;
  if (file.value.isDamaged === true)
    say(`sentinel-tvm: ${printable(loginFile)} holds no logins and is taken for empty.\n`);
  const settings = readSettings(command.flags, environment, heirOf(command, file.value.last));
  if (!settings.ok) return settings;
  const { sourceProfile } = settings.value;
  function sourceCredentials() {
    mark(NESTED);
    return resolveSourceCredentials(sourceProfile, environment);
  }
  const tvm = createTvm(settings.value, { clock, loginFile, sourceCredentials, sleep });
  switch (command.name) {
    case 'login':
      return login(tvm, command);
    case 'credentials':
      return credentials(tvm, command);
    case 'whoami':
      return whoami(tvm, command);
  }
}
