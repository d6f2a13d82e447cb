import { beforeEach, describe, expect, it } from 'vitest';
import {
  createForeignRevocations,
  type ForeignRevocations,
} from '../../src/revocations/sentinel-rows.ts';
import { call, forward, startFake } from '../http/support.ts';
import { startTvm } from '../support/tvm.ts';
import {
  clientOf,
  lift,
  openSession,
  revoke,
  REVOKED,
  send,
  tableOf,
  until,
  useDesk,
  vend,
  type Item,
} from './support.ts';

/**
 * Rows of the sessions table that others than the TVM marked as revoked, with Sentinel's
 * attributes.
 */
const HOUR = 3_600_000;
function keyOf(name: string, id: string) {
  return {
    name,
    storedName: `key/${name}`,
    principal: `sentinel:key/${id}`,
    subject: `sentinel:key/${id}`,
  };
}
const ALICE = keyOf('alice', 'TVMDEMOALICE');
const BOB = keyOf('bob', 'TVMDEMOBOB');

let count = 0;
const world = useDesk();

/** Times as Go's encoder writes them, with nine digits of a second. */
function at(ms: number): { S: string } {
  return { S: new Date(ms).toISOString().replace(/(\.\d{3})Z/u, '$1456789Z') };
}

function sentinelRow(more: Item = {}, now = Date.now()): Item {
  return {
    id: { S: (count += 1).toString(16).padStart(16, '0') },
    user: { S: 'alice' },
    profile: { S: 'dev' },
    server_instance_id: { S: 'sentinel-server' },
    status: { S: 'revoked' },
    started_at: at(now - 60_000),
    last_access_at: at(now - 30_000),
    expires_at: at(now + HOUR),
    request_count: { N: '3' },
    created_at: at(now - 60_000),
    updated_at: at(now),
    revoked_by: { S: 'oncall' },
    revoked_reason: { S: 'stolen laptop' },
    ttl: { N: String(Math.ceil((now + HOUR) / 1_000)) },
    ...more,
  };
}

function sessions() {
  return tableOf(world.client, 'sessions');
}
const made: string[] = [];
async function put(item: Item): Promise<string> {
  await sessions().put(item);
  made.push(item['id']?.S ?? '');
  return made.at(-1) ?? '';
}

let foreign: ForeignRevocations;
beforeEach(async () => {
  for (const id of made.splice(0)) await sessions().remove(id);
  foreign = createForeignRevocations(world.client, 'sentinel-sessions');
});

