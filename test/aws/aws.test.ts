import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAwsClients } from '../../src/aws/clients.ts';
import { isLocalEndpoint } from '../../src/aws/endpoint.ts';
import { createOwnIdentity } from '../../src/aws/own-identity.ts';
import { readParameterTree } from '../../src/aws/paging.ts';
import { DEFAULT_TABLE_NAMES, tableDefinitions } from '../../src/aws/tables.ts';
import { startFake, stsError, stsIdentity, type Fake } from '../http/support.ts';

let fake: Fake;

beforeAll(async () => {
  fake = await startFake(() => 'close');
});

afterAll(async () => {
  await fake.close();
});

function clients() {
  return createAwsClients({
    region: 'us-east-1',
    endpoints: { sts: fake.url, ssm: fake.url, dynamodb: fake.url },
  });
}

describe('isLocalEndpoint', () => {
  it.each([
    'http://127.0.0.1:4566',
    'http://127.1.2.3',
    'http://[::1]:4566',
    'http://localhost:4566',
    'http://localstack:4566',
    'https://local_stack',
    'http://2130706433/',
  ])('is true for %s', (url) => {
    expect(isLocalEndpoint(url)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'localhost',
    'https://sts.eu-central-1.amazonaws.com',
    'http://10.0.0.1:4566',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost@evil.example',
    'http://evil.example/localhost',
    'http://evil.example?localhost',
    'http://localhost.',
    'http://[::ffff:1.2.3.4]',
    'http://[2001:db8::1]',
  ])('is false for %s', (url) => {
    expect(isLocalEndpoint(url)).toBe(false);
  });
});

describe('createOwnIdentity', () => {
  it('asks twice at once for all callers, then never again', async () => {
    fake.answer = () => stsIdentity;
    const before = fake.calls.length;
    const ownIdentity = createOwnIdentity(clients().sts);
    expect(await Promise.all([ownIdentity(), ownIdentity()])).toMatchObject([
      { account: '000000000000' },
      { account: '000000000000' },
    ]);
    expect(await ownIdentity()).toMatchObject({ account: '000000000000' });
    expect(fake.calls.length).toBe(before + 2);
  });

  it('rejects while STS does not answer, and asks again', async () => {
    const ownIdentity = createOwnIdentity(clients().sts);
    for (const answer of [
      stsError('AccessDenied', 403),
      { body: '<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>' },
      {
        body: '<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1234</Account></GetCallerIdentityResult></GetCallerIdentityResponse>',
      },
    ]) {
      fake.answer = () => answer;
      await expect(ownIdentity()).rejects.toThrow(Error);
    }
    fake.answer = () => stsIdentity;
    expect(await ownIdentity()).toMatchObject({ account: '000000000000' });
  });
});

describe('createOwnIdentity, when one answer belongs to another call', () => {
  it('believes neither answer, and asks again', async () => {
    const ownIdentity = createOwnIdentity(clients().sts);
    const other =
      '<GetCallerIdentityResponse><GetCallerIdentityResult><Account>999999999999</Account></GetCallerIdentityResult></GetCallerIdentityResponse>';
    const answers = [stsIdentity, { body: other }];
    fake.answer = () => answers.shift() ?? 'close';
    await expect(ownIdentity()).rejects.toThrow('two identities');
    fake.answer = () => stsIdentity;
    expect(await ownIdentity()).toMatchObject({ account: '000000000000' });
  });
});

describe('readParameterTree', () => {
  function answer(content: object) {
    return {
      headers: { 'content-type': 'application/x-amz-json-1.1' },
      body: JSON.stringify(content),
    };
  }
  function parameter(Name: string, more: object = {}) {
    return {
      Name,
      Type: 'String',
      Value: 'v',
      Version: 3,
      LastModifiedDate: 1_700_000_000.123,
      ...more,
    };
  }
  function page(names: readonly string[], next?: string) {
    return answer({ Parameters: names.map((name) => parameter(name)), NextToken: next });
  }
  function read() {
    return readParameterTree(clients().ssm, '/r', true);
  }

  it('follows the token through empty pages to the last, and asks for ten parameters at a time', async () => {
    const pages = [page(['/r/a'], 't1'), page([], 't2'), page(['/r/b', '/r/c'], '')];
    const before = fake.calls.length;
    fake.answer = () => pages.shift() ?? 'close';
    const stored = { version: 3, modifiedAt: 1_700_000_000_123, type: 'String', text: 'v' };
    expect(await read()).toEqual(['/r/a', '/r/b', '/r/c'].map((name) => ({ name, ...stored })));
    const asked = fake.calls
      .slice(before)
      .map((body) => JSON.parse(body) as Record<string, unknown>);
    const common = { Path: '/r', Recursive: true, WithDecryption: true, MaxResults: 10 };
    expect(asked).toEqual([common, { ...common, NextToken: 't1' }, { ...common, NextToken: 't2' }]);
  });

  it('rejects if a page fails, and never gives half of a tree', async () => {
    const pages = [page(['/r/a'], 't1'), { status: 400, body: '{"__type":"InternalServerError"}' }];
    fake.answer = () => pages.shift() ?? 'close';
    await expect(read()).rejects.toMatchObject({ name: 'InternalServerError' });
  });

  it('rejects when a next token comes twice, instead of reading forever', async () => {
    fake.answer = () => page([], 'again');
    await expect(read()).rejects.toThrow('the same next token');
    let count = 0;
    fake.answer = () => page([], `t${(count += 1) % 3}`);
    await expect(read()).rejects.toThrow('the same next token');
  });

  it.each([
    ['no list', answer({})],
    ['another service’s JSON', answer({ Items: [], Count: 0 })],
    ['a parameter beside the tree', page(['/r/a', '/root/b'])],
    ['the path itself', page(['/r'])],
    ['no name', answer({ Parameters: [parameter('/r/a', { Name: undefined })] })],
    ['no value', answer({ Parameters: [parameter('/r/a', { Value: undefined })] })],
    ['no version', answer({ Parameters: [parameter('/r/a', { Version: undefined })] })],
    ['no date', answer({ Parameters: [parameter('/r/a', { LastModifiedDate: undefined })] })],
  ])('rejects an answer with %s, which is not SSM’s', async (_, strange) => {
    fake.answer = () => strange;
    await expect(read()).rejects.toThrow('SSM');
  });

  it('asks again for a later page that is throttled, and rejects when the first page is', async () => {
    const throttled = { status: 400, body: '{"__type":"ThrottlingException"}' };
    let throttles = 4;
    fake.answer = (body) => {
      if (!body.includes('t1')) return page(['/r/a'], 't1');
      // More than the SDK's own tries.
      return (throttles -= 1) >= 0 ? throttled : page(['/r/b']);
    };
    expect((await read()).map(({ name }) => name)).toEqual(['/r/a', '/r/b']);
    const before = fake.calls.length;
    fake.answer = () => throttled;
    await expect(read()).rejects.toMatchObject({ name: 'ThrottlingException' });
    expect(fake.calls.length - before).toBe(3);
  });
});

describe('tableDefinitions', () => {
  it('gives the six tables under the given names, keyed by id and expiring by ttl', () => {
    const names = { ...DEFAULT_TABLE_NAMES, guard: 'my-guard' };
    const tables = tableDefinitions(names);
    expect(tables.map(({ create }) => create.TableName).toSorted()).toEqual(
      Object.values(names).toSorted(),
    );
    for (const { create, ttlAttribute } of tables) {
      expect(ttlAttribute).toBe('ttl');
      expect(create.KeySchema).toEqual([{ AttributeName: 'id', KeyType: 'HASH' }]);
      const used = [
        create.KeySchema,
        ...(create.GlobalSecondaryIndexes ?? []).map(({ KeySchema }) => KeySchema),
      ].flat();
      const defined = create.AttributeDefinitions?.map(({ AttributeName }) => AttributeName);
      expect(new Set(used.map((one) => one?.AttributeName))).toEqual(new Set(defined));
    }
  });
});
