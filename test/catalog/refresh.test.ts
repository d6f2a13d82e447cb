import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { createThawClock } from '../../src/lib/clock.ts';
import type { Snapshot } from '../../src/catalog/snapshot.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-01-05T12:00:00Z') });
});

afterEach(() => {
  vi.useRealTimers();
});

function snapshotAt(readAt: number, pages = 2, parameters = pages * 50): Snapshot {
  return {
    readAt,
    version: '',
    account: '111122223333',
    profiles: new Map(),
    clients: new Map(),
    neverCallers: new Set(),
    sealingKeys: new Map(),
    webhook: undefined,
    operators: undefined,
    approvalPolicy: undefined,
    breakGlassPolicy: undefined,
    breakGlassRates: undefined,
    people: undefined,
    rejections: [],
    findings: [],
    parameters,
    pages,
  };
}

type Mode = 'good' | 'bad' | 'hang' | 'deaf';

/** The monotonic clock, which the fake timers move. The catalog does not use the wall clock. */
function now(): number {
  return performance.now();
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A catalog whose loading the test controls, without jitter. */
function steered(pages = 2, frozen = false) {
  const control = { mode: 'good' as Mode, loads: 0, faults: 0, takes: 0 };
  const catalog = createCatalog({
    load: (signal) => {
      control.loads += 1;
      if (control.mode === 'bad') return Promise.reject(new Error('down'));
      // A load that hangs ends when it is aborted, as calls of AWS do. One that is deaf never ends:
      // a bug.
      if (control.mode === 'hang')
        return once(signal, 'abort').then(() => Promise.reject(new Error('aborted')));
      if (control.mode === 'deaf') return new Promise(() => undefined);
      const readAt = now();
      function read() {
        return snapshotAt(readAt, pages);
      }
      return control.takes === 0 ? Promise.resolve(read()) : later(control.takes).then(read);
    },
    clock: now,
    maxAge: 5 * MINUTE,
    frozen,
    onLoad: () => undefined,
    onFault: () => {
      control.faults += 1;
    },
    random: () => 0.5,
  });
  const stop = new AbortController();
  return { control, catalog, stop, start: () => catalog.start(stop.signal) };
}

function pass(ms: number) {
  return vi.advanceTimersByTimeAsync(ms);
}

describe('createCatalog: the refresh', () => {
  it('begins every 11 seconds', async () => {
    const { control, start, stop } = steered();
    await start();
    expect(control.loads).toBe(1);
    await pass(10.9 * SECOND);
    expect(control.loads).toBe(1);
    await pass(0.2 * SECOND);
    expect(control.loads).toBe(2);
    await pass(33 * SECOND);
    expect(control.loads).toBe(5);
    stop.abort();
    await pass(MINUTE);
    expect(control.loads).toBe(5);
  });

  it('begins 11 seconds after the beginning of a reading that takes some seconds', async () => {
    const { control, start, stop } = steered();
    control.takes = 6 * SECOND;
    void start();
    await pass(6 * SECOND);
    expect(control.loads).toBe(1);
    await pass(4.9 * SECOND);
    expect(control.loads).toBe(1);
    await pass(0.2 * SECOND);
    expect(control.loads).toBe(2);
    stop.abort();
  });

  it('of a large tree begins so that it reads four pages a second on average', async () => {
    const { control, start, stop } = steered(100);
    await start();
    await pass(24.9 * SECOND);
    expect(control.loads).toBe(1);
    await pass(0.2 * SECOND);
    expect(control.loads).toBe(2);
    stop.abort();
  });

  it.each([
    ['600 pages', 600, 0],
    ['20,000 parameters, slowly', 400, 80 * SECOND],
    ['2,000 pages, very slowly', 2_000, 130 * SECOND],
    ['100,000 pages', 100_000, 60 * SECOND],
  ])('always ends within the life of a snapshot: %s', async (_, pages, takes) => {
    const { control, catalog, start, stop } = steered(pages);
    control.takes = takes;
    void start();
    await pass(takes);
    for (let seconds = 0; seconds < 1_800; seconds += 1) {
      await pass(SECOND);
      expect([seconds, catalog.state().usable]).toEqual([seconds, true]);
    }
    expect(control.loads).toBeGreaterThanOrEqual(8);
    stop.abort();
  });

  it('has a jitter of a tenth to either side', async () => {
    for (const [random, at] of [
      [0, 9.9],
      [0.999, 12],
    ] as const) {
      let loads = 0;
      function load() {
        loads += 1;
        return Promise.resolve(snapshotAt(now()));
      }
      function ignore() {
        return undefined;
      }
      const stop = new AbortController();
      const options = {
        load,
        clock: now,
        maxAge: MINUTE,
        frozen: false,
        onLoad: ignore,
        onFault: ignore,
      };
      await createCatalog({ ...options, random: () => random }).start(stop.signal);
      await pass((at - 0.1) * SECOND);
      expect(loads).toBe(1);
      await pass(0.2 * SECOND);
      expect(loads).toBe(2);
      stop.abort();
    }
  });

  it('is retried soon after a failure, then after pauses that double up to the regular interval', async () => {
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
    expect(at).toEqual([1, 3, 7, 15, 26, 37]);
    expect(control.faults).toBe(7);
    stop.abort();
  });

  it('never rejects, and ends when the signal aborts', async () => {
    const { control, start, stop } = steered();
    control.mode = 'bad';
    await expect(start()).resolves.toBeUndefined();
    stop.abort();
    await pass(MINUTE);
    expect(control.loads).toBe(1);
  });
});

describe('createCatalog: the last good snapshot', () => {
  it('is used up to its maximal age, then none is until the next good load', async () => {
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

  it('has the age of the beginning of its reading', async () => {
    const { catalog, start, stop } = steered();
    await start();
    await pass(7.9 * SECOND);
    expect(catalog.state().ageSeconds).toBe(7);
    stop.abort();
  });

  it('is given at once while a quick retry hangs', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    control.mode = 'bad';
    await pass(11.1 * SECOND);
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

describe('createCatalog: a request', () => {
  it('reads nothing within the pause', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    for (let index = 0; index < 100; index += 1) await catalog.current();
    expect(control.loads).toBe(1);
    stop.abort();
  });

  it('refreshes the catalog first when the timer is overdue', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    stop.abort();
    await pass(22 * SECOND);
    await catalog.current();
    expect(control.loads).toBe(1);
    await pass(1);
    const snapshot = await catalog.current();
    expect(control.loads).toBe(2);
    expect(snapshot?.readAt).toBe(now());
  });

  it('refreshes the catalog of a frozen process within 15 seconds of the last try', async () => {
    const { control, catalog, start, stop } = steered(2, true);
    await start();
    stop.abort();
    await pass(13.7 * SECOND);
    await catalog.current();
    expect(control.loads).toBe(1);
    await pass(0.2 * SECOND);
    await catalog.current();
    expect(control.loads).toBe(2);
  });

  it('shares one reading with all others at the same time', async () => {
    const { control, catalog } = steered();
    const found = await Promise.all(Array.from({ length: 50 }, () => catalog.current()));
    expect(control.loads).toBe(1);
    expect(new Set(found).size).toBe(1);
  });

  it('waits for an overdue reading that is already under way', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    stop.abort();
    await pass(4 * MINUTE);
    const [first, second] = await Promise.all([catalog.current(), catalog.current()]);
    expect(control.loads).toBe(2);
    expect([first?.readAt, second?.readAt]).toEqual([now(), now()]);
  });

  it('gets nothing after a failed first try, and a later one tries again', async () => {
    const { control, catalog } = steered();
    control.mode = 'bad';
    expect(await catalog.current()).toBeUndefined();
    control.mode = 'good';
    await pass(2.1 * SECOND);
    expect(await catalog.current()).toBeDefined();
    expect(control.loads).toBe(2);
  });
});

describe('createCatalog: a reading that hangs', () => {
  it('is aborted when what it read would be too old, and the next one begins', async () => {
    const { control, catalog, start, stop } = steered();
    control.mode = 'hang';
    void start();
    await pass(5 * MINUTE - 1);
    expect(catalog.state()).toMatchObject({ tried: false, failing: false });
    control.mode = 'good';
    await pass(1);
    expect(catalog.state()).toMatchObject({ tried: true, failing: true, stuck: false });
    expect(control.faults).toBe(1);
    await pass(1.1 * SECOND);
    expect(catalog.state()).toMatchObject({ failing: false, usable: true });
    stop.abort();
  });

  it('does not delay a request while the last good snapshot is usable', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    control.mode = 'hang';
    await pass(MINUTE);
    expect(control.loads).toBe(2);
    const answered = vi.fn();
    void catalog.current().then(answered);
    await pass(0);
    expect(answered).toHaveBeenCalledWith(expect.objectContaining({ account: '111122223333' }));
    stop.abort();
  });

  it('delays the first request that begins it by two seconds', async () => {
    const { control, catalog, start, stop } = steered();
    await start();
    stop.abort();
    await pass(MINUTE);
    control.mode = 'hang';
    const answered = vi.fn();
    void catalog.current().then(answered);
    await pass(1.9 * SECOND);
    expect(answered).not.toHaveBeenCalled();
    await pass(0.2 * SECOND);
    expect(answered).toHaveBeenCalledWith(expect.objectContaining({ account: '111122223333' }));
  });

  it('delays requests by five seconds in all when no snapshot is usable', async () => {
    const { control, catalog, start, stop } = steered();
    control.mode = 'hang';
    void start();
    const first = vi.fn();
    void catalog.current().then(first);
    await pass(4.9 * SECOND);
    expect(first).not.toHaveBeenCalled();
    await pass(0.2 * SECOND);
    expect(first).toHaveBeenCalledWith(undefined);
    const second = vi.fn();
    void catalog.current().then(second);
    await pass(0);
    expect(second).toHaveBeenCalledWith(undefined);
    expect(control.loads).toBe(1);
    stop.abort();
  });

  it('is stuck when it does not end at its deadline, which an outage is not', async () => {
    const { control, catalog, start, stop } = steered();
    control.mode = 'bad';
    await start();
    await pass(30 * MINUTE);
    expect(catalog.state()).toMatchObject({ stuck: false, failing: true });
    control.mode = 'deaf';
    await pass(12 * SECOND + 5 * MINUTE);
    expect(catalog.state().stuck).toBe(false);
    await pass(16 * SECOND);
    expect(catalog.state().stuck).toBe(true);
    stop.abort();
  });
});

describe('createCatalog: a change of the machine’s time', () => {
  it.each([-10 * MINUTE, 10 * MINUTE])(
    'by %i ms changes neither ages nor pauses',
    async (shift) => {
      const { control, catalog, start, stop } = steered();
      await start();
      await pass(5 * SECOND);
      vi.setSystemTime(Date.now() + shift);
      expect(catalog.state()).toMatchObject({ ageSeconds: 5, usable: true });
      await pass(6.1 * SECOND);
      expect(control.loads).toBe(2);
      control.mode = 'bad';
      await pass(5 * MINUTE - SECOND);
      expect(catalog.state()).toMatchObject({ ageSeconds: 299, usable: true });
      await pass(2 * SECOND);
      expect(await catalog.current()).toBeUndefined();
      stop.abort();
    },
  );
});

describe('createThawClock', () => {
  it('advances with whichever clock advanced further, and never goes back', () => {
    const time = { monotonic: 1_000, wall: 5_000_000 };
    const clock = createThawClock(
      () => time.monotonic,
      () => time.wall,
    );
    function move(monotonic: number, wall: number): number {
      time.monotonic += monotonic;
      time.wall += wall;
      return clock();
    }
    expect(move(10, 10)).toBe(10);
    expect(move(0, 60_000)).toBe(60_010);
    expect(move(5, -600_000)).toBe(60_015);
    expect(move(5, 5)).toBe(60_020);
    expect(move(30_000, 0)).toBe(90_020);
  });
});
