import type { AuditLog } from '../audit/log.ts';
import type { RevocationEntry, RevocationRecord } from '../audit/record.ts';
import { release } from '../audit/release.ts';
import type { Clock } from '../lib/clock.ts';
import { toShownName, toStoredName, type NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { activeSealingKey } from '../lib/sealing.ts';
import { reserveClaim, type ReplayGuard } from '../replay/guard.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { Revocation, RevocationTarget } from '../revocations/revocation.ts';
import type { Session, SessionRow } from '../sessions/session.ts';
import type { SessionStore } from '../sessions/store.ts';
import { describeCaller } from './describe-caller.ts';
import { may, mayForSome, type OperationRefusal, type Operator } from './operator.ts';
import type { HardOutcome, HardRevocation } from './hard-revocation.ts';
import { causeOf } from './refusal.ts';
import {
  describeHard,
  describeKind,
  describeWith,
  isOf,
  NO_KEY,
  NO_LOG,
  NOTHING,
  profileOf,
} from './describe-revocation.ts';
import { isOwn, NO_TABLE } from './list-sessions.ts';
import { NO_GUARD } from './vend/vend.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly revocations: Revocations;
  readonly store: SessionStore;
  readonly hardRevocation: HardRevocation;
  /** Shared by all instances, whatever guards vends. */
  readonly guard: ReplayGuard;
  readonly audit: AuditLog;
  readonly bareNames: NamedKind;
  readonly onFault: (error: unknown) => void;
};

/** A revocation that was made or lifted, and what became of the deny policies of the roles that it concerns. */
export type Done = { readonly revocation: Revocation; readonly hard: readonly HardOutcome[] };

/** What a record says of the revocation. */
type Described = Pick<RevocationRecord, 'action' | 'effect'> & Partial<RevocationRecord>;

type Outcome<Value> = Promise<Result<Value, OperationRefusal>>;

