import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TABLE_NAMES, tableDefinitions } from '../../src/aws/tables.ts';
import { seedTable } from '../../src/local/seed.ts';
import { ALL_SESSIONS, type SessionQuery, type Way } from '../../src/sessions/list-plan.ts';
import { markOf } from '../../src/sessions/list-token.ts';
import { signSession, toSessionItem, type Session } from '../../src/sessions/session.ts';
import { revoke, tableOf, useDesk } from '../revocations/support.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { startTvm, type RunningTvm } from '../support/tvm.ts';
import { call, forward, queryOf, startFake, type Call, type FakeAnswer } from './support.ts';

/** `GET /sessions`: its queries and pages, and that no mistake of a caller looks like an outage. */
const OPERATORS = `version: "1"
rules:
  - name: security-desk
    users: [olivia]
    actions: [list, revoke, lift]
`;

const SEALING = { id: 'local', key: randomBytes(32), activeFrom: 0 };
const KEYS = new Map([[SEALING.id, SEALING]]);

const world = useDesk({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '100000' } }, async (desk) => {
  await desk.put('/sentinel/operators', OPERATORS);
  const key = JSON.stringify({ key: Buffer.from(SEALING.key).toString('base64') });
  await desk.put('/sentinel-secrets/keys/local', key, 'SecureString');
});

const DAY = 86_400_000;
const FIRST = Date.parse('2026-01-01T00:00:00Z');
const ROWS = 130;

function idOf(index: number): string {
  return index.toString(16).padStart(16, '0');
}

/** Rows as Sentinel's own server writes them, an hour apart. */
beforeAll(async () => {
  const table = tableOf(world.client, 'sessions');
  for (let index = 0; index < ROWS; index += 1) {
    const at = new Date(FIRST + index * 3_600_000).toISOString();
    await table.put({
      id: { S: idOf(index) },
      user: { S: 'key/mallory' },
      profile: { S: 'dev' },
      status: { S: 'expired' },
      created_at: { S: at },
      started_at: { S: at },
      expires_at: { S: at },
    });
  }
});

const HOUR = 3_600_000;
const BEGUN = Date.now() - 60_000;

/**
 * Sessions of trudy on prod, as the TVM writes them, an hour apart. The first eight are live; none
 * was swept.
 */
const SESSIONS = Array.from({ length: ROWS }, (_, hours): Session => {
  const startedAt = BEGUN - hours * HOUR;
  return {
    id: `${(hours % 16).toString(16)}${idOf(hours + 1_000).slice(1)}`,
    subject: 'sentinel:key/TRUDY',
    principal: 'sentinel:key/TRUDY',
    user: 'key/trudy',
    account: '000000000000',
    profile: 'prod',
    label: '',
    grant: '',
    startedAt,
    endsAt: startedAt + 8 * HOUR,
    lastAccessAt: startedAt,
    requestCount: 1,
    sourceIdentity: 'x',
  };
});

/** Some sessions that ended long ago were revoked before their end. */
function isRevoked(index: number): boolean {
  return index > 30 && index % 10 === 5;
}

beforeAll(async () => {
  const table = tableOf(world.client, 'sessions');
  for (const [index, session] of SESSIONS.entries()) {
    const item = toSessionItem(session, signSession(session, KEYS, BEGUN) ?? '', 'i');
    await table.put({ ...item, ...(isRevoked(index) ? { status: { S: 'revoked' } } : {}) });
  }
});

type Fields = Readonly<Record<string, string>>;

function list(
  fields: Fields,
  as: Call['as'] = 'olivia',
  tvm: RunningTvm = world.tvm,
): Promise<RawAnswer> {
  return call(tvm, {
    path: '/sessions',
    query: queryOf(fields),
    ...(as === undefined ? {} : { as }),
  });
}

function idsOf({ json }: RawAnswer): readonly string[] {
  return (json['sessions'] as { id: string }[]).map(({ id }) => id);
}

