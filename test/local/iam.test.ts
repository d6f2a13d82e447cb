import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IAM_CONSTRAINTS } from '../../src/local/aws/iam.ts';
import { startEmbeddedAws, type EmbeddedAws } from '../../src/local/aws/server.ts';
import {
  boto,
  credentialsOf,
  lacksBoto,
  protectedRequest,
  python,
  role,
  type BotoCall,
  type Credentials,
} from './support.ts';

const noBoto = lacksBoto();
const NAMES = { RoleName: 'SentinelProtected-dev', PolicyName: 'SentinelRevocations' };

let offset = 0;
let aws: EmbeddedAws;
let revoker: Credentials;

async function assume(params: object): Promise<Credentials> {
  const [outcome] = await boto(aws.url, [{ method: 'assume_role', params }]);
  return credentialsOf(outcome?.answer ?? {});
}

beforeAll(async () => {
  aws = await startEmbeddedAws({ port: 0, clock: () => Date.now() + offset, iamDelay: 0 });
  if (noBoto === undefined) {
    revoker = await assume({ RoleArn: role('sentinel-revoker'), RoleSessionName: 'revoker' });
  }
});
afterAll(() => aws.close());

function vend(more: object = {}) {
  return assume(protectedRequest(more));
}
function listAs(as: Credentials): BotoCall {
  return {
    service: 'iam',
    method: 'get_role',
    params: { RoleName: 'SentinelProtected-dev' },
    as,
  };
}
function iam(method: string, params: object, as: Credentials = revoker): BotoCall {
  return {
    service: 'iam',
    method,
    params,
    as,
  };
}
function document(Condition?: object) {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Action: '*', Resource: '*', Condition }],
  });
}
function put(condition?: object) {
  return iam('put_role_policy', { ...NAMES, PolicyDocument: document(condition) });
}
function remove(): BotoCall {
  return iam('delete_role_policy', NAMES);
}
async function codes(...calls: readonly BotoCall[]) {
  return (await boto(aws.url, calls)).map(({ code, status }) =>
    code === undefined ? 'ok' : `${code} ${status ?? ''}`,
  );
}

const DENIED = 'AccessDenied 403';

describe.skipIf(noBoto)('a role with a deny policy', () => {
  it('is denied from the next call on, and works again once the policy is deleted', async () => {
    const hers = await vend();
    const whoami: BotoCall = { method: 'get_caller_identity', as: hers };
    const chain: BotoCall = { method: 'assume_role', params: protectedRequest(), as: hers };
    expect(
      await codes(listAs(hers), put(), listAs(hers), whoami, chain, remove(), listAs(hers)),
    ).toEqual(['ok', 'ok', DENIED, 'ok', 'AccessDenied 403', 'ok', 'ok']);
  });

  it('is denied by the tags and the age of its sessions', async () => {
    function tagged(value: string) {
      return vend({ Tags: [{ Key: 'SentinelUser', Value: value }] });
    }
    const [hers, his] = [await tagged('alice'), await tagged('bob')];
    const user = { StringLike: { 'aws:PrincipalTag/SentinelUser': 'ali*' } };
    expect(await codes(put(user), listAs(hers), listAs(his), remove())).toEqual([
      'ok',
      DENIED,
      'ok',
      'ok',
    ]);
    const bound = new Date(Date.now() + offset + 60_000).toISOString().replace(/\.\d+/u, '');
    offset += 61_000;
    const later = await tagged('alice');
    const aged = put({ ...user, DateLessThan: { 'aws:TokenIssueTime': bound } });
    expect(await codes(aged, listAs(hers), listAs(later), remove())).toEqual([
      'ok',
      DENIED,
      'ok',
      'ok',
    ]);
  });

  it('is affected after a delay, by each change in order', async () => {
    let ahead = 0;
    const slow = await startEmbeddedAws({
      port: 0,
      clock: () => Date.now() + ahead,
      iamDelay: 60_000,
    });
    async function of(params: object) {
      return credentialsOf(
        (await boto(slow.url, [{ method: 'assume_role', params }]))[0]?.answer ?? {},
      );
    }
    const hers = await of(protectedRequest());
    const writer = await of({ RoleArn: role('sentinel-revoker'), RoleSessionName: 'revoker' });
    async function ask(...calls: readonly BotoCall[]) {
      return (await boto(slow.url, calls)).map(({ code }) => code ?? 'ok');
    }
    expect(await ask({ ...put(), as: writer }, listAs(hers))).toEqual(['ok', 'ok']);
    ahead = 40_000;
    expect(await ask({ ...remove(), as: writer }, listAs(hers))).toEqual(['ok', 'ok']);
    ahead = 70_000;
    expect(await ask(listAs(hers))).toEqual(['AccessDenied']);
    ahead = 110_000;
    expect(await ask(listAs(hers))).toEqual(['ok']);
    await slow.close();
  });
});

