import * as v from 'valibot';
import { VEND_SECONDS } from '../../contract/bounds.ts';
import {
  justification,
  REQUEST_ID,
  secondsText,
  sessionLabel,
  ticket,
} from '../../contract/fields.ts';
import { AccessRequest, SigningKey } from '../../contract/shapes.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { toStdout, type Outcome, type Process } from '../command.ts';
import { durationText, profileText } from '../field-flags.ts';
import { optionalTextFlag, textFlag, type ValuesOf } from '../flags.ts';
import type { TvmAnswer } from '../http.ts';
import { jsonLine, printable } from '../printable.ts';
import { describeNeeds } from '../requests.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import { isGood, toSentence } from '../answers.ts';
import type { Tvm } from '../tvm.ts';
import { waitForApproval } from '../wait.ts';

/**
 * The SDKs renew from 15 minutes before the end, so shorter-lived credentials would be vended at
 * each call.
 */
const USUAL_SECONDS = VEND_SECONDS.longest;

/** No request waits longer for its approvers. */
const LONGEST_WAIT = 7 * 24 * 3_600;

const FLAGS = {
  profile: textFlag(profileText),
  duration: textFlag(v.optional(secondsText(VEND_SECONDS), `${USUAL_SECONDS}`)),
  label: textFlag(v.optional(sessionLabel)),
  justification: textFlag(v.optional(justification)),
  ticket: textFlag(v.optional(ticket)),
  wait: optionalTextFlag(
    v.optional(durationText({ shortest: 1, longest: LONGEST_WAIT })),
    `${LONGEST_WAIT}`,
  ),
};

/**
 * The refusal of a vend for which a request waits. Where it is to be seen is for people: what is
 * asked is built here.
 */
const Waiting = v.object({
  error: v.literal('PolicyRequiresApproval'),
  request_id: v.pipe(v.string(), v.regex(REQUEST_ID.form)),
  approval_status_url: v.optional(v.string(), ''),
  needs: v.optional(AccessRequest.entries.needs, []),
});

/** Says that the command waits, for what, for whom and where. */
function describeWait(
  profile: string,
  { request_id: id, approval_status_url: url, needs }: v.InferOutput<typeof Waiting>,
) {
  const who = describeNeeds(needs);
  const from = who === '' ? '' : ` of ${who}`;
  const where = url === '' ? '' : ` at ${printable(url)}`;
  return (
    `sentinel-tvm: Profile ${profile} needs an approval${from}; waiting for request ${id}${where}. ` +
    'Ctrl-C ends the wait, and the request stays.\n'
  );
}

function toOutput({ json }: TvmAnswer): Awaited<Outcome> {
  const vended = v.safeParse(SigningKey, json);
  if (!vended.success) return refuse('The TVM answered without credentials; check --url.');
  return ok(toStdout(jsonLine({ Version: 1, ...vended.output })));
}

/**
 * What a vend says for the request that it makes where it needs an approval belongs into a body.
 */
function vend(tvm: Tvm, input: ValuesOf<typeof FLAGS>): Promise<Result<TvmAnswer, string>> {
  const { profile, duration, label, justification: why, ticket: of } = input;
  if (why !== undefined || of !== undefined) {
    const body = { profile, duration, session_label: label, justification: why, ticket: of };
    return tvm.askOpenly('vendByPost', { body });
  }
  const labelled = label === undefined ? {} : { session_label: label };
  return tvm.askOpenly('vend', { query: { profile, duration: `${duration}`, ...labelled } });
}

/**
 * `credentials`: exactly what AWS's SDKs take from a credential_process.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
async function run(tvm: Tvm, input: ValuesOf<typeof FLAGS>, process: Process): Outcome {
  const { profile, wait } = input;

  const first = await vend(tvm, input);
  if (!first.ok) return first;
  if (isGood(first.value)) return toOutput(first.value);
  const waiting = v.safeParse(Waiting, first.value.json);
  if (wait === undefined || !waiting.success) return refuse(toSentence(first.value));

  process.say(describeWait(profile, waiting.output));
  const approved = await waitForApproval(tvm, waiting.output.request_id, wait, process);
  if (!approved.ok) return approved;

  const second = await vend(tvm, input);
  if (!second.ok) return second;
  return isGood(second.value) ? toOutput(second.value) : refuse(toSentence(second.value));
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
    ['[--wait[=DURATION]]', 'where they need an approval, wait until it is decided;'],
    ['[--justification TEXT] [--ticket ID]', 'for the request that is made then'],
  ],
  run,
});