/** All ids of a query, page by page. */
async function walk(fields: Fields, tvm: RunningTvm = world.tvm): Promise<readonly string[]> {
  const ids: string[] = [];
  let next: string | undefined;
  do {
    const answer = await list(
      { ...fields, ...(next === undefined ? {} : { next_token: next }) },
      'olivia',
      tvm,
    );
    expect(answer.status, answer.body).toBe(200);
    ids.push(...idsOf(answer));
    next = answer.json['next_token'] as string | undefined;
  } while (next !== undefined);
  return ids;
}

function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString(
    'base64url',
  );
}

function decode(token: string) {
  return JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, unknown>;
}

async function tokenOf(fields: Fields): Promise<string> {
  return String((await list(fields)).json['next_token']);
}

describe('GET /sessions: 200', () => {
  it.each<[string, Fields]>([
    ['by user', { user: 'mallory' }],
    ['by user and profile', { user: 'mallory', profile: 'dev' }],
    ['by profile', { profile: 'dev' }],
    [
      'by profile and time',
      { profile: 'dev', since: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' },
    ],
  ])('gives each row once over all pages, %s', async (_, fields) => {
    const ids = await walk(fields);
    expect(ids).toEqual(Array.from({ length: ROWS }, (_row, index) => idOf(ROWS - 1 - index)));
  });

  /** The status that is shown of each of the TVM's own sessions. */
  function shown(index: number): string {
    if (isRevoked(index)) return 'revoked';
    return index < 8 ? 'active' : 'expired';
  }

  it.each(['active', 'expired', 'revoked'])(
    'lists for status=%s the sessions that are shown so, swept or not',
    async (status) => {
      const expected = SESSIONS.filter((_, index) => shown(index) === status).map(({ id }) => id);
      for (const more of [
        {},
        { user: 'trudy' },
        { profile: 'prod' },
        { user: 'trudy', profile: 'prod' },
      ]) {
        expect(await walk({ status, ...more }), JSON.stringify(more)).toEqual(expected);
      }
    },
  );

  it('lists all of the TVM’s own sessions, the newest first, with their statuses', async () => {
    expect(await walk({})).toEqual(SESSIONS.map(({ id }) => id));
    const first = await list({});
    const statuses = (first.json['sessions'] as { status: string }[]).map(({ status }) => status);
    expect(statuses).toEqual(Array.from({ length: 100 }, (_, index) => shown(index)));
  });

  it('shows a session as revoked at once, also on a cached page', async () => {
    const session = {
      ...SESSIONS[3],
      id: 'fedcba9876543210',
      user: 'key/bob',
      subject: 'sentinel:key/TVMDEMOBOB',
    } as Session;
    await tableOf(world.client, 'sessions').put(
      toSessionItem(session, signSession(session, KEYS, BEGUN) ?? '', 'i'),
    );
    expect(idsOf(await list({ user: 'bob', status: 'active' }))).toEqual([session.id]);
    await revoke(world.tvm, 'user', 'bob');
    expect(idsOf(await list({ user: 'bob', status: 'active' }))).toEqual([]);
    expect(idsOf(await list({ user: 'bob', status: 'revoked' }))).toEqual([session.id]);
    await tableOf(world.client, 'sessions').remove(session.id);
  });

  it('includes the time of since, and excludes that of until', async () => {
    const fields = {
      user: 'mallory',
      since: '2026-01-01T02:00:00Z',
      until: '2026-01-01T05:00:00Z',
    };
    expect(await walk(fields)).toEqual([idOf(4), idOf(3), idOf(2)]);
  });

  it.each<[string, Fields]>([
    ['until the epoch', { until: '1970-01-01T00:00:00Z' }],
    ['until the first second of the year 0', { until: '0000-01-01T00:00:01Z' }],
    ['until the year 0', { until: '0000-01-01T00:00:00Z' }],
    ['since the last second of the year 9999', { since: '9999-12-31T23:59:59Z' }],
    [
      'within a second before all rows',
      { since: '1969-12-31T23:59:59Z', until: '1970-01-01T00:00:00Z' },
    ],
    ['of a user that does not exist', { user: 'no such user' }],
    ['of a user of another account', { user: '111122223333:user/mallory' }],
    ['of a profile that does not exist', { profile: 'no/such.profile' }],
  ])('gives an empty page %s', async (_, fields) => {
    for (const base of [
      { user: 'mallory' },
      { profile: 'dev' },
      { profile: 'dev', status: 'expired' },
    ]) {
      const answer = await list({ ...base, ...fields });
      expect([answer.status, answer.json], answer.body).toEqual([200, { sessions: [] }]);
    }
  });
});

function INVALID(field: string) {
  return [400, 'ValidationError', field];
}
function verdict({ status, json }: RawAnswer) {
  return [status, json['error'], json['field']];
}

describe('GET /sessions: 400', () => {
  it.each<[string, Fields]>([
    ['since', { since: '2026-01-02T00:00:00Z', until: '2026-01-01T00:00:00Z' }],
    ['since', { since: '2026-01-01T00:00:00Z', until: '2026-01-01T00:00:00Z' }],
    ['since', { since: '9999-12-31T23:59:59Z', until: '0000-01-01T00:00:00Z' }],
    ['since', { since: '+275760-09-13T00:00:00Z' }],
    ['until', { until: '+275760-09-13T00:00:00Z' }],
    ['until', { until: '+010000-01-01T00:00:00Z' }],
    ['until', { until: '-000001-01-01T00:00:00Z' }],
    ['until', { until: '2026-02-30T00:00:00Z' }],
    ['until', { until: '2026-01-01T24:00:00Z' }],
    ['until', { until: '2026-01-01T00:00:00.000Z' }],
    ['until', { until: '2026-01-01T00:00:00z' }],
    ['until', { until: '' }],
    ['user', { user: '' }],
    ['user', { user: 'x'.repeat(1_025) }],
    ['user', { user: 'mal\u202elory' }],
    ['user', { user: 'mal\nlory' }],
    ['profile', { profile: '' }],
    ['profile', { profile: '..' }],
    ['profile', { profile: 'x'.repeat(257) }],
    ['profile', { profile: 'dev&' }],
    ['status', { status: 'unknown' }],
    ['status', { status: '' }],
    ['next_token', { next_token: '' }],
  ])('names %s in %j', async (field, fields) => {
    for (const as of ['olivia', 'alice'] as const) {
      const answer = await list(fields, as);
      expect(verdict(answer), answer.body).toEqual(INVALID(field));
    }
  });

  it('refuses a token of another query, user or time range', async () => {
    const token = await tokenOf({ user: 'mallory' });
    const others: readonly Fields[] = [
      { profile: 'dev' },
      { status: 'expired' },
      { user: 'alice' },
      { user: 'mallory', until: '2025-01-01T00:00:00Z' },
      { user: 'mallory', since: '2027-01-01T00:00:00Z' },
    ];
    for (const fields of others) {
      const answer = await list({ ...fields, next_token: token });
      expect(verdict(answer), answer.body).toEqual(INVALID('next_token'));
    }
    const own = await list({ next_token: token }, 'alice');
    expect(verdict(own), own.body).toEqual(INVALID('next_token'));
  });

  it('refuses forged tokens without a query to DynamoDB', async () => {
    const plain = decode(await tokenOf({ user: 'mallory' }));
    const { mark, leg, at, ids } = plain;
    const forged: readonly unknown[] = [
      {},
      [],
      null,
      7,
      'text',
      [plain],
      { ...plain, more: 'x' },
      { mark, at, ids },
      { mark, leg, at },
      { ...plain, ids: [] },
      { ...plain, ids: ['', ''] },
      { ...plain, ids: [1] },
      { ...plain, ids: [null] },
      { ...plain, ids: [{ S: 'x' }] },
      { ...plain, ids: ['x'.repeat(49)] },
      { ...plain, ids: ['\ud83d'] },
      { ...plain, ids: 'x' },
      { ...plain, at: '' },
      { ...plain, at: 'z' },
      { ...plain, at: '-000001' },
      { ...plain, at: `2026${'0'.repeat(1_024)}` },
      { ...plain, leg: '2026-01-01' },
      { ...plain, mark: '' },
      { ...plain, mark: 7 },
      { id: idOf(3), created_at: '2026-01-03T00:00:00.000Z', user: 'key/mallory' },
      `{"mark":"${String(mark)}","mark":"${String(mark)}","leg":"","at":"","ids":[]}`,
      `{"mark":"${String(mark)}","leg":"","at":"","ids":[],"__proto__":1}`,
    ];
    for (const value of forged) {
      const answer = await list({ user: 'mallory', next_token: encode(value) });
      expect(verdict(answer), `${JSON.stringify(value)} ${answer.body}`).toEqual(
        INVALID('next_token'),
      );
    }
    for (const token of [
      '!',
      'AB',
      `${encode(plain)}=`,
      `${encode(plain)} `,
      'x'.repeat(4_000),
      '%',
    ]) {
      const answer = await list({ user: 'mallory', next_token: token });
      expect(verdict(answer), answer.body).toEqual(INVALID('next_token'));
    }
    expect(world.tvm.log()).not.toContain('cannot be read or written');
  });

  it('never answers 503 to any fields and tokens', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 });
    const day = fc
      .integer({
        min: Date.parse('0000-01-01T00:00:00Z') / DAY,
        max: Date.parse('9999-12-31T00:00:00Z') / DAY,
      })
      .map((days) => `${new Date(days * DAY).toISOString().slice(0, 19)}Z`);
    const opened = fc.oneof(text, day, fc.constant('2026-01-03T00:00:00.000Z'));
    const id = fc.oneof(text, fc.constant(idOf(3)), fc.constant(''));
    function start(query: Partial<SessionQuery>, way: Way, lanes: number) {
      return fc
        .record({
          leg: fc.oneof(
            day.map((of) => of.slice(0, 10)),
            fc.constant(''),
          ),
          at: opened,
          ids: fc.array(id, { minLength: lanes, maxLength: lanes }),
        })
        .map((place) => encode({ mark: markOf({ ...ALL_SESSIONS, ...query }, way), ...place }));
    }
    const fields = fc.record(
      {
        user: fc.oneof({ weight: 3, arbitrary: fc.constant('mallory') }, text),
        profile: fc.oneof(text, fc.constant('dev')),
        status: fc.constantFrom('active', 'expired', 'revoked'),
        since: fc.oneof({ weight: 3, arbitrary: day }, text),
        until: fc.oneof({ weight: 3, arbitrary: day }, text),
        next_token: fc.oneof(
          { weight: 3, arbitrary: start({ user: 'key/mallory' }, 'user', 1) },
          start({ profile: 'dev' }, 'profile', 1),
          start({ status: 'active' }, 'shard', 16),
          start({}, 'shard', 16),
          start({}, 'status', 3),
          text,
        ),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fields, async (given) => {
        const well = Object.fromEntries(
          Object.entries(given).map(([key, value]) => [key, value.toWellFormed()]),
        );
        const answer = await list(well);
        expect([200, 400], `${JSON.stringify(given)} ${answer.body}`).toContain(answer.status);
      }),
      { numRuns: 300 },
    );
  });
});

