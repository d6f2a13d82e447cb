import type { GenericSchema } from 'valibot';
import { NAMED_KINDS, type NamedKind } from '../src/lib/names.ts';
import { accessPolicy } from '../src/policy/documents/access-policy.ts';
import { approvalPolicy } from '../src/policy/documents/approval-policy.ts';
import { breakGlassPolicy } from '../src/policy/documents/break-glass-policy.ts';
import { ratePolicy } from '../src/policy/documents/break-glass-rate-policy.ts';
import { client } from '../src/policy/documents/client.ts';
import { operators } from '../src/policy/documents/operators.ts';
import { compiledProfile } from '../src/policy/documents/profile.ts';
import { sealingKey } from '../src/policy/documents/sealing-key.ts';
import { toJsonSchema, type JsonSchema } from './json-schema.ts';

/** A kind of document: where it lies and what it is for; its form, or one for each kind that can own bare names. */
type Document = { readonly title: string; readonly forms: readonly [GenericSchema, ...GenericSchema[]] };

function each(form: (bareNames: NamedKind) => GenericSchema): Document['forms'] {
  const [first, ...others] = NAMED_KINDS.map(form);
  return [first ?? form('key'), ...others];
}

/** Every kind of document, by the name of its file in `src/policy/schemas`. */
export const DOCUMENTS = {
  'access-policy': {
    title: '/sentinel/policies/<profile>: who may have its credentials',
    forms: each(accessPolicy),
  },
  profile: {
    title: '/sentinel/profiles/<profile>: the role, and what narrows it',
    forms: [compiledProfile],
  },
  operators: {
    title: '/sentinel/operators: who may list, revoke and lift for others',
    forms: each(operators),
  },
  'approval-policy': {
    title: '/sentinel/approval-policy: who may approve what',
    forms: each(approvalPolicy),
  },
  'break-glass-policy': {
    title: '/sentinel/break-glass-policy: who may break the glass',
    forms: each(breakGlassPolicy),
  },
  'break-glass-rate-policy': {
    title: '/sentinel/break-glass-rate-policy: how often the glass may be broken',
    forms: [ratePolicy],
  },
  client: {
    title: '/sentinel-secrets/clients/<access-key-id>: a registered key',
    forms: [client],
  },
  'sealing-key': {
    title: '/sentinel-secrets/keys/<id>: what minted keys are sealed with',
    forms: [sealingKey],
  },
} as const satisfies Readonly<Record<string, Document>>;

export type DocumentName = keyof typeof DOCUMENTS;

/** The JSON Schemas of all documents. Who owns bare names changes none of them: a test looks. */
export function documentSchemas(): Readonly<Record<DocumentName, JsonSchema>> {
  const schemas = Object.entries(DOCUMENTS).map(([name, { title, forms }]) => [
    name,
    { $schema: 'http://json-schema.org/draft-07/schema#', title, ...toJsonSchema(forms[0]) },
  ]);
  return Object.fromEntries(schemas) as Record<DocumentName, JsonSchema>;
}
