import type { BreakGlassEvent } from '../../breakglass/event.ts';
import type { Use } from '../../breakglass/ledger.ts';
import type { UseQuota } from '../../breakglass/quota.ts';
import type { EventStore } from '../../breakglass/store.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Caller } from '../../identity/caller.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { withoutSsoAccount, type People } from '../../policy/approval/person.ts';
import { findBreakGlassRule, isOpenTo } from '../../policy/break-glass/rule.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Documents } from '../approvals/documents.ts';
import { isClockOff, type Skew } from '../clock-skew.ts';
import { unavailable, type UnavailableRefusal } from '../refusal.ts';
import { checkEvent, type OpenEvent } from './check-event.ts';

/** An event that vends now, until when, and the use on record that led to it. */
export type FoundEvent = OpenEvent & { readonly event: BreakGlassEvent; readonly use: Use };

type Dependencies = {
  readonly store: Pick<EventStore, 'read'>;
  readonly quota: Pick<UseQuota, 'liveUses' | 'noteOpened'>;
  readonly revocations: Pick<Revocations, 'ofGrant' | 'wasRevokedAfter'>;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  readonly skew: Skew;
};

/** The documents and the moment that events are checked by. */
type At = { readonly snapshot: Snapshot; readonly people: People; readonly now: number };

/** Rows that are read at a time. */
const AT_ONCE = 8;

/**
 * Finds the event that a vend rests on by the caller's ledger, which only the TVM writes, and reads
 * it consistently.
 */
export function createFindEvent({ store, quota, revocations, documentsOf, skew }: Dependencies) {
  function check(event: BreakGlassEvent, caller: Caller, at: At) {
    const { snapshot, people, now } = at;
    const documents = documentsOf(snapshot);
    return checkEvent(event, {
      now,
      invoker: documents.toParty(caller, now, event.invoker),
      profile: event.profile,
      invokerName: caller.name,
      rule: findBreakGlassRule(snapshot.breakGlassPolicy, event.profile),
      people,
      approverNow: (party) =>
        documents.isStill(party, now) ? documents.toApprover(party) : undefined,
      isGrantRevoked: (id) => revocations.ofGrant(id) !== undefined,
      wasRevokedAfter: (party, n) => revocations.wasRevokedAfter(documents.toSubject(party), n),
    });
  }

  /** The event of a use, if it vends now. A row of somebody else's, or another event's, is none. */
  async function read(use: Use, caller: Caller, at: At): Promise<FoundEvent | undefined> {
    const row = await store.read(use.id, at.snapshot.sealingKeys);
    if (row?.genuine !== true || row.event.id !== use.id || row.event.profile !== use.profile)
      return undefined;
    const checked = check(row.event, caller, at);
    return checked.ok ? { ...checked.value, event: row.event, use } : undefined;
  }

  /**
   * Finds the event of a caller for a profile that lasts longest; undefined if none vends now. That
   * no rule of the access policy denies the caller is for the caller of this to check. Rejects
   * where a table cannot be read.
   */
  async function findEvent(
    caller: Caller,
    profile: string,
    snapshot: Snapshot,
    now: number,
  ): Promise<Result<FoundEvent | undefined, UnavailableRefusal>> {
    // Whom no rule lets break the glass costs no read.
    if (!isOpenTo(findBreakGlassRule(snapshot.breakGlassPolicy, profile), caller.name))
      return ok(undefined);
    const uses = await quota.liveUses(withoutSsoAccount(caller.storedName), profile, now);
    if (uses.length === 0) return ok(undefined);
    const { people } = documentsOf(snapshot);
    if (people === undefined) return refuse(unavailable('people'));
    if (isClockOff(skew)) return refuse(unavailable('clock'));
    // The longest first, some at a time: somebody may have opened many.
    const longestFirst = uses.toSorted((a, b) => b.until - a.until);
    for (let from = 0; from < longestFirst.length; from += AT_ONCE) {
      const some = longestFirst.slice(from, from + AT_ONCE);
      const found = await Promise.all(
        some.map((use) => read(use, caller, { snapshot, people, now })),
      );
      const [best] = found
        .filter((one) => one !== undefined)
        .toSorted((a, b) => b.endsAt - a.endsAt);
      if (best !== undefined) return ok(best);
    }
    return ok(undefined);
  }

  /**
   * Notes, before the first vend under an event, that its row was written, so that a row that
   * somebody deletes frees nobody of its review. Rejects where the ledger cannot be written: then
   * nothing is vended.
   */
  async function begin({ event, use }: FoundEvent): Promise<void> {
    if (!use.opened) await quota.noteOpened(event);
  }

  return { findEvent, begin };
}

export type LiveEvents = ReturnType<typeof createFindEvent>;
