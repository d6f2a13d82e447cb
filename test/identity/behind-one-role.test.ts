import { describe, expect, it } from 'vitest';
import { policyDocument, profileDocument } from '../http/support.ts';
import { says, session, useForwarded } from '../support/fake-sts.ts';
import { forwarded, type Forwarding } from '../support/forwarded.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { sha256 } from '../support/sign.ts';
import type { RunningTvm } from '../support/tvm.ts';

/**
 * People share a role whose session names are trusted: each has a name, a subject and sessions of
 * their own.
 */
const ROLE = 'arn:aws:iam::000000000000:role/deploy';
const REASON = 'laptop stolen';

const OPERATORS = JSON.stringify({
  version: '1',
  rules: [{ name: 'desk', users: ['role/deploy/oona'], actions: ['list', 'revoke', 'lift'] }],
});

const world = useForwarded({ SENTINEL_TRUSTED_SESSION_ROLES: ROLE }, async (desk) => {
  for (const profile of ['team', 'other']) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument());
    await desk.put(
      `/sentinel/policies/${profile}`,
      policyDocument({ effect: 'allow', conditions: { principals: [ROLE] } }),
    );
  }
  await desk.put('/sentinel/operators', OPERATORS);
});

/** Sends a request as somebody behind the role, with the access key that only their session has. */
function as(name: string, what: Forwarding, tvm: RunningTvm = world.tvm): Promise<RawAnswer> {
  world.sts.behave = says(session('deploy', name));
  const accessKeyId = `ASIA${sha256(name).slice(0, 16).toUpperCase()}`;
  return sendRaw(tvm.port, forwarded(tvm, { ...what, accessKeyId }));
}

function vend(name: string, profile = 'team', tvm?: RunningTvm): Promise<RawAnswer> {
  return as(name, { query: `profile=${profile}` }, tvm);
}

function post(name: string, path: string, value: object, tvm?: RunningTvm): Promise<RawAnswer> {
  return as(name, { method: 'POST', path, body: JSON.stringify(value) }, tvm);
}

async function lift(id: unknown): Promise<void> {
  const lifted = await as('oona', { method: 'DELETE', path: `/revocations/${String(id)}` });
  expect(lifted.status, lifted.body).toBe(200);
}

describe('two people behind one role', () => {
  it('each have a subject, which whoami shows', async () => {
    expect((await as('ann', {})).json).toMatchObject({
      name: 'role/deploy/ann',
      principal: ROLE,
      subject: `${ROLE}/ann`,
    });
  });

  it('each have a session, which the other neither sees nor revokes', async () => {
    const [ann, ben] = [await vend('ann'), await vend('ben')];
    expect([ann.status, ben.status], ann.body + ben.body).toEqual([200, 200]);
    expect(ann.json['SessionId']).not.toBe(ben.json['SessionId']);
    const path = `/sessions/${String(ann.json['SessionId'])}`;
    expect((await as('ben', { path })).json).toMatchObject({ active: false, status: 'unknown' });
    expect((await as('ann', { path })).json).toMatchObject({
      active: true,
      user: 'role/deploy/ann',
    });
    const refused = await post('ben', `${path}/revoke`, { reason: REASON });
    expect(refused.status, refused.body).toBe(403);
    for (const name of ['ann', 'ben', 'cyn']) expect((await vend(name)).status).toBe(200);
  });

  it('each list only their own sessions', async () => {
    await vend('ann');
    await vend('ben');
    const mine = (await as('ben', { path: '/sessions' })).json['sessions'] as { subject: string }[];
    expect(new Set(mine.map(({ subject }) => subject))).toEqual(new Set([`${ROLE}/ben`]));
  });

  it('lose only their own session when they revoke it', async () => {
    const { json } = await vend('dot', 'other');
    const revoked = await post('dot', `/sessions/${String(json['SessionId'])}/revoke`, {
      reason: REASON,
    });
    expect(revoked.status, revoked.body).toBe(200);
    expect((await vend('dot', 'other')).json['error']).toBe('SessionRevoked');
    expect((await vend('dot', 'team')).status).toBe(200);
    expect((await vend('eve', 'other')).status).toBe(200);
  });

  it('are revoked together as a principal, and alone as a user', async () => {
    const one = await post('oona', '/revocations', {
      kind: 'user',
      value: 'role/deploy/ann',
      reason: REASON,
    });
    expect(one.status, one.body).toBe(201);
    expect((await vend('ann')).json['error']).toBe('SessionRevoked');
    expect((await vend('ben')).status).toBe(200);
    await lift(one.json['id']);
    const all = await post('oona', '/revocations', {
      kind: 'principal',
      value: ROLE,
      reason: REASON,
      until: new Date(Date.now() + 2_000).toISOString().replace(/\.\d+Z/u, 'Z'),
    });
    expect(all.status, all.body).toBe(201);
    for (const name of ['ann', 'ben', 'cyn'])
      expect((await vend(name)).json['error']).toBe('SessionRevoked');
    await new Promise((resolve) => {
      setTimeout(resolve, 2_100);
    });
    expect((await vend('ann')).status).toBe(200);
  });

  it('each have a rate limit, whose refusal names the one who sent too much', async () => {
    const tvm = await world.start({
      environment: { SENTINEL_TRUSTED_SESSION_ROLES: ROLE, SENTINEL_RATE_LIMIT_REQUESTS: '5' },
    });
    const answers = [];
    for (let count = 0; count < 6; count += 1) answers.push(await as('ann', {}, tvm));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(String(answers.at(-1)?.json['message'])).toContain('role/deploy/ann');
    expect((await as('cyn', {}, tvm)).status).toBe(200);
  });

  it('have different stamps even where their long names begin alike', async () => {
    const names = ['x', 'y'].map((end) =>
      `${'somebody.with.a.long.name.at'.repeat(2)}${end}`.slice(-60),
    );
    const stamps = [];
    for (const name of names)
      stamps.push(
        String((await vend(name)).json['SourceIdentity'])
          .split('.')
          .at(-1),
      );
    expect(stamps[0]).toMatch(/^[0-9a-f]{10}$/u);
    expect(stamps[0]).not.toBe(stamps[1]);
  });

  it('keep their subject when they mint a key', async () => {
    const tvm = world.tvm;
    const key = (await post('fay', '/keys', {})).json;
    const audit = tvm.audit.at(-1);
    expect(key['AccessKeyId']).toMatch(/^TVMK/u);
    expect(audit).toMatchObject({
      event: 'key',
      user: 'role/deploy/fay',
      subject: `${ROLE}/fay`,
      outcome: 'minted',
    });
  });
});

describe('a role that is not trusted', () => {
  it('is one caller, whatever its sessions are called', async () => {
    world.sts.behave = says(session('other', 'ann'));
    const { json } = await sendRaw(world.tvm.port, forwarded(world.tvm));
    const role = 'arn:aws:iam::000000000000:role/other';
    expect(json).toMatchObject({
      name: 'role/other',
      principal: role,
      subject: role,
      session_name: 'ann',
    });
  });
});
