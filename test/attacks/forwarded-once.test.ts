import { describe, expect, it } from 'vitest';
import { DANA, says, stsError, useForwarded, type Behaviour } from '../support/fake-sts.ts';
import { DEV, forwarded, WHOAMI, withToken } from '../support/forwarded.ts';
import { sendRaw } from '../support/raw-http.ts';
import { amzDateOf } from '../support/sign.ts';
import { startTvm } from '../support/tvm.ts';
import {
  add,
  fire,
  outcomeOf,
  postShot,
  refused,
  shot,
  VENDED,
  type Outcome,
  type Shot,
} from './support.ts';

const INCOMPLETE = refused(400, 'IncompleteSignature');
const DENIED = refused(403, 'AccessDenied');
const REPLAYED = refused(403, 'RequestReplayed');
const KNOWN: Outcome = { status: 200, error: undefined, credentials: false };

const world = useForwarded();

async function fireLocally(what: Shot, tvm = world.tvm): Promise<Outcome> {
  world.sts.clear();
  world.sts.behave = says(DANA);
  const outcome = await fire(tvm, what);
  expect(world.sts.seen).toEqual([]);
  return outcome;
}

describe('a request with more than one proof', () => {
  it('4 is refused for two Authorization headers, of one kind or of two', async () => {
    const { tvm } = world;
    const [one, other] = [forwarded(tvm), forwarded(tvm)];
    const second = other.headers.find(([name]) => name === 'authorization')?.[1] ?? '';
    expect(await fireLocally(add(one, 'authorization', second))).toEqual(INCOMPLETE);
    const signed = shot(tvm).headers.find(([name]) => name === 'authorization')?.[1] ?? '';
    expect(await fireLocally(add(one, 'authorization', signed))).toEqual(INCOMPLETE);
    expect(await fireLocally(add(shot(tvm), 'authorization', second))).toEqual(INCOMPLETE);
    const twice = add(add(postShot(tvm), 'authorization', second), 'Authorization', second);
    expect(await fireLocally(twice)).toEqual(INCOMPLETE);
  });

  it('2 is refused for a token and a signature in the query', async () => {
    for (const key of [
      'X-Amz-Algorithm',
      'x-amz-signature',
      'X-Amz-Credential',
      'X-AMZ-SECURITY-TOKEN',
      'X-Amz-Expires',
    ]) {
      const presigned = forwarded(world.tvm, { query: `${key}=AWS4-HMAC-SHA256&profile=dev` });
      expect(await fireLocally(presigned)).toEqual(refused(403, 'SignatureDoesNotMatch'));
    }
  });

  it.each([
    'sentinel-sts',
    'SENTINEL-STS',
    'Sentinel-sts',
    'Sentinel-STS2',
    'SentinelSTS',
    'Bearer',
    'Sentinel-STS,',
  ])('7 is refused for the scheme %s', async (scheme) => {
    const good = forwarded(world.tvm);
    const headers = good.headers.map(
      ([name, value]) => [name, value.replace('Sentinel-STS', scheme)] as const,
    );
    expect(await fireLocally({ ...good, headers })).toEqual(INCOMPLETE);
  });

  it('7 is refused for the scheme without a token', async () => {
    expect(await fireLocally(withToken(world.tvm, '', WHOAMI))).toEqual(INCOMPLETE);
  });

  it('49 denies all tokens without SENTINEL_SERVER_ID, while registered keys vend', async () => {
    const { desk, sts } = world;
    const tvm = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } });
    try {
      expect(await fireLocally(forwarded(tvm), tvm)).toEqual(DENIED);
      expect(await fireLocally(withToken(tvm, 'x'), tvm)).toEqual(DENIED);
      expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
    } finally {
      await tvm.close();
    }
  });
});

describe('51 the nonce of a token', () => {
  it('works once, whatever else of the token differs', async () => {
    const { tvm, sts } = world;
    const good = forwarded(tvm, DEV);
    expect(await fire(tvm, good)).toEqual(VENDED);
    expect(await fire(tvm, good)).toEqual(REPLAYED);
    const nonce = '0123456789abcdef0123456789abcdef';
    expect(await fire(tvm, forwarded(tvm, { nonce }))).toEqual(KNOWN);
    expect(await fire(tvm, forwarded(tvm, { ...DEV, nonce }))).toEqual(REPLAYED);
    expect(await fire(tvm, forwarded(tvm, { nonce, region: 'eu-west-1' }))).toEqual(REPLAYED);
    expect(sts.seen).toHaveLength(2);
  });

  it('works for exactly one of many requests at once at two instances', async () => {
    const { tvm, sts, start } = world;
    const other = await start();
    for (let round = 0; round < 5; round += 1) {
      const once = forwarded({ host: '127.0.0.1' }, DEV);
      const ports = [tvm.port, other.port, tvm.port, other.port];
      const outcomes = (await Promise.all(ports.map((port) => sendRaw(port, once)))).map(outcomeOf);
      expect(outcomes.filter(({ credentials }) => credentials)).toEqual([VENDED]);
      expect(outcomes.filter(({ credentials }) => !credentials)).toEqual([
        REPLAYED,
        REPLAYED,
        REPLAYED,
      ]);
    }
    // Each instance asks STS once for each nonce.
    expect(sts.seen).toHaveLength(10);
  });

  it('stays used after a restart', async () => {
    const { tvm, start } = world;
    const once = forwarded({ host: '127.0.0.1' });
    expect(await fire(tvm, once)).toEqual(KNOWN);
    const restarted = await start();
    expect(await fire(restarted, once)).toEqual(REPLAYED);
  });

  it('stays used after a restart with SENTINEL_REPLAY_GUARD=instance', async () => {
    const restarted = await world.start({ environment: { SENTINEL_REPLAY_GUARD: 'instance' } });
    const before = { amzDate: amzDateOf(Date.now() - 5_000) };
    expect(await fire(restarted, forwarded(restarted, before))).toEqual(REPLAYED);
    const after = forwarded(restarted, { amzDate: amzDateOf(Date.now() + 5_000) });
    expect(await fire(restarted, after)).toEqual(KNOWN);
    expect(await fire(restarted, after)).toEqual(REPLAYED);
  });

  it.each<readonly [string, Behaviour, Outcome]>([
    ['failed', stsError(500, 'InternalFailure'), refused(503, 'ServiceUnavailable')],
    ['refused', stsError(403, 'SignatureDoesNotMatch'), DENIED],
    ['throttled', stsError(400, 'Throttling'), refused(429, 'RateLimited')],
  ])('is used up when the call to STS %s', async (_, behave, expected) => {
    const { tvm, sts } = world;
    const once = forwarded(tvm);
    sts.behave = behave;
    expect(await fire(tvm, once)).toEqual(expected);
    sts.behave = says(DANA);
    expect(await fire(tvm, once)).toEqual(REPLAYED);
    expect(sts.seen).toHaveLength(1);
  });

  it('is not used up by a refusal before STS is asked', async () => {
    const { tvm } = world;
    const once = forwarded(tvm);
    expect(await fire(tvm, add(once, 'x-amz-date', 'x'))).toEqual(DENIED);
    expect(await fire(tvm, once)).toEqual(KNOWN);
  });
});
