import { createHash, randomBytes } from 'node:crypto';
import { BatchWriteItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readItem } from '../../src/aws/table.ts';
import { DEFAULT_TABLE_NAMES, tableDefinitions } from '../../src/aws/tables.ts';
import { createNamesSetting } from '../../src/catalog/names-setting.ts';
import { createVendedRoles } from '../../src/catalog/vended-roles.ts';
import { newHexId } from '../../src/lib/ids.ts';
import type { SealingKey } from '../../src/lib/sealing.ts';
import { createSharedCallerLimit } from '../../src/limits/caller-limit.ts';
import { seedTable } from '../../src/local/seed.ts';
import { createDynamoDbGuard } from '../../src/replay/dynamodb.ts';
import { ALL_SESSIONS } from '../../src/sessions/list-plan.ts';
import { createSessionDirectory } from '../../src/sessions/directory.ts';
import { createForeignRevocations } from '../../src/revocations/sentinel-rows.ts';
import { createLabelPlaces } from '../../src/sessions/label-places.ts';
import { createLease } from '../../src/aws/lease.ts';
import { createRevocationLog } from '../../src/revocations/log.ts';
import { createRevocationWriter } from '../../src/revocations/writer.ts';
import type { Session } from '../../src/sessions/session.ts';
import { markOf } from '../../src/sessions/list-token.ts';
import { createSessionStore, type SessionStore } from '../../src/sessions/store.ts';
import { describeConformance } from '../conformance/suite.ts';
import { call, forward, startFake } from '../http/support.ts';
import { clientOf, openSession, revoke, REVOKED, vend } from '../revocations/support.ts';
import {
  lacksDynamoDbLocal,
  startDynamoDbLocal,
  type DynamoDbLocal,
} from '../support/dynamodb-local.ts';
import { startDesk, startTvm } from '../support/tvm.ts';

/**
 * The writes that decide something, against AWS's own DynamoDB Local. The embedded DynamoDB is
 * dynalite, which is not AWS's: a mistake that it forgives would show in production first.
 */
const lacking = lacksDynamoDbLocal();

const MINUTE = 60_000;
const { sessions, guard, revocations } = DEFAULT_TABLE_NAMES;

let local: DynamoDbLocal;
let client: DynamoDBClient;
/** The client of a second instance, with connections of its own. */
let other: DynamoDBClient;

/** The clients of the two instances, in turn. */
function turn<Instance>([one, two]: readonly [Instance, Instance], index: number): Instance {
  return index % 2 === 0 ? one : two;
}

async function seedTables(): Promise<readonly string[]> {
  const said: string[] = [];
  for (const definition of tableDefinitions(DEFAULT_TABLE_NAMES))
    said.push(await seedTable(client, definition));
  return said;
}

/** A client whose first answer is lost on its way, although DynamoDB did what it was asked to. */
async function startLossy() {
  let calls = 0;
  const wire = await startFake(async (body, incoming) => {
    calls += 1;
    const answer = await forward(Number(new URL(local.url).port), body, incoming);
    return calls === 1 ? 'close' : answer;
  });
  const lossy = clientOf(wire.url);
  async function close(): Promise<void> {
    lossy.destroy();
    await wire.close();
  }
  return { client: lossy, calls: () => calls, close };
}

