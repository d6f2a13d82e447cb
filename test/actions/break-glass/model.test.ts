import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDocumentsOf } from '../../../src/actions/approvals/documents.ts';
import { createChangeEvent } from '../../../src/actions/break-glass/change-event.ts';
import { createFindEvent } from '../../../src/actions/break-glass/find-event.ts';
import { createOpenEvent } from '../../../src/actions/break-glass/open-event.ts';
import { createBreakGlassRecords } from '../../../src/actions/break-glass/records.ts';
import { createEndGrant } from '../../../src/actions/end-grant.ts';
import type { Operator } from '../../../src/actions/operator.ts';
import { createUseLedgers } from '../../../src/breakglass/ledger.ts';
import { createUseQuota } from '../../../src/breakglass/quota.ts';
import { createEventStore } from '../../../src/breakglass/store.ts';
import { ok } from '../../../src/lib/result.ts';
import type { NewEntry } from '../../../src/revocations/writer.ts';
import { createFakeTables, GUARD, KEYS, TABLE } from '../../breakglass/support.ts';
import { callerOf, snapshotOf } from '../support.ts';

/**
 * The actions as they are, on tables whose calls fail, lose their answers or come twice, by several
 * people on several instances at once. Whatever happens, nothing is vended outside a window.
 */
const MINUTE = 60_000;
const MAX_PER_USER = 3;
const QUOTA_WINDOW = 60 * MINUTE;

const CALLERS = ['ann', 'amy', 'ben', 'cid'] as const;
type Who = (typeof CALLERS)[number];
const PERSON: Readonly<Record<Who, string>> = { ann: 'ann', amy: 'ann', ben: 'ben', cid: 'cid' };

const USERS = ['ann', 'amy', 'ben'];

const SNAPSHOT = {
  ...snapshotOf({
    plain: { rules: [{ name: 'r', effect: 'require_approval', conditions: { users: USERS } }] },
    two: { rules: [{ name: 'r', effect: 'require_approval', conditions: { users: USERS } }] },
  }),
  sealingKeys: KEYS as never,
  people: { version: '1' as const, rules: [{ name: 'one', is: ['ann', 'amy'] }] },
  breakGlassPolicy: {
    version: '1' as const,
    rules: [
      { name: 'plain', profiles: ['plain'], users: USERS },
      {
        name: 'two',
        profiles: ['two'],
        users: USERS,
        second_person: { from: [...CALLERS], within: 300 },
      },
    ],
  },
  breakGlassRates: {
    version: '1' as const,
    rules: [{ name: 'rate', max_per_user: MAX_PER_USER, quota_window: QUOTA_WINDOW / 1_000 }],
  },
};

type Command =
  | {
      readonly do: 'open';
      readonly who: Who;
      readonly profile: 'plain' | 'two';
      readonly drill: boolean;
    }
  | { readonly do: 'vend'; readonly who: Who; readonly profile: 'plain' | 'two' }
  | { readonly do: 'confirm' | 'close'; readonly who: Who; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number };

const WHO = fc.constantFrom(...CALLERS);
const PROFILE = fc.constantFrom('plain' as const, 'two' as const);
const COMMAND: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('open' as const), who: WHO, profile: PROFILE, drill: fc.boolean() }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('vend' as const), who: WHO, profile: PROFILE }),
  },
  fc.record({
    do: fc.constantFrom('confirm' as const, 'close' as const),
    who: WHO,
    which: fc.nat(3),
  }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 4 * MINUTE }) }),
);

const FAULT = fc.constantFrom(
  'ok' as const,
  'ok' as const,
  'ok' as const,
  'crash' as const,
  'lost' as const,
  'twice' as const,
);

/** What is true of an event, as whoever looks from outside knows it. */
type Truth = {
  readonly who: Who;
  readonly profile: string;
  readonly drill: boolean;
  readonly at: number;
  /** Somebody else began to confirm it before its deadline. */
  mayBeConfirmed: boolean;
  /** It stands in the log that it was closed. */
  closed: boolean;
};

const SECONDS = 1_200;
let steps = 0;
let vends = 0;

