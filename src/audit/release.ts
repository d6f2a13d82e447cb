import { ok, refuse, type Result } from '../lib/result.ts';
import type { AuditLog } from './log.ts';
import type {
  ApprovalEntry,
  BreakGlassEntry,
  KeyEntry,
  RevocationEntry,
  VendEntry,
} from './record.ts';

/** Records of what can be held back: credentials, keys, and the word that something was done. */
type ReleaseEntry = VendEntry | KeyEntry | RevocationEntry | ApprovalEntry | BreakGlassEntry;

/** What waits for its record. */
export type Held<Value, Refusal> = {
  /** What leaves: credentials, a key, or an acknowledgement. */
  readonly value: Value;
  /** The record that says that it left. */
  readonly record: ReleaseEntry;
  /** The record that takes its place where it did not leave; the fault is added to it. */
  readonly otherwise: ReleaseEntry;
  /** The answer where it did not leave. */
  readonly refusal: Refusal;
};

const FAULT = { error: 'the audit log took too long', cause: 'audit' } as const;

/**
 * Lets something go only after its record is written. It is the only place that does, for
 * credentials and keys, and for the acknowledgement of a revocation.
 *
 * A record that cannot be written in time is taken back if its write has not begun. A second record
 * then says that nothing left; nobody waits for that one, and it stays queued until it is written.
 */
export async function release<Value, Refusal>(
  audit: AuditLog,
  { value, record, otherwise, refusal }: Held<Value, Refusal>,
): Promise<Result<Value, Refusal>> {
  if (await audit.append(record, true)) return ok(value);
  void audit.append({ ...otherwise, ...FAULT });
  return refuse(refusal);
}
