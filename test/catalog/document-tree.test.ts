import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ParameterReader, Reading } from '../../src/aws/paging.ts';
import type { StoredParameter } from '../../src/aws/parameters.ts';
import { createDocumentTree } from '../../src/catalog/document-tree.ts';

const MINUTE = 60_000;

function fault(name: string): Error {
  return Object.assign(new Error(name), { name });
}

/** An SSM whose listings and values can be stale, incomplete or fail. Counts its calls. */
class FakeSsm {
  readonly parameters = new Map<string, StoredParameter>();
  readonly calls = { tree: 0, marks: 0, values: 0 };
  /** Names of existing parameters that listings leave out. */
  readonly hidden = new Set<string>();
  /** Old parameters that are given as values, although the listing has newer versions. */
  readonly stale = new Map<string, StoredParameter>();
  readonly faults: {
    tree?: Error | undefined;
    marks?: Error | undefined;
    values?: Error | undefined;
  } = {};
  /** Pages of a listing before the fault. */
  faultAfter = 0;
  marksPerPage = 50;
  private writes = 0;

  put(name: string, text: string): void {
    const version = (this.parameters.get(name)?.version ?? 0) + 1;
    this.parameters.set(name, {
      name,
      text,
      type: 'String',
      version,
      modifiedAt: (this.writes += 1),
    });
  }

  remove(name: string): void {
    this.parameters.delete(name);
  }

  private *pages(kind: 'tree' | 'marks', size: number): Generator<readonly StoredParameter[]> {
    const all = [...this.parameters.values()].filter(({ name }) => !this.hidden.has(name));
    for (let from = 0; from === 0 || from < all.length; from += size) {
      if (this.faults[kind] !== undefined && from / size >= this.faultAfter)
        throw this.faults[kind];
      this.calls[kind] += 1;
      yield all.slice(from, from + size);
    }
  }

  readonly reader: ParameterReader = {
    tree: async function* (this: void) {
      yield* ssm.pages('tree', 10);
    },
    marks: async function* (this: void) {
      yield* ssm.pages('marks', ssm.marksPerPage);
    },
    values: async function* (this: void, names: readonly string[]) {
      for (let from = 0; from < names.length; from += 10) {
        if (ssm.faults.values !== undefined) throw ssm.faults.values;
        ssm.calls.values += 1;
        const asked = names.slice(from, from + 10);
        const found = asked.flatMap(
          (name) => ssm.stale.get(name) ?? ssm.parameters.get(name) ?? [],
        );
        yield { found, missing: asked.filter((name) => !ssm.parameters.has(name)) };
      }
    },
  };
}

let ssm: FakeSsm;
let now: number;
const reading: Reading = { signal: new AbortController().signal, turn: () => Promise.resolve() };

beforeEach(() => {
  ssm = new FakeSsm();
  now = 0;
});

function treeOf() {
  const tree = createDocumentTree({
    reader: ssm.reader,
    path: '/r',
    decrypt: false,
    clock: () => now,
  });
  return {
    ...tree,
    /** Reads, and gives the texts that are known then. */
    texts: async () => {
      await tree.read(reading);
      return new Map([...tree.documents()].map(({ name, text }) => [name, text]));
    },
  };
}

function fill(count: number): void {
  for (let index = 0; index < count; index += 1) ssm.put(`/r/${index}`, `text ${index}`);
}

function truth() {
  return new Map([...ssm.parameters.values()].map(({ name, text }) => [name, text]));
}

/** Counts the calls that a run makes. */
async function callsOf(run: () => Promise<unknown>) {
  const before = { ...ssm.calls };
  await run();
  const { tree, marks, values } = ssm.calls;
  return { tree: tree - before.tree, marks: marks - before.marks, values: values - before.values };
}

describe('createDocumentTree: a small tree', () => {
  it('is read as a whole each time, with one kind of call', async () => {
    fill(95);
    const tree = treeOf();
    expect(await callsOf(tree.texts)).toEqual({ tree: 10, marks: 0, values: 0 });
    ssm.put('/r/7', 'changed');
    expect(await callsOf(tree.texts)).toEqual({ tree: 10, marks: 0, values: 0 });
    expect(await tree.texts()).toEqual(truth());
  });

  it('may be empty, and become so', async () => {
    const tree = treeOf();
    expect(await tree.texts()).toEqual(new Map());
    fill(3);
    expect((await tree.texts()).size).toBe(3);
    ssm.parameters.clear();
    expect(await tree.texts()).toEqual(new Map());
  });
});

