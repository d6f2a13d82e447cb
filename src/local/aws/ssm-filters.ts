import * as v from 'valibot';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { AwsError } from './responses.ts';
import type { Parameter } from './ssm-parameters.ts';

/** One filter of DescribeParameters, with Systems Manager's limits on lengths. */
export const ParameterFilter = v.object({
  Key: v.pipe(v.string(), v.minLength(1), v.maxLength(132)),
  Option: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(10))),
  Values: v.optional(
    v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(1_024))), v.maxLength(50)),
  ),
});

type Filter = v.InferOutput<typeof ParameterFilter>;
type Matches = (parameter: Parameter) => boolean;

function error(code: string, message: string) {
  return refuse<AwsError>({ code, status: 400, message });
}

/** Keys, each with its options; the first option is the default. */
const OPTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['Path', ['OneLevel', 'Recursive']],
  ['Name', ['Equals', 'BeginsWith', 'Contains']],
  ['Type', ['Equals', 'BeginsWith']],
  ['Tier', ['Equals', 'BeginsWith']],
]);

/**
 * Reads the filters of DescribeParameters. A parameter must match one value of each filter. Filters
 * on keys, tags and data types are not part of the embedded AWS, and are refused.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
 */
export function readFilters(filters: readonly Filter[]): Result<Matches, AwsError> {
  const keys = filters.map(({ Key }) => Key);
  if (new Set(keys).size < keys.length) {
    return error(
      'InvalidFilterKey',
      'The following filters are duplicated in the request. Filters must be unique.',
    );
  }
  const all: Matches[] = [];
  for (const filter of filters) {
    const read = readFilter(filter);
    if (!read.ok) return read;
    all.push(read.value);
  }
  function matchesAll(parameter: Parameter): boolean {
    return all.every((matches) => matches(parameter));
  }
  return ok(matchesAll);
}

function readFilter({ Key: key, Option, Values: values = [] }: Filter): Result<Matches, AwsError> {
  const options = OPTIONS.get(key);
  if (options === undefined) {
    return error(
      'InvalidFilterKey',
      `The embedded AWS has no filter on "${key}"; it has ${knownKeys()}.`,
    );
  }
  const option = Option ?? options[0] ?? '';
  if (!options.includes(option)) {
    return error(
      'InvalidFilterOption',
      `The following filter option is not valid: ${option}. Valid options include: [${options.join(', ')}]`,
    );
  }
  if (values.length === 0) {
    return error(
      'InvalidFilterValue',
      'The following filter values are missing : null for filter key ' + key,
    );
  }
  if (key === 'Path' && values.some((value) => !value.startsWith('/'))) {
    return error(
      'ValidationException',
      'The parameter doesn\'t meet the parameter name requirements. The parameter name must begin with a forward slash "/".',
    );
  }
  function matchesOne(parameter: Parameter): boolean {
    return values.some((value) => matchesValue(parameter, key, option, value));
  }
  return ok(matchesOne);
}

function knownKeys(): string {
  return [...OPTIONS.keys()].join(', ');
}

function matchesValue(parameter: Parameter, key: string, option: string, value: string): boolean {
  if (key === 'Path') return isBeneath(parameter.name, value, option === 'Recursive');
  const field = fieldOf(parameter, key);
  if (option === 'BeginsWith') return field.startsWith(value);
  return option === 'Contains' ? field.includes(value) : field === value;
}

function fieldOf({ name, type, tier }: Parameter, key: string): string {
  if (key === 'Name') return name;
  return key === 'Type' ? type : tier;
}

/** Whether a name is beneath a path: `/a/b` is beneath `/a`; `/ab` and `/a` itself are not. */
function isBeneath(name: string, path: string, recursive: boolean): boolean {
  const prefix = `${path.replace(/\/$/u, '')}/`;
  const full = name.startsWith('/') ? name : `/${name}`;
  return full.startsWith(prefix) && (recursive || !full.slice(prefix.length).includes('/'));
}