/**
 * A TVM whose queries of indexes go through a fake, which counts them and may answer in place of
 * DynamoDB.
 */
async function startCounted(
  fails: (body: string, query: number) => FakeAnswer | undefined = () => undefined,
) {
  const counts = { queries: 0 };
  const wire = world.kept(
    await startFake((body, incoming) => {
      // The feed queries an index, too, for sessions that Sentinel revoked.
      const isList = body.includes('"IndexName"') && !body.includes(':revoked');
      if (isList) counts.queries += 1;
      return (
        (isList ? fails(body, counts.queries) : undefined) ??
        forward(world.desk.port, body, incoming)
      );
    }),
  );
  const tvm = world.kept(
    await startTvm(world.desk.url, { environment: { AWS_ENDPOINT_URL_DYNAMODB: wire.url } }),
  );
  return { tvm, counts };
}

describe('GET /sessions: queries of DynamoDB', () => {
  it('makes at most 128 queries for a page, then gives a token', async () => {
    const { tvm, counts } = await startCounted();
    const since = `${new Date(BEGUN - 30 * DAY).toISOString().slice(0, 19)}Z`;
    const until = `${new Date(BEGUN - 7 * DAY).toISOString().slice(0, 19)}Z`;
    const empty = await list({ since, until }, 'olivia', tvm);
    expect([empty.status, empty.json['sessions']]).toEqual([200, []]);
    expect(empty.json['next_token']).toBeTypeOf('string');
    expect(counts.queries).toBe(128);
    expect(await walk({ since, until }, tvm)).toEqual([]);
    counts.queries = 0;
    expect(idsOf(await list({ status: 'active' }, 'olivia', tvm))).toHaveLength(8);
    expect(counts.queries).toBe(32);
  });

  it('makes one query for many equal requests', async () => {
    const { tvm, counts } = await startCounted();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => list({ user: 'mallory' }, 'olivia', tvm)),
    );
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(counts.queries).toBe(1);
  });

  it.each([
    ['the first query', (query: number) => query >= 1],
    ['one of many', (query: number) => query % 16 === 9],
  ])(
    'answers 503 with Retry-After when %s fails, and queries again at the next request',
    async (_, isDown) => {
      let broken = true;
      const { tvm } = await startCounted((_body, query) =>
        broken && isDown(query)
          ? { status: 400, body: '{"__type":"x#AccessDeniedException","message":"no"}' }
          : undefined,
      );
      const answer = await list({}, 'olivia', tvm);
      expect([answer.status, answer.json['error'], answer.headers['retry-after']]).toEqual([
        503,
        'ServiceUnavailable',
        '5',
      ]);
      broken = false;
      expect((await list({}, 'olivia', tvm)).status).toBe(200);
    },
  );
});

