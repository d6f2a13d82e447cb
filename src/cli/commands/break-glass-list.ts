import * as v from 'valibot';
import { BreakGlassPage, type BreakGlass } from '../../contract/break-glass-shapes.ts';
import { EVENT_STATUSES, REQUEST_VIEWS } from '../../contract/fields.ts';
import type { Outcome, Process } from '../command.ts';
import { profileText } from '../field-flags.ts';
import { switchFlag, textFlag, type ValuesOf } from '../flags.ts';
import { readList, toListOutput, type Page } from '../listing.ts';
import { printable } from '../printable.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

const FLAGS = {
  view: textFlag(
    v.optional(v.picklist(REQUEST_VIEWS, `must be one of ${REQUEST_VIEWS.join(', ')}`), 'mine'),
  ),
  status: textFlag(
    v.optional(v.picklist(EVENT_STATUSES, `must be one of ${EVENT_STATUSES.join(', ')}`)),
  ),
  profile: textFlag(v.optional(profileText)),
  json: switchFlag(),
};

function readPage(json: unknown): Page<BreakGlass> | undefined {
  const read = v.safeParse(BreakGlassPage, json);
  return read.success ? { items: read.output.events, next: read.output.next_token } : undefined;
}

/** The columns of a line: what decides it first, what was said last, for it may be long. */
function toColumns(event: BreakGlass): readonly string[] {
  const state = event.drill === true ? `${event.status} (drill)` : event.status;
  const needs = event.needs.map(({ action }) => action).join(', ');
  const { event_id: id, profile, invoker, reason_code: code, created_at: at } = event;
  return [id, state, needs, profile, invoker, code, at, event.justification].map((cell) =>
    printable(cell),
  );
}

/** `break-glass list`: a line for each event of a view, newest first. */
async function run(
  tvm: Tvm,
  { view, status, profile, json }: ValuesOf<typeof FLAGS>,
  process: Process,
): Outcome {
  const list = { name: 'listEvents', of: 'events', readPage } as const;
  const events = await readList(tvm, list, { view, status, profile }, process);
  return events.ok ? toListOutput(list, events.value, { json, toColumns }) : events;
}

export const breakGlassList = defineTvmCommand({
  name: 'break-glass list',
  flags: FLAGS,
  help: [
    ['break-glass list [--view mine|review|all]', 'your events, those that wait for you, or all'],
    ['[--status STATUS] [--profile NAME] [--json]', ''],
  ],
  run,
});
