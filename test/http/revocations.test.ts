import { describe, expect, it } from 'vitest';
import { lift, listed, openSession, revoke, send, useDesk } from '../revocations/support.ts';
import { call } from './support.ts';

/** The shapes, bounds and errors of the endpoints under `/revocations`. */
const OPERATORS = `version: "1"
rules:
  - name: security-desk
    users: [olivia]
    actions: [list, revoke, explain, lift]
  - name: vault-desk
    users: [bob]
    actions: [list, revoke, lift]
    profiles: [vault]
`;

const world = useDesk({}, (desk) => desk.put('/sentinel/operators', OPERATORS));

function records() {
  return world.tvm.audit.filter(({ event }) => event === 'revocation');
}

const good = { kind: 'user', value: 'mallory', reason: 'laptop stolen' };
function soon(ms = 3_600_000): string {
  return `${new Date(Date.now() + ms).toISOString().slice(0, 19)}Z`;
}

describe('POST /revocations: 201', () => {
  it.each([
    ['user', 'mallory'],
    ['user', '111122223333:role/deploy'],
    ['principal', 'sentinel:key/TVMDEMOMALLORY'],
    ['principal', 'arn:aws:iam::000000000000:role/deploy'],
    ['profile', 'team/vault-2'],
  ])('revokes the %s %s, and shows it in the answer and in the list', async (kind, value) => {
    const answer = await send(world.tvm, '/revocations', { ...good, kind, value });
    expect(answer.status, answer.body).toBe(201);
    const revocation = { ...answer.json };
    delete revocation['warning'];
    expect(revocation).toEqual({
      id: expect.stringMatching(/^[1-9]\d*$/u),
      kind,
      value,
      reason: 'laptop stolen',
      by: 'olivia',
      by_principal: 'sentinel:key/TVMDEMOOLIVIA',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u),
    });
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json',
    });
    expect(await listed(world.tvm)).toEqual([revocation]);
    expect(records()).toEqual([
      expect.objectContaining({
        type: 'audit',
        action: 'revoked',
        effect: 'allow',
        user: 'olivia',
        principal: 'sentinel:key/TVMDEMOOLIVIA',
        via: 'key',
        source_ip: '127.0.0.1',
        http_request_id: answer.headers['x-request-id'],
        revocation_id: answer.json['id'],
        kind,
        value,
        revocation_reason: 'laptop stolen',
      }),
    ]);
  });

  it.each([
    ['user', 'alicia', 'is the name of no registered key'],
    ['user', '111122223333:role/deploy', 'SENTINEL_ALLOWED_ACCOUNTS'],
    ['principal', 'sentinel:key/NOBODY', 'matches no registered key'],
    [
      'principal',
      'arn:aws:iam::000000000000:role/SentinelProtected-dev',
      'is a role that the TVM vends',
    ],
    ['principal', 'arn:aws:iam::000000000000:role/sentinel-tvm', "or the TVM's own"],
    ['user', 'role/SentinelProtected-dev', 'whose sessions are never callers'],
    ['profile', 'team/vault-2', 'is no profile that can be vended'],
  ])('revokes the unknown %s %s with a warning', async (kind, value, why) => {
    const { status, json } = await send(world.tvm, '/revocations', { ...good, kind, value });
    expect(status).toBe(201);
    expect(json['warning']).toContain(why);
    expect(json['warning']).toMatch(/It is revoked all the same\.$/u);
  });

  it.each([
    ['user', 'bob'],
    ['user', 'user/whoever'],
    ['principal', 'sentinel:key/TVMDEMOBOB'],
    ['principal', 'arn:aws:iam::000000000000:role/whichever'],
    ['profile', 'vault'],
  ])('does not warn of the %s %s, which is known or may exist', async (kind, value) => {
    expect(
      (await send(world.tvm, '/revocations', { ...good, kind, value })).json,
    ).not.toHaveProperty('warning');
  });

  it('revokes all without a value', async () => {
    const answer = await send(world.tvm, '/revocations', { kind: 'all', reason: 'drill' });
    expect([answer.status, answer.json['kind'], 'value' in answer.json]).toEqual([
      201,
      'all',
      false,
    ]);
  });

  it('revokes a session by its id, and shows its subject, profile and end', async () => {
    const id = await openSession(world.tvm);
    const answer = await send(world.tvm, '/revocations', { ...good, kind: 'session', value: id });
    expect(answer.status, answer.body).toBe(201);
    expect(answer.json).toMatchObject({
      value: id,
      subject: 'sentinel:key/TVMDEMOALICE',
      profile: 'dev',
    });
    const left = Date.parse(String(answer.json['until'])) - Date.now();
    expect(left).toBeGreaterThan(7.9 * 3_600_000);
    expect(left).toBeLessThan(8.1 * 3_600_000);
  });

  it('gives each revocation a higher number, and trims the reason', async () => {
    const first = Number(await revoke(world.tvm, 'user', 'one'));
    const second = Number(await revoke(world.tvm, 'user', 'one'));
    expect(second).toBeGreaterThan(first);
    await lift(world.tvm, String(second));
    expect(Number(await revoke(world.tvm, 'user', 'two'))).toBeGreaterThan(second);
    const padded = await send(world.tvm, '/revocations', { ...good, reason: '  why  ' });
    expect(padded.json['reason']).toBe('why');
  });

  it('ends a revocation at `until`, which is shown and recorded', async () => {
    const end = soon(2_000);
    const answer = await send(world.tvm, '/revocations', { ...good, until: end });
    expect([answer.status, answer.json['until']]).toEqual([201, end]);
    expect(records()[0]).toMatchObject({ until: end });
    expect(await listed(world.tvm)).toHaveLength(1);
    await new Promise((resolve) => {
      setTimeout(resolve, Date.parse(end) - Date.now() + 20);
    });
    expect(await listed(world.tvm)).toEqual([]);
    expect((await lift(world.tvm, String(answer.json['id']))).status).toBe(403);
  });
});

