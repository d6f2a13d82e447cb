import { describe, expect, it, vi } from 'vitest';
import { refuse, ok, type Result } from '../../src/lib/result.ts';
import { createDispatcher } from '../../src/notify/dispatcher.ts';
import type { Event } from '../../src/notify/event.ts';
import type { Receiver } from '../../src/notify/receiver.ts';
import type { Claimed, Source } from '../../src/notify/source.ts';
import { event, NOW } from './support.ts';

type Outcome = Result<undefined, string>;

function receiverCalled(
  name: Receiver['name'],
  answer: (event: Event) => Outcome | Promise<Outcome>,
) {
  const got: string[] = [];
  const receiver: Receiver = {
    name,
    deliver: async (sent) => {
      got.push(sent.type);
      return answer(sent);
    },
  };
  return { receiver, got };
}

/** A source in memory with rows that are each to be sent once. */
function sourceOf(rows: readonly (readonly Event[])[]) {
  const left = new Map(
    rows.map((events, n) => [String(n), { events, sent: [] as readonly string[], attempts: 0 }]),
  );
  const dead: string[] = [];
  const source: Source = {
    name: 'test',
    pending: () =>
      Promise.resolve([...left].map(([id, { attempts }]) => ({ id, version: 1, attempts }))),
    claim: (ref) => {
      const row = left.get(ref.id);
      if (row === undefined) return Promise.resolve(undefined);
      row.attempts += 1;
      const claimed: Claimed = { ...ref, ...row, claim: 'c' };
      return Promise.resolve(claimed);
    },
    done: ({ id }) => {
      left.delete(id);
      return Promise.resolve();
    },
    again: ({ id }, _, sent) => {
      const row = left.get(id);
      if (row !== undefined) row.sent = sent;
      return Promise.resolve();
    },
    dead: ({ id }) => {
      dead.push(id);
      left.delete(id);
      return Promise.resolve();
    },
  };
  return { source, left, dead };
}

function dispatcherOf(
  sources: readonly Source[],
  receivers: readonly Receiver[],
  monotonic = () => performance.now(),
) {
  const count = vi.fn<(what: string, outcome: string) => void>();
  const logger = {
    warn: vi.fn<(...given: unknown[]) => void>(),
    error: vi.fn<(...given: unknown[]) => void>(),
  };
  const dispatcher = createDispatcher({
    sources,
    receivers: () => receivers,
    clock: () => NOW,
    monotonic,
    meter: { count },
    logger,
  });
  return { ...dispatcher, count, logger };
}

const CREATED = event();
const APPROVED = event({ version: 2, type: 'request.approved' });

