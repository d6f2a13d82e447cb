import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { openSession, revoke, tableOf, useDesk } from '../revocations/support.ts';
import { startTvm } from '../support/tvm.ts';
import { get, post, putProfile, startFakeSts } from './support.ts';

/** The limit of a thousand live labels of one subject on one profile. */
const MOST = 1_000;
const HOUR = 3_600_000;

const world = useDesk({}, async (desk) => {
  await putProfile(desk, 'beside', { effect: 'allow', conditions: { users: ['alice', 'bob'] } });
  await putProfile(desk, 'tracked', {
    effect: 'require_server_session',
    conditions: { users: ['alice'] },
  });
});

function itemId(profile: string): string {
  const text = JSON.stringify([`sentinel:key/${DEMO_CLIENTS.alice.accessKeyId}`, profile]);
  return `labels#${createHash('sha256').update(text).digest('hex')}`;
}

/**
 * Writes that alice has `count` live labels on a profile; the first ends at `firstEnds`, in epoch
 * milliseconds.
 */
async function hold(count: number, firstEnds: number, profile = 'dev'): Promise<void> {
  function ends(index: number): string {
    return String(index === 0 ? firstEnds : firstEnds + HOUR);
  }
  const live = Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`/held-${n}`, { N: ends(n) }]),
  );
  const item = { id: { S: itemId(profile) }, live: { M: live }, version: { N: '1' } };
  await tableOf(world.client, 'guard').put(item);
}

async function placesOf(profile = 'dev') {
  return Object.keys(
    (await tableOf(world.client, 'guard').get(itemId(profile)))?.['live']?.M ?? {},
  );
}

describe('a vend with a new label when a thousand are live', () => {
  it('is answered 429 QuotaExceeded with when to try again and what to do instead', async () => {
    const ends = Date.now() + 2 * HOUR;
    await hold(MOST, ends);
    for (const answer of [
      await get(world.tvm, { profile: 'dev', session_label: 'one-more' }),
      await post(world.tvm, { profile: 'dev', session_label: 'two-more' }),
    ]) {
      expect([answer.status, answer.json['error'], answer.headers['cache-control']]).toEqual([
        429,
        'QuotaExceeded',
        'no-store',
      ]);
      const wait = Number(answer.headers['retry-after']);
      expect(wait).toBe(answer.json['retry_after']);
      expect(wait).toBeGreaterThan(7_100);
      expect(wait).toBeLessThanOrEqual(7_200);
      const at = `${new Date(ends).toISOString().slice(0, 19)}Z`;
      expect(answer.json['message']).toBe(
        `Nothing was vended: you have 1000 live session labels on profile dev, which is the most that one caller may have; use one of them again, leave session_label out, or try again at ${at}, when the first of them ends.`,
      );
      expect(world.tvm.audit.at(-1)).toMatchObject({
        outcome: 'denied',
        error: 'labels-full',
        profile: 'dev',
      });
      expect(world.tvm.audit.at(-1)).not.toHaveProperty('vended_access_key_id');
    }
    expect(await placesOf()).toHaveLength(MOST);
  });

  it('does not call STS', async () => {
    const sts = world.kept(await startFakeSts());
    const tvm = world.kept(
      await startTvm(world.desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } }),
    );
    await hold(MOST, Date.now() + HOUR);
    expect((await get(tvm, { profile: 'dev', session_label: 'no-row' })).status).toBe(429);
    expect(sts.assumed()).toEqual([]);
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
    expect(sts.assumed()).toHaveLength(1);
  });

  it('is answered 429 when the session is required, too', async () => {
    await hold(MOST, Date.now() + HOUR, 'tracked');
    const refused = await get(world.tvm, { profile: 'tracked', session_label: 'one-more' });
    expect([refused.status, refused.json['error']]).toEqual([429, 'QuotaExceeded']);
    expect((await get(world.tvm, { profile: 'tracked' })).status).toBe(200);
  });

  it('affects no vend without a label, with a live label, by another caller or on another profile', async () => {
    await hold(0, 0);
    const id = await openSession(world.tvm, 'alice', 'profile=dev&session_label=known');
    await hold(MOST, Date.now() + HOUR);
    expect((await get(world.tvm, { profile: 'dev' })).status).toBe(200);
    expect(
      (await get(world.tvm, { profile: 'dev', session_label: 'known' })).json['SessionId'],
    ).toBe(id);
    const other = world.kept(await startTvm(world.desk.url));
    expect((await get(other, { profile: 'dev', session_label: 'known' })).json['SessionId']).toBe(
      id,
    );
    expect((await get(world.tvm, { profile: 'beside', session_label: 'one-more' })).status).toBe(
      200,
    );
    await hold(MOST, Date.now() + HOUR, 'beside');
    expect((await get(world.tvm, { profile: 'beside', session_label: 'two-more' })).status).toBe(
      429,
    );
    expect(
      (await get(world.tvm, { profile: 'beside', session_label: 'two-more' }, { as: 'bob' }))
        .status,
    ).toBe(200);
  });

  it('is answered 200 when the first label has ended', async () => {
    await hold(MOST, Date.now() - 1);
    expect((await get(world.tvm, { profile: 'dev', session_label: 'at-last' })).status).toBe(200);
    expect(await placesOf()).toContain('/at-last');
    expect(await placesOf()).toHaveLength(MOST);
    expect((await get(world.tvm, { profile: 'dev', session_label: 'too-late' })).status).toBe(429);
  });
});

it('frees the place of a label when its session is revoked', async () => {
  await hold(0, 0);
  const id = await openSession(world.tvm, 'alice', 'profile=dev&session_label=given-back');
  expect(await placesOf()).toEqual(['/given-back']);
  await revoke(world.tvm, 'session', id);
  await expect.poll(() => placesOf()).toEqual([]);
});

it('allows a thousand live labels across five instances at once', async () => {
  const tvms = await Promise.all(
    [1, 2, 3, 4, 5].map(async () => world.kept(await startTvm(world.desk.url))),
  );
  // The profile requires its session, so that a slow machine vends nothing whose label is not
  // counted.
  await hold(MOST - 12, Date.now() + HOUR, 'tracked');
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => {
      const tvm = tvms[n % tvms.length];
      if (tvm === undefined) throw new Error('no instance');
      return get(tvm, { profile: 'tracked', session_label: `crowd-${n}` });
    }),
  );
  const statuses = answers.map(({ status }) => status).toSorted();
  expect(statuses).toEqual([
    ...Array.from({ length: 12 }, () => 200),
    ...Array.from({ length: 18 }, () => 429),
  ]);
  expect(await placesOf('tracked')).toHaveLength(MOST);
});
