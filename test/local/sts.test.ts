import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '@aws-crypto/sha256-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbeddedAws } from '../../src/local/aws/server.ts';
import {
  awsCli,
  boto,
  credentialsOf,
  DANA,
  lacksAwsCli,
  lacksBoto,
  protectedRequest,
  role,
  sdk,
  startAws,
  TVM,
} from './support.ts';

let aws: EmbeddedAws;
beforeAll(async () => {
  aws = await startAws();
});
afterAll(() => aws.close());

const TVM_ARN = 'arn:aws:sts::000000000000:assumed-role/sentinel-tvm/local';
const noBoto = lacksBoto();

/** Calls GetCallerIdentity as a client that accepts only JSON. */
async function askInJson(secret: string) {
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const credentials = { ...TVM, secretAccessKey: secret };
  const signer = new SignatureV4({
    credentials,
    region: 'us-east-1',
    service: 'sts',
    sha256: Sha256,
  });
  const url = new URL(aws.url);
  const headers = {
    host: url.host,
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  };
  const plain = {
    method: 'POST',
    protocol: 'http:',
    hostname: url.hostname,
    path: '/',
    query: {},
    headers,
    body,
  };
  const signed = await signer.sign(plain);
  const { host: _host, ...sent } = signed.headers;
  return fetch(aws.url, { method: 'POST', headers: sent, body });
}

describe('GetCallerIdentity', () => {
  it.skipIf(lacksAwsCli())('answers the AWS CLI in XML, also with vended credentials', async () => {
    expect(await awsCli(aws.url, TVM, 'sts', 'get-caller-identity')).toEqual({
      UserId: expect.stringMatching(/^AROA[A-Z2-7]{17}:local$/u),
      Account: '000000000000',
      Arn: TVM_ARN,
    });
    const vended = await new STSClient(sdk(aws)).send(new AssumeRoleCommand(protectedRequest()));
    expect(await awsCli(aws.url, credentialsOf(vended), 'sts', 'get-caller-identity')).toEqual({
      UserId: vended.AssumedRoleUser?.AssumedRoleId,
      Account: '000000000000',
      Arn: 'arn:aws:sts::000000000000:assumed-role/SentinelProtected-dev/alice',
    });
  });

  it('returns the IAM user dana with her path and a stable unique id', async () => {
    const dana = await new STSClient(sdk(aws, DANA)).send(new GetCallerIdentityCommand({}));
    expect(dana.Arn).toBe('arn:aws:iam::000000000000:user/eng/dana');
    expect(dana.UserId).toMatch(/^AIDA[A-Z2-7]{17}$/u);
  });

  it('answers in JSON to a client that accepts nothing else', async () => {
    const response = await askInJson(TVM.secretAccessKey);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      GetCallerIdentityResponse: {
        GetCallerIdentityResult: {
          Account: '000000000000',
          Arn: TVM_ARN,
          UserId: expect.any(String),
        },
        ResponseMetadata: { RequestId: expect.any(String) },
      },
    });
  });

  it('refuses in JSON, too', async () => {
    const response = await askInJson('wrong');
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({
      Error: { Code: 'SignatureDoesNotMatch', Type: 'Sender' },
    });
  });
});

describe('AssumeRole', () => {
  it.skipIf(noBoto)(
    'gives credentials with source identity, tags and a session policy',
    async () => {
      const policy = {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
      };
      const params = protectedRequest({
        DurationSeconds: 900,
        Tags: [{ Key: 'SentinelUser', Value: 'alice:é' }],
        Policy: JSON.stringify(policy),
        PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }],
      });
      const [outcome] = await boto(aws.url, [{ method: 'assume_role', params }]);
      expect(outcome?.answer).toEqual({
        SourceIdentity: 'sentinel=d=0123456789abcdef=alice',
        AssumedRoleUser: {
          AssumedRoleId: expect.stringMatching(/^AROA[A-Z2-7]{17}:alice$/u),
          Arn: 'arn:aws:sts::000000000000:assumed-role/SentinelProtected-dev/alice',
        },
        Credentials: {
          AccessKeyId: expect.stringMatching(/^ASIA[A-Z0-9]{16}$/u),
          SecretAccessKey: expect.stringMatching(/^.{40}$/u),
          SessionToken: expect.stringMatching(/^.{100,}$/u),
          Expiration: expect.any(String),
        },
        PackedPolicySize: expect.any(Number),
      });
      const life = Date.parse(outcome?.answer?.['Credentials'].Expiration) - Date.now();
      expect(life).toBeGreaterThan(880_000);
      expect(life).toBeLessThanOrEqual(900_000);
    },
  );

  it('leaves out a source identity or a packed size that there is not', async () => {
    const dana = new STSClient(sdk(aws, DANA));
    const answer = await dana.send(
      new AssumeRoleCommand({ RoleArn: role('deploy'), RoleSessionName: 'dana' }),
    );
    expect(answer.SourceIdentity).toBeUndefined();
    expect(answer.PackedPolicySize).toBeUndefined();
    expect(answer.Credentials?.Expiration?.getTime()).toBeGreaterThan(Date.now() + 3_590_000);
  });
});

describe('an unknown action', () => {
  it.skipIf(noBoto)('is refused with InvalidAction', async () => {
    const [outcome] = await boto(aws.url, [{ method: 'get_session_token' }]);
    expect(outcome).toMatchObject({ code: 'InvalidAction', status: 400 });
  });
});