function createWorld(
  faults: readonly (typeof FAULT extends fc.Arbitrary<infer Of> ? Of : never)[],
) {
  const tables = createFakeTables();
  const time = { now: Date.parse('2026-03-10T12:00:00Z') };
  const truths = new Map<string, Truth>();
  const log = new Set<string>();
  const wrong: string[] = [];
  let calls = 0;
  tables.control.step = async () => {
    steps += 1;
    const fault = faults[(calls += 1) % faults.length] ?? 'ok';
    // Others have their turn.
    for (let turn = calls % 4; turn > 0; turn -= 1) await Promise.resolve();
    if (fault === 'crash') throw new Error('the call failed');
    return fault;
  };
  const revocations = {
    top: () => 0,
    ofGrant: (id: string) => (log.has(id) ? ({ n: 1 } as never) : undefined),
    ofVend: () => undefined,
    wasRevokedAfter: () => false,
    append: async (entry: NewEntry) => {
      await Promise.resolve();
      const id = entry.what === 'revoke' && entry.target.kind === 'grant' ? entry.target.value : '';
      log.add(id);
      const truth = truths.get(id);
      if (truth !== undefined) truth.closed = true;
      return { n: 1 } as never;
    },
  };
  const audit = { append: () => Promise.resolve(true) };
  const guard = { reserve: () => Promise.resolve(ok({ release: () => Promise.resolve() })) };
  function clock(): number {
    return time.now;
  }
  /** Each instance has its own of everything but the tables. */
  function createInstance() {
    const store = createEventStore(tables.client, TABLE);
    const quota = createUseQuota(createUseLedgers(tables.client, GUARD), store);
    const records = createBreakGlassRecords({
      clock,
      guard,
      audit,
      bareNames: 'user',
      onFault: () => undefined,
    });
    const documentsOf = createDocumentsOf('user');
    const common = { clock, store, quota, revocations, documentsOf, records, skew: () => 0 };
    return {
      open: createOpenEvent(common),
      change: createChangeEvent({
        ...common,
        endGrant: createEndGrant({
          ...common,
          hardRevocation: { apply: () => Promise.resolve([]) },
        }),
      }),
      find: createFindEvent(common),
    };
  }
  const instances = [createInstance(), createInstance(), createInstance()];

  function operatorOf(who: Who): Operator {
    const caller = { ...callerOf(who), storedName: `user/${who}` };
    return {
      caller,
      snapshot: SNAPSHOT,
      httpRequestId: 'r',
      address: undefined,
      replay: undefined,
    };
  }

  /** Learns of each row as it lands, whatever its writer was told. */
  function learn(): void {
    for (const [id, item] of tables.tableOf(TABLE)) {
      if (truths.has(id)) continue;
      const state = JSON.parse(item['state']?.S ?? '') as {
        invoker: { name: string };
        openedAt: number;
        drill: boolean;
      };
      const who = state.invoker.name.slice('user/'.length) as Who;
      const profile = item['profile']?.S ?? '';
      truths.set(id, {
        who,
        profile,
        drill: state.drill,
        at: state.openedAt,
        mayBeConfirmed: false,
        closed: false,
      });
    }
    for (const person of new Set(Object.values(PERSON))) {
      const uses = [...truths.values()].filter(
        ({ who, drill }) => !drill && PERSON[who] === person,
      );
      for (const { at } of uses) {
        const within = uses.filter((use) => use.at <= at && use.at > at - QUOTA_WINDOW);
        if (within.length > MAX_PER_USER) wrong.push('more uses than the quota');
      }
    }
  }

  async function vend(who: Who, profile: string, n: number): Promise<void> {
    const closedBefore = new Set([...truths].filter(([, { closed }]) => closed).map(([id]) => id));
    const now = time.now;
    const { caller } = operatorOf(who);
    const { find } = instances[n % instances.length] ?? createInstance();
    const found = await find.findEvent(caller, profile, SNAPSHOT, now);
    if (!found.ok || found.value === undefined) return;
    await find.begin(found.value);
    learn();
    vends += 1;
    const { event, endsAt } = found.value;
    const truth = truths.get(event.id);
    if (truth === undefined) wrong.push('a vend under what nobody opened');
    else {
      const end = truth.at + SECONDS * 1_000;
      const most =
        truth.profile === 'two' && !truth.mayBeConfirmed
          ? Math.min(end, truth.at + 5 * MINUTE)
          : end;
      if (truth.drill) wrong.push('a vend under a drill');
      if (truth.who !== who || truth.profile !== profile)
        wrong.push('a vend under what is not theirs');
      if (now >= most || endsAt > most) wrong.push('a vend outside the window');
      if (closedBefore.has(event.id)) wrong.push('a vend after it was closed');
    }
  }

  async function run(command: Command, n: number): Promise<void> {
    const instance = instances[n % instances.length] ?? createInstance();
    if (command.do === 'pass') time.now += command.ms;
    else if (command.do === 'vend')
      await vend(command.who, command.profile, n).catch(() => undefined);
    else if (command.do === 'open') {
      const { profile, drill } = command;
      const wish = {
        profile,
        drill,
        reasonCode: 'incident',
        justification: 'x',
        seconds: SECONDS,
        ticket: undefined,
      } as const;
      await instance.open(operatorOf(command.who), wish);
    } else {
      const id = [...truths.keys()].at(-1 - command.which);
      const truth = id === undefined ? undefined : truths.get(id);
      if (id === undefined || truth === undefined) return;
      const isOther = PERSON[truth.who] !== PERSON[command.who];
      if (command.do === 'confirm' && isOther && time.now < truth.at + 5 * MINUTE)
        truth.mayBeConfirmed = true;
      await (command.do === 'confirm'
        ? instance.change.confirm(operatorOf(command.who), id, undefined)
        : instance.change.close(operatorOf(command.who), id, 'done'));
    }
    learn();
  }

  return { run, wrong };
}

describe('the actions of break-glass', () => {
  it('never vend outside a window, whatever fails and whoever acts at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(COMMAND, { minLength: 1, maxLength: 4 }), {
          minLength: 10,
          maxLength: 30,
        }),
        fc.array(FAULT, { minLength: 1, maxLength: 40 }),
        async (batches, faults) => {
          const world = createWorld(faults);
          for (const batch of batches)
            await Promise.all(batch.map((command, n) => world.run(command, n)));
          expect(world.wrong).toEqual([]);
        },
      ),
      { numRuns: 2_500 },
    );
    // The runs came to something.
    expect(steps).toBeGreaterThan(100_000);
    expect(vends).toBeGreaterThan(1_000);
  }, 120_000);
});