describe.skipIf(noBoto)('a session policy', () => {
  function statement(Effect: string, Action: string, Condition?: object) {
    return {
      Effect,
      Action,
      Resource: '*',
      Condition,
    };
  }
  function policy(...Statement: readonly object[]) {
    return JSON.stringify({ Version: '2012-10-17', Statement });
  }
  const all = statement('Allow', '*');

  it.each<[string, object, string]>([
    ['that allows all', { Policy: policy(all) }, 'ok'],
    ['that allows something else', { Policy: policy(statement('Allow', 's3:*')) }, DENIED],
    [
      'of another address',
      {
        Policy: policy(
          all,
          statement('Deny', '*', {
            NotIpAddress: { 'aws:SourceIp': '203.0.113.7/32' },
            BoolIfExists: { 'aws:ViaAWSService': false },
          }),
        ),
      },
      DENIED,
    ],
    [
      'of this address',
      {
        Policy: policy(
          all,
          statement('Deny', '*', { NotIpAddress: { 'aws:SourceIp': '127.0.0.1/32' } }),
        ),
      },
      'ok',
    ],
    [
      'that ended',
      {
        Policy: policy(
          all,
          statement('Deny', '*', {
            DateGreaterThan: { 'aws:CurrentTime': '2020-01-01T00:00:00Z' },
          }),
        ),
      },
      DENIED,
    ],
    [
      'managed: read only',
      { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }] },
      'ok',
    ],
    [
      'managed: unknown',
      { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/PowerUserAccess' }] },
      DENIED,
    ],
  ])('%s is evaluated', async (_what, more, outcome) => {
    expect(await codes(listAs(await vend(more)))).toEqual([outcome]);
  });
});

const MODEL = `
import json, botocore.session
shape = botocore.session.get_session().get_service_model("iam").operation_model("PutRolePolicy").input_shape
print(json.dumps({k: v.metadata for k, v in shape.members.items()}))
`;

describe.skipIf(noBoto)('IAM', () => {
  it("has the constraints of botocore's model", async () => {
    expect(await python(MODEL)).toEqual(IAM_CONSTRAINTS);
  });

  it('refuses everybody except the revoker', async () => {
    const hers = await vend();
    const tvm = {
      ...put(),
      as: { accessKeyId: 'AKIADEMOTVM00000', secretAccessKey: 'demo-tvm-not-a-secret' },
    };
    const dana = {
      ...put(),
      as: { accessKeyId: 'AKIADEMODANA0000', secretAccessKey: 'demo-dana-not-a-secret' },
    };
    const others = iam('put_role_policy', {
      ...NAMES,
      RoleName: 'deploy',
      PolicyDocument: document(),
    });
    expect(new Set(await codes(tvm, dana, { ...put(), as: hers }, others))).toEqual(
      new Set(['AccessDenied 403']),
    );
  });

  it('stores, lists and pages policies, and returns documents as they were written', async () => {
    const text = ` ${document({ StringLike: { 'aws:userid': "é'(*)! +%" } })}\n`;
    function named(PolicyName: string) {
      return { ...NAMES, PolicyName };
    }
    const outcomes = await boto(aws.url, [
      iam('put_role_policy', { ...named('A'), PolicyDocument: text }),
      iam('put_role_policy', { ...named('B'), PolicyDocument: text }),
      iam('get_role_policy', named('A')),
      iam('list_role_policies', { RoleName: NAMES.RoleName, MaxItems: 1 }),
      iam('list_role_policies', { RoleName: NAMES.RoleName, Marker: 'A' }),
      iam('get_role', { RoleName: NAMES.RoleName }),
      iam('delete_role_policy', named('A')),
      iam('delete_role_policy', named('B')),
    ]);
    // boto3 unescapes documents and parses them.
    expect(outcomes[2]?.answer).toMatchObject({ ...named('A'), PolicyDocument: JSON.parse(text) });
    expect(outcomes[3]?.answer).toEqual({ PolicyNames: ['A'], IsTruncated: true, Marker: 'A' });
    expect(outcomes[4]?.answer).toEqual({ PolicyNames: ['B'], IsTruncated: false });
    expect(outcomes[5]?.answer?.['Role']).toMatchObject({
      Arn: role(NAMES.RoleName),
      MaxSessionDuration: 3_600,
    });
  });

  it('refuses with AWS’s codes and words', async () => {
    const padded = document({ StringEquals: { 'aws:userid': 'x'.repeat(10_240) } });
    function named(PolicyName: string) {
      return { ...NAMES, PolicyName };
    }
    const outcome = await codes(
      iam('get_role_policy', NAMES),
      remove(),
      iam('get_role', { RoleName: 'SentinelProtected-none' }),
      iam('put_role_policy', { ...NAMES, PolicyDocument: '{}' }),
      put({ NumericEquals: { 'aws:userid': '1' } }),
      iam('put_role_policy', { ...NAMES, PolicyDocument: padded }),
      iam('put_role_policy', { ...named('a b'), PolicyDocument: document() }),
      iam('put_role_policy', { ...named('x'.repeat(129)), PolicyDocument: document() }),
      iam('put_role_policy', { RoleName: NAMES.RoleName, PolicyName: 'x' }),
      iam('list_role_policies', { RoleName: NAMES.RoleName, MaxItems: 0 }),
      iam('list_roles', {}),
    );
    expect(outcome).toEqual([
      'NoSuchEntity 404',
      'NoSuchEntity 404',
      'NoSuchEntity 404',
      'MalformedPolicyDocument 400',
      'MalformedPolicyDocument 400',
      'LimitExceeded 409',
      'ValidationError 400',
      'ValidationError 400',
      'ValidationError 400',
      'ValidationError 400',
      'InvalidAction 400',
    ]);
  });
});
