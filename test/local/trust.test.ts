import { AssumeRoleCommand, STSClient, type AssumeRoleCommandInput } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roleArn, TVM_ROLE, type Role } from '../../src/local/aws/account.ts';
import { startEmbeddedAws, type EmbeddedAws } from '../../src/local/aws/server.ts';
import {
  trustAllows,
  type TrustPolicy,
  type TrustStatement,
} from '../../src/local/aws/trust-policy.ts';
import {
  credentialsOf,
  DANA,
  protectedRequest,
  role,
  sdk,
  TVM,
  type Credentials,
} from './support.ts';

function open(name: string, principal: string, actions: readonly string[]): Role {
  return {
    name,
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: principal }, Action: actions }],
    },
    maxSessionDuration: 43_200,
  };
}

const EXTRA: readonly Role[] = [
  open('chained', roleArn('SentinelProtected-dev'), [
    'sts:AssumeRole',
    'sts:SetSourceIdentity',
    'sts:TagSession',
  ]),
  open('plain', roleArn('SentinelProtected-dev'), ['sts:AssumeRole']),
  open('anybody', '*', ['sts:*']),
];

let aws: EmbeddedAws;
beforeAll(async () => {
  aws = await startEmbeddedAws({ port: 0, roles: EXTRA });
});
afterAll(() => aws.close());

function assume(input: AssumeRoleCommandInput, as: Credentials = TVM) {
  return new STSClient(sdk(aws, as)).send(new AssumeRoleCommand(input));
}

const deploy = { RoleArn: role('deploy'), RoleSessionName: 'dana' };

function deniedFor(action: string) {
  return expect.objectContaining({
    name: 'AccessDenied',
    $metadata: expect.objectContaining({ httpStatusCode: 403 }),
    message: expect.stringMatching(
      new RegExp(
        `^User: arn:aws:\\S+ is not authorized to perform: ${action} on resource: arn`,
        'u',
      ),
    ),
  });
}

describe('the protected roles', () => {
  it('trust only the TVM, with a source identity in its form', async () => {
    await expect(assume(protectedRequest())).resolves.toBeDefined();
    await expect(
      assume({ RoleArn: role('SentinelProtected-dev'), RoleSessionName: 'alice' }),
    ).rejects.toEqual(deniedFor('sts:AssumeRole'));
    await expect(assume(protectedRequest({ SourceIdentity: 'alice' }))).rejects.toEqual(
      deniedFor('sts:AssumeRole'),
    );
  });

  it('accept only the tags in their trust policy', async () => {
    await expect(
      assume(protectedRequest({ Tags: [{ Key: 'Admin', Value: 'yes' }] })),
    ).rejects.toEqual(deniedFor('sts:TagSession'));
  });

  it('refuse dana, who may assume the role deploy', async () => {
    await expect(assume(protectedRequest(), DANA)).rejects.toEqual(deniedFor('sts:AssumeRole'));
    await expect(assume(deploy, DANA)).resolves.toBeDefined();
    await expect(assume(deploy, TVM)).rejects.toEqual(deniedFor('sts:AssumeRole'));
  });

  it('refuse sessions of the role deploy, and their own sessions', async () => {
    const deployed = credentialsOf(await assume(deploy, DANA));
    const vended = credentialsOf(await assume(protectedRequest()));
    await expect(assume(protectedRequest(), deployed)).rejects.toEqual(deniedFor('sts:AssumeRole'));
    await expect(assume(protectedRequest(), vended)).rejects.toEqual(deniedFor('sts:AssumeRole'));
  });
});