describe.skipIf(lacking !== undefined)('on DynamoDB Local', () => {
  beforeAll(async () => {
    local = await startDynamoDbLocal();
    client = clientOf(local.url);
    other = clientOf(local.url);
    await seedTables();
  });
  afterAll(async () => {
    client.destroy();
    other.destroy();
    await local.close();
  });

  it('makes the tables once and finds them afterwards', async () => {
    const names = tableDefinitions(DEFAULT_TABLE_NAMES).map(({ create }) => create.TableName);
    expect(await seedTables()).toEqual(names.map((name) => `found table ${name}`));
  });

  describe('createDynamoDbGuard', () => {
    const faults: unknown[] = [];
    function guardOf(of: DynamoDBClient) {
      return createDynamoDbGuard(of, guard, (error) => void faults.push(error));
    }

    function claim() {
      const now = Date.now();
      return { key: newHexId(), signedAt: now, forgetAt: now + 10 * MINUTE };
    }

    it('lets one of many copies through, on whichever instance they come', async () => {
      const request = claim();
      const guards = [guardOf(client), guardOf(other)] as const;
      const copies = Array.from({ length: 40 }, (_, index) =>
        turn(guards, index).reserve(request, Date.now()),
      );
      const results = await Promise.all(copies);
      expect(results.filter((result) => result.ok)).toHaveLength(1);
      expect(results.filter((result) => !result.ok && result.refusal === 'replayed')).toHaveLength(
        39,
      );
      expect(faults).toEqual([]);
    });

    it('lets a request through whose first answer was lost, although the SDK repeats the write', async () => {
      const lossy = await startLossy();
      const request = claim();
      expect((await guardOf(lossy.client).reserve(request, Date.now())).ok).toBe(true);
      expect(lossy.calls()).toBe(2);
      expect(await guardOf(client).reserve(request, Date.now())).toEqual({
        ok: false,
        refusal: 'replayed',
      });
      await lossy.close();
    });

    it('lets a released request through again, and lets nobody release another’s hold', async () => {
      const request = claim();
      const first = await guardOf(client).reserve(request, Date.now());
      if (!first.ok) throw new Error(first.refusal);
      await first.value.release();
      expect((await guardOf(other).reserve(request, Date.now())).ok).toBe(true);
      await first.value.release();
      expect(await guardOf(client).reserve(request, Date.now())).toEqual({
        ok: false,
        refusal: 'replayed',
      });
      // Only the release of a hold that is another's by now was reported.
      expect(faults).toMatchObject([{ message: expect.stringContaining("is not this attempt's") }]);
    });
  });

  it('lets exactly the quota of a caller through by the shared count', async () => {
    const quota = { requests: 7, window: MINUTE };
    const faults: unknown[] = [];
    const now = Date.now();
    const principal = `sentinel:key/${newHexId()}`;
    function limitOf(of: DynamoDBClient) {
      return createSharedCallerLimit(
        quota,
        { client: of, table: guard, clock: () => now },
        (error) => void faults.push(error),
      );
    }
    const limits = [limitOf(client), limitOf(other)] as const;
    const takes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => turn(limits, index).take(principal)),
    );
    const left = takes
      .flatMap((take) => (take.ok ? [take.value.left] : []))
      .toSorted((a, b) => a - b);
    expect(left).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(takes.filter((take) => !take.ok && take.refusal.kind === 'exhausted')).toHaveLength(13);
    expect(faults).toEqual([]);
  });

  describe('createSessionStore', () => {
    const sealing: SealingKey = { id: 'k', key: randomBytes(32), activeFrom: 0 };
    const keys = new Map([[sealing.id, sealing]]);
    function all(): boolean {
      return true;
    }
    function directoryOf(of: DynamoDBClient, store: SessionStore) {
      return createSessionDirectory({
        client: of,
        table: sessions,
        store,
        clock: Date.now,
        monotonic: () => performance.now(),
        capacity: 10,
        onFallback: (error) => {
          throw error;
        },
      });
    }
    function storeOf(of: DynamoDBClient, instance: string) {
      return createSessionStore(of, { sessions, guard, instance });
    }

    /** A session that opens now, of a caller of its own. */
    function propose(user = newHexId()): Session {
      const now = Date.now();
      return {
        id: newHexId(),
        subject: `sentinel:key/${user}`,
        principal: `sentinel:key/${user}`,
        user,
        account: '000000000000',
        profile: 'dev',
        label: '',
        grant: '',
        startedAt: now,
        endsAt: now + 60 * MINUTE,
        lastAccessAt: now,
        requestCount: 1,
        sourceIdentity: 'sentinel=d=0000000000000000=x',
      };
    }

    it('opens one session, however many instances open it at once', async () => {
      const proposed = propose();
      const stores = [storeOf(client, 'one'), storeOf(other, 'two')] as const;
      const opened = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          turn(stores, index).open({ ...proposed, id: newHexId() }, keys, proposed.startedAt),
        ),
      );
      expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
      const row = await storeOf(client, 'three').read(opened[0]?.id ?? '', keys);
      expect(row).toMatchObject({
        status: 'active',
        genuine: true,
        session: { user: proposed.user },
      });
    });

    it('opens one session when the first answer is lost', async () => {
      const lossy = await startLossy();
      const proposed = propose();
      const { id } = await storeOf(lossy.client, 'lossy').open(proposed, keys, proposed.startedAt);
      expect(id).toBe(proposed.id);
      expect(lossy.calls()).toBeGreaterThan(2);
      await lossy.close();
    });

    it('counts the uses of all instances until the session is revoked', async () => {
      const proposed = propose();
      const [one, two] = [storeOf(client, 'one'), storeOf(other, 'two')];
      await one.open(proposed, keys, proposed.startedAt);
      const at = proposed.startedAt + MINUTE;
      const touches = Array.from({ length: 10 }, (_, index) =>
        turn([one, two], index).touch(proposed.id, at, 2),
      );
      expect(new Set(await Promise.all(touches))).toEqual(new Set(['updated']));
      expect((await one.read(proposed.id, keys))?.session.requestCount).toBe(21);
      const revocation = { n: 3, by: 'olivia', reason: 'lost a laptop' };
      expect(await two.revoke(proposed.id, at, revocation)).toBe('updated');
      expect(await one.touch(proposed.id, at, 1)).toBe('not-active');
      expect(await one.expire(proposed.id, at, 1)).toBe('not-active');
      expect(await one.revoke(proposed.id, at, revocation)).toBe('not-active');
      expect(await one.read(proposed.id, keys)).toMatchObject({
        status: 'revoked',
        genuine: true,
        revokedBy: 'olivia',
        session: { requestCount: 21 },
      });
    });

    it('does not touch a row that is not there', async () => {
      expect(await storeOf(client, 'one').touch(newHexId(), Date.now(), 1)).toBe('not-active');
    });

    it('gives the slot to the next session when the session has ended, or was freed by its owner', async () => {
      const store = storeOf(client, 'one');
      const first = propose();
      await store.open(first, keys, first.startedAt);
      const second = { ...first, id: newHexId() };
      expect((await store.open(second, keys, first.startedAt)).id).toBe(first.id);
      await store.free(second);
      expect((await store.open(second, keys, first.startedAt)).id, 'freed by another').toBe(
        first.id,
      );
      await store.free(first);
      expect((await store.open(second, keys, first.startedAt)).id).toBe(second.id);
      const third = {
        ...first,
        id: newHexId(),
        startedAt: second.endsAt,
        endsAt: second.endsAt + MINUTE,
      };
      expect((await store.open(third, keys, second.endsAt)).id).toBe(third.id);
    });

    it('finds sessions by the indexes, page by page, the latest first', async () => {
      const user = newHexId();
      const store = storeOf(client, 'one');
      const directory = directoryOf(other, store);
      const wanted = Array.from({ length: 130 }, (_, index) => {
        const session = propose(user);
        return { ...session, label: `l-${index}`, startedAt: session.startedAt - index * 1_000 };
      });
      for (const session of wanted) await store.open(session, keys, session.startedAt);
      const query = { ...ALL_SESSIONS, user, profile: 'dev', status: 'active' } as const;
      const first = await directory.list(query, keys, undefined, all);
      const second = await directory.list(query, keys, first?.next, all);
      expect([first?.rows.length, second?.rows.length, second?.next]).toEqual([100, 30, undefined]);
      const found = [...(first?.rows ?? []), ...(second?.rows ?? [])].map(
        ({ session }) => session.id,
      );
      expect(found).toEqual(wanted.map(({ id }) => id));
      const none = await directory.list(
        { ...ALL_SESSIONS, user, profile: 'prod' },
        keys,
        undefined,
        all,
      );
      expect(none).toEqual({ rows: [], next: undefined });
    });

    it('lists the sessions of several days from all shards, each once', async () => {
      const store = storeOf(client, 'one');
      const directory = directoryOf(other, store);
      const day = 24 * 60 * MINUTE;
      const until = Date.now() - 3 * day;
      const profile = newHexId();
      const wanted = Array.from({ length: 230 }, (_, index) => {
        // Many sessions of one moment, and on both sides of midnight.
        const startedAt = until - 1 - Math.floor(index / 3) * 37 * MINUTE;
        return { ...propose(), profile, startedAt, endsAt: startedAt + day };
      });
      for (const session of wanted) await store.open(session, keys, session.startedAt);
      const found: Session[] = [];
      let next: string | undefined;
      do {
        const page = await directory.list(
          { ...ALL_SESSIONS, until },
          keys,
          next,
          ({ session }) => session.profile === profile,
        );
        expect((page?.rows.length ?? 101) <= 100).toBe(true);
        found.push(...(page?.rows ?? []).map(({ session }) => session));
        next = page?.next;
      } while (next !== undefined);
      expect(found.map(({ id }) => id).toSorted()).toEqual(wanted.map(({ id }) => id).toSorted());
      expect(found.map(({ startedAt }) => startedAt)).toEqual(
        wanted.map(({ startedAt }) => startedAt),
      );
    });

    it('takes one of a thousand places for a label, and no more on any instance', async () => {
      const { subject, endsAt } = propose();
      const now = Date.now();
      const live = Object.fromEntries(
        Array.from({ length: 990 }, (_, n) => [`/held-${n}`, { N: `${endsAt}` }]),
      );
      function of(label: string) {
        return { subject, profile: 'dev', label, endsAt };
      }
      const places = [createLabelPlaces(client, guard), createLabelPlaces(other, guard)] as const;
      await places[0].take(of('first'), now);
      const id = `labels#${createHash('sha256')
        .update(JSON.stringify([subject, 'dev']))
        .digest('hex')}`;
      const there = await readItem({ client: other, name: guard, deadline: 3_000 }, id);
      expect(there?.['live']?.M).toEqual({ '/first': { N: `${endsAt}` } });
      const Item = { ...there, id: { S: id }, live: { M: { ...there?.['live']?.M, ...live } } };
      await client.send(
        new BatchWriteItemCommand({ RequestItems: { [guard]: [{ PutRequest: { Item } }] } }),
      );
      const rush = await Promise.all(
        Array.from({ length: 30 }, (_, n) => turn(places, n).take(of(`l-${n}`), now)),
      );
      expect(rush.filter(({ ok }) => ok)).toHaveLength(9);
      await places[1].free(of('first'));
      expect((await places[0].take(of('freed'), now)).ok).toBe(true);
      expect((await places[0].take({ ...of('late'), endsAt: endsAt + 1 }, endsAt - 1)).ok).toBe(
        false,
      );
      expect((await places[0].take({ ...of('late'), endsAt: endsAt + 1 }, endsAt)).ok).toBe(true);
      expect(
        Object.keys(
          (await readItem({ client: other, name: guard, deadline: 3_000 }, id))?.['live']?.M ?? {},
        ),
      ).toEqual(['/late']);
    });

    it('lists sessions without an error, whatever the bounds and the token', async () => {
      const user = newHexId();
      const store = storeOf(client, 'one');
      const directory = directoryOf(client, store);
      const proposed = propose(user);
      await store.open(proposed, keys, proposed.startedAt);
      const at = new Date(proposed.startedAt).toISOString();
      function tokenOf(within: object, more: object): string {
        const place = {
          mark: markOf({ ...ALL_SESSIONS, user, ...within }, 'user'),
          leg: '',
          at,
          ids: [proposed.id],
          ...more,
        };
        return Buffer.from(JSON.stringify(place)).toString('base64url');
      }
      const [never, ever] = ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'].map(Date.parse);
      const bounds = [
        undefined,
        never,
        0,
        proposed.startedAt - 1,
        proposed.startedAt,
        proposed.startedAt + 1,
        ever,
      ];
      const places = [
        {},
        { ids: ['x'.repeat(48)] },
        { ids: ['x'.repeat(49)] },
        { ids: [''] },
        { ids: [] },
        { ids: ['\ud83d'] },
        { ids: ['\u0000'] },
        { at: '', ids: [] },
        { at: '5' },
        { at: `5${'x'.repeat(39)}` },
        { at: `5${'x'.repeat(40)}` },
        { at: 'x' },
        { mark: markOf({ ...ALL_SESSIONS, user: 'another' }, 'user') },
      ];
      const counts = new Map<string, number>();
      for (const since of bounds) {
        for (const until of bounds) {
          const within = { since, until };
          for (const token of [undefined, ...places.map((more) => tokenOf(within, more))]) {
            const page = await directory.list(
              { ...ALL_SESSIONS, user, ...within },
              keys,
              token,
              all,
            );
            const what = page === undefined ? 'refused' : `${page.rows.length}`;
            counts.set(what, (counts.get(what) ?? 0) + 1);
          }
        }
      }
      expect([...counts.keys()].toSorted()).toEqual(['0', '1', 'refused']);
    });

    it('finds by the index what Sentinel’s own CLI revoked', async () => {
      const proposed = propose();
      await storeOf(client, 'one').open(proposed, keys, proposed.startedAt);
      await storeOf(client, 'one').revoke(proposed.id, Date.now(), {
        n: 9,
        by: 'x',
        reason: 'of the log',
      });
      const item = await readItem({ client: client, name: sessions, deadline: 3_000 }, proposed.id);
      const { revocation: _, ...foreign } = { ...item };
      const Item = { ...foreign, id: { S: newHexId() }, profile: { S: 'prod' } };
      await client.send(
        new BatchWriteItemCommand({ RequestItems: { [sessions]: [{ PutRequest: { Item } }] } }),
      );
      const known = createForeignRevocations(other, sessions);
      await known.read(Date.now());
      const { user, principal, subject } = proposed;
      const caller = { name: user, storedName: user, principal, subject };
      expect(known.ofVend(caller, 'prod', Date.now())).toMatchObject({
        target: { kind: 'session', profile: 'prod' },
      });
      expect(known.ofVend(caller, 'dev', Date.now()), 'stands in the log').toBeUndefined();
    });
  });

  describe('createRevocationLog', () => {
    const sealing: SealingKey = { id: 'k', key: randomBytes(32), activeFrom: 0 };

    function entryOf(value: string, reason = 'a reason') {
      const target = { kind: 'user', value } as const;
      const more = {
        by: 'olivia',
        byPrincipal: 'p',
        createdAt: Date.now(),
        until: undefined,
        own: false,
      };
      return { what: 'revoke', target, reason, ...more } as const;
    }

    function logOf(of: DynamoDBClient) {
      function sealingKeys() {
        return new Map([[sealing.id, sealing]]);
      }
      const log = createRevocationLog({
        client: of,
        table: revocations,
        guard,
        sealingKeys,
        clock: Date.now,
      });
      async function entryAt(n: number) {
        const item = await log.read(n);
        return item === undefined ? undefined : log.understand(item);
      }
      return { ...log, append: createRevocationWriter(log, () => undefined), entryAt };
    }

    it('numbers without a gap what instances append at once, and loses nothing', async () => {
      const [one, two] = [logOf(client), logOf(other)];
      const { n: head } = await one.readHead();
      const names = Array.from({ length: 16 }, () => newHexId());
      const written = await Promise.all(
        names.map((name, index) => turn([one, two], index).append(entryOf(name))),
      );
      const numbers = written.map(({ n }) => n).toSorted((a, b) => a - b);
      expect(numbers).toEqual(names.map((_, index) => head + 1 + index));
      expect(await two.readHead()).toMatchObject({ n: head + names.length, genuine: true });
      for (const entry of written)
        expect(await two.entryAt(entry.n)).toMatchObject({ entry, genuine: true });
      expect(await one.read(head + names.length + 1)).toBeUndefined();
      expect(await one.readMirror()).toEqual({ n: head + names.length, signed: true });
    });

    it('appends once when the first answer is lost', async () => {
      const log = logOf(client);
      const { n: head } = await log.readHead();
      let calls = 0;
      const wire = await startFake(async (body, incoming) => {
        const answer = await forward(Number(new URL(local.url).port), body, incoming);
        const isEntry =
          body.includes(`rev#${head + 1}`) && body.includes('attribute_not_exists(id)');
        if (isEntry) calls += 1;
        return isEntry && calls === 1 ? 'close' : answer;
      });
      const lossy = clientOf(wire.url);
      expect((await logOf(lossy).append(entryOf('once'))).n).toBe(head + 1);
      expect(calls).toBe(2);
      expect(await log.read(head + 2)).toBeUndefined();
      lossy.destroy();
      await wire.close();
    });

    it('raises the head and never lowers it, and corrects a head that others wrote', async () => {
      const log = logOf(client);
      const { n } = await log.append(entryOf('head'));
      await log.raiseHead(n - 1);
      expect(await log.readHead()).toMatchObject({ n });
      const forged = { id: { S: 'head' }, n: { S: 'x' } };
      await client.send(
        new BatchWriteItemCommand({
          RequestItems: { [revocations]: [{ PutRequest: { Item: forged } }] },
        }),
      );
      expect(await log.readHead()).toMatchObject({ n: 0, genuine: false });
      await log.raiseHead(n);
      expect(await log.readHead()).toMatchObject({ n, genuine: true });
    });

    it('closes lifted entries under a signature, and puts aside what cannot be verified', async () => {
      const log = logOf(client);
      const { n } = await log.append(entryOf('lifted'));
      const written = await log.append({ what: 'lift', lifts: n, sealing });
      await log.close(n, written.n, sealing);
      expect(await log.entryAt(written.n)).toMatchObject({
        entry: { what: 'lift', lifts: n },
        genuine: true,
      });
      expect(await log.entryAt(n)).toMatchObject({ closed: true, genuine: true });
      expect(await log.silence(n, undefined), 'it is there').toBe('refused');
      expect(await log.silence(n, await log.read(n))).toBe('done');
      expect(await log.entryAt(n)).toMatchObject({ entry: { what: 'void' }, genuine: true });
    });

    it('names numbers as gone, once for each version, and deletes them', async () => {
      const log = logOf(client);
      const { n } = await log.append(entryOf('gone'));
      const { version, item } = await log.readCompaction();
      expect(await log.writeCompaction(version + 1, [[n, n]], item)).toBe(true);
      expect(await log.writeCompaction(version + 1, [[n, n]], item), 'by another instance').toBe(
        false,
      );
      expect(await log.readCompaction()).toMatchObject({
        version: version + 1,
        ranges: [[n, n]],
        genuine: true,
      });
      expect(await log.remove(n)).toBe('done');
      expect(await log.remove(n)).toBe('refused');
    });

    it('reads the whole log, beyond the megabyte of one page', async () => {
      const log = logOf(client);
      async function readAll(): Promise<readonly number[]> {
        const numbers: number[] = [];
        for await (const items of log.scan()) {
          for (const item of items) numbers.push(...[log.understand(item)?.entry.n ?? []].flat());
        }
        return numbers;
      }
      const before = (await readAll()).length;
      const { n } = await log.append(entryOf('large'));
      const item = await log.read(n);
      const numbers = Array.from({ length: 600 }, (_, index) => 1_000_000 + index);
      for (let from = 0; from < numbers.length; from += 25) {
        const puts = numbers.slice(from, from + 25).map((number) => ({
          PutRequest: {
            Item: {
              ...item,
              id: { S: `rev#${number}` },
              n: { N: `${number}` },
              reason: { S: 'x'.repeat(2_500) },
            },
          },
        }));
        await client.send(new BatchWriteItemCommand({ RequestItems: { [revocations]: puts } }));
      }
      const all = await readAll();
      expect(all).toHaveLength(before + 1 + numbers.length);
      expect(new Set(all).size).toBe(all.length);
    });
  });

  it('keeps what instances write at once into the list of vended roles', async () => {
    const faults: unknown[] = [];
    function onFault(error: unknown) {
      return void faults.push(error);
    }
    function rolesOf(of: DynamoDBClient) {
      return createVendedRoles({ client: of, table: guard, clock: Date.now, onFault });
    }
    const [one, two] = [rolesOf(client), rolesOf(other)];
    await Promise.all([one.remember(['role-a', 'role-b']), two.remember(['role-b', 'role-c'])]);
    expect([...(await rolesOf(client).remember([]))].toSorted()).toEqual([
      'role-a',
      'role-b',
      'role-c',
    ]);
    expect(faults).toEqual([]);
  });

  it('keeps the first setting of names, and no instance serves under another', async () => {
    const told: string[] = [];
    function onMismatch(sentence: string) {
      return void told.push(sentence);
    }
    function settingOf(of: DynamoDBClient, bareNames: 'key' | 'sso') {
      return createNamesSetting({ client: of, table: guard, bareNames, onMismatch });
    }
    await settingOf(client, 'key')();
    await settingOf(other, 'key')();
    await expect(settingOf(other, 'sso')()).rejects.toThrow(/SENTINEL_BARE_NAMES/u);
    expect(told).toHaveLength(1);
  });

  it('lets one holder at a time have a lease, which is free again afterwards', async () => {
    function sleep(ms: number) {
      return new Promise((wake) => setTimeout(wake, ms));
    }
    function leaseOf(of: DynamoDBClient) {
      return createLease({
        client: of,
        table: guard,
        clock: Date.now,
        monotonic: () => performance.now(),
        sleep,
      });
    }
    const [one, two] = [leaseOf(client), leaseOf(other)];
    let inside = 0;
    let most = 0;
    const name = newHexId();
    async function work(): Promise<string> {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(20);
      inside -= 1;
      return 'done';
    }
    const runs = await Promise.all(
      Array.from({ length: 6 }, (_, index) => turn([one, two], index)(name, 20_000, work)),
    );
    expect(runs).toEqual(Array.from({ length: 6 }, () => 'done'));
    expect(most).toBe(1);
    let finish: () => void = () => undefined;
    const held = one(name, 1_000, () => new Promise<void>((resolve) => (finish = resolve)));
    await expect
      .poll(
        async () =>
          (await readItem({ client: other, name: guard, deadline: 3_000 }, `lease#${name}`))?.[
            'holder'
          ]?.S,
      )
      .toBeDefined();
    expect(await two(name, 0, work)).toBe('busy');
    finish();
    await held;
  });
});

