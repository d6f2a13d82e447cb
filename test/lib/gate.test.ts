import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createGate } from '../../src/lib/gate.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** A run that ends when the test says so. */
function open() {
  let end: (value: string) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const started = { yes: false };
  const done = new Promise<string>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  function run(): Promise<string> {
    started.yes = true;
    return done;
  }
  return { run, started, end: () => end('done'), fail: () => fail(new Error('failed')) };
}

const DONE = { ok: true, value: 'done' };
const FULL = { ok: false, refusal: 'full' };

describe('createGate', () => {
  it('runs as many as it may, lets as many wait as it may, and refuses the rest at once without running them', async () => {
    const gate = createGate({ running: 2, waiting: 1, patience: 60_000 });
    const runs = Array.from({ length: 4 }, open);
    const results = runs.map(({ run }) => gate(run));
    expect(await results[3]).toEqual(FULL);
    expect(runs.map(({ started }) => started.yes)).toEqual([true, true, false, false]);
    runs[1]?.end();
    expect(await results[1]).toEqual(DONE);
    await expect.poll(() => runs[2]?.started.yes).toBe(true);
    runs[0]?.end();
    runs[2]?.end();
    expect(await Promise.all(results.slice(0, 3))).toEqual([DONE, DONE, DONE]);
    expect(runs[3]?.started.yes).toBe(false);
  });

  it('admits waiting runs in the order of their arrival', async () => {
    const gate = createGate({ running: 1, waiting: 5, patience: 60_000 });
    const order: number[] = [];
    const visits = Array.from({ length: 6 }, (_, index) =>
      gate(() => Promise.resolve(order.push(index))),
    );
    await Promise.all(visits);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('frees the place of a run that fails, and passes the error on', async () => {
    const gate = createGate({ running: 1, waiting: 1, patience: 60_000 });
    const [one, other] = [open(), open()];
    const first = gate(one.run);
    const second = gate(other.run);
    one.fail();
    await expect(first).rejects.toThrow('failed');
    other.end();
    expect(await second).toEqual(DONE);
    await expect(gate(() => Promise.reject(new Error('again')))).rejects.toThrow('again');
    expect(await gate(() => Promise.resolve('done'))).toEqual(DONE);
  });

  it('frees the place of a run that throws before it returns a promise', async () => {
    const gate = createGate({ running: 1, waiting: 0, patience: 60_000 });
    function thrower(): Promise<string> {
      throw new Error('at once');
    }
    await expect(gate(thrower)).rejects.toThrow('at once');
    expect(await gate(() => Promise.resolve('done'))).toEqual(DONE);
  });

  it('refuses a run that has waited too long, and keeps no place for it', async () => {
    vi.useFakeTimers();
    const gate = createGate({ running: 1, waiting: 2, patience: 1_000 });
    const [one, impatient, late] = [open(), open(), open()];
    const first = gate(one.run);
    const second = gate(impatient.run);
    await vi.advanceTimersByTimeAsync(999);
    const third = gate(late.run);
    await vi.advanceTimersByTimeAsync(1);
    expect(await second).toEqual(FULL);
    one.end();
    late.end();
    expect(await Promise.all([first, third])).toEqual([DONE, DONE]);
    expect(impatient.started.yes).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('refuses at once when all places are taken and none may wait', async () => {
    const gate = createGate({ running: 1, waiting: 0, patience: 60_000 });
    const one = open();
    const first = gate(one.run);
    expect(await gate(() => Promise.resolve('done'))).toEqual(FULL);
    one.end();
    expect(await first).toEqual(DONE);
    expect(await gate(() => Promise.resolve('done'))).toEqual(DONE);
  });

  it('never runs more than it may, and never loses a place', async () => {
    const visits = fc.array(fc.record({ turns: fc.nat(4), fails: fc.boolean() }), {
      maxLength: 40,
    });
    const property = fc.asyncProperty(
      visits,
      fc.integer({ min: 1, max: 4 }),
      fc.nat(6),
      async (all, running, waiting) => {
        const gate = createGate({ running, waiting, patience: 60_000 });
        let now = 0;
        let most = 0;
        async function visit({ turns, fails }: { turns: number; fails: boolean }): Promise<void> {
          now += 1;
          most = Math.max(most, now);
          for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
          now -= 1;
          if (fails) throw new Error('failed');
        }
        const results = await Promise.allSettled(all.map((one) => gate(() => visit(one))));
        const refused = results.filter(
          (result) => result.status === 'fulfilled' && !result.value.ok,
        );
        expect(most).toBeLessThanOrEqual(running);
        expect(refused).toHaveLength(Math.max(0, all.length - running - waiting));
        const again = Array.from({ length: running }, open);
        const last = again.map(({ run }) => gate(run));
        expect(again.every(({ started }) => started.yes)).toBe(false);
        await Promise.resolve();
        expect(again.every(({ started }) => started.yes)).toBe(true);
        for (const { end } of again) end();
        expect(await Promise.all(last)).toEqual(again.map(() => DONE));
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  it('gives the next place to the lightest run, and among equals to the first', async () => {
    const gate = createGate({ running: 1, waiting: 9, patience: 60_000 });
    const order: string[] = [];
    const one = open();
    const first = gate(one.run, 5);
    const visits = [3, 1, 2, 1, 3].map((weight, index) =>
      gate(() => Promise.resolve(order.push(`${weight}${'abcde'.charAt(index)}`)), weight),
    );
    one.end();
    await Promise.all([first, ...visits]);
    expect(order).toEqual(['1b', '1d', '2c', '3a', '3e']);
  });

  it('gives the heaviest run’s place in a full line to a lighter run, and to no other', async () => {
    const gate = createGate({ running: 1, waiting: 2, patience: 60_000 });
    const one = open();
    const first = gate(one.run);
    const ran: number[] = [];
    function visit(weight: number) {
      return gate(() => Promise.resolve(ran.push(weight)), weight);
    }
    const [light, heavy] = [visit(1), visit(4)];
    expect(await visit(4)).toEqual(FULL);
    expect(await visit(9)).toEqual(FULL);
    const lighter = visit(3);
    expect(await heavy).toEqual(FULL);
    one.end();
    expect([await first, (await light).ok, (await lighter).ok]).toEqual([DONE, true, true]);
    expect(ran).toEqual([1, 3]);
  });

  it('admits a light run whenever it comes, however many heavy ones wait', async () => {
    const weights = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 });
    const property = fc.asyncProperty(weights, fc.nat(60), async (flood, at) => {
      const gate = createGate({ running: 2, waiting: 4, patience: 60_000 });
      const places = [open(), open()];
      const held = places.map(({ run }) => gate(run));
      function visit(weight: number) {
        return gate(() => Promise.resolve(weight), weight);
      }
      const before = flood.slice(0, at).map(visit);
      const light = visit(0);
      const after = flood.slice(at).map(visit);
      for (const { end } of places) end();
      expect(await light).toEqual({ ok: true, value: 0 });
      const served = (await Promise.all([...before, ...after])).filter(({ ok }) => ok);
      expect(served).toHaveLength(Math.min(3, flood.length));
      await Promise.all(held);
    });
    await fc.assert(property, { numRuns: 100 });
  });
});
