import type { Clock } from '../lib/clock.ts';
import { toShownName, toStoredName, type NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { Revocation, RevocationTarget } from '../revocations/revocation.ts';
import type { Session, SessionRow } from '../sessions/session.ts';
import type { SessionStore } from '../sessions/store.ts';
import {
  describeHard,
  describeRevocation,
  describeTarget,
  profileOf,
  type Done,
} from './describe-revocation.ts';
import type { HardRevocation } from './hard-revocation.ts';
import { may, type OperatedOn, type OperationRefusal, type Operator } from './operator.ts';
import { unavailable } from './refusal.ts';
import type { createRevocationRecords } from './revocation-records.ts';
import { isOwn } from './shown-session.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly revocations: Pick<Revocations, 'append' | 'catchUp' | 'ofVend'>;
  readonly store: Pick<SessionStore, 'read' | 'revoke' | 'free'>;
  readonly hardRevocation: Pick<HardRevocation, 'apply'>;
  readonly records: ReturnType<typeof createRevocationRecords>;
  readonly bareNames: NamedKind;
  readonly onFault: (error: unknown) => void;
};

/** What is to be revoked. Whose a session is, and on which profile, is found in its row. */
export type WishedTarget =
  | Exclude<RevocationTarget, { readonly kind: 'session' | 'grant' }>
  | { readonly kind: 'session'; readonly value: string };

/** A revocation that is to be made. */
type Wish = {
  readonly target: RevocationTarget;
  readonly reason: string;
  readonly until: number | undefined;
  /** Whether it is the caller's own session. */
  readonly own: boolean;
};

type Outcome<Value> = Promise<Result<Value, OperationRefusal>>;

/** The actions that revoke: a user, a principal, a profile or everything, and one session. */
export function createRevoke(dependencies: Dependencies) {
  const { clock, revocations, store, hardRevocation, records, bareNames, onFault } = dependencies;

  async function append(operator: Operator, { target, reason, until, own }: Wish): Outcome<Done> {
    const { caller, snapshot } = operator;
    const tried = {
      action: 'revoked',
      ...describeTarget(target, bareNames),
      revocation_reason: reason,
    } as const;
    const revocation = {
      target,
      reason,
      by: caller.storedName,
      byPrincipal: caller.principal,
      createdAt: clock(),
      until,
      own,
    };
    try {
      const { n } = await revocations.append({ what: 'revoke', ...revocation });
      const written: Revocation = { ...revocation, n };
      const hard = await hardRevocation.apply(written, snapshot);
      const said = { ...describeRevocation(written, bareNames), ...describeHard(hard) };
      return await records.conclude(operator, { ...tried, ...said }, { revocation: written, hard });
    } catch (error) {
      onFault(error);
      return records.fail(operator, tried, unavailable('revocation_log'));
    }
  }

  function deny(operator: Operator, on: OperatedOn, target: OperatedOn = on) {
    const tried = { action: 'revoked', ...describeTarget(target, bareNames) } as const;
    return records.deny(operator, tried, { kind: 'not-operator', action: 'revoke', on });
  }

  /** Whether a session is revoked by now. Rejects if the log cannot be read. */
  async function isRevokedNow({ subject, principal, user, profile }: Session): Promise<boolean> {
    const whose = { name: toShownName(user, bareNames), storedName: user, principal, subject };
    await revocations.catchUp();
    return revocations.ofVend(whose, profile) !== undefined;
  }

  /**
   * Reads the session's row. A row says for good that it was revoked; only the log has liftings.
   */
  async function look(operator: Operator, id: string) {
    const row = await store.read(id, operator.snapshot.sealingKeys);
    return { row, isRevoked: row?.status === 'revoked' && (await isRevokedNow(row.session)) };
  }

  /**
   * Brings the row of a revoked session up to date. The log is what counts; rows are for readers of
   * the table.
   */
  async function mark(session: Session, { n, by, reason }: Revocation): Promise<void> {
    await Promise.all([
      store.revoke(session.id, clock(), { n, by, reason }),
      store.free(session),
    ]).catch(onFault);
  }

  function checkActive(
    { session, status }: SessionRow,
    isRevoked: boolean,
  ): Result<undefined, OperationRefusal> {
    const conflict = { kind: 'conflict', of: 'session', id: session.id } as const;
    if (isRevoked) return refuse({ ...conflict, status: 'revoked' });
    const hasEnded = status === 'expired' || clock() >= session.endsAt;
    return hasEnded ? refuse({ ...conflict, status: 'expired' }) : ok(undefined);
  }

  /** Revokes a session until it would have ended: an operator's action, or its owner's. */
  async function revokeSession(operator: Operator, id: string, reason: string): Outcome<Done> {
    const on = { kind: 'session', value: id } as const;
    const tried = { action: 'revoked', ...on } as const;
    // Find out whose the session is, and whether it is revoked.
    const found = await look(operator, id).catch(onFault);
    if (found === undefined) return records.fail(operator, tried, unavailable('sessions'));
    const { row, isRevoked } = found;
    // Refuse whoever is neither its owner nor an operator as if there were no such session.
    const own = isOwn(operator.caller, row);
    if (row === undefined || !(own || may(operator, 'revoke', row.session.profile)))
      return deny(operator, on);
    // Use the request up: one of its copies revokes.
    const reserved = await records.reserve(operator, tried);
    if (!reserved.ok) return reserved;
    const active = checkActive(row, isRevoked);
    if (!active.ok) return active;
    // Write it into the log, and then into the row, also where its record could not be written.
    const { subject, user, profile, endsAt } = row.session;
    const revoked = await append(operator, {
      target: { ...on, subject, user, profile },
      reason,
      until: endsAt,
      own,
    });
    const done = revoked.ok ? revoked.value : revoked.refusal;
    if ('revocation' in done) await mark(row.session, done.revocation);
    return revoked;
  }

  /**
   * Revokes a user (by the name that documents use), a principal, a profile, or everything: an
   * operator's action.
   */
  async function revoke(
    operator: Operator,
    wished: WishedTarget,
    reason: string,
    until: number | undefined,
  ): Outcome<Done> {
    if (wished.kind === 'session') return revokeSession(operator, wished.value, reason);
    const target =
      wished.kind === 'user' ? { ...wished, value: toStoredName(wished.value, bareNames) } : wished;
    if (!may(operator, 'revoke', profileOf(target))) return deny(operator, wished, target);
    // Use the request up: one of its copies revokes.
    const tried = { action: 'revoked', ...describeTarget(target, bareNames) } as const;
    const reserved = await records.reserve(operator, tried);
    return reserved.ok ? append(operator, { target, reason, until, own: false }) : reserved;
  }

  return { revoke, revokeSession };
}

export type Revoking = ReturnType<typeof createRevoke>;
