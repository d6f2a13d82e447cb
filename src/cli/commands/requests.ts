import * as v from 'valibot';
import { REQUEST_STATUSES, REQUEST_VIEWS } from '../../contract/fields.ts';
import { RequestsPage, type AccessRequest } from '../../contract/shapes.ts';
import type { Outcome, Process } from '../command.ts';
import { profileText } from '../field-flags.ts';
import { switchFlag, textFlag, type ValuesOf } from '../flags.ts';
import { readList, toListOutput, type Page } from '../listing.ts';
import { printable } from '../printable.ts';
import type { Tvm } from '../tvm.ts';
import { defineTvmCommand } from '../tvm-command.ts';

const FLAGS = {
  view: textFlag(
    v.optional(v.picklist(REQUEST_VIEWS, `must be one of ${REQUEST_VIEWS.join(', ')}`), 'mine'),
  ),
  status: textFlag(
    v.optional(v.picklist(REQUEST_STATUSES, `must be one of ${REQUEST_STATUSES.join(', ')}`)),
  ),
  profile: textFlag(v.optional(profileText)),
  json: switchFlag(),
};

/** The columns of a line: what decides it first, what was said last, for it may be long. */
function toColumns(request: AccessRequest): readonly string[] {
  const {
    request_id: id,
    status,
    phase,
    requester,
    profile,
    duration,
    created_at: at,
    justification,
    needs,
  } = request;
  const have = needs.reduce((sum, group) => sum + group.have, 0);
  const need = needs.reduce((sum, group) => sum + group.need, 0);
  const state = status === 'approved' ? `approved (${phase})` : status;
  const votes = need === 0 ? '' : `${have} of ${need}`;
  return [id, state, votes, profile, requester, `${duration} s`, at, justification].map((cell) =>
    printable(cell),
  );
}

function readPage(json: unknown): Page<AccessRequest> | undefined {
  const read = v.safeParse(RequestsPage, json);
  return read.success ? { items: read.output.requests, next: read.output.next_token } : undefined;
}

/** `requests`: a line for each request of a view, newest first. */
async function run(
  tvm: Tvm,
  { view, status, profile, json }: ValuesOf<typeof FLAGS>,
  process: Process,
): Outcome {
  const list = { name: 'listRequests', of: 'requests', readPage } as const;
  const requests = await readList(tvm, list, { view, status, profile }, process);
  return requests.ok ? toListOutput(list, requests.value, { json, toColumns }) : requests;
}

export const requests = defineTvmCommand({
  name: 'requests',
  flags: FLAGS,
  help: [
    ['requests [--view mine|review|all]', 'your requests, those that wait for you, or all'],
    ['[--status STATUS] [--profile NAME] [--json]', ''],
  ],
  run,
});