it('lists GET /sessions by gsi-status when the table has no gsi-shard, and logs that once', async () => {
  const [definition] = tableDefinitions({ ...DEFAULT_TABLE_NAMES, sessions: 'kept-sessions' });
  if (definition === undefined) throw new Error('no table');
  const { GlobalSecondaryIndexes, AttributeDefinitions, ...rest } = definition.create;
  await seedTable(world.client, {
    ...definition,
    create: {
      ...rest,
      AttributeDefinitions: AttributeDefinitions?.filter(
        ({ AttributeName }) => AttributeName !== 'shard',
      ),
      GlobalSecondaryIndexes: GlobalSecondaryIndexes?.filter(
        ({ IndexName }) => IndexName !== 'gsi-shard',
      ),
    },
  });
  const environment = { SENTINEL_SESSION_TABLE: 'kept-sessions' };
  const tvm = world.kept(await startTvm(world.desk.url, { environment }));
  expect((await call(tvm, { query: 'profile=dev' })).status).toBe(200);
  const [id] = await walk({}, tvm);
  expect(id).toMatch(/^[0-9a-f]{16}$/u);
  expect(await walk({ status: 'active' }, tvm)).toEqual([id]);
  expect(await walk({ status: 'expired' }, tvm)).toEqual([]);
  expect(tvm.log().match(/their table has no index gsi-shard/gu)).toHaveLength(1);
});
