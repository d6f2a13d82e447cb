import * as v from 'valibot';
import { formatInstant, SECOND } from '../../lib/clock.ts';
import { parseGoDuration } from '../../lib/go-duration.ts';
import { nearest } from '../../lib/nearest.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { oneOfWords, quote } from './problem.ts';

/**
 * A schema for one part of a document, by the type of its output. Messages quote at most a key or a
 * short value.
 */
export type Schema<Output> = v.GenericSchema<unknown, Output>;

function isMapping(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

/**
 * Added for null and empty text: without the key the document would allow more, so it is not taken
 * for absent.
 */
const NOTHING_HERE = 'but nothing is written here; leave the key out if that is what you mean';

function isBlank(input: unknown): boolean {
  return input === null || input === '';
}

function orNothing(message: string) {
  function messageFor({ input }: v.BaseIssue<unknown>): string {
    return isBlank(input) ? `${message}, ${NOTHING_HERE}` : message;
  }
  return messageFor;
}

const aMapping = v.custom<Record<string, unknown>>(
  isMapping,
  orNothing('must be a mapping of keys to values'),
);

function unknownKey(
  key: string,
  known: readonly string[],
  moved: Readonly<Record<string, string>>,
): string {
  const elsewhere = Object.hasOwn(moved, key) ? moved[key] : undefined;
  if (elsewhere !== undefined) return `the key ${quote(key)} belongs in ${elsewhere}`;
  const near = nearest(key, known);
  const hint =
    near === undefined ? `the known keys are ${known.join(', ')}` : `did you mean ${quote(near)}?`;
  return `unknown key ${quote(key)}; ${hint}`;
}

/**
 * Names the metadata of a mapping whose keys are all known, for `.scripts/json-schema.ts`: which
 * keys may be blank.
 */
export const EXACT_KEYS = 'exactKeys';

/**
 * Adds a sentence to a schema that says what its check accepts. JSON Schemas show it, as they
 * cannot hold functions.
 */
export function described<Output>(schema: Schema<Output>, sentence: string): Schema<Output> {
  return v.pipe(schema, v.description(sentence));
}

/** Options for some keys of a mapping. */
type MappingOptions<Key extends string> = {
  /**
   * Keys that are taken for absent when they hold null or empty text, as templates leave them. Only
   * keys whose absence does not make the document allow more: an empty `users` must not become
   * everybody.
   */
  readonly blanks?: readonly Key[];
  /** Keys that people write here by mistake, with the place where they belong. */
  readonly moved?: Readonly<Record<string, string>>;
};

/**
 * A mapping with exactly these keys. Keys that may be absent are wrapped in `v.exactOptional`.
 * Every unknown key is an error that suggests the nearest known one: a misspelt condition must
 * never be ignored. The entries get no prototype, because valibot asks `key in entries`, which
 * would be true for `toString`.
 */
export function mapping<const Entries extends v.ObjectEntries>(
  entries: Entries,
  { blanks = [], moved = {} }: MappingOptions<keyof Entries & string> = {},
): Schema<v.InferOutput<v.ObjectSchema<Entries, undefined>>> {
  const own: Entries = Object.assign(Object.create(null) as object, entries);
  const known = Object.keys(entries);
  return v.pipe(
    aMapping,
    v.transform((value) => withoutBlanks(value, blanks)),
    v.looseObject(own, ({ expected }) => `${expected ?? 'a key'} is missing`),
    v.metadata({ [EXACT_KEYS]: { blanks } }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!isMapping(dataset.value)) return;
      for (const key of Object.keys(dataset.value)) {
        if (!known.includes(key))
          addIssue({ message: unknownKey(key, known, moved), path: [step(dataset.value, key)] });
      }
    }),
  );
}

function withoutBlanks(
  value: Record<string, unknown>,
  blanks: readonly string[],
): Record<string, unknown> {
  if (!blanks.some((key) => Object.hasOwn(value, key) && isBlank(value[key]))) return value;
  const kept = Object.entries(value).filter(
    ([key, held]) => !blanks.includes(key) || !isBlank(held),
  );
  return Object.assign(Object.create(null) as Record<string, unknown>, Object.fromEntries(kept));
}

