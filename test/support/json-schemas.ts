import { Ajv, type ValidateFunction } from 'ajv';
import type { GenericSchema } from 'valibot';
import { DOCUMENTS, documentSchemas, type DocumentName } from '../../.scripts/document-schemas.ts';

export const ajv = new Ajv({ strict: true });

/** The JSON Schemas of all documents, ready to validate. */
export const validators = Object.fromEntries(
  Object.entries(documentSchemas()).map(([name, schema]) => [name, ajv.compile(schema)]),
) as Readonly<Record<DocumentName, ValidateFunction>>;

/** The errors that a JSON Schema finds in a parsed document; none if it accepts it. */
export function problemsOf(validate: ValidateFunction, document: unknown): readonly string[] {
  if (validate(document)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/**
 * Puts a JSON Schema beside a valibot schema: from then on, parsing throws for each document that
 * the valibot schema accepts and the JSON Schema refuses, in whatever test.
 */
export function putBeside(form: GenericSchema, validate: ValidateFunction): void {
  const run = form['~run'];
  Object.assign(form, {
    '~run': (...[dataset, config]: Parameters<typeof run>) => {
      const problems = problemsOf(validate, dataset.value);
      const outcome = run(dataset, config);
      if (problems.length > 0 && outcome.issues === undefined)
        throw new Error(`the JSON Schema refuses what the reader takes: ${problems.join('; ')}`);
      return outcome;
    },
  });
}

/**
 * The schemas that have been paired. Test files without isolation share them, and this file runs
 * for each file.
 */
const DONE = Symbol.for('sentinel-tvm.test.json-schemas');

/** Does so for all documents. Each test file of the project `pure` begins with this. */
export function putAllBeside(): void {
  const shared = globalThis as { [DONE]?: WeakSet<GenericSchema> };
  const done = (shared[DONE] ??= new WeakSet());
  for (const [name, { forms }] of Object.entries(DOCUMENTS)) {
    for (const form of forms.filter((one) => !done.has(one))) {
      done.add(form);
      putBeside(form, validators[name as DocumentName]);
    }
  }
}
