import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { amzDateOf } from '../support/sign.ts';
import { startTvm, type RunningTvm } from '../support/tvm.ts';
import {
  change,
  fire,
  outcomeOf,
  postShot,
  refused,
  shot,
  useTvm,
  VENDED,
  withAuthorization,
} from './support.ts';

const REPLAYED = refused(403, 'RequestReplayed');
const MISMATCH = refused(403, 'SignatureDoesNotMatch');

function flipLastDigit(value: string): string {
  return `${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}`;
}

describe('SENTINEL_REPLAY_GUARD=shared', () => {
  const world = useTvm();
  const others: RunningTvm[] = [];
  beforeAll(async () => {
    others.push(await startTvm(world.desk.url));
  });
  afterAll(async () => {
    for (const tvm of others) await tvm.close();
  });
  function instances(): readonly [RunningTvm, RunningTvm] {
    return [world.tvm, others[0] as RunningTvm];
  }

  it('41 refuses the same request a second time', async () => {
    const [tvm] = instances();
    for (const again of [shot(tvm), postShot(tvm)]) {
      expect(await fire(tvm, again)).toEqual(VENDED);
      expect(await fire(tvm, again)).toEqual(REPLAYED);
      expect(await fire(tvm, again)).toEqual(REPLAYED);
    }
    expect((await sendRaw(tvm.port, shot(tvm))).json).toHaveProperty('SessionToken');
  });

  it('41 refuses the same request at another instance', async () => {
    const [one, other] = instances();
    const again = shot({ host: '127.0.0.1' });
    expect(await fire(one, again)).toEqual(VENDED);
    expect(await fire(other, again)).toEqual(REPLAYED);
    expect(await fire(other, shot({ host: '127.0.0.1' }))).toEqual(VENDED);
  });

  it('41 lets exactly one of many requests at once through at two instances', async () => {
    const [one, other] = instances();
    for (let round = 0; round < 8; round += 1) {
      const again = shot({ host: '127.0.0.1' });
      const ports = [one.port, other.port, one.port, other.port];
      const answers = await Promise.all(ports.map((port) => sendRaw(port, again)));
      const outcomes = answers.map(outcomeOf);
      expect(outcomes.filter(({ credentials }) => credentials)).toEqual([VENDED]);
      expect(outcomes.filter(({ credentials }) => !credentials)).toEqual([
        REPLAYED,
        REPLAYED,
        REPLAYED,
      ]);
    }
  });

  it('41 takes equal requests without a nonce within one second for one', async () => {
    const [tvm] = instances();
    const bare = shot(tvm, { signedHeaders: 'host;x-amz-date' });
    const without = {
      ...bare,
      headers: bare.headers.filter(([name]) => name !== 'x-sentinel-nonce'),
    };
    expect(await fire(tvm, without)).toEqual(VENDED);
    expect(await fire(tvm, without)).toEqual(REPLAYED);
  });

  it('41 refuses the same request with other unsigned parts', async () => {
    const [tvm] = instances();
    const once = shot(tvm, { query: 'device_id=a%20b&profile=dev' });
    expect(await fire(tvm, once)).toEqual(VENDED);
    expect(await fire(tvm, { ...once, target: '/?profile=dev&device_id=a+b' })).toEqual(REPLAYED);
    expect(
      await fire(tvm, { ...once, headers: [...once.headers, ['user-agent', 'another']] }),
    ).toEqual(REPLAYED);
    expect(await fire(tvm, { ...once, headers: once.headers.toReversed() })).toEqual(REPLAYED);
    const spaced = withAuthorization(once, (value) => value.replaceAll(', ', ','));
    expect(await fire(tvm, spaced)).toEqual(REPLAYED);
  });

  it('15 takes a signed header with folded and unfolded white space for one request', async () => {
    const [tvm] = instances();
    const folded = shot(tvm, { headers: { 'x-note': 'a b c' } });
    const unfolded = change(folded, 'x-note', () => ' \t a   b\t c  ');
    expect(await fire(tvm, unfolded)).toEqual(VENDED);
    expect(await fire(tvm, folded)).toEqual(REPLAYED);
    expect(await fire(tvm, unfolded)).toEqual(REPLAYED);
    const another = shot(tvm, { headers: { 'x-note': 'a b c' } });
    expect(
      await fire(
        tvm,
        change(another, 'x-note', () => 'a bc'),
      ),
    ).toEqual(MISMATCH);
  });

  it('42 lets the good request through after one with a bad signature', async () => {
    const [tvm] = instances();
    const good = shot(tvm);
    expect(await fire(tvm, withAuthorization(good, flipLastDigit))).toEqual(MISMATCH);
    expect(await fire(tvm, good)).toEqual(VENDED);
  });

  it('42 lets the good request through after its signature came with other content', async () => {
    const [tvm] = instances();
    const good = postShot(tvm);
    expect(await fire(tvm, { ...good, body: '{"profile":"vault"}' })).toEqual(MISMATCH);
    expect(await fire(tvm, { ...good, target: '/?x=y' })).toEqual(MISMATCH);
    expect(
      await fire(
        tvm,
        change(good, 'x-sentinel-nonce', () => 'other'),
      ),
    ).toEqual(MISMATCH);
    expect(await fire(tvm, good)).toEqual(VENDED);
    expect(await fire(tvm, good)).toEqual(REPLAYED);
  });

  it('42 lets the good request through after its signature came with another key id', async () => {
    const [tvm] = instances();
    const good = shot(tvm);
    const unknown = withAuthorization(good, (value) => value.replace('TVMDEMOALICE', 'TVMUNKNOWN'));
    expect(await fire(tvm, unknown)).toEqual(refused(403, 'InvalidClientTokenId'));
    const bob = withAuthorization(good, (value) => value.replace('TVMDEMOALICE', 'TVMDEMOBOB'));
    expect(await fire(tvm, bob)).toEqual(MISMATCH);
    expect(await fire(tvm, good)).toEqual(VENDED);
  });

  it('41 answers 503 while the guard table cannot be used', async () => {
    const broken = await startTvm(world.desk.url, {
      environment: { SENTINEL_GUARD_TABLE: 'there-is-no-such-table' },
    });
    try {
      expect(await fire(broken, shot(broken))).toEqual(refused(503, 'ServiceUnavailable'));
    } finally {
      await broken.close();
    }
  });
});

