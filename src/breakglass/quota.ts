import { ok, refuse, type Result } from '../lib/result.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import { owesBlockingReview, type BreakGlassEvent } from './event.ts';
import {
  MAX_USES,
  withUse,
  type LedgerName,
  type Use,
  type UseLedger,
  type UseLedgers,
} from './ledger.ts';
import { toPast, type PastUses } from './past-uses.ts';
import type { EventStore } from './store.ts';

/** Each of them fails only where another instance has just written. */
const MAX_ATTEMPTS = 10;

/** A review that is overdue and blocks, of which event and since when. */
export type ReviewOverdue = {
  readonly kind: 'review-overdue';
  readonly id: string;
  readonly since: number;
};

/** No use can be put on record: so many are open, or owe a review. See {@link sayLedgerFull}. */
export type LedgerFull = { readonly kind: 'ledger-full'; readonly of: 'person' | 'profile' };

/** What is said where a ledger has no room. */
export function sayLedgerFull({ of }: LedgerFull): string {
  const whose = of === 'person' ? 'you have' : 'this profile has';
  return `${whose} ${MAX_USES} uses of break-glass that are open or not reviewed; close or review some of them first`;
}

/** Another use that is to be put on record before its event is written. */
export type Reservation<Verdict, Refusal> = {
  /** The event that would be written; its `escalated` is not looked at. */
  readonly event: BreakGlassEvent;
  readonly keys: SealingKeys;
  /**
   * The rate rules, applied to what is on record of others and of before: pure. It may be asked
   * more than once.
   */
  readonly judge: (past: PastUses) => Result<Verdict, Refusal>;
};

/**
 * Counts uses of break-glass in ledgers, so that any number of instances together never give more
 * than the rules allow. A use stands in every ledger of its person, and in that of its profile,
 * before its event is written: what dies in between costs a use. Each ledger is written under the
 * version that was read, in one order everywhere, the profile's last; where another instance was
 * faster, all are read and judged anew. Of two uses that compete, the one that writes a ledger
 * later thus counts the earlier one.
 */
export type UseQuota = {
  /**
   * Puts a use on record, or says why there is none. Rejects where DynamoDB fails: then it may be
   * on record.
   */
  readonly reserve: <Verdict, Refusal>(
    reservation: Reservation<Verdict, Refusal>,
  ) => Promise<Result<Verdict, Refusal | ReviewOverdue | LedgerFull>>;
  /**
   * Notes that the event of a use was written, so that a row that is deleted frees nobody of its
   * review: when it was opened, and before a vend whose use is not `opened`. Does nothing where no
   * blocking review is owed.
   */
  readonly noteOpened: (event: BreakGlassEvent) => Promise<void>;
  /** Notes that an event was reviewed; after its row was written, which alone proves it. */
  readonly noteReviewed: (event: BreakGlassEvent, now: number) => Promise<void>;
  /**
   * The uses by which somebody may have a profile now, newest first. Whether an event is open, its
   * row says.
   *
   * @param name one of the caller's own names of `ledgerNamesOf`
   */
  readonly liveUses: (name: string, profile: string, now: number) => Promise<readonly Use[]>;
};

function toUse({ id, profile, openedAt, endsAt, reviewBy, overdueBlocks }: BreakGlassEvent): Use {
  const blocksFrom = overdueBlocks ? reviewBy : undefined;
  return { id, profile, at: openedAt, until: endsAt, reviewBy: blocksFrom, opened: false };
}

function personLedgers({ ledgers, drill }: BreakGlassEvent): readonly LedgerName[] {
  return ledgers.toSorted().map((name) => ({ of: 'person', name, drill }));
}

/** All ledgers of a use, in the order in which they are written. */
function allLedgers(event: BreakGlassEvent): readonly LedgerName[] {
  return [...personLedgers(event), { of: 'profile', name: event.profile, drill: event.drill }];
}

