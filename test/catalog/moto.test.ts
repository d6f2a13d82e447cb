import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createParameterReader } from '../../src/aws/paging.ts';
import { createDocumentTree } from '../../src/catalog/document-tree.ts';
import { lacksMoto } from '../local/support.ts';
import { freePort, startProcess, type Running } from '../support/processes.ts';

/** Reads versions and changes from moto's SSM, which LocalStack uses too. */
const COUNT = 130;
const missing = lacksMoto();

let moto: Running;
let ssm: SSMClient;

function put(
  name: string,
  Value: string,
  Type: 'String' | 'SecureString' = 'String',
): Promise<unknown> {
  return ssm.send(new PutParameterCommand({ Name: name, Value, Type, Overwrite: true }));
}

/** Tries until it succeeds: Python takes some seconds to start. */
async function untilUp(attempt: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + 40_000;
  for (;;) {
    const error = await attempt().then(
      () => undefined,
      (cause: unknown) => cause,
    );
    if (error === undefined) return;
    if (performance.now() > end) throw error;
    await sleep(200);
  }
}

beforeAll(async () => {
  if (missing !== undefined) return;
  const port = await freePort();
  moto = startProcess('python3', ['-m', 'moto.server', '-p', String(port)], {});
  ssm = new SSMClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1' });
  await untilUp(() => put('/r/0', 'text 0'));
  for (let index = 1; index < COUNT; index += 1) await put(`/r/${index}`, `text ${index}`);
  await put('/r-secrets/a', 'beside it', 'SecureString');
});

afterAll(async () => {
  if (missing !== undefined) return;
  ssm.destroy();
  await moto.stop();
});

describe.skipIf(missing)('createDocumentTree, with moto', () => {
  it('reads the whole tree first, then by versions what was changed, added, deleted and made again', async () => {
    const calls: string[] = [];
    const counted = createParameterReader(ssm);
    const reader: typeof counted = {
      tree: (...given) => (calls.push('tree'), counted.tree(...given)),
      marks: (...given) => (calls.push('marks'), counted.marks(...given)),
      values: (names, ...given) => (
        calls.push(`values ${names.length}`),
        counted.values(names, ...given)
      ),
    };
    const tree = createDocumentTree({
      reader,
      path: '/r',
      decrypt: true,
      clock: () => performance.now(),
    });
    const reading = { signal: new AbortController().signal, turn: () => Promise.resolve() };
    async function read(): Promise<ReadonlyMap<string, string>> {
      calls.length = 0;
      await tree.read(reading);
      return new Map([...tree.documents()].map(({ name, text }) => [name, text]));
    }
    expect((await read()).size).toBe(COUNT);
    expect(calls[0]).toBe('tree');
    await read();
    expect(calls).toEqual(['marks', 'values 0']);
    await put('/r/1', 'changed');
    await put('/r/new', 'sealed', 'SecureString');
    await ssm.send(new DeleteParameterCommand({ Name: '/r/2' }));
    await ssm.send(new DeleteParameterCommand({ Name: '/r/3' }));
    await put('/r/3', 'made again');
    const texts = await read();
    expect(calls).toEqual(['marks', 'values 4']);
    expect(['/r/1', '/r/2', '/r/3', '/r/new'].map((name) => texts.get(name))).toEqual([
      'changed',
      undefined,
      'made again',
      'sealed',
    ]);
    expect(texts.size).toBe(COUNT);
  });
});
