import { describe, expect, it } from 'vitest';
import {
  DANA,
  holding,
  says,
  stsError,
  useForwarded,
  type Behaviour,
} from '../support/fake-sts.ts';
import { forwarded, type Forwarding } from '../support/forwarded.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import type { RunningTvm } from '../support/tvm.ts';
import { add, fire, outcomeOf, refused, shot, VENDED, type Outcome } from './support.ts';

/** Who waits in the line to STS, and whose address is charged for it. */
const DENIED = refused(403, 'AccessDenied');
const LIMITED = refused(429, 'RateLimited');
const KNOWN: Outcome = { status: 200, error: undefined, credentials: false };

const world = useForwarded({ SENTINEL_TRUSTED_HOPS: '1' });

/** A token that STS will refuse: the fake knows it by its access key. */
function bogus(tvm: RunningTvm, address: string, what: Forwarding = {}) {
  return add(
    forwarded(tvm, { accessKeyId: 'AKIABOGUS0000000', ...what }),
    'x-forwarded-for',
    address,
  );
}

function dana(tvm: RunningTvm, address: string, what: Forwarding = {}) {
  return add(forwarded(tvm, what), 'x-forwarded-for', address);
}

function isBogus(authorization = ''): boolean {
  return authorization.includes('AKIABOGUS');
}

/** Refuses bogus tokens after `ms` milliseconds, and confirms everybody else at once. */
function slowToRefuse(ms: number): Behaviour {
  return (outgoing, seen) => {
    if (!isBogus(seen.headers.authorization)) return says(DANA)(outgoing, seen);
    setTimeout(() => stsError(403, 'InvalidClientTokenId')(outgoing, seen), ms);
  };
}

/** How long a busy machine may take. */
const PATIENCE = { timeout: 20_000 };

function asked(): number {
  return world.sts.seen.length;
}

