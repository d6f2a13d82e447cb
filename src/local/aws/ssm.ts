import * as v from 'valibot';
import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { AwsError } from './responses.ts';
import { createParameterStore, parameterArn, type Parameter, type ParameterStore } from './ssm-parameters.ts';

/** One authentic call of SSM: the operation's name and the body, not parsed yet. */
export type SsmCall = { readonly operation: string; readonly body: Uint8Array };

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(2_048));
const optionalFlag = v.optional(v.boolean(), false);

const GetInput = v.object({ Name: name, WithDecryption: optionalFlag });
const GetManyInput = v.object({
  Names: v.pipe(v.array(name), v.minLength(1), v.maxLength(10)),
  WithDecryption: optionalFlag,
});
const ByPathInput = v.object({
  Path: v.pipe(name, v.startsWith('/')),
  Recursive: optionalFlag,
  WithDecryption: optionalFlag,
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)), 10),
  NextToken: v.optional(v.string()),
});
const PutInput = v.object({
  Name: name,
  Value: v.string(),
  Type: v.optional(v.picklist(['String', 'StringList', 'SecureString'])),
  Tier: v.optional(v.picklist(['Standard', 'Advanced', 'Intelligent-Tiering'])),
  Overwrite: optionalFlag,
});
const DeleteInput = v.object({ Name: name });

type Outcome = Result<object, AwsError>;

const error = (code: string, message: string) => refuse<AwsError>({ code, status: 400, message });

const validation = (issues: readonly v.BaseIssue<unknown>[]) => {
  const texts = issues.map(
    (issue) => `Value at '${v.getDotPath(issue) ?? ''}' failed to satisfy constraint: ${issue.message}`,
  );
  const count = `${texts.length} validation error${texts.length === 1 ? '' : 's'} detected`;
  return error('ValidationException', `${count}: ${texts.join('; ')}`);
};

/** Reads the input by its schema and hands it to the operation; a broken input is AWS's ValidationException. */
const operation =
  <Schema extends v.GenericSchema>(schema: Schema, run: (input: v.InferOutput<Schema>) => Outcome) =>
  (input: unknown): Outcome => {
    const parsed = v.safeParse(schema, input);
    return parsed.success ? run(parsed.output) : validation(parsed.issues);
  };

const show = (parameter: Parameter, decrypt: boolean): object => ({
  ARN: parameterArn(parameter.name),
  DataType: 'text',
  LastModifiedDate: parameter.modifiedAt / 1_000,
  Name: parameter.name,
  Type: parameter.type,
  Value: parameter.type === 'SecureString' && !decrypt ? parameter.sealed : parameter.value,
  Version: parameter.version,
});

type Page = { readonly path: string; readonly recursive: boolean; readonly after: string };

const PageToken = v.object({ path: v.string(), recursive: v.boolean(), after: v.string() });

const writeToken = (page: Page): string => Buffer.from(JSON.stringify(page)).toString('base64url');

/** A token holds what it continues: the page after a name, of the same listing. */
const readToken = (token: string, path: string, recursive: boolean): string | undefined => {
  try {
    const page = v.safeParse(PageToken, JSON.parse(Buffer.from(token, 'base64url').toString()));
    return page.success && page.output.path === path && page.output.recursive === recursive
      ? page.output.after
      : undefined;
  } catch {
    return undefined;
  }
};

const getByPath = (store: ParameterStore, input: v.InferOutput<typeof ByPathInput>): Outcome => {
  // One trailing slash is allowed; the root is the empty prefix. `/a` covers `/a/b`, and never `/ab`.
  const path = input.Path.replace(/\/$/u, '');
  const after = input.NextToken === undefined ? '' : readToken(input.NextToken, path, input.Recursive);
  if (after === undefined) return error('InvalidNextToken', 'The specified token is not valid.');
  const rest = store.beneath(path, input.Recursive).filter((parameter) => parameter.name > after);
  const page = rest.slice(0, input.MaxResults);
  const last = page.at(-1);
  return ok({
    Parameters: page.map((parameter) => show(parameter, input.WithDecryption)),
    ...(last === undefined || rest.length <= page.length
      ? {}
      : { NextToken: writeToken({ path, recursive: input.Recursive, after: last.name }) }),
  });
};

const operations = (store: ParameterStore, clock: Clock) =>
  new Map<string, (input: unknown) => Outcome>([
    [
      'GetParameter',
      operation(GetInput, ({ Name, WithDecryption }) => {
        const found = store.get(Name);
        return found === undefined ? error('ParameterNotFound', '') : ok({ Parameter: show(found, WithDecryption) });
      }),
    ],
    [
      'GetParameters',
      operation(GetManyInput, ({ Names, WithDecryption }) => {
        const found = Names.map((one) => store.get(one)).filter((one) => one !== undefined);
        return ok({
          Parameters: found.map((one) => show(one, WithDecryption)),
          InvalidParameters: Names.filter((one) => store.get(one) === undefined),
        });
      }),
    ],
    ['GetParametersByPath', operation(ByPathInput, (input) => getByPath(store, input))],
    [
      'PutParameter',
      operation(PutInput, ({ Name, Value, Type, Tier, Overwrite }) => {
        const put = store.put({ name: Name, value: Value, type: Type, tier: Tier, overwrite: Overwrite }, clock());
        return put.ok ? ok({ Version: put.value.version, Tier: put.value.tier }) : put;
      }),
    ],
    [
      'DeleteParameter',
      operation(DeleteInput, ({ Name }) => (store.remove(Name) ? ok({}) : error('ParameterNotFound', ''))),
    ],
  ]);

/**
 * Systems Manager's Parameter Store: the operations above in memory, the latest version of each parameter only. Each call
 * gives the body of the answer, or the error.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
 */
export const createSsm = ({ clock }: { readonly clock: Clock }): ((call: SsmCall) => Outcome) => {
  const known = operations(createParameterStore(), clock);
  return ({ operation: wanted, body }) => {
    const run = known.get(wanted);
    if (run === undefined) return error('UnknownOperationException', '');
    try {
      return run(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
    } catch (cause) {
      if (cause instanceof SyntaxError || cause instanceof TypeError) return error('SerializationException', '');
      throw cause;
    }
  };
};
