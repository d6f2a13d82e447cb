import type { Parameter as SsmParameter, ParameterMetadata } from '@aws-sdk/client-ssm';

/**
 * Which version of a parameter there is. Versions start over when it is deleted and made again;
 * dates do not.
 */
export type ParameterMark = {
  readonly name: string;
  readonly version: number;
  /** Epoch milliseconds, by the clock of AWS. */
  readonly modifiedAt: number;
};

/** One parameter with its value. */
export type StoredParameter = ParameterMark & { readonly type: string; readonly text: string };

/** What a listing of a path asks for. */
export function isBeneath(path: string) {
  return function isBeneathPath(name: string): boolean {
    return name.startsWith(`${path}/`);
  };
}

/** Whether a parameter of this name was asked for. */
type IsAskedFor = (name: string) => boolean;

/** The version of a parameter that SSM answered with. */
export function toMark(
  { Name: name, Version, LastModifiedDate }: ParameterMetadata,
  isAskedFor: IsAskedFor,
): ParameterMark {
  const modifiedAt = LastModifiedDate?.getTime() ?? Number.NaN;
  if (name === undefined || Version === undefined || Number.isNaN(modifiedAt)) {
    throw new Error('SSM answered with a parameter that has no name, version or date');
  }
  if (!isAskedFor(name))
    throw new Error(`SSM answered with the parameter ${name}, which was not asked for`);
  return { name, version: Version, modifiedAt };
}

/** A parameter with its value that SSM answered with. */
export function toStored(parameter: SsmParameter, isAskedFor: IsAskedFor): StoredParameter {
  const { Type: type, Value: text } = parameter;
  const mark = toMark(parameter, isAskedFor);
  if (type === undefined || text === undefined)
    throw new Error(`SSM answered with ${mark.name}, but not its value`);
  return { ...mark, type, text };
}