describe('createForeignRevocations', () => {
  it('refuses the user of a revoked row on its profile until the session would have ended, and nothing else', async () => {
    const now = Date.now();
    const id = await put(sentinelRow({}, now));
    await foreign.read(now);
    expect(foreign.ofVend(ALICE, 'dev', now)).toMatchObject({
      target: { kind: 'session', value: id },
      by: 'oncall',
    });
    expect(foreign.ofVend(keyOf('alice', 'ANOTHER'), 'dev', now)).toBeDefined();
    expect(foreign.ofVend(ALICE, 'prod', now)).toBeUndefined();
    expect(foreign.ofVend(BOB, 'dev', now)).toBeUndefined();
    expect(foreign.ofVend(ALICE, 'dev', now + HOUR - 1)).toBeDefined();
    expect(foreign.ofVend(ALICE, 'dev', now + HOUR)).toBeUndefined();
  });

  it('refuses the subject if the row names one, as rows of the TVM’s own sessions do', async () => {
    const now = Date.now();
    await put(sentinelRow({ subject: { S: ALICE.subject } }, now));
    await foreign.read(now);
    expect(foreign.ofVend(ALICE, 'dev', now)).toBeDefined();
    expect(foreign.ofVend(keyOf('alice', 'ANOTHER'), 'dev', now)).toBeUndefined();
  });

  it('goes by the row that lasts longest, until that row is gone', async () => {
    const now = Date.now();
    await put(sentinelRow({ expires_at: at(now + 1_000) }, now));
    const long = await put(sentinelRow({ expires_at: at(now + 2 * HOUR) }, now));
    await put(sentinelRow({ expires_at: at(now + 2_000) }, now));
    await foreign.read(now);
    expect(foreign.ofVend(ALICE, 'dev', now + HOUR)?.target).toMatchObject({ value: long });
    await sessions().remove(long);
    await foreign.read(now);
    expect(foreign.ofVend(ALICE, 'dev', now + HOUR)).toBeUndefined();
    expect(foreign.ofVend(ALICE, 'dev', now)).toBeDefined();
  });

  it.each<readonly [string, Item]>([
    ['stands in the TVM’s own log', { revocation: { N: '7' } }],
    ['is active', { status: { S: 'active' } }],
    ['is expired', { status: { S: 'expired' } }],
    ['ends at no time', { expires_at: { S: 'never' } }],
    ['has no end', { expires_at: { N: '1' } }],
    ['has no profile', { profile: { S: 'prod' } }],
  ])('ignores a row that %s, and reads the others', async (_, more) => {
    const now = Date.now();
    await put(sentinelRow(more, now));
    await put(sentinelRow({ user: { S: 'bob' } }, now));
    await foreign.read(now);
    expect(foreign.ofVend(ALICE, 'dev', now)).toBeUndefined();
    expect(foreign.ofVend(BOB, 'dev', now)).toBeDefined();
  });

  it('reads to the last page', async () => {
    const now = Date.now();
    const filler = { S: 'x'.repeat(60_000) };
    for (let row = 0; row < 20; row += 1) {
      await put(
        sentinelRow({ user: { S: `u${row}` }, filler, created_at: at(now - 60_000 - row) }, now),
      );
    }
    await foreign.read(now);
    const blocked = Array.from({ length: 20 }, (_, row) => keyOf(`u${row}`, `p${row}`));
    expect(blocked.filter((one) => foreign.ofVend(one, 'dev', now) === undefined)).toEqual([]);
  });

  it('keeps refusing while the table cannot be read', async () => {
    const now = Date.now();
    await put(sentinelRow({}, now));
    let works = true;
    const wire = world.kept(
      await startFake((body, incoming) =>
        works ? forward(world.desk.port, body, incoming) : 'close',
      ),
    );
    const client = clientOf(wire.url);
    const through = createForeignRevocations(client, 'sentinel-sessions');
    await through.read(now);
    works = false;
    await expect(through.read(now)).rejects.toThrow(/.+/u);
    expect(through.ofVend(ALICE, 'dev', now)).toBeDefined();
    client.destroy();
  });
});

describe('an instance that reads Sentinel’s rows', () => {
  it('refuses within one reading a user whom Sentinel revoked, under any label, without the reason', async () => {
    let offset = 0;
    const tvm = world.kept(await startTvm(world.desk.url, { clock: () => Date.now() + offset }));
    const id = await openSession(tvm);
    await put(sentinelRow());
    offset = 16_000;
    await until(async () => (await vend(tvm)) === REVOKED, 3_000);
    const answer = await call(tvm, { query: 'profile=dev&session_label=new' });
    expect(answer.json['error']).toBe('SessionRevoked');
    expect(answer.body).not.toMatch(/stolen|oncall/u);
    expect((await call(tvm, { path: '/whoami' })).status).toBe(200);
    expect((await call(tvm, { path: `/sessions/${id}` })).json).toMatchObject({
      active: false,
      status: 'revoked',
    });
  });

  it('leaves its own revocations to the log, so that lifting works after the next reading too', async () => {
    let offset = 0;
    const tvm = world.kept(await startTvm(world.desk.url, { clock: () => Date.now() + offset }));
    const id = await openSession(tvm);
    const revocation = await revoke(tvm, 'session', id);
    expect((await sessions().get(id))?.['status']?.S).toBe('revoked');
    expect((await sessions().get(id))?.['revocation']?.N).toBe(revocation);
    await lift(tvm, revocation);
    await until(async () => (await vend(tvm)) === 200, 3_000);
    offset = 20_000;
    expect(await vend(tvm)).toBe(200);
    await new Promise((resolve) => {
      setTimeout(resolve, 1_000);
    });
    expect(await vend(tvm)).toBe(200);
  });

  it('refuses the user of a session that Sentinel opened when an operator revokes it here', async () => {
    const id = await put(sentinelRow({ status: { S: 'active' } }));
    const answer = await send(world.tvm, `/sessions/${id}/revoke`, { reason: 'laptop stolen' });
    expect(answer.status, answer.body).toBe(200);
    expect(await vend(world.tvm), 'the operator was told that it is revoked').toBe(REVOKED);
  });
});
