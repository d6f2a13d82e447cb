import { createHash, randomBytes } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newHexId } from '../../src/lib/ids.ts';
import { createLabelPlaces } from '../../src/sessions/label-places.ts';
import { createOpenSession } from '../../src/sessions/open-session.ts';
import { createSessionStore } from '../../src/sessions/store.ts';
import type { Session } from '../../src/sessions/session.ts';
import { clientOf, tableOf } from '../revocations/support.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

/**
 * The bound of labels: a thousand for one subject on one profile, whatever several instances do at
 * once.
 */
const MOST = 1_000;
const KEYS = new Map([['k', { id: 'k', key: randomBytes(32), activeFrom: 0 }]]);
const NOW = Date.parse('2026-03-10T12:00:00Z');
const HOUR = 3_600_000;
const LIFE = 8 * HOUR;

let desk: Desk;
let clients: readonly DynamoDBClient[];

beforeAll(async () => {
  desk = await startDesk();
  clients = Array.from({ length: 5 }, () => clientOf(desk.url));
});

afterAll(async () => {
  for (const client of clients) client.destroy();
  await desk.close();
});

function client(index = 0): DynamoDBClient {
  return clients[index % clients.length] as DynamoDBClient;
}

/** A session that opens at a moment, of a subject of its own. */
function sessionOf(label: string, more: Partial<Session> = {}): Session {
  return {
    id: newHexId(),
    subject: 'sentinel:key/A',
    principal: 'sentinel:key/A',
    user: 'key/alice',
    account: '000000000000',
    profile: 'dev',
    label,
    grant: '',
    startedAt: NOW,
    endsAt: NOW + LIFE,
    lastAccessAt: NOW,
    requestCount: 1,
    sourceIdentity: 'x',
    ...more,
  };
}

function subject(): string {
  return `sentinel:key/${newHexId()}`;
}

/** The id of the item of a subject's labels on dev. */
function itemId(of: string): string {
  return `labels#${createHash('sha256')
    .update(JSON.stringify([of, 'dev']))
    .digest('hex')}`;
}

function itemOf(of: string) {
  return tableOf(client(), 'guard').get(itemId(of));
}

/** Writes the places of one subject's sessions as if they had been taken one by one. */
async function hold(sessions: readonly Session[]): Promise<void> {
  const live = Object.fromEntries(
    sessions.map(({ label, endsAt }) => [`/${label}`, { N: String(endsAt) }]),
  );
  const id = itemId(sessions[0]?.subject ?? '');
  await tableOf(client(), 'guard').put({ id: { S: id }, live: { M: live }, version: { N: '1' } });
}

/** Takes places for sessions, spread over five instances, twenty at a time. */
async function takeAll(sessions: readonly Session[], now: number, width = 20) {
  const places = clients.map((of) => createLabelPlaces(of, 'sentinel-guard'));
  const queue = sessions.map((session, index) => ({ session, index }));
  const results = new Map<Session, Awaited<ReturnType<(typeof places)[number]['take']>>>();
  const workers = Array.from({ length: width }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const of = places[next.index % places.length];
      if (of !== undefined) results.set(next.session, await of.take(next.session, now));
    }
  });
  await Promise.all(workers);
  return sessions.map((session) => results.get(session)?.ok === true);
}

function labelled(count: number, more: Partial<Session>, name = 'job'): readonly Session[] {
  return Array.from({ length: count }, (_, n) => sessionOf(`${name}-${n}`, more));
}

