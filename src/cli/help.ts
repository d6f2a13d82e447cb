import { COMMANDS } from './commands.ts';
import { CONNECTION_FLAGS } from './connection-flags.ts';

const PROGRAM = 'sentinel-tvm';

/** Where the explanations begin, after the name of the program and after a flag. */
const COMMAND_WIDTH = 52;
const FLAG_WIDTH = 23;

/** The first line of a command begins with the program's name, those that follow it with blanks. */
function describeCommand({ help }: (typeof COMMANDS)[number]): readonly string[] {
  return help.map(([written, does], index) => {
    const before = index === 0 ? PROGRAM : ' '.repeat(PROGRAM.length);
    return `  ${before} ${written.padEnd(COMMAND_WIDTH)}${does}`.trimEnd();
  });
}

const FLAG_LINES = Object.entries(CONNECTION_FLAGS).map(
  ([name, { value, help }]) => `  ${`--${name} ${value}`.trimEnd().padEnd(FLAG_WIDTH)}${help}`,
);

/** What `--help` prints. */
export const HELP = `${PROGRAM}: AWS credentials from a Token Vending Machine

${COMMANDS.flatMap(describeCommand).join('\n')}

${FLAG_LINES.join('\n')}

In ~/.aws/config:
  [profile dev]
  credential_process = ${PROGRAM} credentials --profile dev --source-profile default
`;
