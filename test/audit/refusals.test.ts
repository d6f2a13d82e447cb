import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEntry, CountableRefusal, RefusalEntry } from '../../src/audit/record.ts';
import { createRefusals } from '../../src/audit/refusals.ts';

const START = '2026-01-05T12:00:00.000Z';
const WINDOW = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse(START) });
});

afterEach(() => {
  vi.useRealTimers();
});

function refusal(error: string, address?: string, reason = 'too many'): RefusalEntry {
  return {
    event: 'identity_refused',
    http_request_id: 'r',
    effect: 'deny',
    error,
    reason,
    method: 'GET',
    path: '/',
    ...(address === undefined ? {} : { source_ip: address }),
  };
}

function limited(address?: string, reason?: string): RefusalEntry {
  return refusal('RateLimited', address, reason);
}

type Line = AuditEntry & { readonly count?: number; readonly source_ip?: string | undefined };

function recorder(most?: number) {
  const lines: Line[] = [];
  const counted: CountableRefusal[] = [];
  const queue = { isFull: false, works: true };
  const refusals = createRefusals(
    {
      audit: {
        append: (entry) => {
          if (queue.works) lines.push(entry);
          return Promise.resolve(queue.works);
        },
        hasRoomForRefusal: () => !queue.isFull,
      },
      clock: () => Date.now(),
      window: WINDOW,
      onCounted: (entry) => counted.push(entry),
    },
    most,
  );
  return { ...refusals, lines, counted, queue };
}

describe('record', () => {
  it('writes a line for a refusal below the limit, and says whether it was written', async () => {
    const { record, lines, counted, queue } = recorder();
    expect(await record(refusal('SignatureDoesNotMatch', '192.0.2.1'))).toBe(true);
    expect(lines).toEqual([refusal('SignatureDoesNotMatch', '192.0.2.1')]);
    expect(counted).toEqual([]);
    queue.works = false;
    expect(await record(refusal('SignatureDoesNotMatch', '192.0.2.1'))).toBe(false);
  });

  it('counts refusals above the limit in one line for each address and window, with first and last time', async () => {
    const { record, lines, counted } = recorder();
    for (let time = 0; time < 500; time += 1) {
      expect(await record(limited('192.0.2.1'))).toBe(true);
      await vi.advanceTimersByTimeAsync(100);
    }
    await record(limited('192.0.2.2'));
    expect(lines).toEqual([]);
    expect(counted).toHaveLength(501);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lines).toEqual([
      {
        event: 'identity_refused',
        effect: 'deny',
        error: 'RateLimited',
        reason: 'too many',
        source_ip: '192.0.2.1',
        count: 500,
        first: START,
        last: '2026-01-05T12:00:49.900Z',
      },
    ]);
    await vi.advanceTimersByTimeAsync(WINDOW);
    expect(lines.slice(1)).toMatchObject([{ source_ip: '192.0.2.2', count: 1 }]);
    await vi.advanceTimersByTimeAsync(10 * WINDOW);
    expect(lines).toHaveLength(2);
  });

  it('counts a known caller apart from the strangers at the same address', async () => {
    const { record, lines, flush } = recorder();
    await record(limited('192.0.2.1', 'alice has sent 100 requests'));
    await record(limited('192.0.2.1', 'Too many requests from your address'));
    await record(limited('192.0.2.1', 'alice has sent 100 requests'));
    flush();
    expect(lines.map(({ count }) => count)).toEqual([2, 1]);
  });

  it('counts all addresses of one IPv6 network together', async () => {
    const { record, lines, flush } = recorder();
    for (let host = 1; host < 100; host += 1)
      await record(limited(`2001:db8:0:1::${host.toString(16)}`));
    await record(limited('2001:db8:0:2::1'));
    flush();
    expect(lines.map(({ source_ip: source, count }) => [source, count])).toEqual([
      ['2001:db8:0:1::/64', 99],
      ['2001:db8:0:2::/64', 1],
    ]);
  });

  it('counts any refusal while its part of the queue is full, and forgets none', async () => {
    const { record, lines, counted, queue } = recorder();
    queue.isFull = true;
    const kinds = ['SignatureDoesNotMatch', 'ExpiredToken', 'SignatureDoesNotMatch'];
    for (const kind of kinds)
      expect(await record(refusal(kind, '192.0.2.1', `says ${kind}`))).toBe(true);
    expect(counted).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(2 * WINDOW);
    expect(lines).toEqual([]);
    queue.isFull = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(lines.map(({ count }) => count)).toEqual([2, 1]);
  });

  it('leaves nothing unwritten after flush', async () => {
    const { record, lines, flush, pending } = recorder();
    await record(limited('192.0.2.1'));
    expect(pending()).toBe(1);
    flush();
    expect(lines).toMatchObject([{ count: 1 }]);
    expect(pending()).toBe(0);
    flush();
    await vi.advanceTimersByTimeAsync(2 * WINDOW);
    expect(lines).toHaveLength(1);
  });

  it('writes the line of an ended window with the next refusal if timers stand still', async () => {
    const { record, lines } = recorder();
    await record(limited('192.0.2.1'));
    const later = performance.now() + WINDOW;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
    await record(limited('192.0.2.1'));
    clock.mockRestore();
    expect(lines).toMatchObject([{ count: 1 }]);
  });
});

describe('count', () => {
  it('writes one line for each window', async () => {
    const { count, lines } = recorder();
    const overload = {
      event: 'unavailable',
      error: 'overloaded',
      cause: 'overloaded',
      reason: 'too much',
    } as const;
    for (let time = 0; time < 100_000; time += 1) count(overload);
    await vi.advanceTimersByTimeAsync(WINDOW);
    expect(lines).toMatchObject([{ ...overload, effect: 'deny', count: 100_000 }]);
    expect(lines[0]).not.toHaveProperty('source_ip');
  });
});

describe('record of more addresses than are counted apart', () => {
  it('counts the rest in one line for each kind of refusal, without an address', async () => {
    const { record, lines, flush, pending } = recorder(3);
    for (let host = 0; host < 250; host += 1) await record(limited(`192.0.2.${host}`));
    await record(limited('192.0.2.1'));
    expect(pending()).toBe(4);
    flush();
    expect(lines.map(({ source_ip: source, count }) => [source, count])).toEqual([
      ['192.0.2.0', 1],
      ['192.0.2.1', 2],
      ['192.0.2.2', 1],
      [undefined, 247],
    ]);
  });
});

describe('createRefusals', () => {
  it('has every refusal in exactly one line: its own, or one that counts it', async () => {
    const step = fc.record({
      address: fc.constantFrom(
        undefined,
        '192.0.2.1',
        '192.0.2.2',
        '192.0.2.3',
        '2001:db8::1',
        '2001:db8::2',
      ),
      error: fc.constantFrom('RateLimited', 'ExpiredToken'),
      pause: fc.integer({ min: 0, max: 40_000 }),
      isFull: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { record, lines, flush, queue } = recorder(2);
        for (const { address, error, pause, isFull } of steps) {
          queue.isFull = isFull;
          await record(refusal(error, address));
          await vi.advanceTimersByTimeAsync(pause);
        }
        queue.isFull = false;
        flush();
        expect(lines.reduce((sum, { count }) => sum + (count ?? 1), 0)).toBe(steps.length);
      }),
      { numRuns: 100 },
    );
  });
});
