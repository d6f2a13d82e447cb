import { randomBytes } from 'node:crypto';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { EMBEDDED_ACCOUNT, EMBEDDED_REGION } from './account.ts';
import type { AwsError } from './responses.ts';

/** The types of PutParameter; a SecureString is returned in clear text only on request. */
export type ParameterType = 'String' | 'StringList' | 'SecureString';

/** The tier decides how long a value may be. */
export type ParameterTier = 'Standard' | 'Advanced' | 'Intelligent-Tiering';

/** One parameter in its latest version. */
export type Parameter = {
  readonly name: string;
  readonly type: ParameterType;
  readonly tier: ParameterTier;
  readonly value: string;
  /** What is returned for a SecureString without decryption. */
  readonly sealed: string;
  readonly version: number;
  /** Epoch milliseconds. */
  readonly modifiedAt: number;
};

/** What PutParameter asks for. */
export type NewParameter = {
  readonly name: string;
  readonly value: string;
  readonly type: ParameterType | undefined;
  readonly tier: ParameterTier | undefined;
  readonly overwrite: boolean;
};

const MAX_LEVELS = 15;
const MAX_NAME = 1_011;
/**
 * Parameters of the standard tier, and in all:
 * https://docs.aws.amazon.com/general/latest/gr/ssm.html
 */
const MAX_STANDARD = 10_000;
const MAX_PARAMETERS = 100_000;
const MAX_VALUE: Readonly<Record<ParameterTier, number>> = {
  Standard: 4_096,
  Advanced: 8_192,
  'Intelligent-Tiering': 8_192,
};

function error(code: string, message: string) {
  return refuse<AwsError>({ code, status: 400, message });
}

/** A parameter's ARN; the leading slash of the name is the one after `parameter`. */
export function parameterArn(name: string): string {
  return `arn:aws:ssm:${EMBEDDED_REGION}:${EMBEDDED_ACCOUNT}:parameter/${name.replace(/^\//u, '')}`;
}

/**
 * The rules for names of new parameters.
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 */
function checkName(name: string): Result<undefined, AwsError> {
  if (!/^[a-zA-Z0-9_.\-/]+$/u.test(name) || name.length > MAX_NAME) {
    return error(
      'ValidationException',
      'Parameter name: only a mix of letters, numbers and the symbols .-_/ is allowed.',
    );
  }
  if (/^\/?(?:aws|ssm)/iu.test(name)) {
    return error(
      'ValidationException',
      'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).',
    );
  }
  if (name.includes('/') && (!name.startsWith('/') || name.endsWith('/') || name.includes('//'))) {
    return error('ValidationException', 'Parameter name must be a fully qualified name.');
  }
  if (name.split('/').length - 1 > MAX_LEVELS) {
    return error(
      'HierarchyLevelLimitExceededException',
      `A hierarchy can have a maximum of ${MAX_LEVELS} levels.`,
    );
  }
  return ok(undefined);
}

function checkValue(value: string, tier: ParameterTier): Result<undefined, AwsError> {
  if (value === '') {
    const message =
      "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater " +
      'than or equal to 1.';
    return error('ValidationException', message);
  }
  return value.length > MAX_VALUE[tier]
    ? error(
        'ValidationException',
        `${tier} tier parameters support a maximum parameter value of ${MAX_VALUE[tier]} characters.`,
      )
    : ok(undefined);
}

/** The parameters of the account, in memory. */
export type ParameterStore = {
  readonly get: (name: string) => Parameter | undefined;
  /** All parameters whose names come after this one, sorted by name; `''` comes before all. */
  readonly after: (name: string) => Iterable<Parameter>;
  /**
   * Parameters beneath a path (without trailing slash) whose names come after `after`, sorted by
   * name; only direct children unless `recursive`.
   */
  readonly beneath: (path: string, recursive: boolean, after: string) => Iterable<Parameter>;
  /** Writes the next version; `now` in epoch milliseconds. */
  readonly put: (parameter: NewParameter, now: number) => Result<Parameter, AwsError>;
  readonly remove: (name: string) => boolean;
};

/** An empty store. */
export function createParameterStore(): ParameterStore {
  const parameters = new Map<string, Parameter>();
  /**
   * The sorted names, until one is added or removed, so that not every page of a listing sorts
   * them.
   */
  let order: readonly string[] | undefined;
  let standard = 0;
  let lastWrite = 0;

  function* from(isBefore: (name: string) => boolean): Generator<Parameter> {
    order ??= [...parameters.keys()].toSorted();
    for (let at = firstNotBefore(order, isBefore); at < order.length; at += 1) {
      const found = parameters.get(order[at] ?? '');
      if (found !== undefined) yield found;
    }
  }

  function* beneath(path: string, recursive: boolean, last: string): Generator<Parameter> {
    const prefix = `${path}/`;
    for (const parameter of from((name) => name < prefix || name <= last)) {
      if (!parameter.name.startsWith(prefix)) return;
      if (recursive || !parameter.name.slice(prefix.length).includes('/')) yield parameter;
    }
  }

  function get(name: string): Parameter | undefined {
    return parameters.get(name);
  }

  function put(wanted: NewParameter, now: number): Result<Parameter, AwsError> {
    const before = parameters.get(wanted.name);
    // No two writes have the same time. A parameter that is deleted and made again has version 1
    // again, and differs by its time.
    const at = Math.max(now, lastWrite + 1);
    const next = nextVersion(wanted, before, at);
    if (!next.ok) return next;
    const isStandard = next.value.tier === 'Standard';
    const full = isStandard && before?.tier !== 'Standard' && standard >= MAX_STANDARD;
    if (full || (before === undefined && parameters.size >= MAX_PARAMETERS)) {
      return error(
        'ParameterLimitExceeded',
        'You have exceeded the number of parameters for this account.',
      );
    }
    if (before === undefined) order = undefined;
    standard += Number(isStandard) - Number(before?.tier === 'Standard');
    parameters.set(wanted.name, next.value);
    lastWrite = at;
    return next;
  }

  function remove(name: string): boolean {
    if (parameters.get(name)?.tier === 'Standard') standard -= 1;
    order = undefined;
    return parameters.delete(name);
  }

  function after(last: string): Iterable<Parameter> {
    return from((name) => name <= last);
  }

  return { get, after, beneath, put, remove };
}

/** The index of the first of these sorted names that is not before what is looked for. */
function firstNotBefore(names: readonly string[], isBefore: (name: string) => boolean): number {
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(names[middle] ?? '')) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nextVersion(
  wanted: NewParameter,
  before: Parameter | undefined,
  now: number,
): Result<Parameter, AwsError> {
  const { name, value, overwrite } = wanted;
  const type = wanted.type ?? before?.type;
  const tier = wanted.tier ?? before?.tier ?? 'Standard';
  const named = checkName(name);
  if (!named.ok) return named;
  const valued = checkValue(value, tier);
  if (!valued.ok) return valued;
  if (type === undefined) {
    return error(
      'ValidationException',
      'A parameter type is required when you create a parameter.',
    );
  }
  if (before !== undefined && !overwrite) {
    const message =
      'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.';
    return error('ParameterAlreadyExists', message);
  }
  const sealed = `AQICAH${randomBytes(120).toString('base64')}`;
  return ok({
    name,
    type,
    tier,
    value,
    sealed,
    version: (before?.version ?? 0) + 1,
    modifiedAt: now,
  });
}
