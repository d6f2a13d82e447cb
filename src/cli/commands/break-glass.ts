import * as v from 'valibot';
import { BREAK_GLASS_SECONDS } from '../../contract/bounds.ts';
import { breakGlassJustification, REASON_CODES, ticket } from '../../contract/fields.ts';
import type { Outcome } from '../command.ts';
import { toEventOutput } from '../events.ts';
import { durationText, profileText } from '../field-flags.ts';
import { switchFlag, textFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const CODES = REASON_CODES.join(', ');

const FLAGS = {
  profile: wordFlag(profileText),
  'reason-code': textFlag(v.picklist(REASON_CODES, `must be one of ${CODES}`)),
  justification: textFlag(v.pipe(v.string('must say what has happened'), breakGlassJustification)),
  duration: textFlag(v.optional(durationText(BREAK_GLASS_SECONDS))),
  ticket: textFlag(v.optional(ticket)),
  drill: switchFlag(),
  json: switchFlag(),
};

/** `break-glass`: opens a profile in an emergency. */
async function run(tvm: Tvm, input: ValuesOf<typeof FLAGS>): Outcome {
  const { json, 'reason-code': code, drill, ...more } = input;
  const body = { ...more, reason_code: code, drill: drill ? true : undefined };
  const answer = await tvm.ask('openEvent', { body });
  return answer.ok ? toEventOutput(answer.value, json) : answer;
}

export const breakGlass = defineTvmCommand({
  name: 'break-glass',
  flags: FLAGS,
  help: [
    ['break-glass PROFILE --reason-code CODE', 'open a profile in an emergency'],
    ['--justification TEXT [--duration DURATION]', `CODE: ${CODES}`],
    ['[--ticket ID] [--drill] [--json]', '(--drill: an exercise, which vends nothing)'],
  ],
  run,
});
