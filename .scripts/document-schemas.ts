import type { GenericSchema } from 'valibot';
import { NAMED_KINDS, type NamedKind } from '../src/lib/names.ts';
import { accessPolicy } from '../src/policy/documents/access-policy.ts';
import { approvalPolicy } from '../src/policy/documents/approval-policy.ts';
import { breakGlassPolicy } from '../src/policy/documents/break-glass-policy.ts';
import { ratePolicy } from '../src/policy/documents/break-glass-rate-policy.ts';
import { client } from '../src/policy/documents/client.ts';
import { operators } from '../src/policy/documents/operators.ts';
import { people } from '../src/policy/documents/people.ts';
import { compiledProfile } from '../src/policy/documents/profile.ts';
import { sealingKey } from '../src/policy/documents/sealing-key.ts';
import { webhook } from '../src/policy/documents/webhook.ts';
import { toJsonSchema, type JsonSchema } from './json-schema.ts';

/**
 * A kind of document. Its title says where it is stored and what it is for. Its forms are one, or
 * one for each kind of caller that bare names can mean.
 */
type Document = {
  readonly title: string;
  readonly forms: readonly [GenericSchema, ...GenericSchema[]];
};

function forEachKind(form: (bareNames: NamedKind) => GenericSchema): Document['forms'] {
  const [first, ...others] = NAMED_KINDS.map(form);
  return [first ?? form('key'), ...others];
}

/** Every kind of document, by the name of its JSON Schema's file in `src/policy/schemas`. */
export const DOCUMENTS = {
  'access-policy': {
    title: '/sentinel/policies/<profile>: who may be vended its credentials',
    forms: forEachKind(accessPolicy),
  },
  profile: {
    title: '/sentinel/profiles/<profile>: the role, and what narrows it',
    forms: [compiledProfile],
  },
  operators: {
    title: '/sentinel/operators: who may list, revoke and lift for others',
    forms: forEachKind(operators),
  },
  'approval-policy': {
    title: '/sentinel/approval-policy: who may approve what',
    forms: forEachKind(approvalPolicy),
  },
  people: {
    title: '/sentinel/people: which identities are one person',
    forms: forEachKind(people),
  },
  'break-glass-policy': {
    title: '/sentinel/break-glass-policy: who may use emergency access',
    forms: forEachKind(breakGlassPolicy),
  },
  'break-glass-rate-policy': {
    title: '/sentinel/break-glass-rate-policy: how often emergency access may be used',
    forms: [ratePolicy],
  },
  client: {
    title: '/sentinel-secrets/clients/<access-key-id>: a registered key',
    forms: [client],
  },
  'sealing-key': {
    title: '/sentinel-secrets/keys/<id>: a key that seals minted keys',
    forms: [sealingKey],
  },
  webhook: {
    title: '/sentinel-secrets/webhook: what events are signed with',
    forms: [webhook],
  },
} as const satisfies Readonly<Record<string, Document>>;

export type DocumentName = keyof typeof DOCUMENTS;

/**
 * Makes the JSON Schemas of all documents. A test checks that they do not depend on what bare names
 * mean.
 */
export function documentSchemas(): Readonly<Record<DocumentName, JsonSchema>> {
  const schemas = Object.entries(DOCUMENTS).map(([name, { title, forms }]) => [
    name,
    { $schema: 'http://json-schema.org/draft-07/schema#', title, ...toJsonSchema(forms[0]) },
  ]);
  return Object.fromEntries(schemas) as Record<DocumentName, JsonSchema>;
}
