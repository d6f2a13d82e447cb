import { describe, expect, it, onTestFinished } from 'vitest';
import { forward, startFake } from '../http/support.ts';
import {
  DANA,
  type Behaviour,
  holding,
  never,
  says,
  session,
  stsError,
  useForwarded,
} from '../support/fake-sts.ts';
import { DEV, forwarded } from '../support/forwarded.ts';
import { sendRaw } from '../support/raw-http.ts';
import type { RunningTvm } from '../support/tvm.ts';
import { add, fire, outcomeOf, refused, shot, VENDED, type Outcome } from './support.ts';

const DENIED = refused(403, 'AccessDenied');
const LIMITED = refused(429, 'RateLimited');
const UNAVAILABLE = refused(503, 'ServiceUnavailable');
const REPLAYED = refused(403, 'RequestReplayed');
const KNOWN: Outcome = { status: 200, error: undefined, credentials: false };

const world = useForwarded();

const STRANGER = stsError(403, 'InvalidClientTokenId');

function startLimited(
  points: number,
  more: Readonly<Record<string, string>> = {},
): Promise<RunningTvm> {
  return world.start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: String(points), ...more } });
}

/** Confirms another caller each time, so that none reaches a limit of its own. */
function crowdOf(): Behaviour {
  let number = 0;
  return (outgoing, seen) => {
    number += 1;
    const Arn = `arn:aws:iam::000000000000:user/u${number}`;
    says({ ...DANA, Arn })(outgoing, seen);
  };
}

async function repeat(times: number, what: () => Promise<Outcome>): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let time = 0; time < times; time += 1) outcomes.push(await what());
  return outcomes;
}

describe('the limit of tokens that STS refuses, by address', () => {
  it('answers 429 with Retry-After above the limit, without asking STS', async () => {
    const { sts } = world;
    const tvm = await startLimited(3);
    sts.behave = STRANGER;
    expect(await repeat(3, () => fire(tvm, forwarded(tvm)))).toEqual([DENIED, DENIED, DENIED]);
    const answer = await sendRaw(tvm.port, forwarded(tvm));
    expect([answer.status, answer.json['error']]).toEqual([429, 'RateLimited']);
    const seconds = Number(answer.headers['retry-after']);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(answer.json['retry_after']).toBe(seconds);
    expect(sts.seen).toHaveLength(3);
    await tvm.flush();
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'identity_refused',
      error: 'RateLimited',
      source_ip: '127.0.0.1',
    });
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
  });

  it('counts identities that are not callers here, too', async () => {
    const tvm = await startLimited(2);
    world.sts.behave = says(session('reader', 'x', '111122223333'));
    expect(await repeat(3, () => fire(tvm, forwarded(tvm)))).toEqual([DENIED, DENIED, LIMITED]);
  });

  it('counts no caller whom STS confirms, one after the other', async () => {
    const tvm = await startLimited(2);
    world.sts.behave = crowdOf();
    expect(await repeat(8, () => fire(tvm, forwarded(tvm)))).toEqual(
      Array.from({ length: 8 }, () => KNOWN),
    );
    expect(await fire(tvm, forwarded(tvm, { path: '/nowhere' }))).toEqual(
      refused(404, 'ValidationError'),
    );
    world.sts.behave = STRANGER;
    expect(await repeat(3, () => fire(tvm, forwarded(tvm)))).toEqual([DENIED, DENIED, LIMITED]);
  });

  it('counts no caller whom STS confirms, many at once', async () => {
    const tvm = await startLimited(4);
    world.sts.behave = crowdOf();
    const crowd = await Promise.all(
      Array.from({ length: 24 }, () => sendRaw(tvm.port, forwarded(tvm))),
    );
    expect(crowd.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(4);
    // STS refused none of them, so the address is not over its limit.
    expect(await fire(tvm, forwarded(tvm))).toEqual(KNOWN);
  });

  it.each([
    ['does not answer', stsError(500, 'InternalFailure'), UNAVAILABLE],
    ['throttles', stsError(400, 'Throttling'), LIMITED],
  ] as const)('counts nobody while STS %s', async (_, behave, expected) => {
    const tvm = await startLimited(3);
    world.sts.behave = behave;
    expect(await repeat(5, () => fire(tvm, forwarded(tvm)))).toEqual(
      Array.from({ length: 5 }, () => expected),
    );
    world.sts.behave = says(DANA);
    expect(await fire(tvm, forwarded(tvm))).toEqual(KNOWN);
  });

  it('counts no token that was used before', async () => {
    const tvm = await startLimited(2);
    const once = forwarded(tvm);
    expect(await fire(tvm, once)).toEqual(KNOWN);
    expect(await repeat(4, () => fire(tvm, once))).toEqual(
      Array.from({ length: 4 }, () => REPLAYED),
    );
    expect(await fire(tvm, forwarded(tvm))).toEqual(KNOWN);
  });

  it('counts no token that is refused before STS is asked', async () => {
    const tvm = await startLimited(2);
    const late = { amzDate: '20200102T030405Z' };
    const outcomes = await repeat(5, () => fire(tvm, forwarded(tvm, late)));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([403]));
    expect(await fire(tvm, forwarded(tvm))).toEqual(KNOWN);
  });

  it('counts by the address behind the trusted hops, and IPv6 by /64', async () => {
    const { sts } = world;
    const tvm = await startLimited(1, { SENTINEL_TRUSTED_HOPS: '1' });
    sts.behave = STRANGER;
    function from(address: string): Promise<Outcome> {
      return fire(
        tvm,
        add(forwarded(tvm), 'x-forwarded-for', `198.51.100.${sts.seen.length}, ${address}`),
      );
    }
    expect(await from('192.0.2.1')).toEqual(DENIED);
    expect(await from('192.0.2.1')).toEqual(LIMITED);
    expect(await from('192.0.2.1:4711')).toEqual(LIMITED);
    expect(await from('::ffff:192.0.2.1')).toEqual(LIMITED);
    expect(await from('192.0.2.2')).toEqual(DENIED);
    expect(await from('2001:db8:1:2::1')).toEqual(DENIED);
    expect(await from('2001:db8:1:2:ffff:ffff:ffff:ffff')).toEqual(LIMITED);
    expect(await from('[2001:DB8:1:2:8000::]:443')).toEqual(LIMITED);
    expect(await from('2001:db8:1:3::1')).toEqual(DENIED);
    expect(await from('what')).toEqual(DENIED);
    expect(await from('ever')).toEqual(LIMITED);
    expect(await fire(tvm, forwarded(tvm))).toEqual(LIMITED);
  });
});

