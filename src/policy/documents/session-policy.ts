import * as v from 'valibot';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { readDocument } from '../reading/document.ts';
import { dictionary, list, mapping, text, textLike, word, type Schema } from '../reading/schema.ts';
import { crossCheck, type CrossFinding } from '../reading/cross-check.ts';

/** A session policy: its statements as IAM writes them, which apply under version 2012-10-17. */
export type SessionPolicy = {
  readonly statements: readonly object[];
  readonly id: string | undefined;
};

/** The version of IAM's policy language in which session policies are sent to STS. */
const POLICY_VERSION = '2012-10-17';

const OLD_VERSION = '2008-10-17';

function oneOrMore(item: Schema<string>): Schema<string | readonly string[]> {
  return v.lazy((input) => (Array.isArray(input) ? list(item) : item));
}

const conditionItem = v.union(
  [v.string(), v.number(), v.boolean()],
  'must be text, a number, true or false',
);

const conditionValue = v.lazy((input) =>
  Array.isArray(input) ? list(conditionItem) : conditionItem,
);

type Keyed = Readonly<Record<string, unknown>>;

function exactlyOne(value: Keyed, key: string, negated: string): readonly CrossFinding[] {
  return Object.hasOwn(value, key) === Object.hasOwn(value, negated)
    ? [{ key, message: `must be present, or ${negated} instead, but not both` }]
    : [];
}

/**
 * IAM's grammar without principals:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */
const statement = v.pipe(
  mapping({
    Sid: v.exactOptional(textLike(/^[A-Za-z0-9]{0,64}$/u, 'must be letters and digits')),
    Effect: word(['Allow', 'Deny']),
    Action: v.exactOptional(oneOrMore(text)),
    NotAction: v.exactOptional(oneOrMore(text)),
    Resource: v.exactOptional(oneOrMore(text)),
    NotResource: v.exactOptional(oneOrMore(text)),
    Condition: v.exactOptional(dictionary(dictionary(conditionValue))),
  }),
  crossCheck((value) => [
    ...exactlyOne(value, 'Action', 'NotAction'),
    ...exactlyOne(value, 'Resource', 'NotResource'),
  ]),
  v.description('Either Action or NotAction, and either Resource or NotResource.'),
);

const oneStatement = v.pipe(
  statement,
  v.transform((only): readonly v.InferOutput<typeof statement>[] => [only]),
);

const policy: Schema<SessionPolicy> = v.pipe(
  mapping({
    Version: v.exactOptional(word([POLICY_VERSION, OLD_VERSION])),
    Id: v.exactOptional(text),
    Statement: v.lazy((input) => (Array.isArray(input) ? list(statement) : oneStatement)),
  }),
  crossCheck((value) =>
    // The old version takes ${…} literally. The policy is sent under the new version, where it is a
    // variable.
    value.Version === OLD_VERSION && JSON.stringify(value.Statement).includes('${')
      ? [
          {
            key: 'Version',
            message: `must be ${POLICY_VERSION} for policy variables like \${aws:username}`,
          },
        ]
      : [],
  ),
  crossCheck(({ Statement: statements }) => {
    const sids = statements.flatMap(({ Sid: sid }) =>
      sid === undefined || sid === '' ? [] : [sid],
    );
    return new Set(sids).size < sids.length
      ? [{ key: 'Statement', message: 'must not use a Sid twice' }]
      : [];
  }),
  v.transform(({ Statement: statements, Id: id }) => ({ statements, id })),
);

function isJson(input: string): boolean {
  try {
    JSON.parse(input);
    return true;
  } catch {
    return false;
  }
}

function readJson(input: string): Result<SessionPolicy, string> {
  if (!isJson(input)) return refuse('must be a mapping, or text that is an IAM policy in JSON');
  const read = readDocument(input, policy);
  if (read.ok) return ok(read.value);
  const [first] = read.refusal;
  const where = first === undefined || first.path === '' ? '' : `, ${first.path}`;
  return refuse(`in line ${first?.line ?? 1} of the text${where}: ${first?.message ?? ''}`);
}

const policyText = v.pipe(
  v.string(),
  v.description('An IAM policy in JSON.'),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const read = readJson(dataset.value);
    if (read.ok) return read.value;
    addIssue({ message: read.refusal });
    return NEVER;
  }),
);

/** The form of a session policy: a mapping as IAM writes it, or the same as text in JSON. */
export const sessionPolicy: Schema<SessionPolicy> = v.lazy((input) =>
  typeof input === 'string' ? policyText : policy,
);

/** A session policy as it is sent to STS: JSON without spaces. */
export function minify({ statements, id }: SessionPolicy): string {
  return JSON.stringify({ Version: POLICY_VERSION, Id: id, Statement: statements });
}
