import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuditLog, type WriteBytes } from '../../src/audit/log.ts';
import type { AuditEntry } from '../../src/audit/record.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-01-05T12:00:00.678Z') });
});

afterEach(() => {
  vi.useRealTimers();
});

function entry(reason: string, http_request_id = 'r'): AuditEntry {
  return {
    event: 'identity_refused',
    http_request_id,
    effect: 'deny',
    error: 'SignatureDoesNotMatch',
    reason,
    method: 'GET',
    path: '/',
  };
}

type Done = Parameters<WriteBytes>[1];

/** A log that writes to a descriptor of the test: each write waits for `next`. */
function descriptor() {
  const writes: { readonly bytes: Buffer; readonly done: Done }[] = [];
  const faults: unknown[] = [];
  let written = Buffer.alloc(0);
  const log = createAuditLog(
    () => Date.now(),
    (bytes, done) => void writes.push({ bytes: Buffer.from(bytes), done }),
    (error) => faults.push(error),
  );
  function next(take?: number, code?: string): void {
    const { bytes, done } = writes.shift() ?? { bytes: Buffer.alloc(0), done: () => undefined };
    const count = take ?? bytes.length;
    written = Buffer.concat([written, bytes.subarray(0, count)]);
    done(code === undefined ? null : Object.assign(new Error(code), { code }), count);
  }
  function reasons(): readonly unknown[] {
    return written
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Record<string, unknown>)['reason']);
  }
  return { log, writes, faults, next, reasons, text: () => written.toString() };
}

async function settled(promise: Promise<boolean>): Promise<boolean | 'pending'> {
  return Promise.race([promise, vi.advanceTimersByTimeAsync(0).then(() => 'pending' as const)]);
}

/**
 * Waits 250 ms, and the turn of the event loop in which a completed write would still be noticed.
 */
async function deadline(): Promise<void> {
  await vi.advanceTimersByTimeAsync(250);
  await vi.advanceTimersByTimeAsync(1);
}

