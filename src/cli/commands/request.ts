import * as v from 'valibot';
import { APPROVAL_SECONDS, JUSTIFICATION_CHARACTERS } from '../../contract/bounds.ts';
import { justification, requestId, ticket } from '../../contract/fields.ts';
import type { Outcome } from '../command.ts';
import { durationText, profileText } from '../field-flags.ts';
import { switchFlag, textFlag, wordFlag, type ValuesOf } from '../flags.ts';
import { toRequestOutput } from '../requests.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const { fewest, most } = JUSTIFICATION_CHARACTERS;

const FLAGS = {
  profile: wordFlag(profileText),
  justification: textFlag(
    v.pipe(v.string(`must say why, in ${fewest} to ${most} characters`), justification),
  ),
  duration: textFlag(v.optional(durationText(APPROVAL_SECONDS))),
  ticket: textFlag(v.optional(ticket)),
  extends: textFlag(v.optional(requestId)),
  json: switchFlag(),
};

/** `request`: asks for an approval ahead of the vend. */
async function run(tvm: Tvm, { json, ...body }: ValuesOf<typeof FLAGS>): Outcome {
  const answer = await tvm.ask('requestApproval', { body });
  return answer.ok ? toRequestOutput(answer.value, json) : answer;
}

export const request = defineTvmCommand({
  name: 'request',
  flags: FLAGS,
  help: [
    ['request PROFILE --justification TEXT', 'ask for an approval of a profile'],
    ['[--duration DURATION] [--ticket ID] [--extends REQUEST] [--json]', ''],
  ],
  run,
});
