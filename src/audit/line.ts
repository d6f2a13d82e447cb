import { escapeUnseen } from '../lib/unseen.ts';
import { currentTrace } from '../telemetry/trace.ts';
import type { AuditEntry } from './record.ts';

/**
 * The longest text, in UTF-16 units, in the record of somebody who has not proved who they are.
 * They choose what it says, and so a line of theirs has some kilobytes at most.
 */
const STRANGERS_TEXT = 256;
/** The longest text that a proven caller can put into a record: the value of a revocation. */
const LONGEST_TEXT = 2_048;

const CUT = '…';

function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // A cut within a surrogate pair would leave half a character, which some readers reject.
  return `${text.slice(0, limit - CUT.length).replace(/[\ud800-\udbff]$/u, '')}${CUT}`;
}

/** Whether a record is of somebody who may not have proved who they are. */
export function isOfStranger(entry: AuditEntry): boolean {
  return (
    entry.event === 'identity_refused' || (entry.event === 'unavailable' && !('user' in entry))
  );
}

function toBytes(json: string): Buffer {
  return Buffer.from(`${escapeUnseen(json)}\n`);
}

/**
 * Makes the line of a record: JSON with `type`, `timestamp`, and, if the record is of a request,
 * the trace of the request that is being served. Texts that are too long are cut and end in "…".
 *
 * @param now epoch milliseconds
 */
export function toLine(entry: AuditEntry, now: number): Buffer {
  const limit = isOfStranger(entry) ? STRANGERS_TEXT : LONGEST_TEXT;
  const record = {
    type: 'audit',
    timestamp: new Date(now).toISOString(),
    // A timer runs in the trace of the request that set it, but what it writes is not of that
    // request.
    ...('http_request_id' in entry ? currentTrace() : {}),
    ...entry,
  };
  const whole = JSON.stringify(record);
  if (whole.length <= limit) return toBytes(whole);
  const cut = JSON.stringify(record, (_, value: unknown) =>
    typeof value === 'string' ? cutText(value, limit) : value,
  );
  return toBytes(cut);
}
