import { describe, expect, it } from 'vitest';
import { countRecord } from '../../../src/audit/metered.ts';
import type { AuditEntry } from '../../../src/audit/record.ts';
import { silentMeter } from '../../../src/telemetry/meter.ts';

const CALLER = {
  http_request_id: 'r',
  user: 'alice',
  principal: 'p',
  subject: 's',
  account: '0',
  via: 'key',
  access_key_id: 'k',
};

const USE = { ...CALLER, event: 'break_glass', actor: 'alice', effect: 'allow' } as const;

const VEND = {
  ...CALLER,
  event: 'vend',
  profile: 'prod',
  effect: 'allow',
  rule: '',
  rule_index: -1,
  reason: '',
  policy_path: 'policies/prod',
  outcome: 'vended',
} as const;

/** What the metrics count for a record. */
function counted(entry: AuditEntry): readonly string[] {
  const found: string[] = [];
  countRecord(
    { ...silentMeter, count: (what, outcome) => void found.push(`${what} ${outcome}`) },
    entry,
  );
  return found;
}

describe('countRecord of break-glass', () => {
  it.each<readonly [AuditEntry, readonly string[]]>([
    [{ ...USE, action: 'invoked' }, ['break_glass invoked']],
    [{ ...USE, action: 'invoked', drill: true }, ['break_glass drill']],
    [{ ...USE, action: 'confirmed' }, ['break_glass confirmed']],
    [{ ...USE, action: 'closed', drill: true }, ['break_glass closed']],
    [{ ...USE, action: 'reviewed' }, ['break_glass reviewed']],
    [{ ...USE, action: 'invoked', effect: 'deny' }, ['break_glass denied']],
    [
      { ...USE, action: 'closed', effect: 'deny', cause: 'break_glass' },
      ['break_glass denied', 'unavailable break_glass'],
    ],
    [{ ...VEND, break_glass_event_id: 'e' }, ['break_glass vended', 'vends vended']],
    [{ ...VEND, break_glass_event_id: 'e', outcome: 'denied' }, ['vends denied']],
    [VEND, ['vends vended']],
  ])('counts case %#', (entry, found) => {
    expect(counted(entry)).toEqual(found);
  });
});