/** The step of a path that leads to a key of a mapping. */
export function step(input: Record<string, unknown>, key: string) {
  return { type: 'object', origin: 'key', input, key, value: input[key] } as const;
}

/** A mapping with any keys, whose values all have one schema. */
export function dictionary<Output>(value: Schema<Output>): Schema<Record<string, Output>> {
  return v.pipe(aMapping, v.record(v.string(), value));
}

/**
 * A list of at least one item: some people would take an empty one for "nobody", others for
 * "everybody".
 */
export function list<Output>(item: Schema<Output>): Schema<readonly Output[]> {
  return v.pipe(
    v.array(item, orNothing('must be a list')),
    v.minLength(1, 'must not be an empty list; leave the key out instead'),
  );
}

function notText({ input }: v.BaseIssue<unknown>): string {
  if (typeof input === 'number' || typeof input === 'boolean')
    return 'must be text; put it in quotes';
  return input === null ? 'must be text, but nothing is written here' : 'must be text';
}

/** Text of at least one character. */
export const text: Schema<string> = v.pipe(v.string(notText), v.minLength(1, 'must not be empty'));

/** Text that matches a pattern; any other text is refused with the message. */
export function textLike(pattern: RegExp, message: string): Schema<string> {
  return v.pipe(v.string(notText), v.regex(pattern, message));
}

/** Text that a parser turns into a value, or refuses with a sentence. */
export function parsed<Output>(
  parse: (input: string) => Result<Output, string>,
  schema = text,
): Schema<Output> {
  return v.pipe(
    schema,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const result = parse(dataset.value);
      if (result.ok) return result.value;
      addIssue({ message: result.refusal });
      return NEVER;
    }),
  );
}

/** One of a few words. */
export function word<const Word extends string>(words: readonly Word[]): Schema<Word> {
  return v.picklist(words, ({ input }) => {
    const near = typeof input === 'string' ? nearest(input, words) : undefined;
    return `must be ${oneOfWords(words)}${near === undefined ? '' : `; did you mean ${quote(near)}?`}`;
  });
}

/** `true` or `false`, but not `yes`, `on` and the like, which some YAML readers take for them. */
export const flag: Schema<boolean> = v.boolean(orNothing('must be true or false, without quotes'));

/** A whole number of at least one. */
export const count: Schema<number> = v.pipe(
  v.number('must be a whole number, without quotes'),
  v.check(
    (value) => Number.isSafeInteger(value) && value >= 1,
    'must be a whole number of at least 1; leave the key out for no limit',
  ),
);

/**
 * A Go duration (`45m`, `1h30m`) within bounds in seconds. The output is in whole seconds, rounded
 * down.
 */
export function duration(atLeast: number, atMost = Number.MAX_SAFE_INTEGER): Schema<number> {
  const most = atMost === Number.MAX_SAFE_INTEGER ? '' : `, at most ${atMost}s`;
  return described(
    parsed((input) => {
      const read = parseGoDuration(input);
      if (!read.ok) return read;
      const seconds = read.value / SECOND;
      if (seconds < atLeast) return refuse(`must be at least ${atLeast}s`);
      return seconds > atMost ? refuse(`must be at most ${atMost}s`) : ok(Math.floor(seconds));
    }),
    `A duration like 45m or 1h30m, at least ${atLeast}s${most}.`,
  );
}

/** The `version` of a policy document: `"1"`, or `1` without quotes. */
export const version: Schema<'1'> = v.pipe(
  v.picklist(['1', 1] as const, 'must be "1", the only version that exists'),
  v.transform(() => '1' as const),
);

/** The same for documents in which Sentinel's own files leave it out. */
export const optionalVersion = v.exactOptional(version, '1');

/**
 * An instant in UTC like `2026-01-02T03:04:05Z`, read to epoch milliseconds. Any other text is
 * refused with `message`.
 */
export function instant(message: string): Schema<number> {
  return described(
    parsed((input) => {
      const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u.test(input) ? Date.parse(input) : Number.NaN;
      // Date.parse takes 31 February for 3 March, so the instant must format back to the same text.
      return !Number.isNaN(ms) && formatInstant(ms) === input ? ok(ms) : refuse(message);
    }),
    `It ${message}.`,
  );
}
