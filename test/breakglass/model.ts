import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { checkEvent } from '../../src/actions/break-glass/check-event.ts';
import {
  closed,
  confirmed,
  endOf,
  expired,
  reviewed,
  toEvent,
  type BreakGlassEvent,
  type Party,
} from '../../src/breakglass/event.ts';
import { createUseLedgers, type Use } from '../../src/breakglass/ledger.ts';
import { createUseQuota } from '../../src/breakglass/quota.ts';
import { toEventRow } from '../../src/breakglass/row.ts';
import { createEventStore } from '../../src/breakglass/store.ts';
import { createPeople } from '../../src/policy/approval/person.ts';
import { ledgerNamesOf } from '../../src/policy/break-glass/ledger-names.ts';
import { checkRates } from '../../src/policy/break-glass/rates.ts';
import {
  GUARD,
  KEYS,
  SEALING,
  TABLE,
  createFakeTables,
  opening,
  party,
  type Item,
} from './support.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** What a call may take, by the bounds of the room; one that would take longer is given up. */
const DEADLINE = 3 * SECOND;

/** alice has two names. */
const CALLERS = {
  alice: party('alice'),
  also: party('alice', 'sso'),
  bob: party('bob'),
  dora: party('dora'),
  olivia: party('olivia'),
};
export type Who = keyof typeof CALLERS;
const PERSON = {
  alice: 'alice',
  also: 'alice',
  bob: 'bob',
  dora: 'dora',
  olivia: 'olivia',
} as const;
const PEOPLE = createPeople([['key/alice', 'sso/alice']]);

/** The rules of the model. */
const LIMITS = { cooldown: 5 * MINUTE, window: 60 * MINUTE, byPerson: 2, byProfile: 3 };
const RULE = {
  name: 'emergencies',
  users: ['alice', 'also', 'bob', 'dora'],
  review: { by: ['olivia', 'bob'], within: 600, overdue_blocks: true },
  second_person: { from: ['bob', 'olivia', 'alice', 'also'], within: 300 },
};
const RATES = {
  version: '1' as const,
  rules: [{ name: 'r', cooldown: 300, max_per_user: 2, max_per_profile: 3, quota_window: 3_600 }],
};

/** Where somebody copies rows to. */
const COPY = 'f'.repeat(16);

/**
 * One thing that somebody does on one of the instances. `which` picks one of the events so far, the
 * newest first.
 */
export type Command =
  | {
      readonly do: 'open';
      readonly who: Who;
      readonly profile: 'p' | 'q';
      readonly drill: boolean;
      readonly needs: number;
    }
  | { readonly do: 'vend'; readonly who: Who; readonly profile: 'p' | 'q' }
  | {
      readonly do: 'confirm' | 'close' | 'review' | 'expire';
      readonly who: Who;
      readonly which: number;
    }
  | {
      readonly do: 'foreign';
      readonly what: 'put-back' | 'open' | 'close' | 'delete' | 'copy';
      readonly which: number;
    }
  | { readonly do: 'pass'; readonly ms: number };

/** How a call of DynamoDB goes; see `Step`. */
export type Fault = 'ok' | 'crash' | 'lost' | 'twice';

/** What really happened with an event, as the table saw it and as answers said it. */
type Truth = {
  readonly event: BreakGlassEvent;
  confirmedInTime: boolean;
  isClosed: boolean;
  isReviewed: boolean;
  /** A vend was told that it is over for good. */
  isSeenOver: boolean;
  /** Somebody past the TVM has written its row. */
  isTouched: boolean;
  /** That its row was written is on record. */
  isNoted: boolean;
};

/** What the runs came to, so that a test sees that they came to something. */
export const tallied = new Map<string, number>();
function tally(what: string): void {
  tallied.set(what, (tallied.get(what) ?? 0) + 1);
}

/**
 * The world of one run: tables, a clock, the truth about every event, and what was found to be
 * wrong.
 */
