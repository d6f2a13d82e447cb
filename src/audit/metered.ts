import { timed, type Counted, type Meter } from '../telemetry/meter.ts';
import type { AuditLog } from './log.ts';
import type { AuditEntry, CountableRefusal } from './record.ts';

const SHUT_OUT: Readonly<Record<string, Counted['identity_refused']>> = {
  RateLimited: 'rate_limited',
  SessionRevoked: 'revoked',
  RequestReplayed: 'replayed',
};

function countEvent(meter: Meter, entry: AuditEntry | CountableRefusal): void {
  switch (entry.event) {
    case 'vend':
      return meter.count('vends', entry.outcome);
    case 'key':
      return meter.count('keys', entry.outcome);
    case 'revocation':
      return meter.count('revocations', entry.effect);
    case 'approval':
      return meter.count('approvals', entry.effect);
    case 'identity_refused':
      return meter.count('identity_refused', SHUT_OUT[entry.error] ?? 'authentication');
    // Counted by its cause, or by the log itself.
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
 * The log, with a count of what its records say. So metrics and records cannot disagree: a line that was withdrawn is not
 * counted, and the one that follows it is; what a line stands for with its `count` was counted one by one.
 */
export function meterAuditLog<Log extends AuditLog>(audit: Log, meter: Meter): Log {
  const append = timed(meter, 'audit', audit.append);
  return {
    ...audit,
    append: async (entry, withdraw) => {
      const written = await append(entry, withdraw);
      if ((written || withdraw !== true) && !('count' in entry)) countRecord(meter, entry);
      return written;
    },
  };
}
