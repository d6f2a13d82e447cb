import {
  DeleteParameterCommand,
  DescribeParametersCommand,
  PutParameterCommand,
  SSMClient,
  type DescribeParametersCommandInput,
  type ParameterStringFilter,
} from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createParameterStore } from '../../src/local/aws/ssm-parameters.ts';
import type { EmbeddedAws } from '../../src/local/aws/server.ts';
import { boto, lacksBoto, sdk, startAws } from './support.ts';

let aws: EmbeddedAws;
let ssm: SSMClient;

beforeAll(async () => {
  aws = await startAws();
  ssm = new SSMClient(sdk(aws));
  for (let i = 10; i < 70; i += 1) await put(`/tree/leaf-${i}`);
  for (const name of ['/tree/deep/a', '/tree/deep/b/c', '/tree-secrets/x', '/treetop', 'plain'])
    await put(name);
  await put('/secret/one', { Type: 'SecureString', Value: 'plain words' });
});

afterAll(async () => {
  ssm.destroy();
  await aws.close();
});

function put(Name: string, more: object = {}) {
  return ssm.send(new PutParameterCommand({ Name, Type: 'String', Value: 'v', ...more }));
}
function describeAll(input: DescribeParametersCommandInput) {
  return ssm.send(new DescribeParametersCommand(input));
}
async function names(
  ...filters: ParameterStringFilter[]
): Promise<readonly (string | undefined)[]> {
  return ((await describeAll({ ParameterFilters: filters })).Parameters ?? []).map(
    ({ Name }) => Name,
  );
}