export function createWorld(schedule: () => Promise<void>, faults: readonly Fault[]) {
  const tables = createFakeTables();
  const store = createEventStore(tables.client, TABLE);
  const quota = createUseQuota(createUseLedgers(tables.client, GUARD), store);
  const truths = new Map<string, Truth>();
  /** All rows that ever stood in the table, for whoever puts one back. */
  const history: Item[] = [];
  /** Ids in the log of revocations. */
  const revoked = new Set<string>();
  const wrong: string[] = [];
  const clock = { now: Date.parse('2026-03-10T12:00:00Z'), calls: 0, ids: 0 };

  /** Looks at each row as it is about to land. */
  function onRow(item: Item): void {
    const row = toEventRow(item, TABLE, KEYS);
    if (row?.genuine !== true) throw new Error('the TVM wrote a row that it does not believe');
    const { event } = row;
    history.push(item);
    const truth = truths.get(event.id);
    if (truth === undefined) {
      onOpened(event);
      return;
    }
    if (event.confirmed !== undefined && !truth.confirmedInTime) {
      if (clock.now >= (event.confirmBy ?? 0))
        wrong.push('a confirmation was written after its deadline');
      truth.confirmedInTime = true;
    }
    if (event.reviewed !== undefined) truth.isReviewed = true;
  }

  function onOpened(event: BreakGlassEvent): void {
    truths.set(event.id, {
      event,
      confirmedInTime: false,
      isClosed: false,
      isReviewed: false,
      isSeenOver: false,
      isTouched: false,
      isNoted: false,
    });
    if (event.drill) return;
    const uses = [...truths.values()].map((truth) => truth.event).filter(({ drill }) => !drill);
    checkQuotas(
      'person',
      uses.filter((use) => personOf(use.invoker) === personOf(event.invoker)),
      LIMITS.byPerson,
    );
    checkQuotas(
      'profile',
      uses.filter(({ profile }) => profile === event.profile),
      LIMITS.byProfile,
    );
    const times = uses
      .filter(
        (use) => personOf(use.invoker) === personOf(event.invoker) && use.profile === event.profile,
      )
      .map(({ openedAt }) => openedAt)
      .toSorted((a, b) => a - b);
    const isTooSoon = times.some(
      (at, index) => index > 0 && at - (times[index - 1] ?? 0) < LIMITS.cooldown,
    );
    if (isTooSoon) wrong.push('two uses within the cooldown');
  }

  function checkQuotas(what: string, uses: readonly BreakGlassEvent[], most: number): void {
    for (const { openedAt: last } of uses) {
      const within = uses.filter(
        ({ openedAt }) => openedAt > last - LIMITS.window && openedAt <= last,
      );
      if (within.length > most) wrong.push(`more uses than the quota of a ${what}`);
    }
  }

  tables.control.step = async (command) => {
    const sent = clock.now;
    await schedule();
    const fault = faults[clock.calls % Math.max(1, faults.length)] ?? 'ok';
    clock.calls += 1;
    if (fault === 'crash' || clock.now - sent >= DEADLINE) throw new Error('the call failed');
    if (command instanceof PutItemCommand && command.input.TableName === TABLE)
      whenItHolds(command);
    return fault;
  };

  /** Tells of a row only if the table takes it. */
  function whenItHolds(command: PutItemCommand): void {
    const item = command.input.Item as Item;
    const id = item['id']?.S ?? '';
    const before = tables.tableOf(TABLE).get(id);
    const expected = command.input.ExpressionAttributeValues?.[':before']?.N;
    const isNew =
      expected === undefined ? before === undefined : before?.['version']?.N === expected;
    const { ':now': at, ':status': status } = command.input.ExpressionAttributeValues ?? {};
    const isInTime = at === undefined || Number(before?.['confirm_by']?.N ?? 0) > Number(at.N);
    const isOpen = status === undefined || before?.['status']?.S === status.S;
    if (isNew && isInTime && isOpen) onRow(item);
  }

  async function open({
    who,
    profile,
    drill,
    needs,
  }: Extract<Command, { do: 'open' }>): Promise<void> {
    const invoker = CALLERS[who];
    const ledgers = ledgerNamesOf(PEOPLE, invoker);
    clock.ids += 1;
    const id = clock.ids.toString(16).padStart(16, '0');
    const now = clock.now;
    const more = needs === 0 ? {} : { confirmWithin: 300 };
    const asked = opening({
      invoker,
      profile,
      drill,
      seconds: 900,
      reviewWithin: 600,
      overdueBlocks: true,
      ...more,
    });
    const event = toEvent({ ...asked, ledgers }, { id, now });
    const owedBefore = [...truths.values()].filter(
      (one) => isOwed(one, now) && personOf(one.event.invoker) === personOf(invoker),
    );
    const reserved = await quota.reserve({
      event,
      keys: KEYS,
      judge: ({ byPerson, byProfile }) => checkRates(RATES, { profile, now, byPerson, byProfile }),
    });
    if (!reserved.ok) {
      tally(reserved.refusal.kind);
      return;
    }
    tally(drill ? 'drill' : 'opened');
    // A row that was deleted before anybody noted it, or vended under it, is as if it had never
    // been written.
    const isStillOwed = owedBefore.some(
      (one) => !one.isReviewed && (one.isNoted || !one.isTouched),
    );
    if (!drill && isStillOwed) wrong.push('a use in spite of a review that is overdue');
    if ((await store.create(event, SEALING)) === 'there') {
      // Written, and by another meanwhile, before a repetition looked: its opener hears of a fault.
      if (truths.has(id)) throw new Error(`what stands in ${id} is another write's`);
      throw new Error('there is an event of this id');
    }
    await note(event);
  }

  /** One ledger of the person that has it noted is enough. */
  async function noteBefore(live: readonly Use[], event: BreakGlassEvent): Promise<void> {
    const use = live.find(({ id }) => id === event.id);
    const truth = truths.get(event.id);
    if (use?.opened === true && truth !== undefined) truth.isNoted = true;
    if (use?.opened === false) await note(event);
  }

  async function note(event: BreakGlassEvent): Promise<void> {
    await quota.noteOpened(event);
    const truth = truths.get(event.id);
    if (truth !== undefined) truth.isNoted = true;
  }

  async function vend({ who, profile }: Extract<Command, { do: 'vend' }>): Promise<void> {
    const before = new Map([...truths].map(([id, truth]) => [id, { ...truth }]));
    const invoker = CALLERS[who];
    const live = await quota.liveUses(invoker.name, profile, clock.now);
    // Also what nobody is led to: the last events, and the row that somebody has copied.
    for (const id of new Set([
      ...live.map((use) => use.id),
      ...[...truths.keys()].slice(-2),
      COPY,
    ])) {
      const row = await store.read(id, KEYS);
      if (row?.genuine !== true) continue;
      if (row.event.id !== id) wrong.push('an event in the row of another');
      await noteBefore(live, row.event);
      const now = clock.now;
      const checked = checkEvent(row.event, {
        now,
        invoker,
        profile,
        invokerName: who,
        rule: RULE,
        people: PEOPLE,
        approverNow: ({ name, principal }) => ({ name: nameOf(name), principal, isBot: false }),
        isGrantRevoked: (of) => revoked.has(of),
        wasRevokedAfter: () => false,
      });
      const truth = truths.get(id);
      if (checked.ok)
        judgeVend(id, { now, invoker, profile, end: checked.value.endsAt }, before.get(id));
      tally(checked.ok ? 'vended' : checked.refusal);
      const isForGood =
        !checked.ok && checked.refusal !== 'another-invoker' && checked.refusal !== 'rule';
      if (isForGood && truth !== undefined) truth.isSeenOver = true;
      if (checked.ok) return;
    }
  }

  function judgeVend(
    id: string,
    vended: {
      readonly now: number;
      readonly invoker: Party;
      readonly profile: string;
      readonly end: number;
    },
    before: Truth | undefined,
  ): void {
    const truth = truths.get(id);
    if (truth === undefined) {
      wrong.push('a vend under an event that the TVM never wrote');
      return;
    }
    const { event, confirmedInTime } = truth;
    if (event.drill) wrong.push('a vend under a drill');
    if (!truth.isNoted) wrong.push('a vend of which no review would be owed');
    if (event.invoker.subject !== vended.invoker.subject || event.profile !== vended.profile)
      wrong.push('not theirs');
    const end = confirmedInTime ? event.endsAt : endOf(event);
    if (vended.now >= end || vended.end > end) wrong.push('a vend after the end');
    if (before?.isClosed === true) wrong.push('a vend after it was closed');
    if (before?.isSeenOver === true && !truth.isTouched)
      wrong.push('a vend after it was seen to be over');
    if (confirmedInTime && vended.now >= (event.confirmBy ?? Infinity))
      tally('vended after a confirmation');
  }

  /** Reads the event that is picked, and what it is now. */
  async function pick(which: number): Promise<BreakGlassEvent | undefined> {
    const id = [...truths.keys()].at(-1 - which);
    const row = id === undefined ? undefined : await store.read(id, KEYS);
    return row?.genuine === true ? row.event : undefined;
  }

  async function confirm(who: Who, which: number): Promise<void> {
    const event = await pick(which);
    if (event === undefined || personOf(event.invoker) === PERSON[who]) return;
    const next = confirmed(event, { by: CALLERS[who], at: clock.now, seen: 0 });
    if (next.ok && (await store.confirm(next.value, SEALING)) === 'replaced') tally('confirmed');
  }

  async function close(who: Who, which: number): Promise<void> {
    const event = await pick(which);
    const next = event && closed(event, CALLERS[who], 'done', clock.now);
    if (event === undefined || next?.ok !== true) return;
    // The log first: from then on it is over, whatever becomes of the row.
    revoked.add(event.id);
    const truth = truths.get(event.id);
    if (truth !== undefined) truth.isClosed = true;
    if ((await store.replace(next.value, SEALING)) === 'replaced') tally('closed');
  }

  async function review(who: Who, which: number): Promise<void> {
    const event = await pick(which);
    if (event === undefined || personOf(event.invoker) === PERSON[who]) return;
    const next = reviewed(event, CALLERS[who], 'seen', clock.now);
    if (!next.ok || (await store.replace(next.value, SEALING)) === 'lost') return;
    tally('reviewed');
    await quota.noteReviewed(next.value, clock.now);
  }

  async function expire(which: number): Promise<void> {
    const event = await pick(which);
    const next = event && expired(event, clock.now);
    if (next !== undefined && (await store.replace(next, SEALING)) === 'replaced') tally('expired');
  }

  /** What somebody does who can write the table, and has no key. */
  function tamper({ what, which }: Extract<Command, { do: 'foreign' }>): void {
    const rows = tables.tableOf(TABLE);
    const id = [...truths.keys()].at(-1 - which);
    const item = id === undefined ? undefined : rows.get(id);
    if (what === 'put-back') {
      const old = history.at(-1 - which);
      if (old !== undefined) rows.set(old['id']?.S ?? '', old);
      touch(old?.['id']?.S);
      return;
    }
    if (item === undefined || id === undefined) return;
    touch(id);
    if (what === 'open')
      rows.set(id, { ...item, status: { S: 'active' }, expires_at: { S: '2036-01-01T00:00:00Z' } });
    if (what === 'close') rows.set(id, { ...item, status: { S: 'closed' } });
    if (what === 'delete') rows.delete(id);
    if (what === 'copy') rows.set(COPY, { ...item, id: { S: COPY } });
  }

  function touch(id: string | undefined): void {
    const truth = id === undefined ? undefined : truths.get(id);
    if (truth !== undefined) truth.isTouched = true;
  }

  /** Does what a command says; what fails has failed for whoever asked. */
  async function run(command: Command): Promise<void> {
    try {
      if (command.do === 'open') await open(command);
      else if (command.do === 'vend') await vend(command);
      else if (command.do === 'confirm') await confirm(command.who, command.which);
      else if (command.do === 'close') await close(command.who, command.which);
      else if (command.do === 'review') await review(command.who, command.which);
      else if (command.do === 'foreign') tamper(command);
      else if (command.do === 'pass') clock.now += command.ms;
      else await expire(command.which);
    } catch (error) {
      if (
        !/the call failed|the answer was lost|again and again|is another write's/u.test(
          String(error),
        )
      )
        throw error;
      tally('failed');
    }
  }

  return { run, wrong, clock };
}

function personOf({ name }: Party): string {
  return name.slice(name.indexOf('/') + 1);
}

function nameOf(stored: string): string {
  return stored === 'sso/alice' ? 'also' : stored.slice(stored.indexOf('/') + 1);
}

function isOwed({ event, isReviewed }: Truth, now: number): boolean {
  return (
    event.reviewBy !== undefined && event.overdueBlocks && !isReviewed && now >= event.reviewBy
  );
}
