import * as v from 'valibot';
import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { AwsError } from './responses.ts';
import { ParameterFilter, readFilters } from './ssm-filters.ts';
import {
  createParameterStore,
  parameterArn,
  type Parameter,
  type ParameterStore,
} from './ssm-parameters.ts';

/** One authentic call of SSM: the operation's name, and the body before it is parsed. */
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
const DescribeInput = v.object({
  ParameterFilters: v.optional(v.array(ParameterFilter), []),
  Filters: v.optional(
    v.never('the deprecated Filters are not part of the embedded AWS; use ParameterFilters'),
  ),
  Shared: v.optional(v.literal(false), false),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)), 50),
  NextToken: v.optional(v.string()),
});
const DeleteInput = v.object({ Name: name });

type Outcome = Result<object, AwsError>;

function error(code: string, message: string) {
  return refuse<AwsError>({ code, status: 400, message });
}

function validation(issues: readonly v.BaseIssue<unknown>[]) {
  const texts = issues.map(
    (issue) =>
      `Value at '${v.getDotPath(issue) ?? ''}' failed to satisfy constraint: ${issue.message}`,
  );
  const count = `${texts.length} validation error${texts.length === 1 ? '' : 's'} detected`;
  return error('ValidationException', `${count}: ${texts.join('; ')}`);
}

/**
 * Wraps an operation so that its input is checked by a schema first, with AWS's
 * ValidationException.
 */
function operation<Schema extends v.GenericSchema>(
  schema: Schema,
  run: (input: v.InferOutput<Schema>) => Outcome,
) {
  function checked(input: unknown): Outcome {
    const parsed = v.safeParse(schema, input);
    return parsed.success ? run(parsed.output) : validation(parsed.issues);
  }

  return checked;
}

function show(parameter: Parameter, decrypt: boolean): object {
  return {
    ARN: parameterArn(parameter.name),
    DataType: 'text',
    LastModifiedDate: parameter.modifiedAt / 1_000,
    Name: parameter.name,
    Type: parameter.type,
    Value: parameter.type === 'SecureString' && !decrypt ? parameter.sealed : parameter.value,
    Version: parameter.version,
  };
}

/** What DescribeParameters returns of a parameter: everything except its value. */
function describe(parameter: Parameter): object {
  return {
    ARN: parameterArn(parameter.name),
    DataType: 'text',
    LastModifiedDate: parameter.modifiedAt / 1_000,
    Name: parameter.name,
    Policies: [],
    Tier: parameter.tier,
    Type: parameter.type,
    Version: parameter.version,
  };
}

const PageToken = v.object({ listing: v.string(), after: v.string() });

/** A token says how a listing continues: after which name. */
function writeToken(listing: string, after: string): string {
  return Buffer.from(JSON.stringify({ listing, after })).toString('base64url');
}

function readToken(token: string, listing: string): string | undefined {
  try {
    const page = v.safeParse(PageToken, JSON.parse(Buffer.from(token, 'base64url').toString()));
    return page.success && page.output.listing === listing ? page.output.after : undefined;
  } catch {
    return undefined;
  }
}

type Listing = {
  /** Identifies the listing, so that a token of another one is refused. */
  readonly name: string;
  readonly token: string | undefined;
  readonly size: number;
  readonly after: (name: string) => Iterable<Parameter>;
  readonly show: (parameter: Parameter) => object;
};

/** One page of a listing, with a token for the next page if there is more. */
function readPage({ name, token, size, after, show: toShown }: Listing): Outcome {
  const start = token === undefined ? '' : readToken(token, name);
  if (start === undefined) return error('InvalidNextToken', 'The specified token is not valid.');
  const page: Parameter[] = [];
  for (const parameter of after(start)) {
    const last = page.at(-1);
    if (page.length === size && last !== undefined) {
      return ok({ Parameters: page.map(toShown), NextToken: writeToken(name, last.name) });
    }
    page.push(parameter);
  }
  return ok({ Parameters: page.map(toShown) });
}

function getByPath(store: ParameterStore, input: v.InferOutput<typeof ByPathInput>): Outcome {
  const { Recursive: recursive, WithDecryption: decrypt } = input;
  // One trailing slash is allowed; the root is the empty prefix.
  const path = input.Path.replace(/\/$/u, '');
  return readPage({
    name: JSON.stringify(['tree', path, recursive]),
    token: input.NextToken,
    size: input.MaxResults,
    after: (last) => store.beneath(path, recursive, last),
    show: (parameter) => show(parameter, decrypt),
  });
}

function describeAll(store: ParameterStore, input: v.InferOutput<typeof DescribeInput>): Outcome {
  const filters = readFilters(input.ParameterFilters);
  if (!filters.ok) return filters;
  const matches = filters.value;
  function* matching(last: string): Generator<Parameter> {
    for (const parameter of store.after(last)) if (matches(parameter)) yield parameter;
  }
  return readPage({
    name: JSON.stringify(['marks', input.ParameterFilters]),
    token: input.NextToken,
    size: input.MaxResults,
    after: matching,
    show: describe,
  });
}

function getOne(
  store: ParameterStore,
  { Name, WithDecryption }: v.InferOutput<typeof GetInput>,
): Outcome {
  const found = store.get(Name);
  return found === undefined
    ? error('ParameterNotFound', '')
    : ok({ Parameter: show(found, WithDecryption) });
}

function getMany(
  store: ParameterStore,
  { Names, WithDecryption }: v.InferOutput<typeof GetManyInput>,
): Outcome {
  const found = Names.map((one) => store.get(one)).filter((one) => one !== undefined);
  return ok({
    Parameters: found.map((one) => show(one, WithDecryption)),
    InvalidParameters: Names.filter((one) => store.get(one) === undefined),
  });
}

function put(store: ParameterStore, input: v.InferOutput<typeof PutInput>, now: number): Outcome {
  const { Name, Value, Type, Tier, Overwrite } = input;
  const written = store.put(
    { name: Name, value: Value, type: Type, tier: Tier, overwrite: Overwrite },
    now,
  );
  return written.ok ? ok({ Version: written.value.version, Tier: written.value.tier }) : written;
}

function remove(store: ParameterStore, { Name }: v.InferOutput<typeof DeleteInput>): Outcome {
  return store.remove(Name) ? ok({}) : error('ParameterNotFound', '');
}

function operations(store: ParameterStore, clock: Clock) {
  return new Map<string, (input: unknown) => Outcome>([
    ['GetParameter', operation(GetInput, (input) => getOne(store, input))],
    ['GetParameters', operation(GetManyInput, (input) => getMany(store, input))],
    ['GetParametersByPath', operation(ByPathInput, (input) => getByPath(store, input))],
    ['DescribeParameters', operation(DescribeInput, (input) => describeAll(store, input))],
    ['PutParameter', operation(PutInput, (input) => put(store, input, clock()))],
    ['DeleteParameter', operation(DeleteInput, (input) => remove(store, input))],
  ]);
}

/**
 * Systems Manager's Parameter Store in memory, with the operations above and only the latest
 * version of each parameter. A call returns the body of the answer, or the error.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
 */
export function createSsm({ clock }: { readonly clock: Clock }): (call: SsmCall) => Outcome {
  const known = operations(createParameterStore(), clock);

  function answer({ operation: wanted, body }: SsmCall): Outcome {
    const run = known.get(wanted);
    if (run === undefined) return error('UnknownOperationException', '');
    try {
      return run(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
    } catch (cause) {
      if (cause instanceof SyntaxError || cause instanceof TypeError)
        return error('SerializationException', '');
      throw cause;
    }
  }

  return answer;
}
