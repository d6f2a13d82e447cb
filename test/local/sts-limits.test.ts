import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSTRAINTS, type Constraint } from '../../src/local/aws/sts-constraints.ts';
import { isPolicyDocument } from '../../src/local/aws/session-policy.ts';
import type { EmbeddedAws } from '../../src/local/aws/server.ts';
import {
  boto,
  lacksBoto,
  protectedRequest,
  python,
  startAws,
  type BotoOutcome,
} from './support.ts';

const noBoto = lacksBoto();
let aws: EmbeddedAws;
beforeAll(async () => {
  aws = await startAws();
});
afterAll(() => aws.close());

const MODEL = `
import json, botocore.session
shape = botocore.session.get_session().get_service_model("sts").operation_model("AssumeRole").input_shape
m = shape.members
tag = m["Tags"].member.members
print(json.dumps({k: v.metadata for k, v in {
    "roleArn": m["RoleArn"], "roleSessionName": m["RoleSessionName"], "sourceIdentity": m["SourceIdentity"],
    "externalId": m["ExternalId"], "policy": m["Policy"], "policyArn": m["PolicyArns"].member.members["arn"],
    "tagKey": tag["Key"], "tagValue": tag["Value"], "transitiveTagKey": m["TransitiveTagKeys"].member,
}.items()}))
`;

/** The model has Java's escapes, which have no braces for characters beyond the BMP. */
function inJava(pattern: string) {
  return pattern.replaceAll(/\\u\{(10{4}|10F{4})\}/gu, String.raw`\u$1`);
}

describe.skipIf(noBoto)("botocore's model of AssumeRole", () => {
  it('has the same lengths and patterns', async () => {
    const model = (await python(MODEL)) as Record<string, Constraint>;
    const ours = Object.entries({ ...CONSTRAINTS, transitiveTagKey: CONSTRAINTS.tagKey });
    const written = ours.map(([name, constraint]) => [
      name,
      { ...constraint, pattern: inJava(constraint.pattern) },
    ]);
    expect(Object.fromEntries(written)).toEqual(model);
  });
});

function tags(count: number, key = (index: number) => `team${index}`) {
  return Array.from({ length: count }, (_, index) => ({ Key: key(index), Value: 'x' }));
}

function policyOf(length: number): string {
  const bare =
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":""}]}';
  return bare.replace('""', `"${'x'.repeat(length - bare.length)}"`);
}

function arns(count: number) {
  return Array.from({ length: count }, (_, i) => ({ arn: `arn:aws:iam::aws:policy/Policy${i}` }));
}

/** What is asked, AWS's code, and a part of its message. */
const REFUSED: readonly (readonly [what: string, params: object, code: string, message: string])[] =
  [
    [
      'a role ARN of 19 characters',
      { RoleArn: 'arn:aws:iam::0:role' },
      'ValidationError',
      "at 'roleArn'",
    ],
    [
      'a role that is not an ARN',
      { RoleArn: 'a-role-but-not-an-arn-at-all' },
      'ValidationError',
      'is invalid',
    ],
    ['no role', { RoleArn: null }, 'ValidationError', "Value null at 'roleArn'"],
    [
      'a role that does not exist',
      { RoleArn: 'arn:aws:iam::000000000000:role/nobody' },
      'AccessDenied',
      'is not authorized',
    ],
    [
      'a session name of one character',
      { RoleSessionName: 'a' },
      'ValidationError',
      'greater than or equal to 2',
    ],
    [
      'a session name of 65',
      { RoleSessionName: 'a'.repeat(65) },
      'ValidationError',
      'less than or equal to 64',
    ],
    [
      'a session name with a colon',
      { RoleSessionName: 'a:b' },
      'ValidationError',
      "1 validation error detected: Value 'a:b' at 'roleSessionName' failed to satisfy constraint: " +
        String.raw`Member must satisfy regular expression pattern: [\w+=,.@-]*`,
    ],
    [
      'a session name with a line end',
      { RoleSessionName: 'ab\n' },
      'ValidationError',
      'regular expression',
    ],
    [
      'a source identity with colons',
      { SourceIdentity: 'sentinel:a:b' },
      'ValidationError',
      "at 'sourceIdentity'",
    ],
    [
      'a source identity of 65',
      { SourceIdentity: `sentinel=${'a'.repeat(56)}` },
      'ValidationError',
      "'sourceIdentity'",
    ],
    ['899 seconds', { DurationSeconds: 899 }, 'ValidationError', 'greater than or equal to 900'],
    [
      '43,201 seconds',
      { DurationSeconds: 43_201 },
      'ValidationError',
      'less than or equal to 43200',
    ],
    ['half a second more', { DurationSeconds: 900.5 }, 'MalformedInput', 'integer'],
    ['3,601 seconds, chained', { DurationSeconds: 3_601 }, 'ValidationError', 'role chaining'],
    ['an external id with a space', { ExternalId: 'a b' }, 'ValidationError', "at 'externalId'"],
    ['an external id of one character', { ExternalId: 'a' }, 'ValidationError', "at 'externalId'"],
    ['51 tags', { Tags: tags(51) }, 'ValidationError', "at 'tags'"],
    [
      'a tag without a value',
      { Tags: [{ Key: 'team' }] },
      'ValidationError',
      "'tags.1.member.value'",
    ],
    [
      'an empty tag key',
      { Tags: [{ Key: '', Value: '' }] },
      'ValidationError',
      "'tags.1.member.key'",
    ],
    [
      'a tag key of 129',
      { Tags: [{ Key: 'k'.repeat(129), Value: '' }] },
      'ValidationError',
      'less than or equal to 128',
    ],
    [
      'a tag value of 257',
      { Tags: [{ Key: 'k', Value: 'v'.repeat(257) }] },
      'ValidationError',
      'less than or equal to 256',
    ],
    [
      'a tag value with a star',
      { Tags: [{ Key: 'k', Value: '*' }] },
      'ValidationError',
      "'tags.1.member.value'",
    ],
    [
      'a tag key of AWS',
      { Tags: [{ Key: 'AWS:k', Value: '' }] },
      'InvalidParameterValue',
      'reserved',
    ],
    [
      'two tag keys that differ by case',
      { Tags: tags(2, (i) => ['Team', 'team'][i] ?? '') },
      'InvalidParameterValue',
      'Duplicate',
    ],
    [
      'a transitive key without a tag',
      { TransitiveTagKeys: ['team'] },
      'InvalidParameterValue',
      'must be included',
    ],
    ['a policy that is no JSON', { Policy: '{' }, 'MalformedPolicyDocument', 'JSON'],
    [
      'a policy without statements',
      { Policy: '{"Version":"2012-10-17"}' },
      'MalformedPolicyDocument',
      'JSON',
    ],
    ['a policy beyond Latin-1', { Policy: '"\u20ac"' }, 'ValidationError', "at 'policy'"],
    ['an empty policy', { Policy: '' }, 'ValidationError', "at 'policy'"],
    ['a policy of 2,049 characters', { Policy: policyOf(2_049) }, 'PackedPolicyTooLarge', '101%'],
    [
      'a policy that ARNs make too long',
      { Policy: policyOf(2_040), PolicyArns: arns(1) },
      'PackedPolicyTooLarge',
      '%',
    ],
    ['11 managed policies', { PolicyArns: arns(11) }, 'ValidationError', "at 'policyArns'"],
    [
      'a managed policy that is a role',
      { PolicyArns: [{ arn: 'arn:aws:iam::aws:role/x' }] },
      'ValidationError',
      'not valid',
    ],
  ];

