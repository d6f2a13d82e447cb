import { describe, expect, it } from 'vitest';
import { createAdmit, type Applicant } from '../../src/actions/admit.ts';
import type { RefusalEntry } from '../../src/audit/record.ts';
import {
  notAuthentic,
  type AuthenticCaller,
  type IdentityRefusal,
} from '../../src/identity/authenticator.ts';
import { ok, refuse, type Result } from '../../src/lib/result.ts';
import type { WireRequest } from '../../src/sigv4/request.ts';
import { ALICE, NOON, snapshotOf } from './support.ts';

const REQUEST: WireRequest = {
  method: 'GET',
  path: '/whoami',
  rawQuery: '',
  query: new Map(),
  headers: [],
  body: new Uint8Array(),
};

const SIGNED: AuthenticCaller = {
  caller: ALICE,
  replay: { key: 'k', signedAt: NOON, forgetAt: NOON },
  source: undefined,
};

const REVOCATION = {
  n: 7,
  target: { kind: 'user', value: 'key/alice' },
  reason: 'the laptop was stolen',
  by: 'key/olivia',
  byPrincipal: 'sentinel:key/O',
  createdAt: NOON,
  until: undefined,
  own: false,
} as const;

/** What the test decides about the world of one server, and the steps that admitting took in it. */
function worldOf() {
  const world = {
    steps: [] as string[],
    records: [] as RefusalEntry[],
    proof: ok(SIGNED) as Result<AuthenticCaller, IdentityRefusal>,
    hasDocuments: true,
    hasRoom: true,
    isKnown: true,
    isRevoked: false,
    isExhausted: false,
    isRecorded: true,
    secondsForStrangers: undefined as number | undefined,
  };
  const { admit, turnAway } = createAdmit({
    currentSnapshot: () => Promise.resolve(world.hasDocuments ? snapshotOf({}) : undefined),
    revocations: {
      ensure: () => {
        world.steps.push('revocations');
        return Promise.resolve(
          world.isKnown ? ok('fresh' as const) : refuse('unavailable' as const),
        );
      },
      ofCaller: () => (world.isRevoked ? REVOCATION : undefined),
      isBroken: (n) => n === 7,
    },
    callerLimit: {
      quota: { requests: 10, window: 60_000 },
      take: () => {
        world.steps.push('count');
        return Promise.resolve(
          world.isExhausted
            ? refuse({ kind: 'exhausted' as const, allowance: { left: 0, resetSeconds: 30 } })
            : ok({ left: 9, resetSeconds: 30 }),
        );
      },
      peek: () => Promise.resolve(ok(undefined)),
      giveBack: () => {
        world.steps.push('give back');
        return Promise.resolve();
      },
    },
    strangerLimit: {
      check: () =>
        world.secondsForStrangers === undefined ? ok(undefined) : refuse(world.secondsForStrangers),
      charge: () => void world.steps.push('charge address'),
    },
    refusals: {
      record: (entry) => {
        world.records.push(entry);
        return Promise.resolve(world.isRecorded);
      },
      count: () => undefined,
      flush: () => undefined,
      pending: () => 0,
    },
    reasonOf: ({ kind }) => `because ${kind}`,
  });
  const applicant: Applicant = {
    head: REQUEST,
    httpRequestId: 'r',
    address: '192.0.2.1',
    claimedKey: () => 'TVMALICE',
    lifts: undefined,
    takePlace: () => {
      world.steps.push('place');
      return Promise.resolve(world.hasRoom);
    },
  };
  function send(more: Partial<Applicant> = {}) {
    function prove(): Promise<typeof world.proof> {
      world.steps.push('proof');
      return Promise.resolve(world.proof);
    }
    return admit(prove, REQUEST, { ...applicant, ...more });
  }
  return { world, send, turnAway: (refusal: IdentityRefusal) => turnAway(refusal, applicant) };
}

