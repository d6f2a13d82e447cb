import * as v from 'valibot';
import { VEND_SECONDS } from '../../contract/bounds.ts';
import { secondsText, sessionLabel } from '../../contract/fields.ts';
import { SigningKey } from '../../contract/shapes.ts';
import { isProfileName } from '../../lib/profile-name.ts';
import { ok, refuse } from '../../lib/result.ts';
import { toStdout, type Outcome } from '../command.ts';
import { textFlag, type ValuesOf } from '../flags.ts';
import { jsonLine } from '../printable.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const PROFILE_FORM = 'must name a profile of the TVM, like dev or team/prod';

/**
 * The SDKs renew from 15 minutes before the end, so shorter-lived credentials would be vended at
 * each call.
 */
const USUAL_SECONDS = VEND_SECONDS.longest;

const FLAGS = {
  profile: textFlag(v.pipe(v.string(PROFILE_FORM), v.check(isProfileName, PROFILE_FORM))),
  duration: textFlag(v.optional(secondsText(VEND_SECONDS), `${USUAL_SECONDS}`)),
  label: textFlag(v.optional(sessionLabel)),
};

/**
 * `credentials`: exactly what AWS's SDKs take from a credential_process.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
async function run(tvm: Tvm, { profile, duration, label }: ValuesOf<typeof FLAGS>): Outcome {
  const labelled = label === undefined ? {} : { session_label: label };
  const answer = await tvm.ask('vend', { profile, duration: `${duration}`, ...labelled });
  if (!answer.ok) return answer;
  const vended = v.safeParse(SigningKey, answer.value);
  if (!vended.success) return refuse('The TVM answered without credentials; check --url.');
  return ok(toStdout(jsonLine({ Version: 1, ...vended.output })));
}

export const credentials = defineTvmCommand({
  name: 'credentials',
  flags: FLAGS,
  help: [
    [
      'credentials --profile NAME',
      'credentials of a profile, as an AWS credential_process prints them',
    ],
    ['[--duration SECONDS] [--label TEXT]', ''],
  ],
  run,
});
