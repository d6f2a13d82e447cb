import { createAuditLog, writeToStdout, type AuditStream } from '../audit/log.ts';
import { countRecord, meterAuditLog } from '../audit/metered.ts';
import { createRefusals, type Refusals } from '../audit/refusals.ts';
import type { Overrides, Runtime } from './runtime.ts';

/** The audit log, and the part of it that strangers can fill. */
export type Audit = { readonly log: AuditStream; readonly refusals: Refusals };

/** Constructs the audit log. */
export function assembleAudit(
  { config, clock, meter, onFault }: Runtime,
  { writeAudit = writeToStdout }: Overrides,
): Audit {
  const stream = createAuditLog(clock, writeAudit, onFault('the audit log cannot be written'));
  const log = meterAuditLog(stream, meter);
  const refusals = createRefusals({
    audit: log,
    clock,
    window: config.rateLimit.window,
    onCounted: (entry) => countRecord(meter, entry),
  });
  return { log, refusals };
}