describe('admit', () => {
  it('proves, takes a place, reads the revocations and counts, in this order', async () => {
    const { world, send } = worldOf();
    expect(await send()).toMatchObject({
      ok: true,
      value: {
        caller: ALICE,
        address: '192.0.2.1',
        rate: { requests: 10, windowSeconds: 60, left: 9, resetSeconds: 30 },
      },
    });
    expect(world.steps).toEqual(['proof', 'place', 'revocations', 'count']);
    expect(world.records).toEqual([]);
  });

  it('charges the address of a stranger, who takes no place and is counted against nobody', async () => {
    const { world, send } = worldOf();
    world.proof = refuse(notAuthentic('SignatureDoesNotMatch', 'no'));
    expect(await send()).toMatchObject({ ok: false, refusal: { kind: 'not-authentic' } });
    expect(world.steps).toEqual(['proof', 'charge address']);
    expect(world.records).toMatchObject([
      {
        event: 'identity_refused',
        error: 'SignatureDoesNotMatch',
        reason: 'because not-authentic',
        claimed_access_key_id: 'TVMALICE',
      },
    ]);
  });

  it('refuses a stranger whose address has cost too much, without a further charge', async () => {
    const { world, send } = worldOf();
    world.proof = refuse(notAuthentic('SignatureDoesNotMatch', 'no'));
    world.secondsForStrangers = 12;
    const refusal = { kind: 'rate-limited', limit: 'strangers', retryAfterSeconds: 12 };
    expect(await send()).toMatchObject({ ok: false, refusal });
    expect(world.steps).toEqual(['proof']);
    expect(world.records).toMatchObject([{ error: 'RateLimited' }]);
  });

  it('charges a copy to its address, and counts it against nobody', async () => {
    const { world, send } = worldOf();
    await send();
    world.steps = [];
    expect(await send()).toMatchObject({ ok: true, value: { rate: undefined } });
    expect(world.steps).toEqual(['proof', 'charge address', 'place', 'revocations']);
  });

  it('charges a copy that another instance knows, and gives its signer back what was counted', async () => {
    const { world, send } = worldOf();
    const admitted = await send();
    world.steps = [];
    if (admitted.ok) await admitted.value.onCopy();
    expect(world.steps).toEqual(['charge address', 'give back']);
  });

  it('records nothing for a request that finds no place, and counts it against nobody', async () => {
    const { world, send } = worldOf();
    world.hasRoom = false;
    expect(await send()).toMatchObject({ ok: false, refusal: { kind: 'overloaded' } });
    expect(world.steps).toEqual(['proof', 'place']);
    expect(world.records).toEqual([]);
  });

  it('counts nothing while the revocations are not known', async () => {
    const { world, send } = worldOf();
    world.isKnown = false;
    expect(await send()).toMatchObject({
      ok: false,
      refusal: { kind: 'unavailable', cause: 'revocations' },
    });
    expect(world.steps).toEqual(['proof', 'place', 'revocations']);
    expect(world.records).toMatchObject([
      { event: 'unavailable', cause: 'revocations', path: '/whoami' },
    ]);
  });

  it('admits a request that lifts a broken revocation while the revocations are not known', async () => {
    const { world, send } = worldOf();
    world.isKnown = false;
    expect((await send({ lifts: 7 })).ok).toBe(true);
    expect((await send({ lifts: 8 })).ok).toBe(false);
  });

  it('refuses who is revoked, after the count, and records who it was', async () => {
    const { world, send } = worldOf();
    world.isRevoked = true;
    expect(await send()).toMatchObject({ ok: false, refusal: { kind: 'revoked', caller: ALICE } });
    expect(world.steps).toEqual(['proof', 'place', 'revocations', 'count']);
    expect(world.records).toMatchObject([
      { error: 'SessionRevoked', user: 'alice', subject: ALICE.subject },
    ]);
  });

  it('refuses a caller without quota, with the facts of it', async () => {
    const { world, send } = worldOf();
    world.isExhausted = true;
    expect(await send()).toEqual({
      ok: false,
      refusal: {
        kind: 'rate-limited',
        limit: 'caller',
        name: 'alice',
        requests: 10,
        windowSeconds: 60,
        retryAfterSeconds: 30,
      },
    });
  });

  it('proves nothing without documents', async () => {
    const { world, send } = worldOf();
    world.hasDocuments = false;
    expect(await send()).toMatchObject({
      ok: false,
      refusal: { kind: 'unavailable', cause: 'catalog' },
    });
    expect(world.steps).toEqual([]);
  });

  it('answers that the audit log is unavailable if the refusal cannot be recorded', async () => {
    const { world, send } = worldOf();
    world.proof = refuse({ kind: 'replayed' });
    world.isRecorded = false;
    expect(await send()).toEqual({ ok: false, refusal: { kind: 'unavailable', cause: 'audit' } });
  });
});

describe('turnAway', () => {
  it('charges and records what the head alone shows to be bad', async () => {
    const { world, turnAway } = worldOf();
    expect(await turnAway(notAuthentic('IncompleteSignature', 'no'))).toMatchObject({
      ok: false,
      refusal: { kind: 'not-authentic' },
    });
    expect(world.steps).toEqual(['charge address']);
    expect(world.records).toMatchObject([
      { event: 'identity_refused', method: 'GET', path: '/whoami' },
    ]);
  });
});
