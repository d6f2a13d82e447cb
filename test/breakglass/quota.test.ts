import { describe, expect, it } from 'vitest';
import {
  expired,
  reviewed,
  type BreakGlassEvent,
  type Opening,
} from '../../src/breakglass/event.ts';
import { createUseLedgers, MAX_USES } from '../../src/breakglass/ledger.ts';
import { createUseQuota, sayLedgerFull } from '../../src/breakglass/quota.ts';
import type { PastUses } from '../../src/breakglass/past-uses.ts';
import { createEventStore } from '../../src/breakglass/store.ts';
import { newHexId } from '../../src/lib/ids.ts';
import { ok, refuse } from '../../src/lib/result.ts';
import {
  ALICE,
  BOB,
  GUARD,
  KEYS,
  NOW,
  SEALING,
  TABLE,
  createFakeTables,
  eventOf,
  valueOf,
} from './support.ts';

const HOUR = 3_600_000;
const OWING = { reviewWithin: 3_600, overdueBlocks: true };
/** When the review of a use that was opened at `NOW` is overdue. */
const OVERDUE = NOW + 2 * HOUR;

function setUp() {
  const tables = createFakeTables();
  const store = createEventStore(tables.client, TABLE);
  const ledgers = createUseLedgers(tables.client, GUARD);
  const quota = createUseQuota(ledgers, store);

  function reserve(
    event: BreakGlassEvent,
    judge: (past: PastUses) => ReturnType<typeof ok> = () => ok('yes'),
  ) {
    return quota.reserve({ event, keys: KEYS, judge });
  }

  /** Opens an event as an action does. */
  async function open(change: Partial<Opening> = {}, now = NOW): Promise<BreakGlassEvent> {
    const event = eventOf(change, now);
    valueOf(await reserve(event));
    await store.create(event, SEALING);
    await quota.noteOpened(event);
    return event;
  }

  async function review(event: BreakGlassEvent): Promise<BreakGlassEvent> {
    const done = valueOf(reviewed(event, BOB, 'fine', event.endsAt));
    await store.replace(done, SEALING);
    return done;
  }

  async function pastOf(change: Partial<Opening> = {}): Promise<PastUses> {
    let seen: PastUses | undefined;
    await quota.reserve({
      event: eventOf(change),
      keys: KEYS,
      judge: (past) => {
        seen = past;
        return refuse('only asking');
      },
    });
    return seen as PastUses;
  }

  return { ...tables, store, ledgers, quota, reserve, open, review, pastOf };
}

function idsOf(uses: PastUses['byPerson']): readonly string[] {
  return uses.map(({ id }) => id);
}

describe('reserve', () => {
  it('shows the rules every use of the person and of the profile, once each', async () => {
    const { open, pastOf } = setUp();
    const names = { ledgers: ['key/alice', 'sso/alice'] };
    const first = await open(names);
    const second = await open({ profile: 'dev', ledgers: ['sso/alice'] });
    const third = await open({ invoker: BOB, ledgers: ['key/bob'] });
    const past = await pastOf(names);
    expect(idsOf(past.byPerson)).toEqual([first.id, second.id]);
    expect(idsOf(past.byProfile)).toEqual([first.id, third.id]);
  });

  it('leaves nothing on record of what the rules refuse', async () => {
    const { pastOf, tableOf } = setUp();
    await pastOf();
    expect(tableOf(GUARD).size).toBe(0);
  });

  it('keeps drills apart', async () => {
    const { open, pastOf } = setUp();
    const drill = await open({ drill: true, ...OWING });
    const use = await open();
    expect(idsOf((await pastOf()).byPerson)).toEqual([use.id]);
    expect(idsOf((await pastOf({ drill: true })).byProfile)).toEqual([drill.id]);
  });

  it('costs a use where the event is never written', async () => {
    const { reserve, pastOf } = setUp();
    const event = eventOf();
    valueOf(await reserve(event));
    expect(idsOf((await pastOf()).byPerson)).toEqual([event.id]);
  });

  it('takes back what it has written when another use was faster and took the last', async () => {
    const { reserve, control, ledgers, pastOf } = setUp();
    const rival = eventOf({ invoker: BOB, ledgers: ['key/bob'] });
    let writes = 0;
    control.step = async (command) => {
      writes += command.constructor.name === 'UpdateItemCommand' ? 1 : 0;
      if (writes !== 2) return 'ok';
      // Before alice's use enters the profile's ledger, which is the second that she writes.
      writes += 1;
      const name = { of: 'profile' as const, name: 'prod', drill: false };
      const ledger = await ledgers.read(name, NOW);
      await ledgers.write(ledger, [
        { id: rival.id, profile: 'prod', at: NOW, until: NOW, reviewBy: undefined, opened: true },
      ]);
      return 'ok';
    };
    const one = await reserve(
      eventOf(),
      ({ byProfile }) => (byProfile.length === 0 ? ok('yes') : refuse('no')) as never,
    );
    expect(one).toEqual({ ok: false, refusal: 'no' });
    control.step = () => Promise.resolve('ok');
    const past = await pastOf();
    expect(idsOf(past.byPerson)).toEqual([]);
    expect(idsOf(past.byProfile)).toEqual([rival.id]);
  });

  it('says a sentence where a ledger has no room', async () => {
    const { reserve, ledgers } = setUp();
    const name = { of: 'profile' as const, name: 'prod', drill: false };
    const open = { profile: 'prod', at: NOW, until: NOW + HOUR, reviewBy: undefined, opened: true };
    const uses = Array.from({ length: MAX_USES }, () => ({ ...open, id: newHexId() }));
    await ledgers.write(await ledgers.read(name, NOW), uses);
    const refused = await reserve(eventOf());
    expect(refused).toEqual({ ok: false, refusal: { kind: 'ledger-full', of: 'profile' } });
    expect(sayLedgerFull({ kind: 'ledger-full', of: 'profile' })).toContain(
      'this profile has 500 uses',
    );
    expect(
      (await ledgers.read({ ...name, of: 'person', name: 'key/alice' }, NOW)).uses,
      'taken back',
    ).toEqual([]);
  });

  it.each(['crash', 'lost', 'twice'] as const)(
    'counts a use at least once when a write meets "%s"',
    async (fault) => {
      const { reserve, control, pastOf } = setUp();
      const event = eventOf();
      let calls = 0;
      control.step = (command) => {
        if (command.constructor.name !== 'UpdateItemCommand') return Promise.resolve('ok');
        calls += 1;
        if (calls !== 2) return Promise.resolve('ok');
        return fault === 'crash' ? Promise.reject(new Error('down')) : Promise.resolve(fault);
      };
      const outcome = await reserve(event).then(
        ({ ok: isOk }) => isOk,
        () => 'failed',
      );
      control.step = () => Promise.resolve('ok');
      expect(outcome).toBe(fault === 'twice' ? true : 'failed');
      expect(idsOf((await pastOf()).byPerson)).toEqual([event.id]);
    },
  );
});

