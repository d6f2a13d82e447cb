import * as v from 'valibot';
import { NEXT_TOKEN, REQUEST_STATUSES, REQUEST_VIEWS } from '../../contract/fields.ts';
import { RequestsPage, type AccessRequest } from '../../contract/shapes.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { toStdout, type Outcome, type Process } from '../command.ts';
import { profileText } from '../field-flags.ts';
import { switchFlag, textFlag, type ValuesOf } from '../flags.ts';
import type { TvmAnswer } from '../http.ts';
import { jsonLine, printable } from '../printable.ts';
import { isGood, toSentence } from '../answers.ts';
import type { Tvm } from '../tvm.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import { retryAfterOf } from '../wait.ts';

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

type Query = Readonly<Record<string, string>>;

/**
 * Asks for a page. A long list comes to the limit of requests, and then waits as it is told to,
 * once a page.
 */
async function askForPage(
  tvm: Tvm,
  query: Query,
  { sleep, say }: Process,
): Promise<Result<TvmAnswer, string>> {
  const first = await tvm.askOpenly('listRequests', { query });
  const pause = retryAfterOf(first);
  if (pause === 0) return first;
  say(`sentinel-tvm: The list goes on in ${Math.ceil(pause / 1_000)} s, as the TVM asks.\n`);
  await sleep(pause);
  return tvm.askOpenly('listRequests', { query });
}

/** Reads a list to its end; pages that are short, or empty, have a next one as well. */
async function readAll(
  tvm: Tvm,
  query: Query,
  process: Process,
): Promise<Result<readonly AccessRequest[], string>> {
  const all: AccessRequest[] = [];
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const page = await askForPage(
      tvm,
      token === undefined ? query : { ...query, [NEXT_TOKEN]: token },
      process,
    );
    if (!page.ok) return page;
    if (!isGood(page.value)) return refuse(toSentence(page.value));
    const read = v.safeParse(RequestsPage, page.value.json);
    if (!read.success) return refuse('The TVM answered without a list of requests; check --url.');
    all.push(...read.output.requests);
    token = read.output.next_token;
    if (token !== undefined && seen.has(token))
      return refuse('The list of the TVM does not end; check --url.');
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
  return ok(all);
}

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

/** Lines whose columns stand under each other. */
function toTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** `requests`: a line for each request of a view, newest first. */
async function run(
  tvm: Tvm,
  { view, status, profile, json }: ValuesOf<typeof FLAGS>,
  process: Process,
): Outcome {
  const asked = Object.entries({ view, status, profile }).filter(
    (entry): entry is [string, string] => Boolean(entry[1]),
  );
  const requests = await readAll(tvm, Object.fromEntries(asked), process);
  if (!requests.ok) return requests;
  if (json) return ok(toStdout(jsonLine({ requests: requests.value })));
  if (requests.value.length === 0) return ok({ stdout: '', stderr: 'There are none.\n' });
  return ok(toStdout(toTable(requests.value.map(toColumns))));
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
