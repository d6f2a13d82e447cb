import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { MINUTE } from '../../src/lib/clock.ts';
import { ok } from '../../src/lib/result.ts';
import type { Revocation } from '../../src/revocations/revocation.ts';
import { createMint } from '../../src/actions/mint-key.ts';
import { ALICE, NOON, snapshotOf } from './support.ts';

const REVOCATION: Revocation = {
  n: 1,
  target: { kind: 'user', value: 'key/alice' },
  reason: 'the laptop was stolen',
  by: 'key/olivia',
  byPrincipal: 'sentinel:key/O',
  createdAt: NOON,
  until: undefined,
  own: false,
};

/** Mints once; `meanwhile` runs while the guard is asked. */
async function mintOnce(
  meanwhile: (known: { frozen: boolean; revoked: boolean; usable: boolean }) => void,
) {
  const known = { frozen: false, revoked: false, usable: true };
  const records: AuditEntry[] = [];
  const mint = createMint({
    clock: () => NOON,
    guard: {
      reserve: () => {
        meanwhile(known);
        return Promise.resolve(ok({ release: () => Promise.resolve() }));
      },
    },
    revocations: {
      frozen: () => (known.frozen ? { ...REVOCATION, target: { kind: 'all' } } : undefined),
      ofCaller: () => (known.revoked ? REVOCATION : undefined),
      isUsable: () => known.usable,
    },
    serverId: undefined,
    keyLife: 60 * MINUTE,
    audit: {
      append: (entry) => {
        records.push(entry);
        return Promise.resolve(true);
      },
    },
  });
  const sealingKeys = new Map([['k1', { id: 'k1', key: Buffer.alloc(32, 1), activeFrom: 0 }]]);
  const minted = await mint(
    {
      caller: ALICE,
      source: { via: 'key', accessKeyId: ALICE.accessKeyId },
      replay: { key: 'r', signedAt: NOON, forgetAt: NOON + MINUTE },
      duration: undefined,
      httpRequestId: 'r',
      address: undefined,
    },
    { ...snapshotOf({}), sealingKeys },
  );
  return { minted, records };
}

describe('createMint', () => {
  it('mints if nothing was revoked while the guard was asked', async () => {
    const { minted, records } = await mintOnce(() => undefined);
    expect(minted.ok).toBe(true);
    expect(records).toMatchObject([{ event: 'key', effect: 'allow', outcome: 'minted' }]);
  });

  it.each([
    ['a caller who was revoked', { revoked: true }],
    ['everybody after the freeze switch was thrown', { frozen: true }],
  ])('refuses %s while the guard was asked', async (_, change) => {
    const { minted, records } = await mintOnce((known) => Object.assign(known, change));
    expect(minted).toMatchObject({ ok: false, refusal: { kind: 'revoked' } });
    expect(records).toMatchObject([
      { event: 'key', effect: 'deny', outcome: 'denied', error: 'revoked' },
    ]);
  });

  it('refuses if the revocations are not known any more', async () => {
    const { minted, records } = await mintOnce((known) => {
      known.usable = false;
    });
    expect(minted).toMatchObject({
      ok: false,
      refusal: { kind: 'unavailable', cause: 'revocations' },
    });
    expect(records).toMatchObject([
      { outcome: 'failed', error: 'unavailable', cause: 'revocations' },
    ]);
  });
});
