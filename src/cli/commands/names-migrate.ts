import * as v from 'valibot';
import { NAMED_KINDS } from '../../lib/names.ts';
import { defineCommand, type Outcome, type Process } from '../command.ts';
import { switchFlag, textFlag, type ValuesOf } from '../flags.ts';

const TO_FORM = 'must be key, user or sso: the kind of caller that is to own bare names';

const FLAGS = { to: textFlag(v.picklist(NAMED_KINDS, TO_FORM)), apply: switchFlag() };

/**
 * `names migrate`; the AWS SDK that it needs is loaded only here, for other commands are run often.
 */
async function run(input: ValuesOf<typeof FLAGS>, { environment }: Process): Outcome {
  const { migrateNames } = await import('../migrate-names.ts');
  return migrateNames(input, environment);
}

export const namesMigrate = defineCommand({
  name: 'names migrate',
  flags: FLAGS,
  help: [
    [
      'names migrate --to KIND',
      'which rules change their meaning when another kind of caller (key, user, sso)',
    ],
    ['[--apply]', "owns bare names; for operators, with the TVM's variables and AWS credentials"],
  ],
  usage: 'The command is "names migrate --to key", "user" or "sso"; see --help.',
  run,
});
