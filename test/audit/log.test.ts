import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuditLog, type WriteBytes } from '../../src/audit/log.ts';
import type { AuditEntry } from '../../src/audit/record.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-01-05T12:00:00.678Z') });
});

afterEach(() => {
  vi.useRealTimers();
});

const entry = (reason: string, http_request_id = 'r'): AuditEntry => ({
  event: 'identity_refused',
  http_request_id,
  effect: 'deny',
  error: 'SignatureDoesNotMatch',
  reason,
  method: 'GET',
  path: '/',
});

type Done = Parameters<WriteBytes>[1];

/** A descriptor in the test's hands: each write waits for `next`. */
const descriptor = () => {
  const writes: { readonly bytes: Buffer; readonly done: Done }[] = [];
  const faults: unknown[] = [];
  let written = Buffer.alloc(0);
  const log = createAuditLog(
    () => Date.now(),
    (bytes, done) => void writes.push({ bytes: Buffer.from(bytes), done }),
    (error) => faults.push(error),
  );
  const next = (take?: number, code?: string): void => {
    const { bytes, done } = writes.shift() ?? { bytes: Buffer.alloc(0), done: () => undefined };
    const count = take ?? bytes.length;
    written = Buffer.concat([written, bytes.subarray(0, count)]);
    done(code === undefined ? null : Object.assign(new Error(code), { code }), count);
  };
  const reasons = (): readonly unknown[] =>
    written
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Record<string, unknown>)['reason']);
  return { log, writes, faults, next, reasons, text: () => written.toString() };
};

const settled = async (promise: Promise<boolean>): Promise<boolean | 'pending'> =>
  Promise.race([promise, vi.advanceTimersByTimeAsync(0).then(() => 'pending' as const)]);

/** 250 ms, and the one turn of the event loop in which a write that completed meanwhile would be told. */
const deadline = async (): Promise<void> => {
  await vi.advanceTimersByTimeAsync(250);
  await vi.advanceTimersByTimeAsync(1);
};

describe('a record', () => {
  it('shows everything that is in it, and is JSON of the same value', async () => {
    const { log, next, reasons, text } = descriptor();
    const hidden = '\u009b31m\u0085\u202e\u2066\u200e\u061c\u200b\u2028\u2029\ufeff\u007f\u001b[2J';
    void log.append(entry(hidden));
    next();
    expect(text()).toMatch(/^[\u0020-\u007e]+\n$/u);
    expect(reasons()).toEqual([hidden]);
  });

  it('is one line of JSON with type and time, whatever is in it', async () => {
    const { log, next, text } = descriptor();
    const appended = log.append(entry('a\nb\r\n\u2028"\\\u0000'));
    next();
    expect(await appended).toBe(true);
    expect(text().split('\n')).toHaveLength(2);
    expect(JSON.parse(text())).toEqual({
      type: 'audit',
      timestamp: '2026-01-05T12:00:00.678Z',
      ...entry('a\nb\r\n\u2028"\\\u0000'),
    });
  });

  it('is told as written only once the write has completed', async () => {
    const { log, next } = descriptor();
    const appended = log.append(entry('one'));
    expect(await settled(appended)).toBe('pending');
    next();
    expect(await appended).toBe(true);
  });
});

describe('records that come while a write is under way', () => {
  it('go out together in the next one, in order', async () => {
    const { log, writes, next, reasons } = descriptor();
    const appended = ['1', '2', '3', '4'].map((reason) => log.append(entry(reason)));
    expect(writes).toHaveLength(1);
    next();
    expect(writes).toHaveLength(1);
    next();
    expect(writes).toHaveLength(0);
    expect(reasons()).toEqual(['1', '2', '3', '4']);
    expect(await Promise.all(appended)).toEqual([true, true, true, true]);
  });

  it('are each told of their own write', async () => {
    const { log, next } = descriptor();
    const first = log.append(entry('1'));
    const second = log.append(entry('2'));
    next();
    expect(await first).toBe(true);
    expect(await settled(second)).toBe('pending');
    next();
    expect(await second).toBe(true);
  });
});

