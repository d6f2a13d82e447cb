import { NEXT_TOKEN } from '../contract/fields.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { isGood, toSentence } from './answers.ts';
import { toStdout, type Output, type Process } from './command.ts';
import type { TvmAnswer } from './http.ts';
import { jsonLine } from './printable.ts';
import type { Tvm } from './tvm.ts';
import { retryAfterOf } from './wait.ts';

type Query = Readonly<Record<string, string>>;

/** A page of a list, as it was read; one without a next one is the last. */
export type Page<Item> = { readonly items: readonly Item[]; readonly next: string | undefined };

/** A list of a TVM. */
type List<Item> = {
  readonly name: 'listRequests' | 'listEvents';
  /** What it is a list of, as its JSON names them. */
  readonly of: string;
  /** Reads an answer; undefined where it is no page. */
  readonly readPage: (json: unknown) => Page<Item> | undefined;
};

/**
 * Asks for a page. A long list comes to the limit of requests, and then waits as it is told to,
 * once a page.
 */
async function askForPage(
  tvm: Tvm,
  name: List<unknown>['name'],
  query: Query,
  { sleep, say }: Process,
): Promise<Result<TvmAnswer, string>> {
  const first = await tvm.askOpenly(name, { query });
  const pause = retryAfterOf(first);
  if (pause === 0) return first;
  say(`sentinel-tvm: The list goes on in ${Math.ceil(pause / 1_000)} s, as the TVM asks.\n`);
  await sleep(pause);
  return tvm.askOpenly(name, { query });
}

/**
 * Reads a list to its end; pages that are short, or empty, have a next one as well.
 *
 * @param asked the fields of the query; what is undefined is left out
 */
export async function readList<Item>(
  tvm: Tvm,
  { name, of, readPage }: List<Item>,
  asked: Readonly<Record<string, string | undefined>>,
  process: Process,
): Promise<Result<readonly Item[], string>> {
  const given = Object.entries(asked).filter((one): one is [string, string] => Boolean(one[1]));
  const query = Object.fromEntries(given);
  const all: Item[] = [];
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const wanted = token === undefined ? query : { ...query, [NEXT_TOKEN]: token };
    const answer = await askForPage(tvm, name, wanted, process);
    if (!answer.ok) return answer;
    if (!isGood(answer.value)) return refuse(toSentence(answer.value));
    const page = readPage(answer.value.json);
    if (page === undefined) return refuse(`The TVM answered without a list of ${of}; check --url.`);
    all.push(...page.items);
    token = page.next;
    if (token !== undefined && seen.has(token))
      return refuse('The list of the TVM does not end; check --url.');
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
  return ok(all);
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

/** What a command prints of a list: a line for each, or JSON. */
export function toListOutput<Item>(
  { of }: Pick<List<Item>, 'of'>,
  items: readonly Item[],
  how: { readonly json: boolean; readonly toColumns: (item: Item) => readonly string[] },
): Result<Output, string> {
  if (how.json) return ok(toStdout(jsonLine({ [of]: items })));
  if (items.length === 0) return ok({ stdout: '', stderr: 'There are none.\n' });
  return ok(toStdout(toTable(items.map((item) => how.toColumns(item)))));
}