describe('a chained session', () => {
  const chained = { RoleArn: role('chained'), RoleSessionName: 'alice' };
  const tagged = protectedRequest({
    Tags: [
      { Key: 'SentinelUser', Value: 'alice' },
      { Key: 'team', Value: 'core' },
    ],
    TransitiveTagKeys: ['SentinelUser'],
  });

  it('keeps its source identity', async () => {
    const vended = credentialsOf(await assume(protectedRequest()));
    expect((await assume(chained, vended)).SourceIdentity).toBe(
      'sentinel=d=0123456789abcdef=alice',
    );
    await expect(assume({ ...chained, SourceIdentity: 'sentinel=other' }, vended)).rejects.toEqual(
      deniedFor('sts:SetSourceIdentity'),
    );
    await expect(assume({ ...chained, RoleArn: role('plain') }, vended)).rejects.toEqual(
      deniedFor('sts:SetSourceIdentity'),
    );
  });

  it('keeps only transitive tags', async () => {
    const vended = credentialsOf(await assume(tagged));
    function withTag(Key: string) {
      return assume({ ...chained, Tags: [{ Key, Value: 'x' }] }, vended);
    }
    await expect(withTag('team')).resolves.toBeDefined();
    await expect(withTag('sentineluser')).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  it('lives for an hour at most, even if its role allows more', async () => {
    const deployed = credentialsOf(await assume({ ...deploy, DurationSeconds: 43_200 }, DANA));
    const long = { RoleArn: role('anybody'), RoleSessionName: 'long', DurationSeconds: 3_601 };
    await expect(assume(long, deployed)).rejects.toMatchObject({
      name: 'ValidationError',
      message:
        'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    });
    await expect(assume({ ...long, DurationSeconds: 3_600 }, deployed)).resolves.toBeDefined();
    await expect(assume(long, DANA)).resolves.toBeDefined();
  });
});

function when(operator: string, key: string, values: string | readonly string[]) {
  return {
    Condition: { [operator]: { [key]: values } },
  };
}

describe('trustAllows', () => {
  const me = roleArn(TVM_ROLE);
  function allow(more: Partial<TrustStatement> = {}): TrustStatement {
    return {
      Effect: 'Allow',
      Principal: { AWS: me },
      Action: 'sts:AssumeRole',
      ...more,
    };
  }
  const context = new Map([
    ['sts:sourceidentity', ['sentinel=x']],
    ['aws:tagkeys', ['a', 'b']],
  ]);
  function asks(...Statement: readonly TrustStatement[]) {
    const policy: TrustPolicy = { Version: '2012-10-17', Statement };
    return trustAllows(policy, { action: 'sts:AssumeRole', callers: [me], context });
  }

  it.each<[string, readonly TrustStatement[], boolean]>([
    ['nothing', [], false],
    ['an Allow', [allow()], true],
    ['another principal', [allow({ Principal: { AWS: roleArn('other') } })], false],
    ['another action', [allow({ Action: ['sts:TagSession'] })], false],
    ['a wildcard for the action', [allow({ Action: 'STS:*' })], true],
    ['a Deny beside it', [allow(), allow({ Effect: 'Deny' })], false],
    ['StringLike', [allow(when('StringLike', 'sts:SourceIdentity', ['x', 'sentinel=?']))], true],
    [
      'a dot, which is not a wildcard',
      [allow(when('StringLike', 'sts:SourceIdentity', 'sentinel..'))],
      false,
    ],
    [
      'StringEquals, which has no wildcards',
      [allow(when('StringEquals', 'sts:SourceIdentity', 'sentinel=*'))],
      false,
    ],
    ['a key that the request lacks', [allow(when('StringLike', 'sts:ExternalId', '*'))], false],
    [
      'ForAllValues with all values listed',
      [allow(when('ForAllValues:StringEquals', 'aws:TagKeys', ['a', 'b', 'c']))],
      true,
    ],
    [
      'ForAllValues with a value that is not listed',
      [allow(when('ForAllValues:StringEquals', 'aws:TagKeys', ['a']))],
      false,
    ],
    [
      'ForAllValues of an absent key',
      [allow(when('ForAllValues:StringLike', 'sts:ExternalId', 'x'))],
      true,
    ],
    [
      'an unknown operator',
      [allow(when('StringEqualsIgnoreCase', 'sts:SourceIdentity', 'sentinel=x'))],
      false,
    ],
    ['an unknown key', [allow(when('StringLike', 'aws:SourceIp', '*'))], false],
    [
      'a Deny that cannot be evaluated',
      [allow(), allow({ Effect: 'Deny', ...when('Bool', 'aws:SecureTransport', 'x') })],
      false,
    ],
    [
      'a Deny that does not apply',
      [allow(), allow({ Effect: 'Deny', ...when('StringLike', 'sts:SourceIdentity', 'y') })],
      true,
    ],
  ])('evaluates %s', (_what, statements, verdict) => {
    expect(asks(...statements)).toBe(verdict);
  });
});
