import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeParametersCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { SECOND } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { isThrottling } from './error-codes.ts';
import {
  isBeneath,
  toMark,
  toStored,
  type ParameterMark,
  type StoredParameter,
} from './parameters.ts';

/**
 * How long one call may take with its retries: three tries of three seconds, and the pauses between
 * them.
 */
const DEADLINE = 11 * SECOND;

/**
 * SSM's own limits of a page:
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
 */
const TREE_PAGE = 10;
const MARKS_PAGE = 50;
const VALUES = 10;

/**
 * The most pages of a listing: an account has at most 100,000 parameters, ten a page, and some
 * pages may be empty.
 */
const MAX_PAGES = 15_000;

/**
 * The pauses, before jitter, after which a page that was throttled in the middle of a reading is
 * asked for again.
 */
const THROTTLED_PAUSES = [0.5 * SECOND, 1 * SECOND, 2 * SECOND, 4 * SECOND];

/** A path of SSM, and whether SecureStrings beneath it are decrypted. */
export type ParameterPath = { readonly path: string; readonly decrypt: boolean };

/** What bounds a whole reading. */
export type Reading = {
  readonly signal: AbortSignal;
  /**
   * Resolves when the next call may be made, so that other users of the account's SSM rate have
   * their share.
   */
  readonly turn: () => Promise<void>;
};

/**
 * Reads parameters page by page. Every function rejects if a page fails or is not SSM's answer to
 * what was asked.
 */
export type ParameterReader = {
  /** All parameters beneath a path, ten a page. */
  readonly tree: (
    place: ParameterPath,
    reading: Reading,
  ) => AsyncGenerator<readonly StoredParameter[]>;
  /** The versions of all parameters beneath a path, fifty a page. */
  readonly marks: (path: string, reading: Reading) => AsyncGenerator<readonly ParameterMark[]>;
  /** Certain parameters, ten a call, and the names of those that are not there. */
  readonly values: (
    names: readonly string[],
    decrypt: boolean,
    reading: Reading,
  ) => AsyncGenerator<{
    readonly found: readonly StoredParameter[];
    readonly missing: readonly string[];
  }>;
};

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/** Whether SSM says that its rate is exceeded. */
export function isThrottled(error: unknown): boolean {
  return isThrottling(nameOf(error));
}

/** Whether the TVM's role may not make this call. */
export function isDenied(error: unknown): boolean {
  return /^AccessDenied(?:Exception)?$/u.test(nameOf(error));
}

/** Reads parameters with the SDK's client. */
export function createParameterReader(ssm: SSMClient): ParameterReader {
  return {
    tree: async function* tree({ path, decrypt }, reading) {
      const input = { Path: path, Recursive: true, WithDecryption: decrypt, MaxResults: TREE_PAGE };
      const pages = readPages('GetParametersByPath', reading, (token, abortSignal) =>
        ssm.send(new GetParametersByPathCommand({ ...input, ...token }), { abortSignal }),
      );
      for await (const page of pages)
        yield page.map((parameter) => toStored(parameter, isBeneath(path)));
    },
    marks: async function* marks(path, reading) {
      const filter = { Key: 'Path', Option: 'Recursive', Values: [path] };
      const input = { ParameterFilters: [filter], MaxResults: MARKS_PAGE };
      const pages = readPages('DescribeParameters', reading, (token, abortSignal) =>
        ssm.send(new DescribeParametersCommand({ ...input, ...token }), { abortSignal }),
      );
      for await (const page of pages)
        yield page.map((parameter) => toMark(parameter, isBeneath(path)));
    },
    values: async function* values(names, decrypt, reading) {
      for (let from = 0; from < names.length; from += VALUES) {
        yield await readValues(ssm, names.slice(from, from + VALUES), decrypt, reading);
      }
    },
  };
}

async function readValues(
  ssm: SSMClient,
  names: readonly string[],
  decrypt: boolean,
  reading: Reading,
) {
  const command = new GetParametersCommand({ Names: [...names], WithDecryption: decrypt });
  const { Parameters: parameters, InvalidParameters: missing = [] } = await ask(
    'GetParameters',
    reading,
    (signal) => ssm.send(command, { abortSignal: signal }),
  );
  if (parameters === undefined) throw notSsm('GetParameters');
  const wanted = new Set(names);
  const found = parameters.map((parameter) => toStored(parameter, (name) => wanted.has(name)));
  const told = new Set([...found.map(({ name }) => name), ...missing]);
  if (names.some((name) => !told.has(name))) throw notSsm('GetParameters');
  return { found, missing: missing.filter((name) => wanted.has(name)) };
}

/** Makes one call, bounded by the deadline, and repeats it while it is throttled. */
async function ask<Answer>(
  what: string,
  { signal, turn }: Reading,
  send: (signal: AbortSignal) => Promise<Answer>,
  isFirst = false,
): Promise<Answer> {
  for (const pause of [...(isFirst ? [] : THROTTLED_PAUSES), undefined]) {
    await turn();
    signal.throwIfAborted();
    try {
      return await withDeadline(DEADLINE, what, (late) => send(AbortSignal.any([late, signal])));
    } catch (error) {
      if (pause === undefined || !isThrottled(error)) throw error;
      await sleep(pause * (0.5 + Math.random()), undefined, { signal });
    }
  }
  throw new Error('unreachable: the last try returns or throws');
}

type PageAnswer<Item> = {
  readonly Parameters?: readonly Item[] | undefined;
  readonly NextToken?: string | undefined;
};

/**
 * All pages of a listing. A page may be empty and still have a next one. A throttled first page
 * rejects at once, as an outage does. A later one is asked for again, because otherwise the pages
 * before it would be lost.
 */
async function* readPages<Item>(
  what: string,
  reading: Reading,
  send: (token: { readonly NextToken?: string }, signal: AbortSignal) => Promise<PageAnswer<Item>>,
): AsyncGenerator<readonly Item[]> {
  const tokens = new Set<string>();
  let token: string | undefined;
  do {
    const input = token === undefined ? {} : { NextToken: token };
    const answer = await ask(what, reading, (signal) => send(input, signal), token === undefined);
    // The SDK takes an empty 200 of a proxy in between for an empty page; SSM always sends the
    // list.
    if (answer.Parameters === undefined) throw notSsm(what);
    yield answer.Parameters;
    token = answer.NextToken === '' ? undefined : answer.NextToken;
    if (token === undefined) return;
    if (tokens.has(token)) throw new Error(`${what} gives the same next token again and again`);
    if (tokens.size >= MAX_PAGES) throw new Error(`${what} has more than ${MAX_PAGES} pages`);
    tokens.add(token);
  } while (token !== undefined);
}

function notSsm(what: string): Error {
  return new Error(`the answer to ${what} is not one of SSM`);
}

/** Reads all parameters beneath a path, for a program that reads them once. */
export async function readParameterTree(
  ssm: SSMClient,
  path: string,
  decrypt: boolean,
): Promise<readonly StoredParameter[]> {
  const parameters: StoredParameter[] = [];
  const reading = { signal: new AbortController().signal, turn: () => Promise.resolve() };
  for await (const page of createParameterReader(ssm).tree({ path, decrypt }, reading))
    parameters.push(...page);
  return parameters;
}