describe('the line to STS while STS stalls', () => {
  it('asks about 64 at once, queues 256, refuses the rest at once, and keys vend meanwhile', async () => {
    const { tvm, sts } = world;
    const { hold, release } = holding();
    sts.behave = hold;
    const all = Array.from({ length: 330 }, () => forwarded(tvm));
    const done: Outcome[] = [];
    const running = all.map((one) =>
      sendRaw(tvm.port, one).then((answer) => done.push(outcomeOf(answer))),
    );
    await expect.poll(() => done.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(10);
    await expect.poll(() => sts.seen.length).toBe(64);
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
    expect(sts.seen).toHaveLength(64);
    sts.behave = STRANGER;
    release();
    await Promise.all(running);
    // On a slow machine some have left the line after their wait; STS was not asked about those.
    const confirmed = done.filter(({ status }) => status === 200).length;
    const asked = done.filter(({ error }) => error === 'AccessDenied').length + confirmed;
    expect([confirmed, sts.seen.length]).toEqual([64, asked]);
    expect(asked).toBeLessThanOrEqual(320);
    expect(done.filter(({ error }) => error === 'RateLimited')).toEqual(
      Array.from({ length: 330 - asked }, () => LIMITED),
    );
    expect(await fire(tvm, forwarded(tvm))).toEqual(DENIED);
  });

  it('lets nobody wait long, and takes the same token again if STS was not asked about it', async () => {
    const { tvm, sts } = world;
    const { hold, release } = holding();
    sts.behave = hold;
    const running = Array.from({ length: 64 }, () => sendRaw(tvm.port, forwarded(tvm)));
    await expect.poll(() => sts.seen.length).toBe(64);
    const waiting = forwarded(tvm, DEV);
    const answer = await sendRaw(tvm.port, waiting);
    expect([answer.status, answer.json['error'], answer.headers['retry-after']]).toEqual([
      429,
      'RateLimited',
      '2',
    ]);
    sts.behave = says(DANA);
    release();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual(
      Array.from({ length: 64 }, () => 200),
    );
    expect(await fire(tvm, waiting)).toEqual(VENDED);
  });

  it('refuses at once an address that is over its limit', async () => {
    const { sts } = world;
    const tvm = await startLimited(1, { SENTINEL_TRUSTED_HOPS: '1' });
    function from(address: string) {
      return add(forwarded(tvm), 'x-forwarded-for', address);
    }
    sts.behave = STRANGER;
    expect(await fire(tvm, from('192.0.2.1'))).toEqual(DENIED);
    const { hold, release } = holding();
    sts.behave = hold;
    const running = Array.from({ length: 64 }, () => sendRaw(tvm.port, from('192.0.2.2')));
    await expect.poll(() => sts.seen.length).toBe(65);
    const answer = await sendRaw(tvm.port, from('192.0.2.1'));
    expect([answer.status, answer.json['message']]).toEqual([
      429,
      expect.stringContaining('from your address'),
    ]);
    release();
    // All of them are dana, who may ask once, so STS is asked about none of them again.
    const statuses = (await Promise.all(running)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array.from({ length: 63 }, () => 429),
    ]);
  });

  it('frees the places of callers who went away', async () => {
    const { tvm, sts } = world;
    sts.behave = never;
    const leaving = Array.from({ length: 64 }, () => {
      const { target, headers } = forwarded(tvm);
      const controller = new AbortController();
      const gone = fetch(`${tvm.url}${target}`, {
        headers: Object.fromEntries(headers),
        signal: controller.signal,
      });
      return {
        controller,
        gone: gone.then(
          () => 'answered',
          () => 'gone',
        ),
      };
    });
    await expect.poll(() => sts.seen.length).toBe(64);
    for (const { controller } of leaving) controller.abort();
    expect(new Set(await Promise.all(leaving.map(({ gone }) => gone)))).toEqual(new Set(['gone']));
    sts.behave = says(DANA);
    // A place is free at the latest when the deadline of the call to STS is over.
    await expect
      .poll(() => fire(tvm, forwarded(tvm)), { timeout: 12_000, interval: 100 })
      .toEqual(KNOWN);
  });
});

