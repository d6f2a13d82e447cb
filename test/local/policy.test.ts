import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conditionHolds } from '../../src/local/aws/policy-conditions.ts';
import {
  evaluatePolicy,
  readPolicy,
  readRolePolicy,
} from '../../src/local/aws/policy-evaluation.ts';

const context = new Map([
  ['aws:principaltag/team', ['core']],
  ['aws:sourceip', ['203.0.113.7']],
  ['aws:currenttime', ['2026-07-01T12:00:00.500Z']],
  ['aws:tokenissuetime', ['2026-07-01T11:00:00Z']],
  ['aws:viaawsservice', ['false']],
  ['aws:principalarn', ['arn:aws:iam::000000000000:role/a']],
]);

function holds(operator: string, key: string, ...values: readonly string[]) {
  return conditionHolds({ operator, key, values }, context);
}

const TEAM = 'aws:PrincipalTag/Team';
const ABSENT = 'aws:PrincipalTag/none';

describe('conditionHolds', () => {
  it.each<[operator: string, key: string, values: readonly string[], verdict: boolean | undefined]>(
    [
      ['StringEquals', TEAM, ['core'], true],
      ['StringEquals', TEAM, ['CORE', 'c*'], false],
      ['StringEquals', TEAM, ['x', 'core'], true],
      ['StringNotEquals', TEAM, ['x', 'core'], false],
      ['StringNotEquals', TEAM, ['x', 'y'], true],
      ['StringLike', TEAM, ['c?r*'], true],
      ['StringLike', TEAM, ['c.re'], false],
      ['StringNotLike', TEAM, ['x*', 'c*'], false],
      ['ForAnyValue:StringNotEquals', ABSENT, ['x'], false],
      ['ForAllValues:StringEquals', ABSENT, ['x'], true],
      ['ForAnyValue:StringEqualsIfExists', ABSENT, ['x'], false],
      ['Bool', 'aws:ViaAWSService', ['False'], true],
      ['Bool', 'aws:ViaAWSService', ['true'], false],
      ['Bool', 'aws:ViaAWSService', ['yes'], undefined],
      ['DateLessThan', 'aws:TokenIssueTime', ['2026-07-01T11:00:00Z'], false],
      ['DateLessThanEquals', 'aws:TokenIssueTime', ['2026-07-01T13:00:00+02:00'], true],
      ['DateGreaterThan', 'aws:CurrentTime', ['2026-07-01T12:00:00Z'], true],
      ['DateGreaterThanEquals', 'aws:CurrentTime', ['1782907201'], false],
      ['DateLessThan', 'aws:CurrentTime', ['tomorrow'], undefined],
      ['IpAddress', 'aws:SourceIp', ['203.0.113.0/24'], true],
      ['IpAddress', 'aws:SourceIp', ['203.0.113.8'], false],
      ['IpAddress', 'aws:SourceIp', ['::/0'], false],
      ['NotIpAddress', 'aws:SourceIp', ['2001:db8::/64'], true],
      ['NotIpAddress', 'aws:SourceIp', ['203.0.113.0/33'], undefined],
      ['NotIpAddress', 'aws:VpcSourceIp', ['10.0.0.0/8'], true],
      ['StringNotEquals', 'aws:SourceVpc', ['vpc-1'], true],
      ['ArnLike', 'aws:PrincipalArn', ['arn:aws:iam::*:role/*'], true],
      ['ArnLike', 'aws:PrincipalArn', ['arn:aws:iam*:role/a:*:*:*'], false],
      ['Null', TEAM, ['false'], true],
      ['Null', ABSENT, ['true'], true],
      ['NullIfExists', TEAM, ['false'], undefined],
      ['stringequals', TEAM, ['core'], undefined],
      ['NumericEquals', TEAM, ['1'], undefined],
      ['StringEquals', 'aws:MultiFactorAuthAge', ['1'], undefined],
      ['StringEquals', TEAM, ['${aws:username}'], undefined],
      ['StringEquals', TEAM, [], undefined],
    ],
  )('%s of %s with %j gives %s', (operator, key, values, verdict) => {
    expect(holds(operator, key, ...values)).toBe(verdict);
  });

  const base = fc.constantFrom('StringEquals', 'StringLike');
  const word = fc.stringMatching(/^[a-c]{0,3}$/u);
  const values = fc.array(word, { minLength: 1, maxLength: 4 });

  it('gives the opposite for the negated operator, for present and absent keys', () => {
    fc.assert(
      fc.property(
        base,
        fc.constantFrom(TEAM, ABSENT),
        values,
        fc.option(word),
        (operator, key, expected, actual) => {
          const request = new Map(actual === null ? [] : [['aws:principaltag/team', [actual]]]);
          function ask(name: string) {
            return conditionHolds({ operator: name, key, values: expected }, request);
          }
          expect(ask(operator.replace('String', 'StringNot'))).toBe(!ask(operator));
          expect(ask(`${operator}IfExists`)).toBe(
            ask(operator) === true || !(key === TEAM && actual !== null),
          );
          const some = expected.map((value) =>
            conditionHolds({ operator, key, values: [value] }, request),
          );
          expect(ask(operator)).toBe(some.includes(true));
        },
      ),
    );
  });

  it('gives the opposite for ForAllValues and the negated operator with ForAnyValue', () => {
    fc.assert(
      fc.property(base, values, fc.array(word, { maxLength: 4 }), (operator, expected, actual) => {
        const request = new Map([['aws:principaltag/team', actual]]);
        function ask(name: string) {
          return conditionHolds({ operator: name, key: TEAM, values: expected }, request);
        }
        expect(ask(`ForAllValues:${operator}`)).toBe(
          !ask(`ForAnyValue:${operator.replace('String', 'StringNot')}`),
        );
      }),
    );
  });

  it('compares dates by their order', () => {
    const instant = fc.date({
      min: new Date('2020-01-01'),
      max: new Date('2030-01-01'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instant, instant, (now, bound) => {
        const request = new Map([['aws:currenttime', [now.toISOString()]]]);
        function ask(name: string) {
          return conditionHolds(
            { operator: `Date${name}`, key: 'aws:CurrentTime', values: [bound.toISOString()] },
            request,
          );
        }
        expect([ask('LessThan'), ask('GreaterThan')]).toEqual([now < bound, now > bound]);
        expect([ask('GreaterThanEquals'), ask('LessThanEquals')]).toEqual([
          now >= bound,
          now <= bound,
        ]);
      }),
    );
  });
});

const DENY = { Effect: 'Deny', Action: '*', Resource: '*' };
function document(statement: unknown, more: object = {}) {
  return JSON.stringify({ Version: '2012-10-17', Statement: statement, ...more });
}

describe('readRolePolicy and evaluatePolicy', () => {
  it.each([
    ['an unknown operator', document({ ...DENY, Condition: { StrEq: { 'aws:SourceIp': 'x' } } })],
    ['an unknown key', document({ ...DENY, Condition: { StringEquals: { 'aws:Colour': 'x' } } })],
    [
      'a tag without a name',
      document({ ...DENY, Condition: { StringEquals: { 'aws:PrincipalTag/': 'x' } } }),
    ],
    ['a variable', document({ ...DENY, Resource: 'arn:aws:iam::1:role/${aws:userid}' })],
    ['a principal', document({ ...DENY, Principal: '*' })],
    ['an unknown element', document(DENY, { Statements: [] })],
    ['an element written twice', document(DENY).replace('"Effect"', '"Effect":"Allow","Effect"')],
    [
      'a statement id twice',
      document([
        { ...DENY, Sid: 'A' },
        { ...DENY, Sid: 'A' },
      ]),
    ],
    ['an action without service', document({ ...DENY, Action: 'ListTables' })],
    ['a resource that is not an ARN', document({ ...DENY, Resource: 'table' })],
    ['no JSON', '{'],
  ])('refuse a policy with %s', (_what, text) => {
    expect(readRolePolicy(text)).toBeTypeOf('string');
  });

  const asked = {
    action: 'dynamodb:ListTables',
    resource: 'arn:aws:dynamodb:us-east-1:000000000000:*',
    context,
  };
  function says(...statements: readonly object[]) {
    return evaluatePolicy(readPolicy(document(statements)) ?? [], asked);
  }

  it.each<[string, readonly object[], string]>([
    ['a Deny over an Allow', [DENY, { ...DENY, Effect: 'Allow' }], 'deny'],
    ['NotAction', [{ Effect: 'Deny', NotAction: 'DYNAMODB:*', Resource: '*' }], 'none'],
    ['NotResource', [{ Effect: 'Deny', Action: '*', NotResource: 'arn:aws:s3:::*' }], 'deny'],
    ['actions in any case', [{ ...DENY, Action: 'DynamoDB:list?ables' }], 'deny'],
    [
      'several keys, all of which must match',
      [
        {
          ...DENY,
          Condition: {
            StringEquals: { [TEAM]: 'core' },
            IpAddress: { 'aws:SourceIp': '10.0.0.0/8' },
          },
        },
      ],
      'none',
    ],
    ['an unknown Deny', [{ ...DENY, Condition: { StringEquals: { 'a:b': 'c' } } }], 'deny'],
    [
      'an unknown Allow',
      [{ ...DENY, Effect: 'Allow', Condition: { StringEquals: { 'a:b': 'c' } } }],
      'none',
    ],
    ['a Deny with a variable', [{ ...DENY, Resource: 'arn:aws:s3:::${aws:userid}' }], 'deny'],
    [
      'an Allow with a variable',
      [{ Effect: 'Allow', Action: '*', Resource: ['*', 'arn:${x}'] }],
      'none',
    ],
  ])('evaluate %s', (_what, statements, verdict) => {
    expect(says(...statements)).toBe(verdict);
  });
});