describe('the line to STS', () => {
  it('lets a newcomer in while 200 addresses send bogus tokens', { timeout: 60_000 }, async () => {
    const { sts } = world;
    const tvm = await world.start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '100' } });
    sts.behave = slowToRefuse(200);
    const flood = { goesOn: true };
    // Two at a time from each address are more than the places at STS and in the line together.
    const crowd = Array.from({ length: 400 }, async (_, index) => {
      while (flood.goesOn) {
        await sendRaw(tvm.port, bogus(tvm, `198.51.100.${(index % 200) + 1}`));
        await new Promise((resolve) => {
          setTimeout(resolve, 50);
        });
      }
    });
    await expect.poll(asked, { timeout: 20_000 }).toBeGreaterThan(300);
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) {
      expect(await fire(tvm, dana(tvm, address)), address).toEqual(KNOWN);
    }
    flood.goesOn = false;
    await Promise.all(crowd);
  });

  it('takes a place from an address that has many for an address that has none', async () => {
    const { sts } = world;
    const tvm = await world.start();
    const held: (() => void)[] = [];
    sts.behave = (outgoing, seen) =>
      isBogus(seen.headers.authorization)
        ? void held.push(() => stsError(403, 'InvalidClientTokenId')(outgoing, seen))
        : says(DANA)(outgoing, seen);
    const crowd = Array.from({ length: 320 }, () => sendRaw(tvm.port, bogus(tvm, '198.51.100.1')));
    await expect.poll(() => held.length, PATIENCE).toBe(64);
    const honest = sendRaw(tvm.port, dana(tvm, '192.0.2.1'));
    // One of the crowd has to leave the line; STS has not been asked about it.
    const first = await Promise.race([...crowd, honest]);
    expect(outcomeOf(first)).toEqual(LIMITED);
    sts.behave = slowToRefuse(0);
    for (const answer of held) answer();
    expect(outcomeOf(await honest)).toEqual(KNOWN);
    await Promise.all(crowd);
  });

  it('charges an address for requests that it turned away', async () => {
    const { sts } = world;
    const tvm = await world.start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '4' } });
    const { hold, release } = holding();
    sts.behave = hold;
    const crowd = Array.from({ length: 64 + 256 + 4 }, () =>
      sendRaw(tvm.port, dana(tvm, '198.51.100.1')),
    );
    await expect.poll(asked, PATIENCE).toBe(64);
    const gone = Promise.race(crowd);
    expect(outcomeOf(await gone)).toEqual(LIMITED);
    sts.behave = stsError(403, 'InvalidClientTokenId');
    const [before, late] = [asked(), await sendRaw(tvm.port, bogus(tvm, '198.51.100.1'))];
    expect([late.status, late.json['message']]).toEqual([
      429,
      expect.stringContaining('from your address'),
    ]);
    expect(asked()).toBe(before);
    release();
    await Promise.all(crowd);
  });

  it('lets a key pass that STS confirmed from this address, though the address is over its limit', async () => {
    const { sts } = world;
    const tvm = await world.start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '3' } });
    sts.behave = slowToRefuse(0);
    expect(await fire(tvm, dana(tvm, '192.0.2.1'))).toEqual(KNOWN);
    for (let time = 0; time < 3; time += 1)
      expect(await fire(tvm, bogus(tvm, '192.0.2.1'))).toEqual(DENIED);
    expect(await fire(tvm, bogus(tvm, '192.0.2.1'))).toEqual(LIMITED);
    expect(await fire(tvm, dana(tvm, '192.0.2.1')), 'known from there').toEqual(KNOWN);
    const unknown = dana(tvm, '192.0.2.1', { accessKeyId: 'AKIAOTHER0000000' });
    expect(await fire(tvm, unknown), 'not known from there').toEqual(LIMITED);
  });

  it('gives nothing more to a stranger who only names a known access key', async () => {
    const { sts } = world;
    const tvm = await world.start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '3' } });
    sts.behave = says(DANA);
    expect(await fire(tvm, dana(tvm, '192.0.2.1'))).toEqual(KNOWN);
    sts.behave = stsError(403, 'SignatureDoesNotMatch');
    for (const address of ['198.51.100.7', '192.0.2.1']) {
      for (let time = 0; time < 3; time += 1)
        expect(await fire(tvm, dana(tvm, address))).toEqual(DENIED);
      expect(await fire(tvm, dana(tvm, address))).toEqual(LIMITED);
    }
  });

  it('refuses without STS a known caller that is over its quota', async () => {
    const { sts } = world;
    const tvm = await world.start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '2' } });
    sts.behave = says(DANA);
    expect([
      await fire(tvm, dana(tvm, '192.0.2.1')),
      await fire(tvm, dana(tvm, '192.0.2.1')),
    ]).toEqual([KNOWN, KNOWN]);
    for (let time = 0; time < 10; time += 1) {
      const answer: RawAnswer = await sendRaw(tvm.port, dana(tvm, `192.0.2.${time}`));
      expect([answer.status, answer.json['message']]).toEqual([
        429,
        expect.stringContaining('dana has sent 2'),
      ]);
      expect(answer.headers['ratelimit']).toMatch(/^"caller";r=0;t=\d+$/u);
    }
    expect(asked()).toBe(2);
  });

  it('is full for one region only, and serves who signed for another', async () => {
    const { sts } = world;
    const tvm = await world.start();
    const { hold, release } = holding();
    sts.behave = hold;
    const crowd = Array.from({ length: 64 + 256 }, () =>
      sendRaw(tvm.port, bogus(tvm, '198.51.100.1', { region: 'sa-east-1' })),
    );
    await expect.poll(asked, PATIENCE).toBe(64);
    sts.behave = says(DANA);
    // Even from the same address: each region has a line and connections of its own.
    const begun = performance.now();
    expect(await fire(tvm, dana(tvm, '198.51.100.1', { region: 'eu-west-1' }))).toEqual(KNOWN);
    expect(performance.now() - begun, 'before the deadline of the others').toBeLessThan(4_000);
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
    release();
    await Promise.all(crowd);
  });

  it('turns a used token away, and charges its address for it', async () => {
    const { sts } = world;
    const tvm = await world.start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '2' } });
    sts.behave = says(DANA);
    const once = dana(tvm, '192.0.2.1');
    expect(await fire(tvm, once)).toEqual(KNOWN);
    for (let time = 0; time < 20; time += 1) {
      expect(await fire(tvm, once)).toEqual(refused(403, 'RequestReplayed'));
    }
    expect(await fire(tvm, once)).toEqual(LIMITED);
    expect(await fire(tvm, dana(tvm, '192.0.2.1'))).toEqual(KNOWN);
    expect(asked()).toBe(2);
  });
});