describe('a descriptor that takes little at a time', () => {
  it('gets the rest of what it did not take, byte by byte if need be', async () => {
    const { log, writes, next, reasons } = descriptor();
    const appended = log.append(entry('über'));
    while (writes.length > 0) next(1);
    expect(await appended).toBe(true);
    expect(reasons()).toEqual(['über']);
  });

  it('that says "try again" is tried again, with all and nothing twice', async () => {
    const { log, writes, next, reasons } = descriptor();
    const appended = log.append(entry('1'));
    next(10);
    for (let tries = 0; tries < 5; tries += 1) {
      next(0, 'EAGAIN');
      expect(writes).toHaveLength(0);
      await vi.advanceTimersByTimeAsync(5);
      expect(writes).toHaveLength(1);
    }
    next();
    expect(await appended).toBe(true);
    expect(reasons()).toEqual(['1']);
  });
});

describe('a descriptor that fails', () => {
  it.each(['EPIPE', 'ENOSPC', 'EIO'])(
    'with %s: false at once, the fault reported, and the next record tried',
    async (code) => {
      const { log, next, faults, reasons } = descriptor();
      const first = log.append(entry('1'));
      next(0, code);
      expect(await first).toBe(false);
      expect(faults).toMatchObject([{ code }]);
      const second = log.append(entry('2'));
      next();
      expect(await second).toBe(true);
      expect(reasons()).toEqual(['2']);
    },
  );

  it('in the middle of a line: the next record stands on a line of its own', async () => {
    const { log, next, text } = descriptor();
    const first = log.append(entry('1'));
    next(10);
    next(0, 'ENOSPC');
    expect(await first).toBe(false);
    for (const reason of ['2', '3']) {
      const appended = log.append(entry(reason));
      next();
      expect(await appended).toBe(true);
    }
    const [torn, ...whole] = text().trimEnd().split('\n');
    expect(torn).toHaveLength(10);
    expect(whole.map((line) => (JSON.parse(line) as Record<string, unknown>)['reason'])).toEqual(['2', '3']);
  });

  it('again after a torn line: still no record runs into another', async () => {
    const { log, next, text } = descriptor();
    void log.append(entry('1'));
    next(10);
    next(0, 'ENOSPC');
    void log.append(entry('2'));
    next(0, 'ENOSPC');
    const third = log.append(entry('3'));
    next();
    expect(await third).toBe(true);
    expect(text().trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('after 250 ms', () => {
  it('a record that is not written is told as such, not before', async () => {
    const { log } = descriptor();
    const appended = log.append(entry('1'), true);
    await vi.advanceTimersByTimeAsync(249);
    expect(await settled(appended)).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await appended).toBe(false);
  });

  it('a record that can be withdrawn is never written; the others are, in order', async () => {
    const { log, next, writes, reasons } = descriptor();
    void log.append(entry('stuck'));
    const results = [log.append(entry('kept-1')), log.append(entry('gone'), true), log.append(entry('kept-2'))];
    await deadline();
    expect(await Promise.all(results)).toEqual([false, false, false]);
    next();
    next();
    expect(writes).toHaveLength(0);
    expect(reasons()).toEqual(['stuck', 'kept-1', 'kept-2']);
  });

  it('a record already begun is not withdrawn', async () => {
    const { log, next, reasons } = descriptor();
    const appended = log.append(entry('begun'), true);
    await deadline();
    expect(await appended).toBe(false);
    next();
    expect(reasons()).toEqual(['begun']);
  });

  it('a write that completed while the process was too busy to hear of it counts as written', async () => {
    const { log, next } = descriptor();
    const appended = log.append(entry('busy'), true);
    // The timer is due and its callback has run; the completion is told in the turn that follows.
    setTimeout(next, 250);
    await deadline();
    expect(await appended).toBe(true);
  });

  it('a queue of nothing but withdrawn records writes nothing, and the log goes on', async () => {
    const { log, next, writes, reasons } = descriptor();
    void log.append(entry('stuck'));
    void log.append(entry('gone'), true);
    await deadline();
    next();
    expect(writes).toHaveLength(0);
    const after = log.append(entry('after'));
    next();
    expect(await after).toBe(true);
    expect(reasons()).toEqual(['stuck', 'after']);
  });
});

describe('a reader that lags far behind', () => {
  it('costs no memory without end: the log refuses, and takes records again once it has caught up', async () => {
    const { log, next, writes } = descriptor();
    const long = 'x'.repeat(1 << 20);
    const appended = Array.from({ length: 12 }, () => log.append(entry(long)));
    expect(await settled(appended.at(-1) ?? Promise.resolve(true))).toBe(false);
    while (writes.length > 0) next();
    const after = log.append(entry('after'));
    next();
    expect(await after).toBe(true);
  });
});