const long = 'x'.repeat(2_049);

describe('POST /revocations: 400', () => {
  it.each<readonly [string, unknown, string | undefined]>([
    ['no kind', { value: 'x', reason: 'why' }, 'kind'],
    ['another kind', { ...good, kind: 'everybody' }, 'kind'],
    ['a kind in capitals', { ...good, kind: 'User' }, 'kind'],
    ['a kind that is a number', { ...good, kind: 1 }, 'kind'],
    ['no value', { kind: 'user', reason: 'why' }, 'value'],
    ['an empty value', { ...good, value: '' }, 'value'],
    ['a value of spaces', { ...good, value: ' ' }, 'value'],
    ['a value with a line end', { ...good, value: 'a\nb' }, 'value'],
    ['a value with a NUL', { ...good, value: 'a\u0000b' }, 'value'],
    ['too long a value', { ...good, value: long }, 'value'],
    ['a value that is a number', { ...good, value: 1 }, 'value'],
    ['a value for all', { ...good, kind: 'all' }, 'value'],
    ['a session id of the wrong form', { ...good, kind: 'session', value: 'mallory' }, 'value'],
    ['a session id in capitals', { ...good, kind: 'session', value: '0123456789ABCDEF' }, 'value'],
    ['no reason', { kind: 'user', value: 'x' }, 'reason'],
    ['a reason of two characters', { ...good, reason: 'no' }, 'reason'],
    ['a reason of two characters and spaces', { ...good, reason: '  no  ' }, 'reason'],
    ['a reason of 501 characters', { ...good, reason: 'x'.repeat(501) }, 'reason'],
    ['a reason that is a number', { ...good, reason: 123 }, 'reason'],
    ['an until in the past', { ...good, until: '2020-01-02T03:04:05Z' }, 'until'],
    ['an until of now', { ...good, until: soon(-1_000) }, 'until'],
    ['an until with an offset', { ...good, until: '2099-01-02T03:04:05+01:00' }, 'until'],
    ['an until with a fraction', { ...good, until: '2099-01-02T03:04:05.678Z' }, 'until'],
    ['an until on a day that does not exist', { ...good, until: '2099-02-30T03:04:05Z' }, 'until'],
    ['an until that is a number', { ...good, until: 4_000_000_000 }, 'until'],
    [
      'an until for a session',
      { ...good, kind: 'session', value: '0123456789abcdef', until: soon() },
      'until',
    ],
    ['a field that is unknown', { ...good, by: 'alice' }, 'by'],
    ['an id', { ...good, id: '7' }, 'id'],
    ['a null', { ...good, until: null }, 'until'],
    ['a list', { ...good, value: ['a', 'b'] }, 'value'],
    ['an object', { ...good, reason: { why: 'x' } }, 'reason'],
    ['half of a character in the reason', { ...good, reason: 'stolen \ud83d' }, 'reason'],
    ['half of a character in the value', { ...good, value: 'a\udc00b' }, 'value'],
    ['a year of five digits', { ...good, until: '+275760-09-13T00:00:00Z' }, 'until'],
    ['a year before the first', { ...good, until: '-000001-01-01T00:00:00Z' }, 'until'],
    ['a leap second', { ...good, until: '2099-12-31T23:59:60Z' }, 'until'],
    ['the hour 24', { ...good, until: '2099-12-31T24:00:00Z' }, 'until'],
    ['an empty body', '', undefined],
    ['a list around it', [good], undefined],
    ['a text that is not JSON', '{kind:user}', undefined],
    ['a field twice', '{"kind":"user","kind":"all","value":"x","reason":"why"}', undefined],
  ])('refuses %s, and names the field', async (_, body, field) => {
    const answer = await send(world.tvm, '/revocations', body);
    expect([answer.status, answer.json['error'], answer.json['field']], answer.body).toEqual([
      400,
      'ValidationError',
      field,
    ]);
    expect(await listed(world.tvm)).toEqual([]);
    expect(records()).toEqual([]);
  });

  it.each([3, 500])('takes a reason of %i characters', async (length) => {
    expect(
      (await send(world.tvm, '/revocations', { ...good, reason: 'x'.repeat(length) })).status,
    ).toBe(201);
  });

  it('refuses another content type and a query', async () => {
    const body = JSON.stringify(good);
    const plain = { method: 'POST', path: '/revocations', as: 'olivia', body } as const;
    expect(
      (await call(world.tvm, { ...plain, headers: { 'content-type': 'text/plain' } })).status,
    ).toBe(400);
    const headers = { 'content-type': 'application/json' };
    expect((await call(world.tvm, { ...plain, headers, query: 'kind=all' })).status).toBe(400);
    expect(await listed(world.tvm)).toEqual([]);
  });
});