/** The sources with the embedded AWS, but with AWS's DynamoDB Local. */
async function startOnDynamoDbLocal() {
  const database = await startDynamoDbLocal();
  const desk = await startDesk();
  const tables = clientOf(database.url);
  for (const definition of tableDefinitions(DEFAULT_TABLE_NAMES))
    await seedTable(tables, definition);
  const tvm = await startTvm(desk.url, {
    environment: { AWS_ENDPOINT_URL_DYNAMODB: database.url },
  });
  async function close(): Promise<void> {
    await tvm.close();
    tables.destroy();
    await desk.close();
    await database.close();
  }
  return { ...tvm, awsEndpoint: desk.url, close };
}

describeConformance('the sources on DynamoDB Local', startOnDynamoDbLocal, lacking);

describe.skipIf(lacking !== undefined)('a TVM on DynamoDB Local', () => {
  it('continues a session, revokes it, and refuses its caller from then on', async () => {
    const tvm = await startOnDynamoDbLocal();
    const id = await openSession(tvm);
    expect(await openSession(tvm)).toBe(id);
    expect((await call(tvm, { path: `/sessions/${id}` })).json).toMatchObject({ id, active: true });
    await revoke(tvm, 'session', id);
    expect(await vend(tvm)).toBe(REVOKED);
    expect((await call(tvm, { path: `/sessions/${id}` })).json).toMatchObject({
      active: false,
      status: 'revoked',
    });
    await tvm.close();
  });
});