const ACCEPTED: readonly (readonly [what: string, params: object])[] = [
  ['a session name of 64 characters', { RoleSessionName: 'a_+=,.@-'.repeat(8) }],
  ['exactly one hour', { DurationSeconds: 3_600 }],
  ['an empty tag value', { Tags: [{ Key: 'team', Value: '' }] }],
  ['a policy of 2,048 characters', { Policy: policyOf(2_048) }],
  ['ten managed policies', { PolicyArns: arns(10) }],
  ['a parameter that STS does not know', { SerialNumber: 'ignored-here' }],
];

describe.skipIf(noBoto)('AssumeRole', () => {
  let outcomes: readonly BotoOutcome[];
  beforeAll(async () => {
    const calls = [...REFUSED, ...ACCEPTED].map(([, params]) => {
      const all = Object.entries(protectedRequest(params)).filter(([, value]) => value !== null);
      return { method: 'assume_role', params: Object.fromEntries(all) };
    });
    outcomes = await boto(aws.url, calls);
  });

  it.each(REFUSED.map((row, index) => [...row, index] as const))(
    'refuses %s',
    (...[, , code, message, index]) => {
      expect(outcomes[index]).toMatchObject({ code, message: expect.stringContaining(message) });
      expect(outcomes[index]?.status).toBe(code === 'AccessDenied' ? 403 : 400);
    },
  );

  it.each(ACCEPTED.map(([what], index) => [what, index] as const))('accepts %s', (_what, index) => {
    expect(outcomes[REFUSED.length + index]?.answer?.['Credentials']).toBeDefined();
  });
});

function document(more: object, version = '2012-10-17') {
  return JSON.stringify({ Version: version, Statement: [more] });
}

describe('isPolicyDocument', () => {
  const statement = { Effect: 'Allow', Action: '*', Resource: '*' };

  it.each([
    document(statement),
    document({
      Effect: 'Deny',
      NotAction: ['iam:*'],
      NotResource: ['*'],
      Sid: 'X',
      Condition: { Bool: { k: 'true' } },
    }),
    JSON.stringify({ Version: '2012-10-17', Statement: statement }),
  ])('accepts %s', (text) => {
    expect(isPolicyDocument(text)).toBe(true);
  });

  it.each([
    document({ ...statement, Effect: 'allow' }),
    document({ ...statement, Principal: '*' }),
    document({ ...statement, NotAction: '*' }),
    document({ ...statement, Resource: [] }),
    document({ ...statement, Action: [1] }),
    document({ ...statement, Condition: { Bool: 'x' } }),
    document(statement, '2024-01-01'),
    '{"Version":"2012-10-17","Statement":[]}',
    '{"Version":"2012-10-17","Statement":[null]}',
    '[]',
    'null',
  ])('refuses %s', (text) => {
    expect(isPolicyDocument(text)).toBe(false);
  });
});