describe('paths under /revocations and /sessions', () => {
  it.each([
    ['PUT', '/revocations', 'GET, POST'],
    ['DELETE', '/revocations', 'GET, POST'],
    ['HEAD', '/revocations', 'GET, POST'],
    ['GET', '/revocations/1', 'DELETE'],
    ['POST', '/revocations/1', 'DELETE'],
    ['HEAD', '/revocations/1', 'DELETE'],
    ['GET', '/sessions/0123456789abcdef/revoke', 'POST'],
    ['DELETE', '/sessions/0123456789abcdef/revoke', 'POST'],
  ])('answer %s %s with 405 and Allow', async (method, path, allow) => {
    const answer = await call(world.tvm, { method, path, as: 'olivia' });
    expect([answer.status, answer.headers['allow']]).toEqual([405, allow]);
  });

  it.each(['/revocations/', '/revocations/1/2', '/revocation'])(
    'answer 404 to %s',
    async (path) => {
      expect((await call(world.tvm, { method: 'DELETE', path, as: 'olivia' })).status).toBe(404);
    },
  );
});

describe('GET /revocations', () => {
  it('takes neither a query nor a body', async () => {
    expect(
      (await call(world.tvm, { path: '/revocations', as: 'olivia', query: 'kind=all' })).status,
    ).toBe(400);
    expect((await call(world.tvm, { path: '/revocations', as: 'olivia', body: '{}' })).status).toBe(
      400,
    );
  });

  it('lists for an operator of some profiles only revocations of those', async () => {
    await revoke(world.tvm, 'user', 'mallory');
    await revoke(world.tvm, 'profile', 'dev');
    const vault = await revoke(world.tvm, 'profile', 'vault');
    await revoke(world.tvm, 'principal', 'sentinel:key/X');
    const answer = await call(world.tvm, { path: '/revocations', as: 'bob' });
    expect(answer.status, answer.body).toBe(200);
    const shown = answer.json['revocations'] as Record<string, unknown>[];
    expect(shown.map(({ id }) => id)).toEqual([vault]);
    expect(await listed(world.tvm)).toHaveLength(4);
  });
});
