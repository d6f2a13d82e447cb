import { describe, expect, it } from 'vitest';
import { isProfileName } from '../../src/lib/profile-name.ts';
import { readProfile } from '../../src/policy/documents/profile.ts';
import { problemsOf, valueOf } from './support.ts';

const ROLE = 'arn:aws:iam::111122223333:role/SentinelProtected-prod';
const STATEMENT = { Effect: 'Allow', Action: 's3:Get*', Resource: '*' };
function profile(change: object): string {
  return JSON.stringify({ role_arn: ROLE, ...change }, null, 1);
}
function policy(statement: object, more: object = {}): string {
  return profile({ session_policy: { ...more, Statement: [{ ...STATEMENT, ...statement }] } });
}
function tagsOf(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
}
function longTags(count: number, key: number, value: number): object {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`${n}`.padStart(key, 'k'), 'v'.repeat(value)]),
  );
}
const MANAGED = 'arn:aws:iam::aws:policy/ReadOnlyAccess';

describe('readProfile', () => {
  it('compiles a profile with nothing but a role', () => {
    expect(valueOf(readProfile(profile({})))).toEqual({
      roleArn: ROLE,
      account: '111122223333',
      partition: 'aws',
      managedPolicies: [],
      tags: [],
      bindSourceIp: false,
      hardRevoke: false,
      chaining: false,
    });
  });

  it('compiles a profile with every key', () => {
    const text = profile({
      description: 'Production',
      max_duration: '45m',
      session_policy: { Version: '2012-10-17', Id: 'narrow', Statement: [STATEMENT] },
      managed_policies: [MANAGED, 'arn:aws:iam::111122223333:policy/team/Own'],
      tags: { Team: 'payments', 'cost:center': '' },
      external_id: 'ext-1',
      bind_source_ip: true,
      source_vpc: 'vpc-0123456789abcdef0',
      hard_revoke: true,
      revoker_role_arn: 'arn:aws:iam::111122223333:role/Revoker',
    });
    expect(valueOf(readProfile(text))).toEqual({
      roleArn: ROLE,
      account: '111122223333',
      partition: 'aws',
      description: 'Production',
      maxDurationSeconds: 2_700,
      sessionPolicy: { id: 'narrow', statements: [STATEMENT] },
      managedPolicies: [MANAGED, 'arn:aws:iam::111122223333:policy/team/Own'],
      tags: [
        ['Team', 'payments'],
        ['cost:center', ''],
      ],
      externalId: 'ext-1',
      bindSourceIp: true,
      sourceVpc: 'vpc-0123456789abcdef0',
      hardRevoke: true,
      chaining: false,
      revokerRoleArn: 'arn:aws:iam::111122223333:role/Revoker',
    });
  });

  it('accepts every form of a session policy', () => {
    const forms = [
      { Statement: STATEMENT },
      { Statement: [STATEMENT] },
      { Version: '2008-10-17', Statement: STATEMENT },
    ];
    for (const form of forms.flatMap((each) => [
      each,
      JSON.stringify(each),
      JSON.stringify(each, null, '\t'),
    ])) {
      expect(valueOf(readProfile(profile({ session_policy: form }))).sessionPolicy).toEqual({
        statements: [STATEMENT],
      });
    }
    const condition = {
      StringEquals: { 'aws:ResourceTag/Team': ['a', 'b'] },
      Bool: { 'aws:SecureTransport': true },
    };
    const full = {
      Sid: 'One',
      Effect: 'Deny',
      NotAction: ['s3:*'],
      NotResource: ['a', 'b'],
      Condition: condition,
    };
    const read = valueOf(readProfile(profile({ session_policy: { Statement: [full] } })));
    expect(read.sessionPolicy?.statements).toEqual([full]);
  });

  it('accepts as many characters of policies as leave 500 for the TVM', () => {
    function sized(length: number, more: object = {}) {
      return readProfile(
        profile({
          ...more,
          session_policy: { Statement: [{ ...STATEMENT, Resource: 'x'.repeat(length) }] },
        }),
      );
    }
    const overhead = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ ...STATEMENT, Resource: '' }],
    }).length;
    expect(sized(1_548 - overhead).ok).toBe(true);
    expect(problemsOf(sized(1_549 - overhead)).join()).toContain(
      'the policies take 1549 characters',
    );
    expect(sized(1_548 - overhead - MANAGED.length, { managed_policies: [MANAGED] }).ok).toBe(true);
    expect(sized(1_549 - overhead - MANAGED.length, { managed_policies: [MANAGED] }).ok).toBe(
      false,
    );
  });

  it('accepts as many characters of tags as STS packs beside those of the shortest caller', () => {
    expect(readProfile(profile({ tags: longTags(5, 5, 60) })).ok).toBe(true);
    expect(readProfile(profile({ tags: tagsOf(45) })).ok).toBe(true);
  });

  it.each(['', null])('takes %j for absent where it narrows nothing', (blank) => {
    const keys = {
      description: blank,
      tags: blank,
      external_id: blank,
      source_vpc: blank,
      revoker_role_arn: blank,
    };
    expect(readProfile(profile(keys))).toEqual(readProfile(profile({})));
    for (const key of [
      'session_policy',
      'managed_policies',
      'max_duration',
      'bind_source_ip',
      'hard_revoke',
    ]) {
      expect([key, readProfile(profile({ [key]: blank })).ok]).toEqual([key, false]);
    }
  });
});

