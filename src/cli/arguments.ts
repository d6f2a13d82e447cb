import { parseArgs } from 'node:util';
import { nearest } from '../lib/nearest.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { quoted } from '../lib/unseen.ts';
import { toStdout, type Command, type Invocation, type Process } from './command.ts';
import { COMMANDS } from './commands.ts';
import type { FlagSet } from './flags.ts';
import { HELP } from './help.ts';

const HELP_ASKED: Invocation = {
  name: 'help',
  input: {},
  run: () => Promise.resolve(ok(toStdout(HELP))),
};

const VERSION_ASKED: Invocation = {
  name: 'version',
  input: {},
  run: ({ version }: Process) => Promise.resolve(ok(toStdout(`${version}\n`))),
};

/** Reads the arguments after the program's name; refuses with a sentence. */
export function readArguments(argv: readonly string[]): Result<Invocation, string> {
  const [first = 'help'] = argv;
  if (argv.includes('--help') || first === 'help' || first === '-h') return ok(HELP_ASKED);
  if (first === '--version' || first === 'version') return ok(VERSION_ASKED);
  const command = COMMANDS.find(({ name }) =>
    wordsOf(name).every((word, index) => word === argv[index]),
  );
  return command === undefined ? refuse(describeUnknown(first)) : readFlagsOf(command, argv);
}

function wordsOf(name: string): readonly string[] {
  return name.split(' ');
}

/** The sentence for what is no command, or only the first word of one. */
function describeUnknown(first: string): string {
  const begun = COMMANDS.find(({ name }) => wordsOf(name)[0] === first);
  if (begun?.usage !== undefined) return begun.usage;
  const words = COMMANDS.map(({ name }) => wordsOf(name)[0] ?? name);
  const meant = nearest(first, words);
  return `${quoted(first)} is no command${meant === undefined ? '.' : `; did you mean ${meant}?`} See --help.`;
}

/**
 * Node's parser knows no flag whose value may be left out, so that what it stands for is written
 * behind it.
 */
function withBareValue(arg: string, flags: FlagSet): string {
  const bare = arg.startsWith('--') ? flags[arg.slice(2)]?.bare : undefined;
  return bare === undefined ? arg : `${arg}=${bare}`;
}

function readFlagsOf(
  { name, flags, prepare }: Command,
  argv: readonly string[],
): Result<Invocation, string> {
  const entries = Object.entries(flags);
  const word = entries.find(([, { type }]) => type === 'word')?.[0];
  const options = Object.fromEntries(
    entries.flatMap(([flag, { type }]) => (type === 'word' ? [] : [[flag, { type }] as const])),
  );
  const args = argv.slice(wordsOf(name).length).map((arg) => withBareValue(arg, flags));
  try {
    const { values, positionals } = parseArgs({
      args,
      options,
      allowPositionals: word !== undefined,
    });
    const [given, more] = positionals;
    if (more !== undefined) return refuse(`Unexpected argument ${quoted(more)}; see --help.`);
    return prepare(word === undefined ? values : { ...values, [word]: given });
  } catch (cause) {
    // Node's first sentence says what is wrong; the others tell how its own parser would take it.
    const [what = ''] =
      cause instanceof Error ? cause.message.split(/[.?]\s/u, 1) : ['The arguments are wrong'];
    return refuse(`${what}; see --help.`);
  }
}
