import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, get, putProfile, queryOf, signedCall, type Call } from './support.ts';

const MANY = 205;

let desk: Desk;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  const carols = { effect: 'allow', conditions: { users: ['carol'] } };
  await Promise.all(
    Array.from({ length: MANY }, (_, index) => putProfile(desk, `many/${index}`, carols)),
  );
  await putProfile(desk, 'capped', {
    effect: 'allow',
    conditions: { users: ['bob'] },
    max_server_duration: '5m',
  });
  await putProfile(
    desk,
    'hard',
    { effect: 'allow', conditions: { users: ['bob'] } },
    { hard_revoke: true, revoker_role_arn: 'arn:aws:iam::000000000000:role/sentinel-revoker' },
  );
  await putProfile(desk, 'tracked', {
    effect: 'require_server_session',
    conditions: { users: ['bob'] },
  });
  await putProfile(
    desk,
    'half',
    { effect: 'allow', conditions: { users: ['bob'] } },
    { max_duration: '30m' },
  );
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

function list(as: Call['as'], fields: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
  return call(tvm, {
    path: '/profiles',
    query: queryOf(fields),
    ...(as === undefined ? {} : { as }),
  });
}

type Listed = { readonly name: string; readonly access: string; readonly max_duration: number };

function profilesOf(answer: RawAnswer): readonly Listed[] {
  return answer.json['profiles'] as readonly Listed[];
}

describe('GET /profiles: 200', () => {
  it('lists what alice can vend or request, and not what denies her', async () => {
    const answer = await list('alice');
    expect(answer.status, answer.body).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json).toEqual({
      profiles: [
        { name: 'dev', access: 'allow', description: expect.any(String), max_duration: 3600 },
        { name: 'prod', access: 'approval', description: expect.any(String), max_duration: 3600 },
      ],
    });
  });

  it('lists the longest duration of each profile in seconds', async () => {
    const answer = await list('bob');
    expect(answer.json).toEqual({
      profiles: [
        { name: 'capped', access: 'allow', max_duration: 300 },
        { name: 'half', access: 'allow', max_duration: 1800 },
        { name: 'hard', access: 'allow', max_duration: 3600 },
        {
          name: 'prod',
          access: 'break_glass',
          description: 'Production; somebody else approves.',
          max_duration: 3600,
        },
        { name: 'tracked', access: 'allow', max_duration: 3600 },
      ],
    });
  });

  it('lists nothing for olivia, whom no rule allows anything', async () => {
    expect((await list('olivia')).json).toEqual({ profiles: [] });
  });

  it('agrees with what GET / decides', async () => {
    for (const { name, access } of [
      ...profilesOf(await list('alice')),
      ...profilesOf(await list('bob')),
    ]) {
      const as = name === 'dev' || name === 'prod' ? 'alice' : 'bob';
      const answer = await get(tvm, { profile: name }, { as });
      expect([name, answer.status]).toEqual([name, access === 'allow' ? 200 : 403]);
    }
  });

  it('lists a hundred profiles a page, each once', async () => {
    const seen: string[] = [];
    const sizes: number[] = [];
    let token: unknown;
    do {
      const answer = await list('carol', typeof token === 'string' ? { next_token: token } : {});
      expect(answer.status, answer.body).toBe(200);
      const names = profilesOf(answer).map(({ name }) => name);
      seen.push(...names);
      sizes.push(names.length);
      token = answer.json['next_token'];
    } while (token !== undefined);
    expect(sizes).toEqual([100, 100, 5]);
    expect(new Set(seen).size).toBe(MANY);
    expect(seen).toEqual(seen.toSorted());
  });

  it('gives no token after a last page that is full', async () => {
    const first = await list('carol');
    const after = profilesOf(first).at(-1)?.name ?? '';
    const again = await list('carol', { next_token: Buffer.from(after).toString('base64url') });
    expect(again.json['profiles']).toHaveLength(100);
    const rest = await list('carol', { next_token: String(again.json['next_token']) });
    expect(rest.json).not.toHaveProperty('next_token');
  });

  it('lists nothing more for the token of another caller', async () => {
    const token = String((await list('carol')).json['next_token']);
    const answer = await list('olivia', { next_token: token });
    expect(answer.json).toEqual({ profiles: [] });
  });
});

describe('GET /profiles: 400', () => {
  it.each(['', '!', 'a b', 'AB', '_w', 'w6Q=', 'Zm9v===='])(
    'names next_token when it is "%s"',
    async (token) => {
      const answer = await list('alice', { next_token: token });
      expect(answer.status, answer.body).toBe(400);
      expect(answer.json).toMatchObject({ error: 'ValidationError', field: 'next_token' });
    },
  );

  it.each(['profile', '__proto__', 'Next_token', 'limit'])(
    'names the unknown key "%s"',
    async (key) => {
      const answer = await list('alice', { [key]: 'x' });
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ error: 'ValidationError', field: key });
    },
  );

  it('refuses a body', async () => {
    const answer = await call(tvm, { path: '/profiles', body: '{}' });
    expect(answer.status).toBe(400);
  });
});

describe('GET /profiles: 403', () => {
  it('refuses an unsigned request', async () => {
    const answer = await sendRaw(tvm.port, { target: '/profiles', headers: { host: tvm.host } });
    expect(answer.status).toBe(403);
    expect(answer.json['error']).toBe('MissingAuthenticationToken');
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'identity_refused',
      path: '/profiles',
      method: 'GET',
    });
  });

  it('refuses a signature for another path', async () => {
    const { headers } = signedCall(tvm, { path: '/' });
    const answer = await sendRaw(tvm.port, { target: '/profiles', headers });
    expect(answer.json['error']).toBe('SignatureDoesNotMatch');
  });
});
