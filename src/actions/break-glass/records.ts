import type { AuditLog } from '../../audit/log.ts';
import type { BreakGlassRecord } from '../../audit/break-glass-record.ts';
import type { BreakGlassEntry } from '../../audit/record.ts';
import { release } from '../../audit/release.ts';
import { endOf, statusAt, type BreakGlassEvent, type Party } from '../../breakglass/event.ts';
import { formatInstant, type Clock } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok, refuse, type Refused, type Result } from '../../lib/result.ts';
import { reserveClaim, type ReplayGuard } from '../../replay/guard.ts';
import { describeRequest, type KnownRequest } from '../describe-request.ts';
import type { OperationRefusal, Operator } from '../operator.ts';
import { causeOf, toGuardRefusal, unavailable } from '../refusal.ts';
import type { BreakGlassRefusal } from './refusal.ts';

type Dependencies = {
  readonly clock: Clock;
  /** Shared by all instances, whatever guards vends. */
  readonly guard: ReplayGuard;
  readonly audit: AuditLog;
  readonly bareNames: NamedKind;
  readonly onFault: (error: unknown) => void;
};

/** What was tried, as the record says it. */
export type TriedEvent = Pick<BreakGlassRecord, 'action'> & Partial<BreakGlassRecord>;

function toEntry(
  by: KnownRequest,
  what: TriedEvent & Pick<BreakGlassRecord, 'effect'>,
): BreakGlassEntry {
  return { event: 'break_glass', ...describeRequest(by), actor: by.caller.name, ...what };
}

/** The ways in which an action on an event ends, each of which leaves one record. */
export function createBreakGlassRecords({ clock, guard, audit, bareNames, onFault }: Dependencies) {
  function nameOf(of: { readonly by: Party } | undefined): string | undefined {
    return of === undefined ? undefined : toShownName(of.by.name, bareNames);
  }

  /** An event as records name it. */
  function describe(event: BreakGlassEvent): Partial<BreakGlassRecord> {
    return {
      event_id: event.id,
      invoker: toShownName(event.invoker.name, bareNames),
      profile: event.profile,
      reason_code: event.reasonCode,
      justification: event.justification,
      ticket: event.ticket,
      status: statusAt(event, clock()),
      duration_seconds: event.seconds,
      expires_at: formatInstant(endOf(event)),
      break_glass_rule: event.rule,
      drill: event.drill ? true : undefined,
      escalated: event.escalated ? true : undefined,
      confirmed_by: nameOf(event.confirmed),
      closed_by: nameOf(event.closed),
      closed_reason: event.closed?.reason,
      reviewed_by: nameOf(event.reviewed),
    };
  }

  /**
   * Acknowledges what was done once its record is written. Without one it stands, and the answer
   * says so.
   */
  function conclude<Value>(
    by: KnownRequest,
    tried: TriedEvent,
    event: BreakGlassEvent,
    value: Value,
  ) {
    const record = toEntry(by, { ...tried, ...describe(event), effect: 'allow' });
    const refusal: BreakGlassRefusal = { kind: 'event-unrecorded', id: event.id };
    return release<Value, BreakGlassRefusal>(audit, { value, record, otherwise: record, refusal });
  }

  /** Refuses because something cannot be reached. */
  async function fail(
    by: KnownRequest,
    tried: TriedEvent,
    error: unknown,
  ): Promise<Refused<OperationRefusal>> {
    onFault(error);
    return deny(by, tried, unavailable('break_glass'));
  }

  /** Refuses what may not be done, or is not possible. */
  async function deny(
    by: KnownRequest,
    tried: TriedEvent,
    refusal: OperationRefusal,
  ): Promise<Refused<OperationRefusal>> {
    await audit.append(
      toEntry(by, { ...tried, effect: 'deny', error: refusal.kind, cause: causeOf(refusal) }),
    );
    return refuse(refusal);
  }

  /** Uses the request up, never to be released. */
  async function reserve(
    by: Operator,
    tried: TriedEvent,
  ): Promise<Result<undefined, OperationRefusal>> {
    const reserved = await reserveClaim(guard, by.replay, clock());
    return reserved.ok ? ok(undefined) : deny(by, tried, toGuardRefusal(reserved.refusal));
  }

  return { describe, conclude, fail, deny, reserve };
}

export type BreakGlassRecords = ReturnType<typeof createBreakGlassRecords>;
