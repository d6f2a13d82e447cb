import { Ajv, type ValidateFunction } from 'ajv';
import type { GenericSchema } from 'valibot';
import { DOCUMENTS, documentSchemas, type DocumentName } from '../../.scripts/document-schemas.ts';

export const ajv = new Ajv({ strict: true });

/** The JSON Schemas of all documents, ready to validate. */
export const validators = Object.fromEntries(
  Object.entries(documentSchemas()).map(([name, schema]) => [name, ajv.compile(schema)]),
) as Readonly<Record<DocumentName, ValidateFunction>>;

/** What a JSON Schema has against a document that is parsed; nothing if it takes it. */
export function problemsOf(validate: ValidateFunction, document: unknown): readonly string[] {
  if (validate(document)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/**
 * Puts a JSON Schema beside a form of documents: from then on each document that the form takes and the JSON Schema does
 * not is an error, in whatever test it is read.
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

/** Forms that have their JSON Schema: test files without isolation share them, and this file runs for each. */
const DONE = Symbol.for('sentinel-tvm.test.json-schemas');

/** Does so with all documents. The project `pure` begins its test files with this. */
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