describe('DescribeParameters', () => {
  it('returns pages of fifty, sorted by name, with each name once', async () => {
    const filter = { Key: 'Path', Option: 'Recursive', Values: ['/tree'] };
    const first = await describeAll({ ParameterFilters: [filter] });
    const second = await describeAll({ ParameterFilters: [filter], NextToken: first.NextToken });
    const all = [...(first.Parameters ?? []), ...(second.Parameters ?? [])].map(({ Name }) => Name);
    expect([first.Parameters?.length, second.Parameters?.length, second.NextToken]).toEqual([
      50,
      12,
      undefined,
    ]);
    expect(all).toEqual([...new Set(all)].toSorted());
  });

  it('returns version and date, which change with each value, but no value', async () => {
    async function look() {
      return (await describeAll({ ParameterFilters: [{ Key: 'Name', Values: ['/secret/one'] }] }))
        .Parameters?.[0];
    }
    const before = await look();
    expect(before).toMatchObject({
      Name: '/secret/one',
      Type: 'SecureString',
      Version: 1,
      Tier: 'Standard',
    });
    expect(JSON.stringify(before)).not.toContain('plain words');
    await put('/secret/one', { Value: 'others', Type: 'SecureString', Overwrite: true });
    const after = await look();
    expect(after?.Version).toBe(2);
    expect(after?.LastModifiedDate?.getTime()).toBeGreaterThan(
      before?.LastModifiedDate?.getTime() ?? 0,
    );
  });

  it('starts at version 1 again after a deletion, with a later date', async () => {
    async function look() {
      return (await describeAll({ ParameterFilters: [{ Key: 'Name', Values: ['/deeply/again'] }] }))
        .Parameters?.[0];
    }
    await put('/deeply/again');
    const before = await look();
    await ssm.send(new DeleteParameterCommand({ Name: '/deeply/again' }));
    expect(await look()).toBeUndefined();
    await put('/deeply/again');
    const after = await look();
    expect([before?.Version, after?.Version]).toEqual([1, 1]);
    expect(after?.LastModifiedDate?.getTime()).toBeGreaterThan(
      before?.LastModifiedDate?.getTime() ?? 0,
    );
  });

  it('filters by path: only children unless recursive, and no path that only begins alike', async () => {
    expect(await names({ Key: 'Path', Values: ['/tree/deep'] })).toEqual(['/tree/deep/a']);
    expect(
      await names({ Key: 'Path', Option: 'Recursive', Values: ['/tree/deep/', '/tree-secrets'] }),
    ).toEqual(['/tree-secrets/x', '/tree/deep/a', '/tree/deep/b/c']);
    expect(await names({ Key: 'Path', Option: 'OneLevel', Values: ['/'] })).toEqual(
      ['/treetop', 'plain'].toSorted(),
    );
    expect(await names({ Key: 'Path', Option: 'Recursive', Values: ['/treetop'] })).toEqual([]);
  });

  it('filters by name, type and tier, and by all of them together', async () => {
    expect(
      await names({ Key: 'Name', Option: 'BeginsWith', Values: ['/tree/leaf-1', '/treetop'] }),
    ).toHaveLength(11);
    expect(await names({ Key: 'Name', Option: 'Contains', Values: ['-secrets'] })).toEqual([
      '/tree-secrets/x',
    ]);
    expect(await names({ Key: 'Type', Values: ['SecureString'] })).toEqual(['/secret/one']);
    expect(
      await names(
        { Key: 'Type', Values: ['String'] },
        { Key: 'Path', Option: 'Recursive', Values: ['/secret'] },
      ),
    ).toEqual([]);
  });

  it.each([
    ['an unknown key', { Key: 'Label', Values: ['x'] }, 'InvalidFilterKey'],
    ['a key that the embedded AWS leaves out', { Key: 'tag:x', Values: ['x'] }, 'InvalidFilterKey'],
    [
      'an option of another key',
      { Key: 'Path', Option: 'BeginsWith', Values: ['/a'] },
      'InvalidFilterOption',
    ],
    ['no values', { Key: 'Path' }, 'InvalidFilterValue'],
    ['a path without slash', { Key: 'Path', Values: ['tree'] }, 'ValidationException'],
  ])('refuses %s', async (_, filter, name) => {
    await expect(names(filter)).rejects.toMatchObject({ name });
  });

  it('refuses a repeated key, 51 results, the deprecated filters and tokens of other listings', async () => {
    const filter = { Key: 'Path', Option: 'Recursive', Values: ['/tree'] };
    await expect(names(filter, filter)).rejects.toMatchObject({ name: 'InvalidFilterKey' });
    await expect(describeAll({ MaxResults: 51 })).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await expect(describeAll({ Filters: [{ Key: 'Name', Values: ['x'] }] })).rejects.toMatchObject({
      name: 'ValidationException',
    });
    const { NextToken } = await describeAll({ ParameterFilters: [filter], MaxResults: 1 });
    await expect(describeAll({ NextToken })).rejects.toMatchObject({ name: 'InvalidNextToken' });
  });

  it.skipIf(lacksBoto())('answers botocore in the same way', async () => {
    const params = {
      ParameterFilters: [{ Key: 'Path', Option: 'Recursive', Values: ['/tree/deep'] }],
    };
    const [outcome] = await boto(aws.url, [
      { service: 'ssm', method: 'describe_parameters', params },
    ]);
    expect(outcome?.answer?.['Parameters']).toMatchObject([
      { Name: '/tree/deep/a' },
      { Name: '/tree/deep/b/c' },
    ]);
  });
});

describe('createParameterStore', () => {
  it('accepts 10,000 parameters of the standard tier, and more of the advanced tier', () => {
    const store = createParameterStore();
    function add(index: number, tier: 'Standard' | 'Advanced') {
      return store.put(
        { name: `/p/${index}`, value: 'v', type: 'String', tier, overwrite: false },
        index,
      ).ok;
    }
    for (let index = 0; index < 10_000; index += 1) add(index, 'Standard');
    expect(add(10_000, 'Standard')).toBe(false);
    expect(add(10_001, 'Advanced')).toBe(true);
    expect(store.remove('/p/7')).toBe(true);
    expect(add(10_000, 'Standard')).toBe(true);
    expect([...store.beneath('/p', true, '')]).toHaveLength(10_001);
  });
});