describe('the dispatcher', () => {
  it('sends again only to the receiver that did not take it', async () => {
    let isDown = true;
    const webhook = receiverCalled('webhook', () => (isDown ? refuse('down') : ok(undefined)));
    const topic = receiverCalled('sns', () => ok(undefined));
    const { source, left } = sourceOf([[CREATED, APPROVED]]);
    // Until the second look, which is the first that finds the webhook up.
    const once: Source = {
      ...source,
      pending: async (limit) => (webhook.got.length === 1 && isDown ? [] : source.pending(limit)),
    };
    const { round } = dispatcherOf([once], [webhook.receiver, topic.receiver]);
    await round();
    expect(webhook.got).toEqual(['request.created']);
    expect(topic.got).toEqual(['request.created', 'request.approved']);
    isDown = false;
    await round();
    expect(webhook.got).toEqual(['request.created', 'request.created', 'request.approved']);
    expect(topic.got).toEqual(['request.created', 'request.approved']);
    expect(left.size).toBe(0);
  });

  it('counts an event that is given up once for each receiver that never took it', async () => {
    const webhook = receiverCalled('webhook', () => refuse('down'));
    const topic = receiverCalled('sns', () => ok(undefined));
    const { source, dead } = sourceOf([[CREATED, APPROVED]]);
    const { round, count, logger } = dispatcherOf([source], [webhook.receiver, topic.receiver]);
    await round();
    expect(dead).toEqual(['0']);
    const outcomes = count.mock.calls.map(([, outcome]) => outcome);
    expect(outcomes.filter((outcome) => outcome === 'dead')).toHaveLength(2);
    expect(outcomes.filter((outcome) => outcome === 'delivered')).toHaveLength(2);
    expect(outcomes.filter((outcome) => outcome === 'failed')).toHaveLength(12);
    expect(logger.error).toHaveBeenCalledTimes(2);
  });

  it('looks at nothing where nobody is to be told', async () => {
    const pending = vi.fn<Source['pending']>(() => Promise.resolve([]));
    const { round, notice, onRequest, idle } = dispatcherOf(
      [{ ...sourceOf([]).source, pending }],
      [],
    );
    await round();
    onRequest();
    notice(sourceOf([]).source, { id: 'x', version: 1 });
    await idle();
    expect(pending).not.toHaveBeenCalled();
  });

  it('keeps a source that hangs or fails from no other', async () => {
    const { receiver, got } = receiverCalled('sns', () => ok(undefined));
    const away = { ...sourceOf([]).source, pending: () => Promise.reject(new Error('away')) };
    const good = sourceOf([[CREATED]]);
    const { round, logger } = dispatcherOf([away, good.source], [receiver]);
    await round();
    await round();
    expect(got).toEqual(['request.created']);
    // Once for the outage, not for each look.
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });

  it('never rejects where a claim or what comes of it cannot be written', async () => {
    const { receiver } = receiverCalled('sns', () => ok(undefined));
    const { source } = sourceOf([[CREATED]]);
    function away() {
      return Promise.reject(new Error('away'));
    }
    await expect(
      dispatcherOf([{ ...source, claim: away }], [receiver]).round(),
    ).resolves.toBeUndefined();
    let looks = 0;
    function pending(limit: number) {
      looks += 1;
      return looks > 2 ? Promise.resolve([]) : source.pending(limit);
    }
    await expect(
      dispatcherOf([{ ...source, pending, done: away }], [receiver]).round(),
    ).resolves.toBeUndefined();
  });

  it('sends no more than four rows at a time', async () => {
    let [now, most] = [0, 0];
    const { receiver } = receiverCalled('sns', async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((wake) => setTimeout(wake, 5));
      now -= 1;
      return ok(undefined);
    });
    const { source, left } = sourceOf(Array.from({ length: 20 }, () => [CREATED]));
    await dispatcherOf([source], [receiver]).round();
    expect(left.size).toBe(0);
    expect(most).toBe(4);
  });

  it('looks with the first request on AWS Lambda, and again with one that comes 30 s later', async () => {
    const pending = vi.fn<Source['pending']>(() => Promise.resolve([]));
    const { receiver } = receiverCalled('sns', () => ok(undefined));
    let now = 1_000;
    const { onRequest, idle } = dispatcherOf(
      [{ ...sourceOf([]).source, pending }],
      [receiver],
      () => now,
    );
    for (const [later, looks] of [
      [0, 1],
      [29_999, 1],
      [1, 2],
    ] as const) {
      now += later;
      onRequest();
      onRequest();
      await idle();
      expect(pending).toHaveBeenCalledTimes(looks);
    }
  });

  it('looks at start and every five seconds, until it is told to end', async () => {
    vi.useFakeTimers();
    const pending = vi.fn<Source['pending']>(() => Promise.resolve([]));
    const { receiver } = receiverCalled('sns', () => ok(undefined));
    const { start } = dispatcherOf([{ ...sourceOf([]).source, pending }], [receiver], () =>
      Date.now(),
    );
    const stop = new AbortController();
    start(stop.signal);
    expect(pending).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(pending).toHaveBeenCalledTimes(2);
    stop.abort();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pending).toHaveBeenCalledTimes(2);
    vi.useRealTimers();
  });
});
