import type { LedgerEntry, Ledgers } from '../../approvals/ledger.ts';
import { latestEnd, statusAt, type AccessRequest, type Grant } from '../../approvals/request.ts';
import { started } from '../../approvals/request-changes.ts';
import type { RequestStore } from '../../approvals/store.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Caller } from '../../identity/caller.ts';
import { SECOND } from '../../lib/clock.ts';
import { refuse, type Result } from '../../lib/result.ts';
import type { SealingKey } from '../../lib/sealing.ts';
import type { Revocations } from '../../revocations/feed.ts';
import { isClockOff, type Skew } from '../clock-skew.ts';
import { ledgerName } from './ask.ts';
import { checkGrant, type GrantProblem } from './check-grant.ts';
import type { Documents } from './documents.ts';
import { isEndedInLog } from './ended.ts';

/** An approved request that vends now. */
export type FoundGrant = { readonly request: AccessRequest; readonly grant: Grant };

/** Why no approval lets this caller have this profile now. */
export type NoGrant = {
  /** A request that is pending; undefined if there is none. */
  readonly pending: AccessRequest | undefined;
  /**
   * An approved request that has not ended, and why it does not vend; undefined if there is none.
   */
  readonly blocked: { readonly request: AccessRequest; readonly why: GrantProblem } | undefined;
};

type Dependencies = {
  readonly store: Pick<RequestStore, 'read' | 'replace'>;
  readonly ledgers: Ledgers;
  readonly revocations: Pick<Revocations, 'ofGrant' | 'wasRevokedAfter'>;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  readonly skew: Skew;
};

/**
 * What may be worth telling of a grant that does not vend; what has ended is nobody's business any
 * more.
 */
const LASTING: ReadonlySet<GrantProblem> = new Set([
  'stale',
  'quorum',
  'suspended',
  'revoked',
  'clock',
]);

/** How often a ledger is tried again that another has written meanwhile. */
const MAX_ATTEMPTS = 8;

/** A request whose time began when the ledger says so, whatever its row says. */
function withStart(request: AccessRequest, { startsAt }: LedgerEntry): AccessRequest {
  const { grant } = request;
  if (grant === undefined || grant.startsAt !== undefined || startsAt === undefined) return request;
  return { ...request, grant: { ...grant, startsAt, endsAt: startsAt + grant.seconds * SECOND } };
}

/**
 * Finds approvals by the ledger of the caller, which names their requests, and reads these
 * consistently.
 */
export function createFindGrant({ store, ledgers, revocations, documentsOf, skew }: Dependencies) {
  function check(
    request: AccessRequest,
    caller: Caller,
    documents: Documents,
    now: number,
  ): Result<Grant, GrantProblem> {
    if (documents.people === undefined) return refuse('suspended');
    if (isClockOff(skew)) return refuse('clock');
    return checkGrant(request, {
      now,
      requester: documents.toParty(caller, now, request.requester),
      shown: documents.shownFor(request.id, request, now),
      counting: documents.countingFor(request, now),
      requesterName: caller.name,
      isGrantRevoked: (id) => revocations.ofGrant(id) !== undefined,
      wasRevokedAfter: (party, n) => revocations.wasRevokedAfter(documents.toSubject(party), n),
    });
  }

  /**
   * The requests of a caller for a profile that are not over. Rejects where a table cannot be read.
   */
  async function read(caller: Caller, profile: string, snapshot: Snapshot, now: number) {
    const requester = documentsOf(snapshot).toParty(caller, now);
    const { entries } = await ledgers.read(ledgerName({ requester }), now);
    const rows = await Promise.all(
      entries
        .filter((entry) => entry.profile === profile)
        .map(async (entry) => ({ entry, row: await store.read(entry.id, snapshot.sealingKeys) })),
    );
    const requests = rows.flatMap(({ entry, row }) =>
      row?.genuine === true ? [withStart(row.request, entry)] : [],
    );
    return requests.filter((request) => request.requester.subject === caller.subject);
  }

  /**
   * Notes in the ledger when the time of a grant began, once, and tells when that was; undefined if
   * it is over.
   */
  async function noteStart({ request }: FoundGrant, now: number): Promise<number | undefined> {
    const name = ledgerName(request);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { entries, version } = await ledgers.read(name, now);
      const entry = entries.find(({ id }) => id === request.id);
      if (entry === undefined || entry.startsAt !== undefined) return entry?.startsAt;
      // It is kept for as long as before: so long a row could be put back.
      const begun = { ...entry, startsAt: now };
      const others = entries.filter(({ id }) => id !== request.id);
      if ((await ledgers.write(name, [...others, begun], version)) === 'written') return now;
    }
    throw new Error(`the ledger of requests of ${name} is written by too many at once`);
  }

  /** Finds the approval that lasts longest. */
  async function findGrant(
    caller: Caller,
    profile: string,
    snapshot: Snapshot,
    now: number,
  ): Promise<Result<FoundGrant, NoGrant>> {
    const documents = documentsOf(snapshot);
    const requests = await read(caller, profile, snapshot, now);
    const checked = requests.map((request) => ({
      request,
      result: check(request, caller, documents, now),
    }));
    const good = checked.flatMap(({ request, result }) =>
      result.ok ? [{ request, grant: result.value }] : [],
    );
    const [best] = good.toSorted((a, b) => latestEnd(b.grant) - latestEnd(a.grant));
    if (best !== undefined) return { ok: true, value: best };
    const blocked = checked.flatMap(({ request, result }) =>
      result.ok || !LASTING.has(result.refusal) ? [] : [{ request, why: result.refusal }],
    );
    const pending = requests.find(
      (request) => statusAt(request, now) === 'pending' && !isEndedInLog(request, revocations),
    );
    return refuse({ pending, blocked: blocked[0] });
  }

  /**
   * Starts a grant that begins with its first use, once, before STS is asked: a vend that fails
   * afterwards keeps the start. Whoever loses the race uses the start that the other set.
   */
  async function start(
    found: FoundGrant,
    snapshot: Snapshot,
    sealing: SealingKey,
    now: number,
  ): Promise<FoundGrant | undefined> {
    if (found.grant.startsAt !== undefined) return found;
    // The ledger first: a row from before that somebody puts back begins nothing anew.
    const startsAt = await noteStart(found, now);
    if (startsAt === undefined) return undefined;
    const request = started(found.request, found.grant, startsAt);
    if ((await store.replace(request, sealing)) === 'replaced' && request.grant !== undefined) {
      return { request, grant: request.grant };
    }
    const row = await store.read(found.request.id, snapshot.sealingKeys);
    const grant =
      row?.genuine === true && row.request.status === 'approved' ? row.request.grant : undefined;
    if (row?.genuine !== true || grant?.endsAt === undefined || now >= grant.endsAt)
      return undefined;
    return { request: row.request, grant };
  }

  return { findGrant, start };
}

export type Grants = ReturnType<typeof createFindGrant>;
