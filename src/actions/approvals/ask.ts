import { withoutSsoAccount } from '../../policy/approval/person.ts';
import type { Ledger, LedgerEntry, Ledgers } from '../../approvals/ledger.ts';
import { MAX_ENTRIES } from '../../approvals/ledger.ts';
import { isLive, statusAt, type AccessRequest, type Wish } from '../../approvals/request.ts';
import { endOf } from '../../approvals/row.ts';
import type { RequestStore } from '../../approvals/store.ts';
import { SECOND, type Clock } from '../../lib/clock.ts';
import { newHexId } from '../../lib/ids.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { SealingKey } from '../../lib/sealing.ts';
import type { Revocations } from '../../revocations/feed.ts';
import { begin, renew, type Ask, type AskedWish } from './begin.ts';
import { isEndedInLog } from './ended.ts';
import type { ApprovalRefusal } from './refusal.ts';

/** How many requests of one person may be open at once. */
const MAX_OPEN = 10;

/** How often a ledger is tried again that another has written meanwhile. */
const MAX_ATTEMPTS = 8;

/** The request that asks for it, and what became of it: found is what asks for the same. */
export type Asked = {
  readonly request: AccessRequest;
  readonly outcome: 'created' | 'updated' | 'found';
};

/** The requests of a person that are not over, by what their ledgers and rows say. */
type Open = {
  readonly own: Ledger;
  readonly pending: readonly AccessRequest[];
  /** Entries without a row, of somebody who is just writing it. */
  readonly rowless: readonly LedgerEntry[];
};

/**
 * An entry without a row is taken for one that is just being written for so long, longer than its
 * calls may take.
 */
const IN_FLIGHT = 10 * SECOND;
/** How long its row is waited for between looks. */
const PAUSE_MS = 100;

/** The name by which the ledger of a requester is found. */
export function ledgerName({ requester }: Pick<Wish, 'requester'>): string {
  return withoutSsoAccount(requester.name);
}

/** The first request of the chain that a request extends; undefined where it extends none. */
export function rootOf({ extends: extended, root }: AccessRequest): string | undefined {
  return extended === undefined ? undefined : root;
}

/** Whether a pending request asks for the same. */
function isSameWish(request: AccessRequest, wish: AskedWish): boolean {
  return (
    request.requester.subject === wish.requester.subject &&
    request.seconds === wish.seconds &&
    request.justification === wish.justification &&
    request.ticket === wish.ticket &&
    request.start === wish.start &&
    request.extends === wish.extends
  );
}

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<RequestStore, 'read' | 'create' | 'replace'>;
  readonly ledgers: Ledgers;
  readonly revocations: Pick<Revocations, 'ofGrant'>;
  readonly sleep: (ms: number) => Promise<unknown>;
};

/**
 * What a pending request is to whoever asks once more: a vend finds whatever is pending, a request
 * only its equal. What a vend made and nobody has reviewed is to be updated: undefined.
 */
function toFound(
  request: AccessRequest,
  wish: AskedWish,
): Result<Asked, ApprovalRefusal> | undefined {
  if (wish.origin === 'vend' || isSameWish(request, wish)) return ok({ request, outcome: 'found' });
  const isUnseen = request.origin === 'vend' && request.reviews.length === 0;
  const isOwn = request.requester.subject === wish.requester.subject;
  if (isUnseen && isOwn && request.extends === wish.extends) return undefined;
  return refuse({ kind: 'request-pending', id: request.id, profile: request.profile });
}

/** Refuses whoever has as many open requests as one may have. */
function checkRoom({ own, pending, rowless }: Open, now: number): ApprovalRefusal | undefined {
  if (pending.length + rowless.length < MAX_OPEN && own.entries.length < MAX_ENTRIES)
    return undefined;
  const ends = [
    ...own.entries.map(({ until }) => until),
    ...pending.map(({ expiresAt }) => expiresAt),
  ];
  const retryAfterSeconds = Math.max(1, Math.ceil((Math.min(...ends) - now) / SECOND));
  return { kind: 'requests-full', most: MAX_OPEN, retryAfterSeconds };
}

/** Whether a request was approved, and its time is not over. */
function isGranted({ status, grant }: AccessRequest, now: number): boolean {
  return status === 'approved' && grant !== undefined && isLive(grant, now);
}

/**
 * The entry of a request, of the moment at which it is written: how long ago an ask began tells
 * nothing of its row.
 */
function toEntry(request: AccessRequest, at: number): LedgerEntry {
  return {
    id: request.id,
    profile: request.profile,
    at,
    until: endOf(request),
    pending: request.status === 'pending',
    root: rootOf(request),
  };
}

