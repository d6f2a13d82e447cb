import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedAws } from '../../src/local/aws/server.ts';
import {
  boto,
  credentialsOf,
  DANA,
  lacksBoto,
  protectedRequest,
  sdk,
  startAws,
  TVM,
  type Credentials,
} from './support.ts';

let aws: EmbeddedAws;
let offset = 0;
beforeAll(async () => {
  aws = await startAws(() => offset);
});
beforeEach(() => {
  offset = 0;
});
afterAll(() => aws.close());

const noBoto = lacksBoto();

/** The same call to three services, and the refusal of each. */
function everywhere(as: Credentials) {
  return [
    { method: 'get_caller_identity', as },
    { service: 'ssm' as const, method: 'get_parameter', params: { Name: '/x' }, as },
    { service: 'dynamodb' as const, method: 'list_tables', as },
  ];
}

async function refusals(...callers: readonly Credentials[]) {
  return (await boto(aws.url, callers.flatMap(everywhere))).map(({ code, status }) => [
    code,
    status,
  ]);
}

async function vend() {
  return credentialsOf(
    await new STSClient(sdk(aws)).send(new AssumeRoleCommand(protectedRequest())),
  );
}

describe.skipIf(noBoto)('a signed request is refused', () => {
  it('with a wrong signature', async () => {
    expect(await refusals({ ...TVM, secretAccessKey: 'wrong' })).toEqual([
      ['SignatureDoesNotMatch', 403],
      ['InvalidSignatureException', 400],
      ['InvalidSignatureException', 400],
    ]);
  });

  const unknown = [
    ['InvalidClientTokenId', 403],
    ['UnrecognizedClientException', 400],
    ['UnrecognizedClientException', 400],
  ];

  it('with an unknown key', async () => {
    expect(await refusals({ ...TVM, accessKeyId: 'AKIAUNKNOWN00000' })).toEqual(unknown);
  });

  it('with another key’s token, without its token, or with a token that the key does not have', async () => {
    const vended = await vend();
    const { sessionToken: _gone, ...without } = vended;
    const changed = { ...vended, sessionToken: `${vended.sessionToken}x` };
    expect(await refusals(changed, without, { ...TVM, sessionToken: 'x' })).toEqual(
      [unknown, unknown, unknown].flat(),
    );
  });

  it('with expired credentials', async () => {
    offset = -600_000;
    const short = protectedRequest({ DurationSeconds: 900 });
    const [made] = await boto(aws.url, [{ method: 'assume_role', params: short }]);
    const vended = credentialsOf(made?.answer ?? {});
    const alive = await boto(aws.url, everywhere(vended));
    expect(alive[0]?.answer?.['Account']).toBe('000000000000');
    offset = 301_000;
    expect(await refusals(vended)).toEqual([
      ['ExpiredToken', 403],
      ['ExpiredTokenException', 400],
      ['ExpiredTokenException', 400],
    ]);
  });

  it('if it was signed too long ago, or for another region', async () => {
    offset = 16 * 60_000;
    expect((await refusals(TVM))[0]).toEqual(['SignatureDoesNotMatch', 403]);
    offset = 0;
    const elsewhere = new STSClient({ ...sdk(aws), region: 'eu-west-1' });
    await expect(elsewhere.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
  });
});

describe('SSM and DynamoDB', () => {
  it('refuse everybody except the TVM', async () => {
    const vended = await vend();
    const denied = {
      name: 'AccessDeniedException',
      message: expect.stringContaining('because no identity-based policy allows'),
      $metadata: expect.objectContaining({ httpStatusCode: 400 }),
    };
    for (const as of [DANA, vended]) {
      const ssm = new SSMClient(sdk(aws, as)).send(new GetParameterCommand({ Name: '/x' }));
      const tables = new DynamoDBClient(sdk(aws, as)).send(new ListTablesCommand({}));
      await expect(ssm).rejects.toMatchObject(denied);
      await expect(tables).rejects.toMatchObject(denied);
    }
  });
});

describe('a request without a valid signature', () => {
  it.each([
    ['sts', {}, 403, 'text/xml', '<Code>MissingAuthenticationToken</Code>'],
    [
      'ssm',
      { 'x-amz-target': 'AmazonSSM.GetParameter' },
      400,
      'application/x-amz-json-1.1',
      'MissingAuthenticationTokenException',
    ],
    [
      'dynamodb',
      { 'x-amz-target': 'DynamoDB_20120810.Scan' },
      400,
      'application/x-amz-json-1.0',
      'com.amazon.coral.service#',
    ],
  ])('is refused in the form of %s', async (...[, headers, status, type, part]) => {
    const response = await fetch(aws.url, { method: 'POST', body: '{}', headers });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe(type);
    expect(await response.text()).toContain(part);
  });

  it('gets 413 with a body of more than a mebibyte', async () => {
    const response = await fetch(aws.url, { method: 'POST', body: 'x'.repeat(1_048_577) });
    expect(response.status).toBe(413);
  });

  const HOSTILE = [
    'GET /?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /../x HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort',
    'NONSENSE\r\n\r\n',
    'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
  ];

  it.each(HOSTILE)('does not stop the server: %j', async (text) => {
    await new Promise<void>((settle) => {
      const socket = connect(aws.port, '127.0.0.1', () => socket.end(text));
      socket.on('error', () => undefined).on('close', () => settle());
      socket.resume();
    });
    const identity = await new STSClient(sdk(aws)).send(new GetCallerIdentityCommand({}));
    expect(identity.Account).toBe('000000000000');
  });
});