/** A TVM whose DynamoDB fails for the replay guard only. */
async function startWithoutGuard(): Promise<RunningTvm> {
  const { port } = new URL(world.desk.url);
  const fake = await startFake((body, incoming) =>
    body.includes('replay#') ? { status: 500, body: '{}' } : forward(Number(port), body, incoming),
  );
  onTestFinished(fake.close);
  return world.start({ environment: { AWS_ENDPOINT_URL_DYNAMODB: fake.url } });
}

describe('the shared replay guard while DynamoDB fails', () => {
  it('answers 503 though STS confirmed the caller, and uses the token up', async () => {
    const { sts } = world;
    const tvm = await startWithoutGuard();
    for (const what of [{}, DEV, { path: '/profiles' }]) {
      const once = forwarded(tvm, what);
      expect(await fire(tvm, once)).toEqual(UNAVAILABLE);
      expect(await fire(tvm, once)).toEqual(REPLAYED);
    }
    expect(sts.seen).toHaveLength(3);
    const both = [
      ['unavailable', 'unavailable', 'guard'],
      ['identity_refused', 'RequestReplayed', undefined],
    ];
    expect(tvm.audit.map(({ event, error, cause }) => [event, error, cause])).toEqual([
      ...both,
      ...both,
      ...both,
    ]);
  });

  it('is not asked about callers whom STS refuses', async () => {
    const { sts } = world;
    const tvm = await startWithoutGuard();
    sts.behave = STRANGER;
    expect(await fire(tvm, forwarded(tvm))).toEqual(DENIED);
    sts.behave = says(session('reader', 'x', '111122223333'));
    expect(await fire(tvm, forwarded(tvm))).toEqual(DENIED);
    expect(tvm.log()).not.toContain('the replay guard cannot be written');
  });
});