describe('a review that is owed', () => {
  it('blocks the next use of its person from its deadline on, and no drill and nobody else', async () => {
    const { open, reserve } = setUp();
    const event = await open(OWING);
    expect((await reserve(eventOf({}, OVERDUE - 1))).ok).toBe(true);
    const refusal = { kind: 'review-overdue', id: event.id, since: OVERDUE };
    expect(await reserve(eventOf({}, OVERDUE))).toEqual({ ok: false, refusal });
    expect(await reserve(eventOf({ profile: 'dev' }, OVERDUE))).toEqual({ ok: false, refusal });
    expect((await reserve(eventOf({ drill: true }, OVERDUE))).ok).toBe(true);
    expect((await reserve(eventOf({ invoker: BOB, ledgers: ['key/bob'] }, OVERDUE))).ok).toBe(true);
  });

  it('blocks no more once it is reviewed, also before the ledger knows', async () => {
    const { open, review, reserve, quota, ledgers } = setUp();
    const event = await review(await open(OWING));
    expect((await reserve(eventOf({}, OVERDUE))).ok).toBe(true);
    await quota.noteReviewed(event, OVERDUE);
    const { uses } = await ledgers.read({ of: 'person', name: 'key/alice', drill: false }, OVERDUE);
    expect(uses.find(({ id }) => id === event.id)?.reviewBy).toBeUndefined();
  });

  it('does not block where the rule does not say so', async () => {
    const { open, reserve } = setUp();
    await open({ reviewWithin: 3_600 });
    expect((await reserve(eventOf({}, OVERDUE))).ok).toBe(true);
  });

  it('is not evaded by deleting the row, or by writing over it', async () => {
    const { open, reserve, tableOf } = setUp();
    const event = await open(OWING);
    tableOf(TABLE).set(event.id, { id: { S: event.id } });
    expect((await reserve(eventOf({}, OVERDUE))).ok).toBe(false);
    tableOf(TABLE).delete(event.id);
    expect((await reserve(eventOf({}, OVERDUE))).ok).toBe(false);
  });

  it('is not owed by an event that was never written', async () => {
    const { reserve } = setUp();
    valueOf(await reserve(eventOf(OWING)));
    expect((await reserve(eventOf({}, OVERDUE))).ok).toBe(true);
  });

  it('is owed by an event whose opening ended before it was noted', async () => {
    const { reserve, store } = setUp();
    const event = eventOf(OWING);
    valueOf(await reserve(event));
    await store.create(event, SEALING);
    expect((await reserve(eventOf({}, OVERDUE))).ok).toBe(false);
  });
});

describe('liveUses', () => {
  it('gives the uses of a profile that have not ended, the newest first, by each name', async () => {
    const { open, quota } = setUp();
    const names = { ledgers: ['key/alice', 'sso/alice'] };
    const old = await open(names, NOW - HOUR);
    const first = await open(names);
    const second = await open(names, NOW + 1);
    await open({ ...names, profile: 'dev' }, NOW + 2);
    await open({ ...names, drill: true }, NOW + 3);
    expect(expired(old, NOW)).toBeDefined();
    for (const name of names.ledgers) {
      expect(idsOf(await quota.liveUses(name, 'prod', NOW + 4))).toEqual([second.id, first.id]);
    }
    expect(await quota.liveUses(ALICE.name, 'prod', NOW + 2 * HOUR)).toEqual([]);
  });
});