/**
 * Makes a request, or finds the pending one that asks for the same. The ledger is written before
 * the row: whoever asks at the same moment finds it there, and what dies in between costs the
 * person a place until the request would have expired.
 */
export function createAsk({ clock, store, ledgers, revocations, sleep }: Dependencies) {
  /** The pending requests of a person, under all the names that are theirs. */
  async function findOpen({ wish, documents, keys, now }: Ask): Promise<Open> {
    const names = documents.people?.namesOf(wish.requester) ?? [ledgerName(wish)];
    const read = await Promise.all(names.map((name) => ledgers.read(name, now)));
    // Of this profile also what is approved by the ledger: the row may not have come to that, where
    // somebody died.
    const entries = read
      .flatMap((ledger) => ledger.entries)
      .filter(({ pending, profile }) => pending || profile === wish.profile);
    const rows = await Promise.all(
      entries.map(async (entry) => ({ entry, row: await store.read(entry.id, keys) })),
    );
    const requests = rows.flatMap(({ row }) => (row?.genuine === true ? [row.request] : []));
    const rowless = rows.filter(({ row }) => row === undefined).map(({ entry }) => entry);
    const pending = requests.filter((request) => isOpen(request, now));
    // What was decided, withdrawn or ended needs no place any more; what was just begun keeps its
    // own.
    const over = requests.filter((request) => !isOpen(request, now) && !isGranted(request, now));
    const dead = rowless.filter(({ at }) => now - at >= IN_FLIGHT);
    const gone = new Set([...over, ...dead].map(({ id }) => id));
    const { entries: all = [], version = 0 } = read[0] ?? {};
    const own = {
      entries: all.filter(({ id }) => !gone.has(id) && revocations.ofGrant(id) === undefined),
      version,
    };
    return { own, pending, rowless: rowless.filter(({ id }) => !gone.has(id)) };
  }

  /** Whether a request still waits: the log may say that it has ended before its row does. */
  function isOpen(request: AccessRequest, now: number): boolean {
    return statusAt(request, now) === 'pending' && !isEndedInLog(request, revocations);
  }

  /**
   * Writes the entry of a request into the ledger, also for an id that is there: whoever takes it
   * for dead meanwhile must lose the race for it.
   */
  function tell(request: AccessRequest, own: Ledger): Promise<'written' | 'lost'> {
    const others = own.entries.filter(({ id }) => id !== request.id);
    const entries = [...others, toEntry(request, clock())];
    return ledgers.write(ledgerName(request), entries, own.version);
  }

  /** Writes the ledger, then the row; undefined if another wrote either meanwhile. */
  async function write(request: AccessRequest, { own }: Open, sealing: SealingKey) {
    if ((await tell(request, own)) === 'lost') return undefined;
    return (await store.create(request, sealing)) === 'created' ? request : undefined;
  }

  /** Updates what a vend made; undefined if another wrote it or the ledger meanwhile. */
  async function update(
    before: AccessRequest,
    asking: Ask,
    { own }: Open,
  ): Promise<Result<Asked, ApprovalRefusal> | undefined> {
    const request = renew(before, asking);
    if (request === undefined) return refuse({ kind: 'no-approval-rule', profile: before.profile });
    if ((await tell(request, own)) === 'lost') return undefined;
    return (await store.replace(request, asking.sealing)) === 'replaced'
      ? ok({ request, outcome: 'updated' })
      : undefined;
  }

  async function ask(asking: Ask): Promise<Result<Asked, ApprovalRefusal>> {
    const { wish, sealing, now } = asking;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const open = await findOpen(asking);
      // Find the pending one of this person for this profile.
      const there = open.pending.find(({ profile }) => profile === wish.profile);
      const found = there && toFound(there, wish);
      if (found !== undefined) return found;
      if (there !== undefined) {
        const updated = await update(there, asking, open);
        if (updated === undefined) continue;
        return updated;
      }
      // Let whoever asks at this moment write their row: it may be the same request.
      const inFlight = open.rowless.find(({ profile }) => profile === wish.profile);
      if (inFlight !== undefined && attempt < MAX_ATTEMPTS / 2) {
        await sleep(PAUSE_MS);
        continue;
      }
      const full = inFlight === undefined ? checkRoom(open, now) : undefined;
      if (full !== undefined) return refuse(full);
      // If they do not, write it for them under their id: then only one of the two can come into
      // being.
      const request = begin(asking, inFlight?.id ?? newHexId());
      if (request === undefined) return refuse({ kind: 'no-approval-rule', profile: wish.profile });
      // Who lost the race for the ledger looks again.
      const written = await write(request, open, sealing);
      if (written !== undefined) return ok({ request: written, outcome: 'created' });
    }
    throw new Error(`the ledger of requests of ${ledgerName(wish)} is written by too many at once`);
  }

  return ask;
}
