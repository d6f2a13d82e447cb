import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { DOCUMENTS, documentSchemas, type DocumentName } from '../../.scripts/document-schemas.ts';
import { toJsonSchema } from '../../.scripts/json-schema.ts';
import { demoDocuments } from '../../src/local/demo.ts';
import { readDocument } from '../../src/policy/reading/document.ts';
import {
  count,
  dictionary,
  list,
  mapping,
  text,
  textLike,
} from '../../src/policy/reading/schema.ts';
import { readTree } from '../../src/policy/reading/yaml-tree.ts';
import { ajv, problemsOf, putBeside, validators } from '../support/json-schemas.ts';
import { policyData, valueOf } from './support.ts';

const DIRECTORY = resolve(import.meta.dirname, '../../src/policy/schemas');
const schemas = documentSchemas();

function problemsOfText(name: DocumentName, source: string): readonly string[] {
  return problemsOf(validators[name], valueOf(readTree(source)).value);
}

describe('the JSON Schemas of src/policy/schemas', () => {
  it('are what npm run schemas writes', () => {
    const files = readdirSync(DIRECTORY);
    const written = files.map((file) => [
      file.replace('.json', ''),
      JSON.parse(readFileSync(resolve(DIRECTORY, file), 'utf8')) as unknown,
    ]);
    expect(Object.fromEntries(written)).toEqual(schemas);
  });

  it('are the same whatever kind of caller bare names mean', () => {
    for (const { forms } of Object.values(DOCUMENTS)) {
      const [first, ...others] = forms.map(toJsonSchema);
      for (const other of others) expect(other).toEqual(first);
    }
  });

  it('accept every demo document', () => {
    const [root, secretsRoot] = ['/sentinel', '/sentinel-secrets'];
    const found = demoDocuments({ account: '000000000000', root, secretsRoot }).map(
      ({ name, value }) => {
        const path = name.replace(`${secretsRoot}/`, '').replace(`${root}/`, '');
        const [kind = ''] = path.split('/');
        const of =
          { policies: 'access-policy', profiles: 'profile', clients: 'client' }[kind] ?? kind;
        expect(problemsOfText(of as DocumentName, value), name).toEqual([]);
        return of;
      },
    );
    expect(new Set(found).size).toBe(6);
  });

  it('accept every policy that the reader accepts', () => {
    fc.assert(
      fc.property(policyData, (data) => {
        expect(problemsOfText('access-policy', JSON.stringify(data))).toEqual([]);
      }),
    );
  });

  it.each<[DocumentName, object, string]>([
    ['access-policy', { version: '1', rules: [] }, '/rules must NOT have fewer than 1 items'],
    [
      'access-policy',
      { version: '2', rules: [1] },
      '/version must be equal to one of the allowed values',
    ],
    [
      'access-policy',
      { version: 1, rules: [{ name: 'r', effect: 'allow', conditions: { user: ['alice'] } }] },
      'must NOT have additional properties',
    ],
    ['profile', {}, "must have required property 'role_arn'"],
    [
      'profile',
      { role_arn: 'arn:aws:iam::111122223333:role/R', source_vpc: 'vpc' },
      '/source_vpc must match',
    ],
    [
      'operators',
      { version: '1', rules: [{ name: 'r', users: null, actions: ['lift'] }] },
      'must be array',
    ],
    ['break-glass-rate-policy', { rules: [{ name: 'r', max_per_user: '3' }] }, 'must be number'],
    ['client', { secret: 'with space', name: 'alice' }, '/secret must match pattern'],
  ])('refuse a wrong %s: %j', (name, document, problem) => {
    expect(problemsOfText(name, JSON.stringify(document)).join('\n')).toContain(problem);
  });
});

describe('toJsonSchema', () => {
  it('throws for a kind of schema that it does not know', () => {
    expect(() => toJsonSchema(v.bigint())).toThrow('bigint');
    expect(() => toJsonSchema(mapping({ when: v.exactOptional(v.date()) }))).toThrow('date');
  });

  it('describes what a function checks, and refuses nothing for it', () => {
    expect(toJsonSchema(count)).toEqual({
      type: 'number',
      description: expect.stringContaining('at least 1'),
    });
  });

  it('leaves out a pattern with flags that JSON Schema does not have', () => {
    expect(toJsonSchema(textLike(/^a$/iu, 'must be a'))).toEqual({ type: 'string' });
    expect(toJsonSchema(textLike(/^a$/u, 'must be a'))).toEqual({ type: 'string', pattern: '^a$' });
  });

  it('leaves out checks of the output of a transformation', () => {
    const form = v.pipe(
      v.string(),
      v.transform((written) => written.length),
      v.number(),
      v.maxValue(3),
      v.description('Short.'),
    );
    expect(toJsonSchema(form)).toEqual({ type: 'string', description: 'Short.' });
  });

  it('allows blanks only for the keys that may be blank', () => {
    const form = mapping(
      { a: v.exactOptional(list(text)), b: v.exactOptional(text) },
      { blanks: ['b'] },
    );
    const validate = ajv.compile(toJsonSchema(form));
    expect([{}, { b: null }, { b: '' }].map((value) => validate(value))).toEqual([
      true,
      true,
      true,
    ]);
    expect([{ a: null }, { a: [] }, { c: 1 }].map((value) => validate(value))).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('accepts any keys of a dictionary', () => {
    const validate = ajv.compile(toJsonSchema(dictionary(text)));
    expect([{ any: 'text' }, { any: 1 }, [], null].map((value) => validate(value))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('putBeside', () => {
  it('makes a reader throw when it accepts what its JSON Schema refuses', () => {
    const form = mapping({ a: text });
    putBeside(form, ajv.compile({ type: 'object', required: ['b'], properties: { b: {} } }));
    expect(() => readDocument('a: x', form)).toThrow('must have required property');
    expect(readDocument('a: 1', form).ok).toBe(false);
    expect(readDocument('{a: x, b: y}', form).ok).toBe(false);
  });

  it('was called with the forms of all documents before these tests', () => {
    for (const { forms } of Object.values(DOCUMENTS))
      for (const form of forms) expect(form['~run'].toString()).toContain('problemsOf');
  });
});
