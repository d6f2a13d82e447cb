import {
  DeleteParameterCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  PutParameterCommand,
  SSMClient,
  type GetParametersByPathCommandInput,
} from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbeddedAws } from '../../src/local/aws/server.ts';
import { awsCli, boto, lacksAwsCli, lacksBoto, sdk, startAws, TVM } from './support.ts';

let aws: EmbeddedAws;
let ssm: SSMClient;
beforeAll(async () => {
  aws = await startAws();
  ssm = new SSMClient(sdk(aws));
});
afterAll(() => aws.close());

function put(Name: string, more: object = {}) {
  return ssm.send(new PutParameterCommand({ Name, Type: 'String', Value: 'v', ...more }));
}
async function get(Name: string, WithDecryption = false) {
  return (await ssm.send(new GetParameterCommand({ Name, WithDecryption }))).Parameter;
}
function page(input: GetParametersByPathCommandInput) {
  return ssm.send(new GetParametersByPathCommand(input));
}
function names(parameters: readonly { readonly Name?: string | undefined }[] = []) {
  return parameters.map(({ Name }) => Name);
}

describe('GetParametersByPath', () => {
  beforeAll(async () => {
    for (let i = 10; i < 33; i += 1) await put(`/tree/leaf-${i}`);
    for (const name of ['/tree/deep/a', '/tree/deep/b/c', '/tree-secrets/x', '/treetop'])
      await put(name);
  });

  it('returns pages of ten, sorted by name, with each name once', async () => {
    const seen: (string | undefined)[] = [];
    const sizes: number[] = [];
    let NextToken: string | undefined;
    do {
      const answer = await page({
        Path: '/tree',
        Recursive: true,
        ...(NextToken === undefined ? {} : { NextToken }),
      });
      seen.push(...names(answer.Parameters));
      sizes.push(answer.Parameters?.length ?? 0);
      NextToken = answer.NextToken;
    } while (NextToken !== undefined);
    expect(sizes).toEqual([10, 10, 5]);
    expect(seen).toEqual([...new Set(seen)].toSorted());
    expect(seen).toContain('/tree/deep/b/c');
  });

  it('returns only children unless recursive, and no path that only begins alike', async () => {
    expect(names((await page({ Path: '/tree/deep' })).Parameters)).toEqual(['/tree/deep/a']);
    expect(names((await page({ Path: '/tree/deep/', Recursive: true })).Parameters)).toEqual([
      '/tree/deep/a',
      '/tree/deep/b/c',
    ]);
    expect(names((await page({ Path: '/tree-secrets', Recursive: true })).Parameters)).toEqual([
      '/tree-secrets/x',
    ]);
    expect(names((await page({ Path: '/' })).Parameters)).toEqual(['/treetop']);
    expect((await page({ Path: '/nothing' })).Parameters).toEqual([]);
  });

  it('continues correctly if a parameter is deleted between pages', async () => {
    const first = await page({ Path: '/tree', MaxResults: 2 });
    await ssm.send(new DeleteParameterCommand({ Name: '/tree/leaf-11' }));
    const second = await page({ Path: '/tree', MaxResults: 1, NextToken: first.NextToken });
    expect(names(second.Parameters)).toEqual(['/tree/leaf-12']);
  });

  it('refuses tokens of other listings, too many results and a path without a slash', async () => {
    const { NextToken } = await page({ Path: '/tree', MaxResults: 1 });
    await expect(page({ Path: '/tree', Recursive: true, NextToken })).rejects.toMatchObject({
      name: 'InvalidNextToken',
    });
    await expect(page({ Path: '/tree', NextToken: 'x' })).rejects.toMatchObject({
      name: 'InvalidNextToken',
    });
    await expect(page({ Path: '/tree', MaxResults: 11 })).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await expect(page({ Path: 'tree' })).rejects.toMatchObject({ name: 'ValidationException' });
  });
});

describe('SecureString', () => {
  it('has its value returned only with decryption', async () => {
    await put('/secret/one', { Type: 'SecureString', Value: 'plain words' });
    const sealed = await get('/secret/one');
    expect(sealed).toMatchObject({ Type: 'SecureString', Version: 1 });
    expect(sealed?.Value).not.toContain('plain');
    expect((await get('/secret/one'))?.Value).toBe(sealed?.Value);
    expect((await get('/secret/one', true))?.Value).toBe('plain words');
    const listed = await page({ Path: '/secret', WithDecryption: true });
    expect(listed.Parameters?.[0]?.Value).toBe('plain words');
  });
});