/** What operators do about sessions and revocations. */
export function createOperations(dependencies: Dependencies) {
  const { clock, revocations, store, hardRevocation, guard, audit, bareNames, onFault } = dependencies;

  const { describeTarget, describeRevocation } = describeWith(bareNames);

  function toEntry({ caller, httpRequestId, address }: Operator, what: Described): RevocationEntry {
    return {
      event: 'revocation',
      http_request_id: httpRequestId,
      source_ip: address,
      ...describeCaller(caller),
      ...what,
    };
  }

  async function record(operator: Operator, what: Described): Promise<void> {
    await audit.append(toEntry(operator, what));
  }

  /** Answers for what was done once its record is written. Without, it stands all the same, and the answer says so. */
  function conclude(operator: Operator, what: Described, done: Done): Outcome<Done> {
    const entry = toEntry(operator, what);
    const refusal: OperationRefusal = { kind: 'unrecorded', action: what.action, revocation: done.revocation };
    return release(audit, { value: done, record: entry, otherwise: entry, refusal });
  }

  /** Refuses because something cannot be reached, and leaves a record that says what. */
  async function fail(
    operator: Operator,
    what: Omit<Described, 'effect'>,
    refusal: typeof NO_LOG | typeof NO_KEY | typeof NO_TABLE,
  ) {
    await record(operator, { ...what, effect: 'allow', error: refusal.kind, cause: refusal.cause });
    return refuse<OperationRefusal>(refusal);
  }

  async function append(
    operator: Operator,
    target: RevocationTarget,
    reason: string,
    more: { readonly until?: number; readonly own?: boolean },
  ): Outcome<Done> {
    const { caller } = operator;
    const revocation = {
      what: 'revoke' as const,
      target,
      reason,
      by: caller.storedName,
      byPrincipal: caller.principal,
      createdAt: clock(),
      ...more,
    };
    const described = {
      action: 'revoked' as const,
      kind: target.kind,
      ...describeTarget(target),
      revocation_reason: reason,
    };
    try {
      const written = { ...revocation, n: (await revocations.append(revocation)).n };
      const hard = await hardRevocation.apply(written, operator.snapshot);
      const what = { ...described, effect: 'allow' as const, ...describeRevocation(written), ...describeHard(hard) };
      return await conclude(operator, what, { revocation: written, hard });
    } catch (error) {
      onFault(error);
      return fail(operator, described, NO_LOG);
    }
  }

  async function deny(operator: Operator, action: 'revoke' | 'lift', what: string, target?: RevocationTarget) {
    const kind = target === undefined ? {} : { kind: target.kind, ...describeTarget(target) };
    await record(operator, {
      action: action === 'lift' ? 'lifted' : 'revoked',
      effect: 'deny',
      error: 'not-operator',
      ...kind,
    });
    return refuse<OperationRefusal>({ kind: 'not-operator', action, what });
  }

  /** Uses the request up, never to be released: what is refused now may be possible while a copy is still good. */
  async function reserve(
    operator: Operator,
    action: 'revoked' | 'lifted',
    about: Partial<RevocationRecord>,
  ): Promise<Result<undefined, OperationRefusal>> {
    const reserved = await reserveClaim(guard, operator.replay, clock());
    if (reserved.ok) return ok(undefined);
    const refusal = reserved.refusal === 'replayed' ? ({ kind: 'replayed' } as const) : NO_GUARD;
    const cause = causeOf(refusal);
    const said = { error: refusal.kind, ...(cause === undefined ? {} : { cause }) };
    await record(operator, { action, effect: 'deny', ...said, ...about });
    return refuse(refusal);
  }

  /** Whether a session is revoked, whoever has just revoked it or lifted that. Rejects where nobody can tell. */
  async function isRevokedNow({ subject, principal, user, profile }: Session): Promise<boolean> {
    const whose = { name: toShownName(user, bareNames), storedName: user, principal, subject };
    await revocations.catchUp();
    return revocations.ofVend(whose, profile) !== undefined;
  }

  /** Puts a number of the log aside that is missing, or that somebody changed: until then nobody is served. */
  async function putAside(operator: Operator, n: number): Outcome<Done> {
    if (!may(operator, 'lift', undefined)) return deny(operator, 'lift', `Revocation ${n}`);
    const revocation: Revocation = { ...NOTHING, n };
    const described = { action: 'lifted' as const, ...describeRevocation(revocation) };
    try {
      await revocations.putAside(n);
    } catch (error) {
      onFault(error);
      return fail(operator, described, NO_LOG);
    }
    return conclude(operator, { ...described, effect: 'allow' }, { revocation, hard: [] });
  }

  async function revokeSession(operator: Operator, id: string, reason: string): Outcome<Done> {
    let row: SessionRow | undefined;
    let isRevoked = false;
    try {
      row = await store.read(id, operator.snapshot.sealingKeys);
      // Its row says so for good; whether that was lifted stands in the log.
      isRevoked = row?.status === 'revoked' && (await isRevokedNow(row.session));
    } catch (error) {
      onFault(error);
      return fail(operator, { action: 'revoked', kind: 'session', value: id }, NO_TABLE);
    }
    const own = isOwn(operator.caller, row);
    if (row === undefined || !(own || may(operator, 'revoke', row.session.profile))) {
      const target = { kind: 'session', value: id, subject: '', user: '', profile: '' } as const;
      return deny(operator, 'revoke', `Session ${id}`, target);
    }
    const reserved = await reserve(operator, 'revoked', { kind: 'session', value: id });
    if (!reserved.ok) return reserved;
    const { session, status } = row;
    if (isRevoked) {
      return refuse({ kind: 'conflict', status: 'revoked', message: `Session ${id} is revoked already.` });
    }
    if (status === 'expired' || clock() >= session.endsAt) {
      return refuse({
        kind: 'conflict',
        status: 'expired',
        message: `Session ${id} has ended; revoke the user or the principal instead.`,
      });
    }
    const { subject, user, profile, endsAt } = session;
    const revoked = await append(operator, { kind: 'session', value: id, subject, user, profile }, reason, {
      until: endsAt,
      ...(own ? { own } : {}),
    });
    const done = revoked.ok ? revoked.value : revoked.refusal;
    if (!('revocation' in done)) return revoked;
    const { n, by } = done.revocation;
    // The log is what counts; the row is for those who read the table.
    await Promise.all([store.revoke(id, clock(), { n, by, reason }), store.free(session)]).catch(onFault);
    return revoked;
  }

  /** Revokes a user (by the name that documents use), a principal, a profile, or everything: an operator's action. */
  async function revoke(operator: Operator, target: RevocationTarget, reason: string, until?: number): Outcome<Done> {
    if (target.kind === 'session') return revokeSession(operator, target.value, reason);
    const stored = target.kind === 'user' ? { ...target, value: toStoredName(target.value, bareNames) } : target;
    if (!may(operator, 'revoke', profileOf(target))) return deny(operator, 'revoke', describeKind(target), stored);
    const reserved = await reserve(operator, 'revoked', { kind: stored.kind, ...describeTarget(stored) });
    return reserved.ok ? append(operator, stored, reason, until === undefined ? {} : { until }) : reserved;
  }

  /** Lifts a revocation: an operator's action, and never of one's own. */
  async function lift(operator: Operator, n: number): Outcome<Done> {
    if (!mayForSome(operator, 'lift')) return deny(operator, 'lift', `Revocation ${n}`);
    // Before it is looked for: a copy finds it lifted, and is to hear that it is a copy.
    const reserved = await reserve(operator, 'lifted', { revocation_id: `${n}` });
    if (!reserved.ok) return reserved;
    if (revocations.isBroken(n)) return putAside(operator, n);
    let revocation: Revocation | undefined;
    try {
      revocation = await revocations.findNow(n);
    } catch (error) {
      onFault(error);
      return fail(operator, { action: 'lifted', revocation_id: `${n}` }, NO_LOG);
    }
    if (revocation === undefined || !may(operator, 'lift', profileOf(revocation.target))) {
      return deny(operator, 'lift', `Revocation ${n}`, revocation?.target);
    }
    if (isOf(revocation, operator)) {
      await record(operator, { action: 'lifted', effect: 'deny', error: 'own', ...describeRevocation(revocation) });
      return refuse({ kind: 'conflict', message: `Revocation ${n} is your own; another operator has to lift it.` });
    }
    const sealing = activeSealingKey(operator.snapshot.sealingKeys, clock());
    const described = { action: 'lifted' as const, ...describeRevocation(revocation) };
    if (sealing === undefined) return fail(operator, described, NO_KEY);
    try {
      await revocations.append({ what: 'lift', lifts: n, sealing });
    } catch (error) {
      onFault(error);
      return fail(operator, described, NO_LOG);
    }
    const hard = await hardRevocation.apply(revocation, operator.snapshot);
    return conclude(operator, { ...described, effect: 'allow', ...describeHard(hard) }, { revocation, hard });
  }

  /** The revocations in force that this operator may see. */
  function listRevocations(operator: Operator): Result<readonly Revocation[], OperationRefusal> {
    const seen = revocations.list().filter(({ target }) => may(operator, 'list', profileOf(target)));
    if (mayForSome(operator, 'list')) return ok(seen);
    return refuse({ kind: 'not-operator', action: 'list', what: 'Revocations' });
  }

  return {
    revoke /** Revokes a session: an operator's action, or its owner's. */,
    revokeSession,
    lift,
    listRevocations,
  };
}

export type Operations = ReturnType<typeof createOperations>;