describe('createLabelPlaces', () => {
  it('gives a thousand places, however many instances are asked at once, to each subject on each profile', async () => {
    const more = { subject: subject() };
    await hold(labelled(MOST - 70, more, 'held'));
    const rush = labelled(100, more);
    const taken = await takeAll(rush, NOW);
    expect(taken.filter((one) => one)).toHaveLength(70);
    const places = createLabelPlaces(client(), 'sentinel-guard');
    const refused = await places.take(
      sessionOf('one-more', { ...more, endsAt: NOW + LIFE + 1 }),
      NOW,
    );
    expect(refused).toEqual({
      ok: false,
      refusal: { kind: 'labels-full', most: MOST, until: NOW + LIFE },
    });
    expect((await places.take(sessionOf('one-more', { subject: subject() }), NOW)).ok).toBe(true);
    expect((await places.take(sessionOf('one-more', { ...more, profile: 'prod' }), NOW)).ok).toBe(
      true,
    );
    const known = rush.filter((_, index) => taken[index]);
    expect((await places.take(known[7] as Session, NOW)).ok, 'a label that has one').toBe(true);
  }, 60_000);

  it('gives a thousand places again when all sessions end at once and five instances ask', async () => {
    const more = { subject: subject() };
    await hold([
      ...labelled(900, more, 'ending'),
      ...labelled(100, { ...more, endsAt: NOW + 3 * LIFE }, 'held'),
    ]);
    const rush = labelled(50, { ...more, endsAt: NOW + 2 * LIFE });
    expect((await takeAll(rush.slice(0, 10), NOW + LIFE - 1)).filter((one) => one)).toHaveLength(0);
    expect((await takeAll(rush, NOW + LIFE)).filter((one) => one)).toHaveLength(50);
    expect(Object.keys((await itemOf(more.subject))?.['live']?.M ?? {})).toHaveLength(150);
  }, 60_000);

  it('frees the place of a session that was ended, and no other', async () => {
    const more = { subject: subject() };
    await hold(labelled(MOST, more));
    const places = createLabelPlaces(client(), 'sentinel-guard');
    const [ended] = labelled(1, more);
    await places.free({ ...(ended as Session), endsAt: NOW + 1 });
    expect(
      (await places.take(sessionOf('one-more', more), NOW)).ok,
      'freed by an earlier session',
    ).toBe(false);
    await places.free(ended as Session);
    await places.free(ended as Session);
    expect((await places.take(sessionOf('one-more', more), NOW)).ok).toBe(true);
    expect((await places.take(sessionOf('two-more', more), NOW)).ok).toBe(false);
  }, 60_000);

  it('never gives more places than there are, in whatever order labels are taken, freed and end', async () => {
    const step = fc.record({
      label: fc.integer({ min: 0, max: 5 }).map((n) => `l-${n}`),
      what: fc.constantFrom('take', 'take', 'take', 'free'),
      wait: fc.constantFrom(0, 0, 1, LIFE / 2, LIFE),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const more = { subject: subject() };
        // All places but three are taken by sessions that outlive the test.
        const held = labelled(MOST - 3, { ...more, endsAt: NOW + 1_000 * LIFE }, 'held');
        await hold(held);
        const known = new Map<string, number>();
        let now = NOW;
        let index = 0;
        for (const { label, what, wait } of steps) {
          now += wait;
          index += 1;
          const places = createLabelPlaces(client(index), 'sentinel-guard');
          for (const [of, ends] of known) if (ends <= now) known.delete(of);
          if (what === 'free') {
            await places.free(sessionOf(label, { ...more, endsAt: known.get(label) ?? now }));
            known.delete(label);
            continue;
          }
          const taken = await places.take(sessionOf(label, { ...more, endsAt: now + LIFE }), now);
          expect(taken.ok).toBe(known.has(label) || known.size < 3);
          if (taken.ok) known.set(label, now + LIFE);
          else expect(taken.refusal.until).toBe(Math.min(...known.values()));
        }
      }),
      { numRuns: 15 },
    );
  }, 120_000);

  it.each(['__proto__', 'constructor', 'toString', '.', '-', 'x'.repeat(32)])(
    'keeps the place of the label %s',
    async (label) => {
      const more = { subject: subject() };
      const places = createLabelPlaces(client(), 'sentinel-guard');
      await hold(labelled(MOST - 1, { ...more, endsAt: NOW + 1 }));
      expect((await places.take(sessionOf(label, more), NOW)).ok).toBe(true);
      // The item is rewritten without ended sessions and full again: the label must not have been
      // lost.
      expect((await places.take(sessionOf('after', more), NOW + 1)).ok).toBe(true);
      const item = await itemOf(more.subject);
      expect(Object.getOwnPropertyNames(item?.['live']?.M ?? {}).toSorted()).toEqual(
        [`/${label}`, '/after'].toSorted(),
      );
    },
  );

  it('writes items that expire, but not before any session in them', async () => {
    const more = { subject: subject() };
    await createLabelPlaces(client(), 'sentinel-guard').take(
      sessionOf('a', { ...more, endsAt: NOW + 24 * HOUR }),
      NOW,
    );
    const ttl = Number((await itemOf(more.subject))?.['ttl']?.N);
    expect(ttl * 1_000).toBeGreaterThanOrEqual(NOW + 24 * HOUR);
  });
});

describe('createOpenSession', () => {
  function opener(index: number) {
    const store = createSessionStore(client(index), {
      sessions: 'sentinel-sessions',
      guard: 'sentinel-guard',
      instance: `${index}`,
    });
    return createOpenSession(store);
  }
  function open(index: number, proposed: Session, now = NOW) {
    return opener(index)({ proposed, keys: KEYS, now, deadline: now + 60_000, instead: undefined });
  }
  async function placesOf(of: string) {
    return (await itemOf(of))?.['live']?.M;
  }

  it('takes one place for a label, on however many instances the session opens at once', async () => {
    const more = { subject: subject() };
    const opened = await Promise.all(
      Array.from({ length: 15 }, (_, index) =>
        open(
          index,
          sessionOf('job', { ...more, startedAt: NOW + index, endsAt: NOW + LIFE + index }),
        ),
      ),
    );
    const ids = opened.map((one) => (one.ok ? one.value.id : one.refusal.kind));
    expect(new Set(ids).size).toBe(1);
    const places = await placesOf(more.subject);
    expect(Object.keys(places ?? {})).toEqual(['/job']);
    // The place is kept at least as long as the session lives.
    const [first] = opened;
    expect(Number(places?.['/job']?.N)).toBeGreaterThanOrEqual(
      first?.ok === true ? first.value.endsAt : Infinity,
    );
  });

  it('continues an open session without touching its place', async () => {
    const more = { subject: subject() };
    await open(0, sessionOf('job', more));
    const before = await placesOf(more.subject);
    const later = await open(
      1,
      sessionOf('job', { ...more, startedAt: NOW + HOUR, endsAt: NOW + HOUR + LIFE }),
      NOW + HOUR,
    );
    expect(later.ok && later.value.endsAt).toBe(NOW + LIFE);
    expect(await placesOf(more.subject)).toEqual(before);
  });

  it('takes no place for a session without a label', async () => {
    const more = { subject: subject() };
    expect((await open(0, sessionOf('', more))).ok).toBe(true);
    expect(await placesOf(more.subject)).toBeUndefined();
  });

  it('rejects without a sealing key, and takes no place', async () => {
    const more = { subject: subject() };
    const proposed = sessionOf('job', more);
    const opening = { proposed, keys: new Map(), now: NOW, deadline: NOW, instead: undefined };
    await expect(opener(0)(opening)).rejects.toThrow('no sealing key');
    expect(await placesOf(more.subject)).toBeUndefined();
  });
});