/** Constructs what counts uses. */
export function createUseQuota(
  ledgers: UseLedgers,
  store: Pick<EventStore, 'read' | 'isWritten'>,
): UseQuota {
  /**
   * Whether a use blocks by a review that it owes: what the ledger has not been told yet, the row
   * says.
   */
  async function isOwed({ id, opened }: Use, keys: SealingKeys): Promise<boolean> {
    const row = await store.read(id, keys);
    if (row?.genuine === true) return owesBlockingReview(row.event);
    // What somebody wrote over it, or deleted, is no review.
    return opened || row !== undefined || (await store.isWritten(id));
  }

  async function findOverdue(
    uses: readonly Use[],
    keys: SealingKeys,
    now: number,
  ): Promise<ReviewOverdue | undefined> {
    for (const use of uses) {
      if (use.reviewBy === undefined || now < use.reviewBy) continue;
      if (await isOwed(use, keys))
        return { kind: 'review-overdue', id: use.id, since: use.reviewBy };
    }
    return undefined;
  }

  /** Writes a use into all ledgers that do not have it. */
  async function enter(
    read: readonly UseLedger[],
    use: Use,
  ): Promise<Result<'entered' | 'lost', LedgerFull>> {
    for (const ledger of read.filter(({ uses }) => !uses.some(({ id }) => id === use.id))) {
      const uses = withUse(ledger.uses, use, use.at);
      if (uses === 'full') return refuse({ kind: 'ledger-full', of: ledger.name.of });
      if ((await ledgers.write(ledger, uses)) === 'lost') return ok('lost');
    }
    return ok('entered');
  }

  /** Changes one ledger, if there is something to change. */
  async function change(
    name: LedgerName,
    now: number,
    toUses: (uses: readonly Use[]) => readonly Use[] | undefined,
  ): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const ledger = await ledgers.read(name, now);
      const uses = toUses(ledger.uses);
      if (uses === undefined || (await ledgers.write(ledger, uses)) === 'written') return;
    }
    throw new Error('a ledger of break-glass is written by others again and again');
  }

  /** Changes the entry of an event in every ledger of its person that has it. */
  async function changeUse(
    event: BreakGlassEvent,
    now: number,
    toChanged: (use: Use) => Use,
  ): Promise<void> {
    for (const name of personLedgers(event)) {
      await change(name, now, (uses) => {
        const known = uses.find(({ id }) => id === event.id);
        const next = known === undefined ? undefined : toChanged(known);
        return next === undefined || next === known
          ? undefined
          : uses.map((use) => (use === known ? next : use));
      });
    }
  }

  /** Takes a use back that was refused after it had entered some of its ledgers. */
  async function withdraw(event: BreakGlassEvent): Promise<void> {
    try {
      for (const name of allLedgers(event)) {
        await change(name, event.openedAt, (uses) => {
          const others = uses.filter(({ id }) => id !== event.id);
          return others.length === uses.length ? undefined : others;
        });
      }
    } catch {
      // It stays on record and costs a use, which is what may happen to every use that comes to
      // nothing.
    }
  }

  /** One try; `lost` if another instance was faster. */
  async function attempt<Verdict, Refusal>({ event, keys, judge }: Reservation<Verdict, Refusal>) {
    const read = await Promise.all(
      allLedgers(event).map((name) => ledgers.read(name, event.openedAt)),
    );
    const past = toPast(read, event.id);
    const overdue = event.drill
      ? undefined
      : await findOverdue(past.byPerson, keys, event.openedAt);
    if (overdue !== undefined) return refuse(overdue);
    const verdict = judge(past);
    if (!verdict.ok) return verdict;
    const entered = await enter(read, toUse(event));
    if (!entered.ok) return entered;
    return entered.value === 'lost' ? 'lost' : verdict;
  }

  async function reserve<Verdict, Refusal>(
    reservation: Reservation<Verdict, Refusal>,
  ): Promise<Result<Verdict, Refusal | ReviewOverdue | LedgerFull>> {
    for (let count = 0; count < MAX_ATTEMPTS; count += 1) {
      const outcome = await attempt(reservation);
      if (outcome === 'lost') continue;
      if (!outcome.ok) await withdraw(reservation.event);
      return outcome;
    }
    await withdraw(reservation.event);
    throw new Error('the ledgers of break-glass are written by others again and again');
  }

  async function noteOpened(event: BreakGlassEvent): Promise<void> {
    if (!owesBlockingReview(event)) return;
    await changeUse(event, event.openedAt, (use) => (use.opened ? use : { ...use, opened: true }));
  }

  async function noteReviewed(event: BreakGlassEvent, now: number): Promise<void> {
    if (event.reviewed === undefined) throw new Error('the event is not reviewed');
    await changeUse(event, now, (use) =>
      use.reviewBy === undefined ? use : { ...use, reviewBy: undefined },
    );
  }

  async function liveUses(name: string, profile: string, now: number): Promise<readonly Use[]> {
    const { uses } = await ledgers.read({ of: 'person', name, drill: false }, now);
    return uses
      .filter((use) => use.profile === profile && use.until > now)
      .toSorted((a, b) => b.at - a.at);
  }

  return { reserve, noteOpened, noteReviewed, liveUses };
}