describe('readProfile, of a profile with a mistake', () => {
  it.each([
    ['a profile without a role', '{}', '1 role_arn: "role_arn" is missing'],
    [
      'the ARN of a user as role',
      profile({ role_arn: 'arn:aws:iam::111122223333:user/x' }),
      '2 role_arn: ',
    ],
    [
      'a wildcard in the role',
      profile({ role_arn: 'arn:aws:iam::111122223333:role/*' }),
      '2 role_arn: ',
    ],
    [
      'a role of an account of 11 digits',
      profile({ role_arn: 'arn:aws:iam::11112222333:role/x' }),
      '2 role_arn: ',
    ],
    [
      'a role of an unknown partition',
      profile({ role_arn: 'arn:evil:iam::111122223333:role/x' }),
      '2 role_arn: ',
    ],
    [
      'a long description',
      profile({ description: 'x'.repeat(1_001) }),
      '3 description: must be at most 1000',
    ],
    [
      'a maximal duration below 60 seconds',
      profile({ max_duration: '59s' }),
      '3 max_duration: must be at least 60s',
    ],
    [
      'a maximal duration that is a number',
      profile({ max_duration: 900 }),
      '3 max_duration: must be text',
    ],
    ['an unknown key', profile({ session_polcy: {} }), 'did you mean "session_policy"?'],
    [
      'an empty session policy',
      profile({ session_policy: {} }),
      'session_policy.Statement: "Statement" is missing',
    ],
    [
      'a session policy of null',
      profile({ session_policy: null }),
      'session_policy: must be a mapping',
    ],
    [
      'a session policy without statements',
      profile({ session_policy: { Statement: [] } }),
      'Statement: must not be an empty list',
    ],
    [
      'a session policy that is neither a mapping nor JSON',
      profile({ session_policy: 'allow all' }),
      'session_policy: must be a mapping, or text',
    ],
    [
      'a session policy that is text in YAML',
      profile({ session_policy: '{Statement: []}' }),
      'session_policy: must be a mapping, or',
    ],
    [
      'a session policy with a key twice',
      profile({
        session_policy: `{"Statement": ${JSON.stringify(STATEMENT)}, "Id": "a",\n"Id": "b"}`,
      }),
      'in line 2 of the text: the key "Id" appears twice, first on line 1',
    ],
    [
      'a session policy of an unknown version',
      policy({}, { Version: '2020-01-01' }),
      'Version: must be 2012-10-17 or 2008-10-17',
    ],
    [
      'policy variables under the old version',
      policy({ Resource: '${aws:username}' }, { Version: '2008-10-17' }),
      'Version: must be 2012-10-17 for',
    ],
    ['an effect in lower case', policy({ Effect: 'allow' }), 'Effect: must be Allow or Deny'],
    [
      'two statements with one Sid',
      profile({
        session_policy: {
          Statement: [
            { ...STATEMENT, Sid: 'A' },
            { ...STATEMENT, Sid: 'A' },
          ],
        },
      }),
      'Statement: must not use a Sid twice',
    ],
    ['a statement with a principal', policy({ Principal: '*' }), 'unknown key "Principal"'],
    [
      'a statement with a negated principal',
      policy({ NotPrincipal: '*' }),
      'unknown key "NotPrincipal"',
    ],
    [
      'a misspelt condition',
      policy({ Conditions: {} }),
      'unknown key "Conditions"; did you mean "Condition"?',
    ],
    [
      'a statement with Action and NotAction',
      policy({ NotAction: 's3:*' }),
      'Action: must be present, or NotAction instead, but not both',
    ],
    [
      'a statement without an action',
      profile({ session_policy: { Statement: { Effect: 'Allow', Resource: '*' } } }),
      'Action: must be present',
    ],
    [
      'a statement without a resource',
      profile({ session_policy: { Statement: { Effect: 'Deny', Action: '*' } } }),
      'Resource: must be present',
    ],
    ['an empty list of actions', policy({ Action: [] }), 'Action: must not be an empty list'],
    [
      'an empty condition',
      policy({ Condition: { StringEquals: { a: [] } } }),
      'must not be an empty list',
    ],
    [
      'a character that STS refuses',
      policy({ Resource: '\u20ac' }),
      'session_policy: has a character that STS refuses',
    ],
    [
      'an empty list of managed policies',
      profile({ managed_policies: [] }),
      'managed_policies: must not be an empty list',
    ],
    [
      'a managed policy twice',
      profile({ managed_policies: [MANAGED, MANAGED] }),
      'must not list a policy twice',
    ],
    [
      'eleven managed policies',
      profile({ managed_policies: Array.from({ length: 11 }, (_, i) => `${MANAGED}${i}`) }),
      'at most 10',
    ],
    [
      "another account's managed policy",
      profile({ managed_policies: ['arn:aws:iam::999922223333:policy/x'] }),
      "the role's account",
    ],
    [
      "another partition's managed policy",
      profile({ managed_policies: ['arn:aws-cn:iam::aws:policy/x'] }),
      "the role's account",
    ],
    [
      'the ARN of a role as managed policy',
      profile({ managed_policies: [ROLE] }),
      'is not the ARN of a managed IAM policy',
    ],
    ['46 tags', profile({ tags: tagsOf(46) }), 'tags: must be at most 45 tags'],
    [
      '45 tags of 106 + 256 characters',
      profile({ tags: longTags(45, 106, 256) }),
      'tags: take 16290 characters of keys',
    ],
    [
      'tags that do not fit beside those of any caller',
      profile({ tags: longTags(2, 63, 100) }),
      'tags: take 326 characters of keys',
    ],
    [
      'a tag that is a number',
      profile({ tags: { a: 1 } }),
      'tags.a: must be text; put it in quotes',
    ],
    [
      'a tag with a character that STS refuses',
      profile({ tags: { a: 'x;y' } }),
      'tags.a: must be at most 256',
    ],
    ['a long tag', profile({ tags: { a: 'x'.repeat(257) } }), 'tags.a: must be at most 256'],
    [
      'a tag key with a character that STS refuses',
      profile({ tags: { 'a;b': '' } }),
      "the tag's key must be 1 to 128",
    ],
    ['an empty tag key', profile({ tags: { '': '' } }), "the tag's key must be 1 to 128"],
    [
      'tag keys that differ only in case',
      profile({ tags: { team: 'a', Team: 'b' } }),
      'tags.team: differs from "Team" only in case',
    ],
    [
      'a tag that begins like the TVM’s own',
      profile({ tags: { SentinelUser: 'root' } }),
      'must not begin with sentinel',
    ],
    [
      'a tag that begins like the TVM’s own in capitals',
      profile({ tags: { SENTINELUSER: 'root' } }),
      'must not begin with sentinel',
    ],
    [
      'a tag that begins like the TVM’s own with a long s',
      profile({ tags: { '\u017fentinelUser': 'root' } }),
      'must not begin with sentinel',
    ],
    [
      'a tag that begins like those of AWS',
      profile({ tags: { 'AWS:x': 'y' } }),
      'must not begin with sentinel or aws:',
    ],
    ['tags that are a list', profile({ tags: ['a'] }), 'tags: must be a mapping'],
    [
      'an external id of one character',
      profile({ external_id: 'x' }),
      'external_id: must be 2 to 1224',
    ],
    [
      'an external id with a space',
      profile({ external_id: 'a b' }),
      'external_id: must be 2 to 1224',
    ],
    [
      'a flag that is text',
      profile({ bind_source_ip: 'true' }),
      'bind_source_ip: must be true or false',
    ],
    ['a flag that is a number', profile({ hard_revoke: 1 }), 'hard_revoke: must be true or false'],
    [
      'the id of a subnet as VPC',
      profile({ source_vpc: 'subnet-12345678' }),
      'source_vpc: must be the id of a VPC',
    ],
    ['hard revocation without a revoker', profile({ hard_revoke: true }), 'needs revoker_role_arn'],
    [
      'a revoker without hard revocation',
      profile({ revoker_role_arn: ROLE }),
      'has no effect unless hard_revoke is true',
    ],
    [
      'a revoker of another account',
      profile({ hard_revoke: true, revoker_role_arn: 'arn:aws:iam::999922223333:role/R' }),
      'must be in the account',
    ],
  ])('refuses %s', (_what, text, problem) => {
    expect(problemsOf(readProfile(text)).join('\n')).toContain(problem);
  });

  it('refuses a number without quotes where an account id belongs', () => {
    const text = `role_arn: ${ROLE}\nsession_policy:\n  Statement:\n    Effect: Deny\n    Action: '*'\n    Resource: '*'\n    Condition:\n      StringEquals:\n        aws:ResourceAccount: 012345678901\n`;
    expect(problemsOf(readProfile(text)).join()).toContain(
      '9 session_policy.Statement.Condition.StringEquals["aws:ResourceAccount"]: is a number',
    );
  });
});

describe('isProfileName', () => {
  it.each(['prod', 'team/prod', 'a.b-c_d/e', '9', 'a'.repeat(256), Array(13).fill('a').join('/')])(
    'accepts %s',
    (name) => {
      expect(isProfileName(name)).toBe(true);
    },
  );

  it.each([
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'a:b',
    'a b',
    'prod\n',
    '\u00e4',
    'a*',
    '..',
    'a/./b',
    'a'.repeat(257),
    Array(14).fill('a').join('/'),
  ])('refuses %j', (name) => {
    expect(isProfileName(name)).toBe(false);
  });
});
