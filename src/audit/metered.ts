import { timed, type Counted, type Meter } from '../telemetry/meter.ts';
import type { AuditLog } from './log.ts';
import type { AuditEntry } from './record.ts';

const SHUT_OUT: Readonly<Record<string, Counted['identity_refused']>> = {
  RateLimited: 'rate_limited',
  SessionRevoked: 'revoked',
  RequestReplayed: 'replayed',
};

const count = (meter: Meter, entry: AuditEntry): void => {
  switch (entry.event) {
    case 'vend':
      return meter.count('vends', entry.outcome);
    case 'key':
      return meter.count('keys', entry.outcome);
    case 'revocation':
      return meter.count('revocations', entry.effect);
    case 'identity_refused':
      return meter.count('identity_refused', SHUT_OUT[entry.error] ?? 'authentication');
  }
};

/**
 * The log, with a count of what its records say. So metrics and records cannot disagree: a line that was withdrawn is not
 * counted, and the one that follows it is.
 */
export const meterAuditLog = (audit: AuditLog, meter: Meter): AuditLog => {
  const append = timed(meter, 'audit', audit.append);
  return {
    append: async (entry, withdraw) => {
      const written = await append(entry, withdraw);
      if (written || withdraw !== true) count(meter, entry);
      return written;
    },
  };
};
