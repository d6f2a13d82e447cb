import * as v from 'valibot';
import { ok, refuse, type Result } from '../lib/result.ts';

/**
 * A flag of the command line, or a `word` that is written without a flag's name. The messages of
 * its schema go on from "--name …" or "NAME …", without a full stop.
 */
export type Flag<Value = unknown> = {
  readonly type: 'string' | 'boolean' | 'word';
  readonly schema: v.GenericSchema<unknown, Value>;
  /** What the flag stands for without a value; undefined where it must have one. */
  readonly bare?: string;
};

/** Flags by their names, without the dashes. */
export type FlagSet = Readonly<Record<string, Flag>>;

/** What flags come to. */
export type ValuesOf<Flags extends FlagSet> = {
  readonly [Name in keyof Flags]: Flags[Name] extends Flag<infer Value> ? Value : never;
};

/** A flag that is followed by its value. */
export function textFlag<Value>(schema: v.GenericSchema<unknown, Value>): Flag<Value> {
  return { type: 'string', schema };
}

/** A flag that may be followed by `=` and its value. */
export function optionalTextFlag<Value>(
  schema: v.GenericSchema<unknown, Value>,
  bare: string,
): Flag<Value> {
  return { type: 'string', schema, bare };
}

/** What is written behind the command without a flag's name. */
export function wordFlag<Value>(schema: v.GenericSchema<unknown, Value>): Flag<Value> {
  return { type: 'word', schema };
}

/** How a flag is written. */
export function writtenAs(name: string, { type }: Flag): string {
  return type === 'word' ? name.toUpperCase() : `--${name}`;
}

/** A flag that is there or not. */
export function switchFlag(): Flag<boolean> {
  return { type: 'boolean', schema: v.optional(v.boolean(), false) };
}

/**
 * Reads the values of flags, in the order of the set; refuses with a sentence that names the first
 * that is wrong.
 */
export function readFlags<Flags extends FlagSet>(
  flags: Flags,
  given: Readonly<Record<string, unknown>>,
): Result<ValuesOf<Flags>, string> {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const read = v.safeParse(flag.schema, given[name]);
    if (!read.success) return refuse(`${writtenAs(name, flag)} ${read.issues[0].message}.`);
    values[name] = read.output;
  }
  return ok(values as ValuesOf<Flags>);
}
