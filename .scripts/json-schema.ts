import * as v from 'valibot';
import { EXACT_KEYS } from '../src/policy/reading/schema.ts';

/** A JSON Schema of draft 7, which editors support. */
export type JsonSchema = { readonly [keyword: string]: unknown };

type Form = v.GenericSchema;

/** The members of valibot's schemas and actions that are read here. */
type Parts = {
  readonly kind: string;
  readonly type: string;
  readonly pipe?: readonly Form[];
  readonly requirement?: unknown;
  readonly message?: unknown;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly options?: readonly unknown[];
  readonly entries?: Readonly<Record<string, Form>>;
  readonly item?: Form;
  readonly value?: Form;
  readonly wrapped?: Form;
  readonly default?: unknown;
  readonly getter?: (input: unknown) => Form;
};

function partsOf(form: unknown): Parts {
  return form as Parts;
}

/**
 * Makes a JSON Schema of a document's valibot schema. It describes the document as written, before
 * any transformation, and accepts whatever the reader accepts. JSON Schema cannot express a check
 * that is a function; its message becomes a sentence of the description. Throws for a kind of
 * schema that it does not know.
 */
export function toJsonSchema(form: Form): JsonSchema {
  const { pipe } = partsOf(form);
  return pipe === undefined ? ofSchema(partsOf(form)) : ofPipe(pipe);
}

function ofPipe(pipe: readonly Form[]): JsonSchema {
  const [first, ...rest] = pipe.map(partsOf);
  const exact = rest.flatMap(({ metadata }) => metadata?.[EXACT_KEYS] ?? [])[0];
  const entries = rest.find(({ type }) => type === 'loose_object')?.entries;
  if (exact !== undefined && entries !== undefined) {
    return ofMapping(entries, (exact as { readonly blanks: readonly string[] }).blanks);
  }
  if (first === undefined) return {};
  const schema: Record<string, unknown> = { ...toJsonSchema(pipe[0] as Form) };
  let isWritten = true;
  for (const step of rest) {
    // Steps after a transformation are about its output, except for descriptions.
    if (step.kind === 'transformation') isWritten = false;
    else if (isWritten && step.kind === 'schema')
      Object.assign(schema, toJsonSchema(step as unknown as Form));
    else if (isWritten && step.kind === 'validation') Object.assign(schema, ofCheck(step, schema));
    Object.assign(schema, describe(schema, sentenceOf(step)));
  }
  return schema;
}

/** The text of a description, or the message of a check that is a function. */
function sentenceOf({ type, description, message }: Parts): string | undefined {
  if (type === 'description') return description;
  return type === 'check' && typeof message === 'string' ? `It ${message}.` : undefined;
}

/** Adds a sentence to the description. */
function describe({ description }: JsonSchema, sentence: string | undefined): JsonSchema {
  if (sentence === undefined) return {};
  return { description: typeof description === 'string' ? `${description} ${sentence}` : sentence };
}

/** The keyword for a check; none if JSON Schema counts or matches differently. */
function ofCheck({ type, requirement }: Parts, { type: of }: JsonSchema): JsonSchema {
  // JavaScript counts UTF-16 units, JSON Schema code points, of which there may be fewer: a minimum
  // length could refuse text that the reader accepts. Only "not empty" and maximum lengths are
  // safe.
  const isNotEmpty = type === 'min_length' && requirement === 1;
  if (isNotEmpty) return of === 'array' ? { minItems: 1 } : { minLength: 1 };
  if (type === 'max_length')
    return of === 'array' ? { maxItems: requirement } : { maxLength: requirement };
  const isPlain = requirement instanceof RegExp && requirement.flags.replace('u', '') === '';
  return isPlain ? { pattern: requirement.source } : {};
}

function ofMapping(entries: Readonly<Record<string, Form>>, blanks: readonly string[]): JsonSchema {
  function isOptional(form: Form): boolean {
    return partsOf(form).type === 'exact_optional';
  }
  const properties = Object.entries(entries).map(([key, form]) => {
    const schema = toJsonSchema(form);
    const mayBeBlank = blanks.includes(key) && isOptional(form);
    return [key, mayBeBlank ? { anyOf: [schema, { enum: [null, ''] }] } : schema] as const;
  });
  const required = Object.keys(entries).filter((key) => !isOptional(entries[key] as Form));
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(properties),
  };
}

function ofSchema(form: Parts): JsonSchema {
  switch (form.type) {
    case 'string':
    case 'number':
    case 'boolean':
      return { type: form.type };
    case 'picklist':
      return { enum: form.options };
    case 'array':
      return { type: 'array', items: toJsonSchema(form.item as Form) };
    case 'record':
      return { type: 'object', additionalProperties: toJsonSchema(form.value as Form) };
    case 'union':
      return anyOf((form.options as readonly Form[]).map(toJsonSchema));
    case 'exact_optional':
      return withDefault(toJsonSchema(form.wrapped as Form), form.default);
    case 'lazy':
      return ofLazy(form.getter);
    case 'unknown':
    case 'custom':
      return {};
    default:
      throw new Error(`there is no JSON Schema of valibot's ${form.type} yet`);
  }
}

function withDefault(schema: JsonSchema, value: unknown): JsonSchema {
  return value === undefined ? schema : { ...schema, default: value };
}

/**
 * One input of each JSON type: every lazy schema of the documents chooses by the type of its input
 * alone.
 */
const KINDS: readonly unknown[] = [null, true, 0, '', [], {}];

function ofLazy(getter: Parts['getter']): JsonSchema {
  const all = KINDS.map((input) => toJsonSchema(getter?.(input) as Form));
  return anyOf([...new Map(all.map((schema) => [JSON.stringify(schema), schema])).values()]);
}

function anyOf(schemas: readonly JsonSchema[]): JsonSchema {
  const [only, ...others] = schemas;
  return only !== undefined && others.length === 0 ? only : { anyOf: schemas };
}
