import { timed, type Counted, type Meter } from '../telemetry/meter.ts';
import type { AuditLog } from './log.ts';
import type { AuditEntry, BreakGlassEntry, CountableRefusal } from './record.ts';

/** How refusals of those who may have proved who they are count, by the error in their record. */
const SHUT_OUT: Readonly<Record<string, Counted['identity_refused']>> = {
  RateLimited: 'rate_limited',
  SessionRevoked: 'revoked',
  RequestReplayed: 'replayed',
};

function countBreakGlass(meter: Meter, { effect, action, drill }: BreakGlassEntry): void {
  if (effect === 'deny') return meter.count('break_glass', 'denied');
  // Nothing is changed by a look.
  if (action === 'listed') return undefined;
  return meter.count('break_glass', action === 'invoked' && drill === true ? 'drill' : action);
}

function countEvent(meter: Meter, entry: AuditEntry | CountableRefusal): void {
  switch (entry.event) {
    case 'vend':
      if (entry.outcome === 'vended' && entry.break_glass_event_id !== undefined)
        meter.count('break_glass', 'vended');
      return meter.count('vends', entry.outcome);
    case 'key':
      return meter.count('keys', entry.outcome);
    case 'revocation':
      return meter.count('revocations', entry.effect);
    case 'approval':
      return meter.count('approvals', entry.effect);
    case 'break_glass':
      return countBreakGlass(meter, entry);
    case 'identity_refused':
      return meter.count('identity_refused', SHUT_OUT[entry.error] ?? 'authentication');
    // The first is counted by its cause, the second by the log itself.
    case 'unavailable':
    case 'audit_lost':
      return undefined;
  }
}

/** Counts what a record says. */
export function countRecord(meter: Meter, entry: AuditEntry | CountableRefusal): void {
  countEvent(meter, entry);
  if ('cause' in entry && entry.cause !== undefined) meter.count('unavailable', entry.cause);
}

/**
 * The log, with its records counted for the metrics, so that the two cannot disagree. A line that
 * was withdrawn is not counted, and the one that follows it is. A line with a `count` stands for
 * refusals that were counted one by one.
 */
export function meterAuditLog<Log extends AuditLog>(audit: Log, meter: Meter): Log {
  const write = timed(meter, 'audit', audit.append);

  async function append(entry: AuditEntry, withdraw?: boolean): Promise<boolean> {
    const written = await write(entry, withdraw);
    if ((written || withdraw !== true) && !('count' in entry)) countRecord(meter, entry);
    return written;
  }

  return { ...audit, append };
}