describe('PutParameter', () => {
  it('overwrites only if allowed, and counts versions', async () => {
    expect((await put('/put/a')).Version).toBe(1);
    await expect(put('/put/a', { Value: 'w' })).rejects.toMatchObject({
      name: 'ParameterAlreadyExists',
    });
    expect((await get('/put/a'))?.Value).toBe('v');
    expect((await put('/put/a', { Value: 'w', Overwrite: true, Type: undefined })).Version).toBe(2);
    expect(await get('/put/a')).toMatchObject({
      Value: 'w',
      Version: 2,
      Type: 'String',
      DataType: 'text',
    });
  });

  it.each([
    ['a space', { Name: '/put/a b' }, 'ValidationException'],
    ['no leading slash', { Name: 'put/a' }, 'ValidationException'],
    ['a trailing slash', { Name: '/put/' }, 'ValidationException'],
    ['aws in front', { Name: '/aws/x' }, 'ValidationException'],
    ['SSM in front', { Name: 'SSMx' }, 'ValidationException'],
    ['16 levels', { Name: '/l'.repeat(16) }, 'HierarchyLevelLimitExceededException'],
    ['an empty value', { Name: '/put/b', Value: '' }, 'ValidationException'],
    ['4,097 characters', { Name: '/put/b', Value: 'x'.repeat(4_097) }, 'ValidationException'],
    ['no type', { Name: '/put/b', Type: undefined }, 'ValidationException'],
    ['an unknown type', { Name: '/put/b', Type: 'Secret' }, 'ValidationException'],
  ])('refuses %s', async (_what, input, name) => {
    const { Name, ...more } = input;
    await expect(put(Name, more)).rejects.toMatchObject({ name });
  });

  it('accepts 4,096 characters, 8,192 in the advanced tier, 15 levels, and a name without slashes', async () => {
    await put('/put/c', { Value: 'x'.repeat(4_096) });
    await put('/put/d', { Value: 'x'.repeat(8_192), Tier: 'Advanced' });
    await put('/l'.repeat(15));
    expect((await put('plain')).Tier).toBe('Standard');
    expect((await get('plain'))?.ARN).toBe('arn:aws:ssm:us-east-1:000000000000:parameter/plain');
  });
});

describe('the other operations of SSM', () => {
  it('report missing parameters and unknown operations', async () => {
    await expect(get('/nowhere')).rejects.toMatchObject({ name: 'ParameterNotFound' });
    await expect(ssm.send(new DeleteParameterCommand({ Name: '/nowhere' }))).rejects.toMatchObject({
      name: 'ParameterNotFound',
    });
    await put('/some');
    const some = await ssm.send(new GetParametersCommand({ Names: ['/some', '/nowhere'] }));
    expect([names(some.Parameters), some.InvalidParameters]).toEqual([['/some'], ['/nowhere']]);
  });

  it.skipIf(lacksBoto())('answer botocore in the same way', async () => {
    const outcomes = await boto(aws.url, [
      {
        service: 'ssm',
        method: 'put_parameter',
        params: { Name: '/boto/a', Value: 'ä', Type: 'String' },
      },
      { service: 'ssm', method: 'get_parameter', params: { Name: '/boto/a' } },
      { service: 'ssm', method: 'get_parameter', params: { Name: '/boto/b' } },
      { service: 'ssm', method: 'get_parameter_history' },
    ]);
    expect(outcomes[1]?.answer?.['Parameter']).toMatchObject({
      Name: '/boto/a',
      Value: 'ä',
      Version: 1,
    });
    expect(outcomes[2]).toMatchObject({ code: 'ParameterNotFound', status: 400 });
    expect(outcomes[3]).toMatchObject({ code: 'UnknownOperationException', status: 400 });
  });

  it.skipIf(lacksAwsCli())('answer the AWS CLI, which requests all pages', async () => {
    const all = await awsCli(
      aws.url,
      TVM,
      'ssm',
      'get-parameters-by-path',
      '--path',
      '/tree',
      '--recursive',
    );
    expect(all['Parameters'].length).toBeGreaterThan(20);
  });
});
