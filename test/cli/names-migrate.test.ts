import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArguments } from '../../src/cli/arguments.ts';
import { clientOf } from '../revocations/support.ts';
import { call } from '../http/support.ts';
import { startDesk, startTvm, type Desk } from '../support/tvm.ts';
import { runProgram, type Run } from './support.ts';

/**
 * Another kind of caller is to own bare names: what changes its meaning, and the record that lets
 * the TVM start.
 */
let desk: Desk;

beforeAll(async () => {
  desk = await startDesk();
});
afterAll(() => desk.close());

function migrate(...args: readonly string[]): Promise<Run> {
  return runProgram(['names', 'migrate', ...args], {
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: desk.url,
    AWS_ACCESS_KEY_ID: 'AKIADEMOTVM00000',
    AWS_SECRET_ACCESS_KEY: 'demo-tvm-not-a-secret',
  });
}

async function recorded(): Promise<string | undefined> {
  const client = clientOf(desk.url);
  const Key = { id: { S: 'setting#bare-names' } };
  const { Item } = await client.send(new GetItemCommand({ TableName: 'sentinel-guard', Key }));
  client.destroy();
  return Item?.['value']?.S;
}

describe('names migrate', () => {
  it('says that there is nothing to migrate where no TVM has used the tables', async () => {
    expect(await migrate('--to', 'user')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing to migrate'),
    });
  });

  it('lists the rules and Sentinel’s revocations that change, and changes nothing without --apply', async () => {
    const tvm = await startTvm(desk.url);
    await tvm.close();
    const client = clientOf(desk.url);
    await client.send(
      new PutItemCommand({
        TableName: 'sentinel-revocations',
        Item: {
          id: { S: 'rev#9' },
          n: { N: '9' },
          what: { S: 'revoke' },
          kind: { S: 'user' },
          value: { S: 'eve' },
        },
      }),
    );
    client.destroy();
    const { code, stdout } = await migrate('--to', 'user');
    expect(code).toBe(0);
    expect(stdout).toContain(
      '/sentinel/policies/dev, rule "engineers-in-dev", users: "alice" means key/alice now',
    );
    expect(stdout).toContain('"user/dana" is refused then; write dana');
    expect(stdout).toContain(
      '/sentinel/approval-policy, rule "prod-approvers", approvers: "bob" means key/bob now',
    );
    expect(stdout).toContain(
      'sentinel-revocations, rev#9: "eve" means key/eve now, and user/eve then',
    );
    expect(stdout).toContain('Nothing was changed');
    expect(await recorded()).toBe('key');
    expect((await migrate('--to', 'key')).stdout).toContain('already');
  });

  it('records the new setting with --apply, and a TVM then starts under the new one only', async () => {
    expect((await migrate('--to', 'sso', '--apply')).stdout).toContain('SENTINEL_BARE_NAMES=sso');
    expect(await recorded()).toBe('sso');
    const tvm = await startTvm(desk.url, { environment: { SENTINEL_BARE_NAMES: 'sso' } });
    expect((await call(tvm, { path: '/whoami' })).json['name']).toBe('key/alice');
    await tvm.close();
    const old = await startTvm(desk.url);
    expect((await call(old, { path: '/whoami' })).status).toBe(503);
    await old.close();
  });

  it.each([
    [['names'], 'names migrate'],
    [['names', 'list'], 'names migrate'],
    [['names', 'migrate'], '--to'],
    [['names', 'migrate', '--to', 'role'], '--to'],
    [['names', 'migrate', '--to', 'user', '--force'], '--force'],
  ])('refuses %j in a sentence that names what is wrong', (argv, named) => {
    const read = readArguments(argv);
    expect(read.ok ? 'accepted' : read.refusal).toContain(named);
    expect(read.ok ? '' : read.refusal).toMatch(/^[^\n]+\.$/u);
  });
});
