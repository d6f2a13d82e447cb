import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { tableOf, useDesk } from '../revocations/support.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { call, queryOf, type Call } from './support.ts';

/** `GET /sessions`: what a caller may ask, and that no mistake of a caller looks like an outage. */
const OPERATORS = `version: "1"
rules:
  - name: security-desk
    users: [olivia]
    actions: [list, revoke, lift]
`;

const world = useDesk({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '100000' } }, (desk) =>
  desk.put('/sentinel/operators', OPERATORS),
);

const DAY = 86_400_000;
const FIRST = Date.parse('2026-01-01T00:00:00Z');
const ROWS = 130;

const idOf = (index: number): string => index.toString(16).padStart(16, '0');

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

type Fields = Readonly<Record<string, string>>;

const list = (fields: Fields, as: Call['as'] = 'olivia'): Promise<RawAnswer> =>
  call(world.tvm, { path: '/sessions', query: queryOf(fields), ...(as === undefined ? {} : { as }) });

const idsOf = ({ json }: RawAnswer): readonly string[] => (json['sessions'] as { id: string }[]).map(({ id }) => id);

/** All ids of a query, page by page. */
const walk = async (fields: Fields): Promise<readonly string[]> => {
  const ids: string[] = [];
  let next: string | undefined;
  do {
    const answer = await list({ ...fields, ...(next === undefined ? {} : { next_token: next }) });
    expect(answer.status, answer.body).toBe(200);
    ids.push(...idsOf(answer));
    next = answer.json['next_token'] as string | undefined;
  } while (next !== undefined);
  return ids;
};

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const decode = (token: string) => JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, string>;

const tokenOf = async (fields: Fields): Promise<string> => String((await list(fields)).json['next_token']);

describe('GET /sessions: 200', () => {
  it.each<[string, Fields]>([
    ['by user', { user: 'mallory' }],
    ['by user and profile', { user: 'mallory', profile: 'dev' }],
    ['by profile', { profile: 'dev', status: 'expired' }],
    ['by status', { status: 'expired' }],
    ['by status and time', { status: 'expired', since: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' }],
  ])('walks all pages %s, and gives each row once', async (_, fields) => {
    const ids = await walk(fields);
    expect(ids).toEqual(Array.from({ length: ROWS }, (_row, index) => idOf(ROWS - 1 - index)));
  });

  it('takes since as included and until as not', async () => {
    const fields = { user: 'mallory', since: '2026-01-01T02:00:00Z', until: '2026-01-01T05:00:00Z' };
    expect(await walk(fields)).toEqual([idOf(4), idOf(3), idOf(2)]);
  });

  it.each<[string, Fields]>([
    ['until the epoch', { until: '1970-01-01T00:00:00Z' }],
    ['until the first second that has a name', { until: '0000-01-01T00:00:01Z' }],
    ['until the year 0', { until: '0000-01-01T00:00:00Z' }],
    ['since the last second that has a name', { since: '9999-12-31T23:59:59Z' }],
    ['within a second before all rows', { since: '1969-12-31T23:59:59Z', until: '1970-01-01T00:00:00Z' }],
    ['of a user that nobody is', { user: 'no such user' }],
    ['of a user of another account', { user: '111122223333:user/mallory' }],
    ['of a profile that is none', { profile: 'no/such.profile' }],
  ])('is an empty page %s', async (_, fields) => {
    for (const base of [{ user: 'mallory' }, { profile: 'dev' }, { status: 'expired' }]) {
      const answer = await list({ ...base, ...fields });
      expect([answer.status, answer.json], answer.body).toEqual([200, { sessions: [] }]);
    }
  });
});

const INVALID = (field: string) => [400, 'ValidationError', field];
const verdict = ({ status, json }: RawAnswer) => [status, json['error'], json['field']];

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
  ])('%s in %j is refused by name', async (field, fields) => {
    for (const as of ['olivia', 'alice'] as const) {
      const answer = await list(fields, as);
      expect(verdict(answer), answer.body).toEqual(INVALID(field));
    }
  });

  it('refuses a token of another query, of another user, or of other bounds', async () => {
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

  it('refuses what was forged, and DynamoDB is not asked', async () => {
    const plain = decode(await tokenOf({ user: 'mallory' }));
    const forged: readonly unknown[] = [
      {},
      [],
      null,
      7,
      'text',
      [plain],
      { ...plain, more: 'x' },
      { id: plain['id'], user: plain['user'] },
      { ...plain, id: '' },
      { ...plain, id: 1 },
      { ...plain, id: null },
      { ...plain, id: { S: 'x' } },
      { ...plain, id: 'x'.repeat(2_049) },
      { ...plain, id: '\ud83d' },
      { ...plain, created_at: '' },
      { ...plain, created_at: 'z' },
      { ...plain, created_at: '-000001' },
      { ...plain, created_at: `2026${'0'.repeat(1_024)}` },
      { ...plain, user: 'key/alice' },
      { id: plain['id'], created_at: plain['created_at'], User: 'key/mallory' },
      { id: plain['id'], created_at: plain['created_at'], profile: 'dev' },
      `{"id":"a","id":"b","created_at":"2026-01-01","user":"key/mallory"}`,
      '{"id":"a","created_at":"2026-01-01","__proto__":"key/mallory"}',
    ];
    for (const value of forged) {
      const answer = await list({ user: 'mallory', next_token: encode(value) });
      expect(verdict(answer), `${JSON.stringify(value)} ${answer.body}`).toEqual(INVALID('next_token'));
    }
    for (const token of ['!', 'AB', `${encode(plain)}=`, `${encode(plain)} `, 'x'.repeat(4_000), '%']) {
      const answer = await list({ user: 'mallory', next_token: token });
      expect(verdict(answer), answer.body).toEqual(INVALID('next_token'));
    }
    expect(world.tvm.log()).not.toContain('cannot be read or written');
  });

  it('never answers with an outage, whatever the fields and the token', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 });
    const day = fc
      .integer({ min: Date.parse('0000-01-01T00:00:00Z') / DAY, max: Date.parse('9999-12-31T00:00:00Z') / DAY })
      .map((days) => `${new Date(days * DAY).toISOString().slice(0, 19)}Z`);
    const opened = fc.oneof(text, day, fc.constant('2026-01-03T00:00:00.000Z'));
    const start = fc.record({ id: fc.oneof(text, fc.constant(idOf(3))), created_at: opened });
    const fields = fc.record(
      {
        user: fc.oneof({ weight: 3, arbitrary: fc.constant('mallory') }, text),
        profile: fc.oneof(text, fc.constant('dev')),
        status: fc.constantFrom('active', 'expired', 'revoked'),
        since: fc.oneof({ weight: 3, arbitrary: day }, text),
        until: fc.oneof({ weight: 3, arbitrary: day }, text),
        next_token: fc.oneof(
          { weight: 3, arbitrary: start.map((keys) => encode({ ...keys, user: 'key/mallory' })) },
          start.map((keys) => encode({ ...keys, profile: 'dev' })),
          start.map((keys) => encode({ ...keys, status: 'active' })),
          text,
        ),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fields, async (given) => {
        const well = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, value.toWellFormed()]));
        const answer = await list(well);
        expect([200, 400], `${JSON.stringify(given)} ${answer.body}`).toContain(answer.status);
      }),
      { numRuns: 300 },
    );
  });
});
