import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Block } from '../../src/revocations/revocation.ts';
import {
  createFakeTable,
  entry,
  feedOf,
  logOf,
  FRESH,
  GRACE,
  NO_FOREIGN,
  NOW,
  rawEntry,
  rawHead,
  UNAVAILABLE,
  user,
} from './fake-table.ts';

/**
 * How far an instance trusts what it knows: clocks that jump, tables that fail, and rows that
 * mislead.
 */
const SUBJECT = {
  name: 'alice',
  storedName: 'key/alice',
  principal: 'sentinel:key/A',
  subject: 'sentinel:key/A',
};
const MINUTE = 60_000;

function fail() {
  return Promise.reject(new Error('DynamoDB is away'));
}

describe('rows of others hide no entry of the TVM', () => {
  it.each<readonly [string, Parameters<typeof rawEntry>[1]]>([
    ['a revocation', {}],
    ['a lifting', { what: { S: 'lift' }, lifts: { N: '1' } }],
  ])(
    '%s far ahead: an instance that loads then still learns of the next revocations',
    async (_, more) => {
      const table = createFakeTable();
      await logOf(table).append(entry(user('one')));
      table.items.set('rev#40', rawEntry(40, { value: { S: 'mallory' }, ...more }));
      const feed = feedOf(table);
      await feed.ensure();
      await logOf(table).append(entry());
      expect(await feed.poll()).toEqual(FRESH);
      expect(feed.ofCaller(SUBJECT), 'a revocation is not seen').toBeDefined();
    },
  );

  it('a row very far ahead does not keep an instance from loading', async () => {
    const table = createFakeTable();
    table.items.set('rev#900000', rawEntry(900_000));
    let reads = 0;
    table.control.step = (what) => {
      if (what === 'QueryCommand') reads += 1;
      return reads > 1_000 ? Promise.reject(new Error('a thousand reads')) : Promise.resolve();
    };
    const feed = feedOf(table);
    expect(await feed.ensure(), 'one row makes loading read number by number').toEqual(FRESH);
  });

  it.each<readonly [string, ReturnType<typeof rawHead>]>([
    ['raised', { id: { S: 'head' }, n: { N: '900' } }],
    ['a fraction', { id: { S: 'head' }, n: { N: '1.5' } }],
    ['negative', { id: { S: 'head' }, n: { N: '-7' } }],
    ['a text', { id: { S: 'head' }, n: { S: 'x' } }],
  ])(
    'a forged head (%s): an instance that follows still learns of the next revocations',
    async (_, head) => {
      const table = createFakeTable();
      await logOf(table).append(entry(user('one')));
      const feed = feedOf(table);
      await feed.ensure();
      table.items.set('head', head);
      await logOf(table).append(entry());
      expect(await feed.poll()).toEqual(FRESH);
      expect(feed.ofCaller(SUBJECT), 'a revocation is not seen').toBeDefined();
    },
  );
});

describe('a table that fails', () => {
  it('stops vends beyond the bound, which continue as soon as it answers', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    expect(feed.state()).toMatchObject({ tried: false, usable: false });
    await feed.ensure();
    table.control.step = fail;
    expect(await feed.poll(3_000)).toEqual(FRESH);
    expect(await feed.poll(1)).toEqual(UNAVAILABLE);
    expect(await feed.poll(1)).toEqual(UNAVAILABLE);
    expect(feed.faults, 'told once for each outage').toHaveLength(1);
    table.control.step = () => Promise.resolve();
    expect(await feed.ensure()).toEqual(FRESH);
    table.control.step = fail;
    expect(await feed.poll()).toEqual(UNAVAILABLE);
    expect(feed.faults).toHaveLength(2);
  });

  it.each([0, 15 * MINUTE])(
    'that was never read serves nobody, with a grace of %i ms',
    async (grace) => {
      const table = createFakeTable(fail);
      const feed = feedOf(table, { grace });
      for (let time = 0; time < 3; time += 1) expect(await feed.poll()).toEqual(UNAVAILABLE);
      expect(feed.state()).toMatchObject({
        tried: true,
        usable: false,
        inGrace: false,
        ageMs: undefined,
      });
      table.control.step = () => Promise.resolve();
      expect(await feed.ensure()).toEqual(FRESH);
    },
  );

  it('does not count as read if one page is missing', async () => {
    const table = createFakeTable();
    for (let n = 1; n < 6; n += 1) await logOf(table).append(entry(user(`u${n}`)));
    let scans = 0;
    table.control.step = (what, when) => {
      if (what === 'ScanCommand' && when === 'after') scans += 1;
      return scans > 1 ? fail() : Promise.resolve();
    };
    const feed = feedOf(table, { grace: MINUTE });
    expect(await feed.ensure()).toEqual(UNAVAILABLE);
    expect(scans).toBeGreaterThan(1);
  });

  it('rejects an append, whose entry is known by the next reading if it was written', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    table.control.step = (what, when) =>
      what === 'PutItemCommand' && when === 'after' ? fail() : Promise.resolve();
    await expect(feed.append(entry())).rejects.toThrow('away');
    table.control.step = () => Promise.resolve();
    await feed.poll();
    expect(feed.ofCaller(SUBJECT)).toBeDefined();
  });
});

