import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createFakeTable,
  entry,
  feedOf,
  FRESH,
  logOf,
  rawEntry,
  SEALING,
  user,
} from './fake-table.ts';

/**
 * Writers and readers whose calls take effect in an order that fast-check's scheduler picks: a
 * reader afterwards knows exactly what was appended and not lifted.
 */
type Plan = {
  readonly writers: readonly (readonly boolean[])[];
  readonly readers: number;
  readonly polls: number;
};

/** What each writer appends: `false` revokes, `true` lifts what it revoked last. */
const plans: fc.Arbitrary<Plan> = fc.record({
  writers: fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  }),
  readers: fc.integer({ min: 1, max: 3 }),
  polls: fc.integer({ min: 1, max: 3 }),
});

/**
 * Appends a writer's entries one after another; gives their numbers, and which of them it lifted.
 */
async function write(
  table: ReturnType<typeof createFakeTable>,
  name: string,
  plan: readonly boolean[],
) {
  const log = logOf(table);
  const numbers: number[] = [];
  const lifted: number[] = [];
  const open: number[] = [];
  for (const lifts of plan) {
    const last = lifts ? open.pop() : undefined;
    if (last === undefined) {
      const { n } = await log.append(entry(user(name)));
      numbers.push(n);
      open.push(n);
    } else {
      numbers.push((await log.append({ what: 'lift', lifts: last, sealing: SEALING })).n);
      lifted.push(last);
    }
  }
  return { numbers, inForce: numbers.filter((n) => open.includes(n)), lifted };
}

async function run(
  scheduler: fc.Scheduler,
  { writers, readers, polls }: Plan,
  { loadedBefore }: { readonly loadedBefore: boolean },
): Promise<void> {
  const table = createFakeTable();
  const feeds = Array.from({ length: readers }, () => feedOf(table));
  if (loadedBefore) await Promise.all(feeds.map((feed) => feed.ensure()));
  table.control.step = async () => {
    await scheduler.schedule(Promise.resolve());
  };
  const writing = Promise.all(writers.map((plan, index) => write(table, `writer-${index}`, plan)));
  const reading = Promise.all(
    feeds.map(async (feed) => {
      for (let time = 0; time < polls; time += 1) await feed.poll();
    }),
  );
  await scheduler.waitFor(Promise.all([writing, reading]));
  const written = await writing;
  table.control.step = () => Promise.resolve();

  const all = written.flatMap(({ numbers }) => numbers).toSorted((a, b) => a - b);
  expect(all, 'distinct and without a gap').toEqual(all.map((_, index) => index + 1));
  expect(table.items.get('head')?.['n']?.N).toBe(String(all.length));
  const inForce = written.flatMap((one) => one.inForce).toSorted((a, b) => a - b);
  for (const feed of feeds) {
    expect(await feed.poll()).toEqual(FRESH);
    expect(feed.numbers()).toEqual(inForce);
    expect(feed.faults).toEqual([]);
  }
}

describe('readers and writers, in any order of their calls', () => {
  it('let readers that follow end up with exactly what was appended', async () => {
    const property = fc.asyncProperty(fc.scheduler(), plans, (scheduler, plan) =>
      run(scheduler, plan, { loadedBefore: true }),
    );
    await fc.assert(property, { numRuns: 150 });
  });

  it('let readers that load meanwhile end up with exactly what was appended', async () => {
    const property = fc.asyncProperty(fc.scheduler(), plans, (scheduler, plan) =>
      run(scheduler, plan, { loadedBefore: false }),
    );
    await fc.assert(property, { numRuns: 300 });
  });

  it('let readers that load meanwhile end up with exactly what was appended, if nothing is lifted', async () => {
    const revoking = plans.map((plan) => ({
      ...plan,
      writers: plan.writers.map((one) => one.map(() => false)),
    }));
    const property = fc.asyncProperty(fc.scheduler(), revoking, (scheduler, plan) =>
      run(scheduler, plan, { loadedBefore: false }),
    );
    await fc.assert(property, { numRuns: 150 });
  });

  it('never let an instance forget what it revoked itself, not even while it reads everything again', async () => {
    const property = fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 0, max: 3 }),
      async (scheduler, before) => {
        const table = createFakeTable();
        for (let n = 1; n <= before; n += 1)
          table.items.set(`rev#${n}`, rawEntry(n, { value: { S: `old-${n}` } }));
        const feed = feedOf(table);
        await feed.ensure();
        let mine = 0;
        table.control.step = async () => {
          await scheduler.schedule(Promise.resolve());
          if (mine > 0) expect(feed.numbers(), 'its own revocation is in force').toContain(mine);
        };
        const reloading = feed.poll(6 * 60_000);
        const revoking = feed.append(entry()).then(({ n }) => {
          mine = n;
        });
        await scheduler.waitFor(Promise.all([reloading, revoking]));
        expect(feed.numbers()).toContain(mine);
        expect(await reloading).toEqual(FRESH);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});

describe('a writer that dies between entry and head', () => {
  it('leaves an entry that every reader sees, and a number that is not used twice', async () => {
    const property = fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 4 }),
      async (scheduler, others) => {
        const table = createFakeTable();
        const feed = feedOf(table);
        await feed.ensure();
        async function schedule(): Promise<void> {
          await scheduler.schedule(Promise.resolve());
        }
        table.control.step = schedule;
        const dying = createFakeTable(async (what) => {
          await schedule();
          if (what === 'UpdateItemCommand') throw new Error('killed');
        });
        // The same items, with calls that the scheduler does not delay.
        dying.items.set = (id, item) => {
          table.items.set(id, item);
          return dying.items;
        };
        dying.items.get = (id) => table.items.get(id);
        const killed = logOf(dying).append(entry(user('last words')));
        const fate = killed.then(
          () => 'written',
          (error: unknown) => String(error),
        );
        const rest = Promise.all(
          Array.from({ length: others }, (_, index) => write(table, `w${index}`, [false])),
        );
        await scheduler.waitFor(Promise.all([fate, rest, feed.poll()]));
        // Its entry is in the table, so the append resolves, whether or not the head was raised.
        expect(await fate).toBe('written');
        table.control.step = () => Promise.resolve();
        await feed.poll();
        expect(feed.numbers()).toEqual(Array.from({ length: others + 1 }, (_, index) => index + 1));
        expect(feed.names()).toContain('last words');
        expect(await logOf(table).append(entry())).toMatchObject({ n: others + 2 });
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });
});
