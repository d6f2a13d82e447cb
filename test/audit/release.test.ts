import { describe, expect, it } from 'vitest';
import type { AuditEntry, KeyEntry } from '../../src/audit/record.ts';
import { release } from '../../src/audit/release.ts';

const MINTED: KeyEntry = {
  event: 'key',
  http_request_id: 'r',
  user: 'alice',
  principal: 'sentinel:key/TVMALICE',
  subject: 'sentinel:key/TVMALICE',
  account: '111122223333',
  via: 'key',
  access_key_id: 'TVMALICE',
  effect: 'allow',
  outcome: 'minted',
  minted_access_key_id: 'TVMK1',
};

/** A log whose writes the test completes. */
function heldLog() {
  const appended: (readonly [entry: AuditEntry, withdraw: boolean | undefined])[] = [];
  const settle: ((written: boolean) => void)[] = [];
  function append(entry: AuditEntry, withdraw?: boolean): Promise<boolean> {
    appended.push([entry, withdraw]);
    return new Promise((resolve) => {
      settle.push(resolve);
    });
  }
  return { log: { append }, appended, settle };
}

const HELD = {
  value: 'the key',
  record: MINTED,
  otherwise: { ...MINTED, outcome: 'failed' },
  refusal: 'no record',
} as const;

describe('release', () => {
  it('waits for the record, and then lets the value go', async () => {
    const { log, appended, settle } = heldLog();
    const releasing = release(log, HELD);
    const early = new Promise((resolve) => setImmediate(() => resolve('nothing yet')));
    expect(await Promise.race([releasing, early])).toBe('nothing yet');
    settle[0]?.(true);
    expect(await releasing).toEqual({ ok: true, value: 'the key' });
    expect(appended).toEqual([[MINTED, true]]);
  });

  it('lets nothing go without the record, and records that nothing left', async () => {
    const { log, appended, settle } = heldLog();
    const releasing = release(log, HELD);
    settle[0]?.(false);
    expect(await releasing).toEqual({ ok: false, refusal: 'no record' });
    const failed = {
      ...MINTED,
      outcome: 'failed',
      error: 'the audit log took too long',
      cause: 'audit',
    };
    expect(appended).toEqual([
      [MINTED, true],
      [failed, undefined],
    ]);
  });

  it('lets nothing go where the log throws', async () => {
    function append() {
      return Promise.reject(new Error('a bug'));
    }
    await expect(release({ append }, HELD)).rejects.toThrow('a bug');
  });
});