describe('the operator’s grace', () => {
  it('serves with what is known beyond the bound, still refuses revoked callers, and ends', async () => {
    const table = createFakeTable();
    await logOf(table).append(entry());
    const feed = feedOf(table, { grace: 10 * MINUTE });
    await feed.ensure();
    table.control.step = fail;
    expect(await feed.poll()).toEqual(GRACE);
    expect(feed.state()).toMatchObject({ usable: true, failing: true, inGrace: true });
    expect(feed.ofCaller(SUBJECT)).toMatchObject({ n: 1 });
    feed.time.now = NOW + 10 * MINUTE + 3_000;
    expect(await feed.ensure()).toEqual(GRACE);
    feed.time.now += 1;
    expect(await feed.ensure()).toEqual(UNAVAILABLE);
    expect(feed.state()).toMatchObject({ usable: false, inGrace: false });
    table.control.step = () => Promise.resolve();
    expect(await feed.ensure()).toEqual(FRESH);
    expect(feed.state()).toMatchObject({ usable: true, failing: false, inGrace: false });
  });

  it('is not used while the log can be read and only Sentinel’s rows cannot', async () => {
    const foreign = { ...NO_FOREIGN, read: (): Promise<void> => Promise.resolve() };
    const feed = feedOf(createFakeTable(), { grace: MINUTE, foreign });
    await feed.ensure();
    foreign.read = fail;
    expect((await feed.poll(16_000)).ok).toBe(true);
    expect(feed.state()).toMatchObject({ failing: true });
    expect(feed.state().inGrace, 'the shared guard is bypassed though DynamoDB can be read').toBe(
      false,
    );
  });
});

describe('Sentinel’s rows', () => {
  it('are read every 15 s, and stop every vend when they could not be read for 45 s', async () => {
    let reads = 0;
    let works = true;
    function read() {
      reads += 1;
      return works ? Promise.resolve() : fail();
    }
    const feed = feedOf(createFakeTable(), { foreign: { ...NO_FOREIGN, read } });
    await feed.ensure();
    await feed.poll(10_000);
    expect(reads).toBe(1);
    await feed.poll(5_000);
    expect(reads).toBe(2);
    works = false;
    expect(await feed.poll(44_000)).toEqual(FRESH);
    expect(await feed.poll(1_001)).toEqual(UNAVAILABLE);
    works = true;
    expect(await feed.ensure()).toEqual(FRESH);
  });
});

describe('a clock that steps back', () => {
  it('does not make an old reading young', async () => {
    const table = createFakeTable();
    const feed = feedOf(table);
    await feed.ensure();
    table.control.step = fail;
    feed.time.now -= 60 * MINUTE;
    expect(await feed.poll(10_000), 'ten seconds without a reading').toEqual(UNAVAILABLE);
  });
});

describe('the timers of createRevocations', () => {
  let stop = new AbortController();
  beforeEach(() => {
    stop = new AbortController();
    vi.useFakeTimers({ now: NOW });
  });
  afterEach(() => {
    stop.abort();
    vi.useRealTimers();
  });

  it.each([0, 60])(
    'read Sentinel’s rows within 15 s, also after a step back of %i minutes',
    async (minutes) => {
      let there: Block | undefined;
      let found: Block | undefined;
      function read() {
        found = there;
        return Promise.resolve();
      }
      const feed = feedOf(createFakeTable(), {
        clock: () => Date.now(),
        monotonic: () => performance.now(),
        foreign: { read, ofVend: () => found },
      });
      await feed.start(stop.signal);
      vi.setSystemTime(NOW - minutes * MINUTE);
      there = { target: { kind: 'all' }, until: undefined };
      await vi.advanceTimersByTimeAsync(16_000);
      expect(feed.ofVend(SUBJECT, 'dev'), '16 s after Sentinel revoked').toBeDefined();
    },
  );

  it.each([10, -10])(
    'find a revocation within a second after the clock was set back by %i minutes',
    async (minutes) => {
      const table = createFakeTable();
      const feed = feedOf(table, { clock: () => Date.now(), monotonic: () => performance.now() });
      await feed.start(stop.signal);
      vi.setSystemTime(NOW - minutes * MINUTE);
      await logOf(table).append(entry());
      await vi.advanceTimersByTimeAsync(1_000);
      expect(feed.ofCaller(SUBJECT)).toBeDefined();
      expect(feed.state().ageMs).toBeLessThanOrEqual(1_000);
    },
  );

  it.each([false, true])(
    'read the log about once a second, although Sentinel’s rows hang: %s',
    async (hangs) => {
      const table = createFakeTable();
      let polls = 0;
      function hang(): Promise<void> {
        return new Promise((_, reject) => {
          setTimeout(reject, 5_000, new Error('hung'));
        });
      }
      const feed = feedOf(table, {
        clock: () => Date.now(),
        monotonic: () => performance.now(),
        foreign: {
          ...NO_FOREIGN,
          read: () => (hangs && Date.now() > NOW ? hang() : Promise.resolve()),
        },
      });
      await feed.start(stop.signal);
      await vi.advanceTimersByTimeAsync(20_000);
      table.control.step = (what, when) => {
        if (what === 'QueryCommand' && when === 'before') polls += 1;
        return Promise.resolve();
      };
      await vi.advanceTimersByTimeAsync(10_000);
      // Each reading is of the head and of the next number.
      expect(polls, 'readings of the log in ten seconds').toBeGreaterThanOrEqual(18);
      expect(polls).toBeLessThanOrEqual(26);
    },
  );
});