describe('SENTINEL_REPLAY_GUARD=instance', () => {
  const START = Math.floor(Date.now() / 1_000) * 1_000;
  const clock = { now: START };
  const world = useTvm({
    clock: () => clock.now,
    environment: { SENTINEL_REPLAY_GUARD: 'instance' },
  });
  function at(ms: number) {
    return shot(world.tvm, { amzDate: amzDateOf(START + ms) });
  }

  it('41 lets exactly one of many requests at once through, and refuses it afterwards', async () => {
    const { tvm } = world;
    const again = at(0);
    const answers = await Promise.all(Array.from({ length: 6 }, () => sendRaw(tvm.port, again)));
    expect(answers.map(outcomeOf).filter(({ credentials }) => credentials)).toEqual([VENDED]);
    expect(await fire(tvm, again)).toEqual(REPLAYED);
    expect(await fire(tvm, at(0))).toEqual(VENDED);
  });

  it('41 refuses requests signed before the process started', async () => {
    const { tvm } = world;
    expect(await fire(tvm, at(-1_000))).toEqual(REPLAYED);
    expect(await fire(tvm, at(-60_000))).toEqual(REPLAYED);
    expect(await fire(tvm, at(0))).toEqual(VENDED);
  });

  it('41 takes signatures within 60 seconds of now', async () => {
    const { tvm } = world;
    expect(await fire(tvm, at(-61_000))).toEqual(MISMATCH);
    expect(await fire(tvm, at(60_000))).toEqual(VENDED);
    expect(await fire(tvm, at(61_000))).toEqual(MISMATCH);
  });

  it('41 remembers a request until its signature is too old', async () => {
    const { tvm } = world;
    const early = at(60_000);
    expect(await fire(tvm, early)).toEqual(VENDED);
    for (const [ms, expected] of [
      [60_000, REPLAYED],
      [120_000, REPLAYED],
      [121_000, MISMATCH],
    ] as const) {
      clock.now = START + ms;
      expect(await fire(tvm, early)).toEqual(expected);
    }
    clock.now = START;
  });

  it('42 lets the good request through after one with a bad signature', async () => {
    const { tvm } = world;
    const good = at(0);
    expect(await fire(tvm, withAuthorization(good, flipLastDigit))).toEqual(MISMATCH);
    expect(
      await fire(
        tvm,
        change(good, 'x-sentinel-nonce', () => 'other'),
      ),
    ).toEqual(MISMATCH);
    expect(await fire(tvm, good)).toEqual(VENDED);
  });
});
