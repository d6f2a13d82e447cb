import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import type { Snapshot } from '../../src/catalog/snapshot.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-01-05T12:00:00Z') });
});

afterEach(() => {
  vi.useRealTimers();
});

const snapshotAt = (readAt: number, pages = 2): Snapshot => ({
  readAt,
  account: '111122223333',
  profiles: new Map(),
  clients: new Map(),
  neverCallers: new Set(),
  sealingKeys: new Map(),
  operators: undefined,
  rejections: [],
  findings: [],
  pages,
});

type Mode = 'good' | 'bad' | 'hang';

/** A catalog whose loading the test steers; the jitter is in the middle. */
const steered = (pages = 2) => {
  const control: { mode: Mode; loads: number; faults: number } = { mode: 'good', loads: 0, faults: 0 };
  const catalog = createCatalog({
    load: () => {
      control.loads += 1;
      if (control.mode === 'bad') return Promise.reject(new Error('down'));
      return control.mode === 'hang' ? new Promise(() => undefined) : Promise.resolve(snapshotAt(Date.now(), pages));
    },
    clock: () => Date.now(),
    maxAge: 5 * MINUTE,
    onLoad: () => undefined,
    onFault: () => {
      control.faults += 1;
    },
    random: () => 0.5,
  });
  const stop = new AbortController();
  return { control, catalog, stop, start: () => catalog.start(stop.signal) };
};

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('the refresh', () => {
  it('comes every 15 seconds', async () => {
    const { control, start, stop } = steered();
    await start();
    expect(control.loads).toBe(1);
    await pass(14.9 * SECOND);
    expect(control.loads).toBe(1);
    await pass(0.2 * SECOND);
    expect(control.loads).toBe(2);
    await pass(45 * SECOND);
    expect(control.loads).toBe(5);
    stop.abort();
    await pass(MINUTE);
    expect(control.loads).toBe(5);
  });

  it('of a large tree takes at most two pages a second', async () => {
    const { control, start, stop } = steered(100);
    await start();
    await pass(49.9 * SECOND);
    expect(control.loads).toBe(1);
    await pass(0.2 * SECOND);
    expect(control.loads).toBe(2);
    stop.abort();
  });

  it('is jittered by a tenth to either side', async () => {
    for (const [random, at] of [
      [0, 13.5],
      [0.999, 16.4],
    ] as const) {
      let loads = 0;
      const load = () => {
        loads += 1;
        return Promise.resolve(snapshotAt(Date.now()));
      };
      const ignore = () => undefined;
      const stop = new AbortController();
      const options = { load, clock: () => Date.now(), maxAge: MINUTE, onLoad: ignore, onFault: ignore };
      await createCatalog({ ...options, random: () => random }).start(stop.signal);
      await pass((at - 0.1) * SECOND);
      expect(loads).toBe(1);
      await pass(0.2 * SECOND);
      expect(loads).toBe(2);
      stop.abort();
    }
  });

  it('after a failure comes soon, then at pauses that double up to the ordinary one', async () => {
    const { control, start, stop } = steered();
    control.mode = 'bad';
    await start();
    const at: number[] = [];
    const begun = Date.now();
    for (let loads = 1; loads < 7;) {
      await pass(SECOND / 10);
      if (control.loads > loads) at.push(Math.round((Date.now() - begun) / SECOND));
      loads = control.loads;
    }
    expect(at).toEqual([1, 3, 7, 15, 30, 45]);
    expect(control.faults).toBe(7);
    stop.abort();
  });

  it('never rejects, and stops while one is under way', async () => {
    const { control, start, stop } = steered();
    control.mode = 'bad';
    await expect(start()).resolves.toBeUndefined();
    stop.abort();
    await pass(MINUTE);
    expect(control.loads).toBe(1);
  });
});

describe('the last good one', () => {
  it('serves until its limit, then nothing does, and recovers with the next good load', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    control.mode = 'bad';
    await pass(5 * MINUTE);
    expect(await catalog.current()).toBeDefined();
    expect(catalog.state()).toMatchObject({ failing: true, usable: true, tried: true });
    await pass(1);
    expect(await catalog.current()).toBeUndefined();
    expect(catalog.state()).toMatchObject({ failing: true, usable: false, ageSeconds: 300 });
    control.mode = 'good';
    await pass(20 * SECOND);
    expect(await catalog.current()).toBeDefined();
    expect(catalog.state()).toMatchObject({ failing: false, usable: true });
    stop.abort();
  });

  it('is as old as the beginning of its reading', async () => {
    const { catalog, start, stop } = steered();
    await start();
    await pass(7.9 * SECOND);
    expect(catalog.state().ageSeconds).toBe(7);
    stop.abort();
  });

  it('is served at once while a quick retry hangs', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    control.mode = 'bad';
    await pass(15.1 * SECOND);
    control.mode = 'hang';
    await pass(5 * SECOND);
    expect(control.loads).toBe(3);
    const answered = vi.fn();
    void catalog.current().then(answered);
    await pass(0);
    expect(answered).toHaveBeenCalledWith(expect.objectContaining({ account: '111122223333' }));
    stop.abort();
  });
});

describe('a request', () => {
  it('within the pause reads nothing', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    for (let index = 0; index < 100; index += 1) await catalog.current();
    expect(control.loads).toBe(1);
    stop.abort();
  });

  it('that comes when the timer is overdue, as on Lambda, brings the catalog up to date first', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    stop.abort();
    await pass(30 * SECOND);
    await catalog.current();
    expect(control.loads).toBe(1);
    await pass(1);
    const snapshot = await catalog.current();
    expect(control.loads).toBe(2);
    expect(snapshot?.readAt).toBe(Date.now());
  });

  it('shares one reading with all others that come at once', async () => {
    const { control, catalog } = steered();
    const found = await Promise.all(Array.from({ length: 50 }, () => catalog.current()));
    expect(control.loads).toBe(1);
    expect(new Set(found).size).toBe(1);
  });

  it('that comes while an overdue reading is under way waits for it too', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    stop.abort();
    await pass(4 * MINUTE);
    const [first, second] = await Promise.all([catalog.current(), catalog.current()]);
    expect(control.loads).toBe(2);
    expect([first?.readAt, second?.readAt]).toEqual([Date.now(), Date.now()]);
  });

  it('after a failed first try gets nothing, and a later one tries again', async () => {
    const { control, catalog } = steered();
    control.mode = 'bad';
    expect(await catalog.current()).toBeUndefined();
    control.mode = 'good';
    await pass(2.1 * SECOND);
    expect(await catalog.current()).toBeDefined();
    expect(control.loads).toBe(2);
  });
});