describe('createDocumentTree: a large tree', () => {
  it('is listed by versions, and only what changed is fetched', async () => {
    fill(1_000);
    const tree = treeOf();
    expect(await callsOf(tree.texts)).toEqual({ tree: 100, marks: 0, values: 0 });
    expect(await callsOf(tree.texts)).toEqual({ tree: 0, marks: 20, values: 0 });
    ssm.put('/r/7', 'changed');
    ssm.put('/r/new', 'new');
    ssm.remove('/r/8');
    expect(await callsOf(tree.texts)).toEqual({ tree: 0, marks: 20, values: 1 });
    expect(await tree.texts()).toEqual(truth());
  });

  it('has another version exactly when a document is added, deleted or changed', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    const seen = [tree.version()];
    async function look(): Promise<void> {
      await tree.texts();
      seen.push(tree.version());
    }
    await look();
    ssm.put('/r/1', 'text 1');
    await look();
    expect(new Set(seen).size).toBe(1);
    ssm.put('/r/1', 'another');
    await look();
    ssm.remove('/r/2');
    await look();
    ssm.put('/r/x', 'x');
    await look();
    expect(new Set(seen).size).toBe(4);
  });

  it('has the text of a parameter that was deleted and made again under the same version', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    ssm.remove('/r/5');
    ssm.put('/r/5', 'made again');
    expect(ssm.parameters.get('/r/5')?.version).toBe(1);
    expect((await tree.texts()).get('/r/5')).toBe('made again');
  });

  it('keeps what a listing leaves out until SSM says that it does not exist', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    ssm.hidden.add('/r/5');
    expect((await tree.texts()).get('/r/5')).toBe('text 5');
    ssm.put('/r/5', 'changed unseen');
    expect((await tree.texts()).get('/r/5')).toBe('changed unseen');
    ssm.remove('/r/5');
    expect((await tree.texts()).has('/r/5')).toBe(false);
  });

  it('is kept when a whole listing is empty, as a proxy may answer', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    for (const name of ssm.parameters.keys()) ssm.hidden.add(name);
    expect(await tree.texts()).toEqual(truth());
  });

  it('fetches a value again that was older than its listing', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    const old = ssm.parameters.get('/r/5');
    if (old !== undefined) ssm.stale.set('/r/5', old);
    ssm.put('/r/5', 'new');
    expect((await tree.texts()).get('/r/5')).toBe('text 5');
    ssm.stale.clear();
    expect((await tree.texts()).get('/r/5')).toBe('new');
  });

  it('is read on from where the last reading broke off', async () => {
    fill(1_000);
    ssm.faults.tree = fault('TimeoutError');
    ssm.faultAfter = 60;
    const tree = treeOf();
    await expect(tree.texts()).rejects.toThrow('TimeoutError');
    ssm.faults.tree = undefined;
    expect(await callsOf(tree.texts)).toEqual({ tree: 0, marks: 20, values: 40 });
    expect(await tree.texts()).toEqual(truth());
  });

  it('rejects when a page of versions or a value fails', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    ssm.put('/r/1', 'changed');
    ssm.faults.marks = fault('TimeoutError');
    ssm.faultAfter = 2;
    await expect(tree.texts()).rejects.toThrow('TimeoutError');
    ssm.faults.marks = undefined;
    ssm.faults.values = fault('TimeoutError');
    await expect(tree.texts()).rejects.toThrow('TimeoutError');
    ssm.faults.values = undefined;
    expect(await tree.texts()).toEqual(truth());
  });
});

describe('createDocumentTree: without versions', () => {
  it.each(['AccessDeniedException', 'ThrottlingException'])(
    'reads the whole tree for ten minutes after %s',
    async (name) => {
      fill(200);
      const tree = treeOf();
      await tree.texts();
      ssm.faults.marks = fault(name);
      ssm.put('/r/1', 'changed');
      expect(await callsOf(tree.texts)).toEqual({ tree: 20, marks: 0, values: 0 });
      expect(await tree.texts()).toEqual(truth());
      ssm.faults.marks = undefined;
      expect(await callsOf(tree.texts)).toMatchObject({ tree: 20, marks: 0 });
      now += 11 * MINUTE;
      expect(await callsOf(tree.texts)).toMatchObject({ tree: 0, marks: 4 });
    },
  );

  it('reads the whole tree when the listing pages through many other parameters', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    ssm.marksPerPage = 2;
    expect(await callsOf(tree.texts)).toEqual({ tree: 20, marks: 20, values: 0 });
    expect(await callsOf(tree.texts)).toEqual({ tree: 20, marks: 0, values: 0 });
  });

  it('drops what is missing from the tree for a role that may only read the tree', async () => {
    fill(200);
    const tree = treeOf();
    await tree.texts();
    ssm.faults.marks = fault('AccessDeniedException');
    ssm.faults.values = fault('AccessDeniedException');
    ssm.remove('/r/1');
    expect(await tree.texts()).toEqual(truth());
  });
});

describe('createDocumentTree: any history', () => {
  function clearFaults(): void {
    for (const kind of ['tree', 'marks', 'values'] as const) ssm.faults[kind] = undefined;
  }

  it('ends with what SSM holds, whatever failed or was stale before', async () => {
    const step = fc.record({
      act: fc.constantFrom(
        'put',
        'remove',
        'hide',
        'unhide',
        'fail marks',
        'fail values',
        'fail tree',
        'read',
      ),
      name: fc.integer({ min: 0, max: 150 }),
      after: fc.nat(3),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        ssm = new FakeSsm();
        fill(130);
        const tree = treeOf();
        for (const [index, { act, name: number, after }] of steps.entries()) {
          const name = `/r/${number}`;
          if (act === 'put') ssm.put(name, `text ${index}`);
          else if (act === 'remove') ssm.remove(name);
          else if (act === 'hide') ssm.hidden.add(name);
          else if (act === 'unhide') ssm.hidden.delete(name);
          else if (act !== 'read') ssm.faults[act.slice(5) as 'tree'] = fault('TimeoutError');
          ssm.faultAfter = after;
          if (act !== 'read') continue;
          await tree.read(reading).catch(() => undefined);
          clearFaults();
        }
        clearFaults();
        ssm.hidden.clear();
        expect(await tree.texts()).toEqual(truth());
      }),
      { numRuns: 200 },
    );
  });
});