describe('append', () => {
  it('escapes what cannot be seen, as JSON of the same value', async () => {
    const { log, next, reasons, text } = descriptor();
    const hidden = '\u009b31m\u0085\u202e\u2066\u200e\u061c\u200b\u2028\u2029\ufeff\u007f\u001b[2J';
    void log.append(entry(hidden));
    next();
    expect(text()).toMatch(/^[\u0020-\u007e]+\n$/u);
    expect(reasons()).toEqual([hidden]);
  });

  it('writes one line of JSON with type and time, whatever the record holds', async () => {
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

  it('resolves only once the write has completed', async () => {
    const { log, next } = descriptor();
    const appended = log.append(entry('one'));
    expect(await settled(appended)).toBe('pending');
    next();
    expect(await appended).toBe(true);
  });
});

describe('append while a write is under way', () => {
  it('puts the records into the next write, in order', async () => {
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

  it('resolves for each record with its own write', async () => {
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

describe('append to a descriptor that takes few bytes at a time', () => {
  it('writes the rest, byte by byte if need be', async () => {
    const { log, writes, next, reasons } = descriptor();
    const appended = log.append(entry('über'));
    while (writes.length > 0) next(1);
    expect(await appended).toBe(true);
    expect(reasons()).toEqual(['über']);
  });

  it('tries again after "try again", and writes every byte once', async () => {
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

describe('append to a descriptor that fails', () => {
  it.each(['EPIPE', 'ENOSPC', 'EIO'])(
    'with %s resolves to false at once, reports the fault and tries the next record',
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

  it('begins a new line for the record after a torn line', async () => {
    const { log, next, text } = descriptor();
    const first = log.append(entry('1'));
    next(10);
    next(0, 'ENOSPC');
    expect(await first).toBe(false);
    const second = log.append(entry('2'));
    next();
    expect(await second).toBe(true);
    const third = log.append(entry('3'));
    // The line that tells of the first loss is under way.
    next();
    next();
    expect(await third).toBe(true);
    const [torn, ...whole] = text().trimEnd().split('\n');
    expect(torn).toHaveLength(10);
    const records = whole.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map(({ reason, event }) => reason ?? event)).toEqual(['2', 'audit_lost', '3']);
  });

  it('runs no record into another if the write after a torn line fails too', async () => {
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

describe('append after 250 ms', () => {
  it('resolves to false for a record that is not written, and not earlier', async () => {
    const { log } = descriptor();
    const appended = log.append(entry('1'), true);
    await vi.advanceTimersByTimeAsync(249);
    expect(await settled(appended)).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await appended).toBe(false);
  });

  it('never writes a record that can be withdrawn, and writes the others in order', async () => {
    const { log, next, writes, reasons } = descriptor();
    void log.append(entry('stuck'));
    const results = [
      log.append(entry('kept-1')),
      log.append(entry('gone'), true),
      log.append(entry('kept-2')),
    ];
    await deadline();
    expect(await Promise.all(results)).toEqual([false, false, false]);
    next();
    next();
    expect(writes).toHaveLength(0);
    expect(reasons()).toEqual(['stuck', 'kept-1', 'kept-2']);
  });

  it('does not withdraw a record whose write has begun', async () => {
    const { log, next, reasons } = descriptor();
    const appended = log.append(entry('begun'), true);
    await deadline();
    expect(await appended).toBe(false);
    next();
    expect(reasons()).toEqual(['begun']);
  });

  it('resolves to true for a write that completed while the process was busy', async () => {
    const { log, next } = descriptor();
    const appended = log.append(entry('busy'), true);
    // The timer has fired; the write completes in the turn of the event loop that follows.
    setTimeout(next, 250);
    await deadline();
    expect(await appended).toBe(true);
  });

  it('writes nothing for a queue of withdrawn records, and goes on with the next one', async () => {
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

describe('append for a reader that lags far behind', () => {
  it('refuses records once the queue is full, and takes them again once the reader has caught up', async () => {
    const { log, next, writes } = descriptor();
    const long = 'x'.repeat(256);
    const appended = Array.from({ length: 6_000 }, () => log.append(entry(long)));
    expect(await settled(appended.at(-1) ?? Promise.resolve(true))).toBe(false);
    while (writes.length > 0) next();
    const after = log.append(entry('after'));
    next();
    expect(await after).toBe(true);
  });
});

function vend(profile: string): AuditEntry {
  return {
    event: 'key',
    http_request_id: profile,
    effect: 'allow',
    outcome: 'minted',
    user: 'alice',
    principal: 'sentinel:key/TVMDEMOALICE',
    subject: 'sentinel:key/TVMDEMOALICE',
    account: '000000000000',
    via: 'key',
    access_key_id: 'TVMDEMOALICE',
  };
}

describe('append of refusals, whose number strangers decide', () => {
  it('leaves room for a record of a vend, which is written before them', async () => {
    const { log, next, writes, text } = descriptor();
    void log.append(entry('under way'));
    let refused = 0;
    while (log.hasRoomForRefusal()) {
      void log.append(entry('x'.repeat(300)));
      refused += 1;
    }
    expect(refused).toBeGreaterThan(1_000);
    const vended = log.append(vend('dev'));
    expect(await settled(vended)).toBe('pending');
    next();
    // At most one write of refusals comes before it.
    expect(writes[0]?.bytes.length).toBeLessThan(32 * 1024);
    next();
    expect(await vended).toBe(true);
    const ids = text()
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { http_request_id: string }).http_request_id);
    expect(ids.indexOf('dev')).toBe(1);
    while (writes.length > 0) next();
    expect(text().trimEnd().split('\n')).toHaveLength(refused + 2);
  });

  it('writes them although other records keep coming', async () => {
    const { log, next, reasons } = descriptor();
    void log.append(vend('first'));
    const refusal = log.append(entry('waits'));
    for (let time = 0; time < 500; time += 1) void log.append(vend('x'.repeat(200)));
    next();
    next();
    expect(await refusal).toBe(true);
    expect(reasons()).toContain('waits');
  });

  it('gives the room of withdrawn records back to other records', async () => {
    const { log, writes } = descriptor();
    void log.append(entry('stuck'));
    for (let round = 0; round < 30; round += 1) {
      const results = Array.from({ length: 1_000 }, () => log.append(vend('x'.repeat(500)), true));
      await deadline();
      expect(new Set(await Promise.all(results))).toEqual(new Set([false]));
    }
    expect(log.health().lost).toBe(0);
    expect(log.unwritten()).toBe(1);
    expect(writes).toHaveLength(1);
  });
});

describe('lost lines', () => {
  it('are counted, and reported at once, once a minute, and by the log itself as soon as it works', async () => {
    const { log, next, faults, text } = descriptor();
    expect(log.health()).toEqual({ writable: true, lost: 0, losing: false });
    for (const reason of ['1', '2', '3']) {
      const appended = log.append(entry(reason));
      next(0, 'ENOSPC');
      expect(await appended).toBe(false);
    }
    expect(faults).toHaveLength(1);
    expect(log.health()).toEqual({ writable: false, lost: 3, losing: true });
    expect(log.unwritten()).toBe(3);
    const fourth = log.append(entry('4'));
    next();
    expect(await fourth).toBe(true);
    expect(log.health()).toEqual({ writable: true, lost: 3, losing: true });
    next();
    const told = JSON.parse(text().trimEnd().split('\n').at(-1) ?? '') as unknown;
    const at = '2026-01-05T12:00:00.678Z';
    expect(told).toEqual({
      type: 'audit',
      timestamp: at,
      event: 'audit_lost',
      lines: 3,
      first: at,
      last: at,
    });
    expect(log.unwritten()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(faults.map(String)).toEqual([
      'Error: ENOSPC',
      'Error: 3 lines were lost in 60 s, 3 since the start',
    ]);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(faults).toHaveLength(2);
    expect(log.health()).toEqual({ writable: true, lost: 3, losing: false });
  });

  it('are reported by the log itself, without another record, once it can be written', async () => {
    const { log, next, writes, text } = descriptor();
    void log.append(entry('1'));
    next(0, 'ENOSPC');
    for (let tries = 0; tries < 3; tries += 1) {
      expect(writes).toHaveLength(0);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(writes).toHaveLength(1);
      next(0, 'ENOSPC');
      expect(log.health()).toMatchObject({ writable: false, lost: 1 });
    }
    await vi.advanceTimersByTimeAsync(1_000);
    next();
    expect(log.health()).toMatchObject({ writable: true, lost: 1 });
    expect(JSON.parse(text())).toMatchObject({ event: 'audit_lost', lines: 1 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(writes).toHaveLength(0);
  });

  it('include lines without room, but no withdrawn lines', async () => {
    const { log, faults } = descriptor();
    void log.append(entry('stuck'));
    const results: Promise<boolean>[] = [];
    for (let time = 0; time < 40_000; time += 1)
      results.push(log.append(vend('x'.repeat(300)), true));
    expect(log.health().lost).toBe(0);
    expect(await log.append(vend('x'.repeat(300)))).toBe(false);
    expect(log.health().lost).toBe(1);
    expect(String(faults[0])).toContain('reader lags behind');
    await deadline();
    expect(new Set(await Promise.all(results))).toEqual(new Set([false]));
  });
});

describe('health while the reader sleeps', () => {
  it('says unwritable after a second without progress, and writable once a byte is taken', async () => {
    const { log, next } = descriptor();
    void log.append(entry('1'));
    await vi.advanceTimersByTimeAsync(999);
    expect(log.health().writable).toBe(true);
    await vi.advanceTimersByTimeAsync(2);
    expect(log.health()).toMatchObject({ writable: false, lost: 0 });
    next(1);
    expect(log.health().writable).toBe(true);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(log.health().writable).toBe(false);
    next();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(log.health()).toEqual({ writable: true, lost: 0, losing: false });
  });

  it('says unwritable for a reader that keeps answering "try again"', async () => {
    const { log, next } = descriptor();
    void log.append(entry('1'));
    for (let tries = 0; tries < 250; tries += 1) {
      next(0, 'EAGAIN');
      await vi.advanceTimersByTimeAsync(5);
    }
    expect(log.health().writable).toBe(false);
  });
});

describe('drained', () => {
  it('waits until the last line is written', async () => {
    const { log, next, writes, reasons } = descriptor();
    const lines = Array.from({ length: 200 }, (_, index) => `${index}`.padStart(200, '0'));
    for (const line of lines) void log.append(entry(line));
    let isDrained = false;
    void log.drained().then(() => (isDrained = true));
    while (writes.length > 0) {
      await vi.advanceTimersByTimeAsync(0);
      expect(isDrained).toBe(false);
      next();
    }
    await vi.advanceTimersByTimeAsync(0);
    expect(isDrained).toBe(true);
    expect(reasons()).toEqual(lines);
    expect(log.unwritten()).toBe(0);
  });

  it('resolves at once if nothing waits, and after the last try if nothing can be written', async () => {
    const { log, next, writes } = descriptor();
    await log.drained();
    for (const reason of ['1', '2']) void log.append(entry(reason));
    const drained = log.drained();
    while (writes.length > 0) next(0, 'EPIPE');
    await drained;
    expect(log.unwritten()).toBe(2);
  });
});
