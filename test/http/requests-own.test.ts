import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  actBy,
  approvalPolicy,
  approveBy,
  askBy,
  idOf,
  keyOfName,
  outcomeOf,
  register,
  sendBy,
  showBy,
  vendBy,
  type Who,
} from '../support/approvals.ts';
import { keyOf, postKeys, sendAs } from '../support/keys.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { policyDocument, profileDocument } from './support.ts';

/**
 * Nobody approves what is their own, and an approval holds only while everybody who gave it still
 * could, for exactly what was shown.
 */
let desk: Desk;
let tvm: RunningTvm;
const running: RunningTvm[] = [];

const ann = keyOfName('ann');
const ann2 = keyOfName('ann', 2);
/** The same person as ann, by the document of people. */
const annOps = keyOfName('annops');
const ben = keyOfName('ben');
const ben2 = keyOfName('ben', 2);
const cid = keyOfName('cid');
const ops = keyOfName('ops');

const PEOPLE = JSON.stringify({ version: '1', rules: [{ name: 'ann', is: ['ann', 'annops'] }] });
const PROFILES = ['one', 'two', 'role', 'shut', 'rule'];
const POLICY = {
  effect: 'require_approval',
  conditions: { users: ['ann', 'annops', 'ben'] },
  reason: 'two see more',
};

function rules(change: Readonly<Record<string, object>> = {}): string {
  const usual = { approvers: ['ann', 'annops', 'ben', 'cid'] };
  const pair = {
    require: [{ group: 'owners', from: ['ann', 'annops', 'ben', 'cid'], approvals: 2 }],
  };
  const named = { one: usual, two: pair, role: usual, shut: usual, rule: usual, ...change };
  return approvalPolicy(
    ...Object.entries(named).map(([profile, rule]) => ({ profiles: [profile], ...rule })),
  );
}

beforeAll(async () => {
  desk = await startDesk();
  for (const who of [ann, ann2, annOps, ben, ben2, cid, ops]) await register(desk, who);
  for (const profile of PROFILES) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument());
    await desk.put(`/sentinel/policies/${profile}`, policyDocument(POLICY));
  }
  await desk.put('/sentinel/approval-policy', rules());
  await desk.put('/sentinel/people', PEOPLE);
  await desk.put(
    '/sentinel/operators',
    JSON.stringify({
      version: '1',
      rules: [{ name: 'ops', users: ['ops'], actions: ['list', 'revoke', 'lift'] }],
    }),
  );
  tvm = await fresh();
});

afterEach(async () => {
  // Put everything back, and end what was asked for.
  for (const who of [ann, ben, cid]) await register(desk, who);
  await desk.put('/sentinel/people', PEOPLE);
  const on = await fresh();
  for (const who of [ann, annOps, ben]) {
    const { json } = await sendBy(on, who, ['GET', '/requests?view=mine']);
    const open = (json['requests'] as { request_id: string; phase: string }[]).filter(
      ({ phase }) => phase !== 'ended',
    );
    for (const one of open) await actBy(on, who, [one.request_id, 'cancel']);
  }
  // The one before may have read documents that a test has changed.
  tvm = on;
});

afterAll(async () => {
  for (const one of running) await one.close();
  await desk.close();
});

/** An instance that has just read the documents. */
async function fresh(): Promise<RunningTvm> {
  const started = await startTvm(desk.url);
  running.push(started);
  return started;
}

async function ask(profile: string, who: Who = ann, on = tvm): Promise<string> {
  const asked = await askBy(on, who, profile);
  expect(asked.status, asked.body).toBe(201);
  return idOf(asked);
}

/** Asks, has it approved by ben, and vends. */
async function granted(profile: string, approver: Who = ben, on = tvm): Promise<string> {
  const id = await ask(profile, ann, on);
  expect((await approveBy(on, approver, id)).json).toMatchObject({ status: 'approved' });
  expect((await vendBy(on, ann, profile)).status).toBe(200);
  return id;
}

async function clear(id: string): Promise<void> {
  const on = await fresh();
  await actBy(on, ann, [id, 'cancel']);
  // What a refused vend made meanwhile goes too.
  const { json } = await sendBy(on, ann, ['GET', '/requests?view=mine&status=pending']);
  for (const one of json['requests'] as { request_id: string }[])
    await actBy(on, ann, [one.request_id, 'cancel']);
}

describe("one's own request", () => {
  it.each([
    ['by the key that asked', ann],
    ['by another key of the same name', ann2],
    ['by another name of the same person', annOps],
  ])('is never approved or denied %s', async (_, who) => {
    const id = await ask('one');
    const { json } = await showBy(tvm, who, id);
    for (const [action, body] of [
      ['approve', { digest: json['digest'] }],
      ['deny', { comment: 'I had rather not' }],
    ] as const) {
      const answer = await actBy(tvm, who, [id, action], body);
      expect(outcomeOf(answer)).toEqual([403, 'NotPermitted']);
      expect(answer.json['message']).toContain('asked for themselves');
    }
    expect((await showBy(tvm, ann, id)).json).toMatchObject({ status: 'pending', reviews: [] });
    expect((await sendBy(tvm, who, ['GET', '/requests?view=review'])).json['requests']).toEqual([]);
    expect((await vendBy(tvm, ann, 'one')).status).toBe(403);
    await clear(id);
  });

  it('is never approved with a key minted from the key that asked', async () => {
    const id = await ask('one');
    const minted = keyOf(await postKeys(tvm, '{}', ann));
    const { json } = await showBy(tvm, ann, id);
    const answer = await sendAs(tvm, minted, {
      method: 'POST',
      path: `/requests/${id}/approve`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ digest: json['digest'] }),
    });
    expect(outcomeOf(answer)).toEqual([403, 'NotPermitted']);
    await clear(id);
  });

  it('vends to the key that asked, and to no other of the same person', async () => {
    const id = await granted('one');
    for (const who of [ann2, annOps]) {
      const answer = await vendBy(tvm, who, 'one');
      expect(outcomeOf(answer)).toEqual([403, 'PolicyRequiresApproval']);
      const made = answer.json['request_id'];
      if (made !== undefined) await actBy(tvm, who, [made as string, 'cancel']);
    }
    await clear(id);
  });
});

describe('an approver with two keys', () => {
  it('counts once', async () => {
    const id = await ask('two');
    expect((await approveBy(tvm, ben, id)).json['status']).toBe('pending');
    expect((await approveBy(tvm, ben2, id)).json).toMatchObject({
      status: 'pending',
      needs: [{ have: 1, need: 2 }],
    });
    expect((await vendBy(tvm, ann, 'two')).status).toBe(403);
    expect((await approveBy(tvm, cid, id)).json['status']).toBe('approved');
    await clear(id);
  });
});

describe('while the document of people is broken', () => {
  it('nothing is asked for or approved, and no grant vends; then all goes on', async () => {
    const id = await granted('one');
    const other = await ask('role');
    await desk.put('/sentinel/people', 'rules: [{name: ann, is: "*"}]');
    const broken = await fresh();
    for (const profile of ['one', 'role']) {
      expect((await vendBy(broken, ann, profile)).status, profile).not.toBe(200);
    }
    const { json } = await showBy(broken, cid, other);
    expect(
      outcomeOf(await actBy(broken, cid, [other, 'approve'], { digest: json['digest'] })),
    ).toEqual([503, 'ServiceUnavailable']);
    expect(outcomeOf(await askBy(broken, ben, 'rule'))).toEqual([503, 'ServiceUnavailable']);
    expect((await showBy(broken, ann, id)).json['phase']).toBe('suspended');
    await desk.put('/sentinel/people', PEOPLE);
    const mended = await fresh();
    expect((await vendBy(mended, ann, 'one')).status).toBe(200);
    await clear(id);
    await clear(other);
  });

  it('a person who is joined later approved nothing of their own', async () => {
    const id = await granted('one');
    await desk.put(
      '/sentinel/people',
      JSON.stringify({ version: '1', rules: [{ name: 'ann', is: ['ann', 'annops', 'ben'] }] }),
    );
    const joined = await fresh();
    expect((await vendBy(joined, ann, 'one')).status).toBe(403);
    await desk.put('/sentinel/people', PEOPLE);
    await clear(id);
  });
});

describe('a revocation after the approval', () => {
  async function revoke(body: object): Promise<string> {
    const answer = await sendBy(tvm, ops, [
      'POST',
      '/revocations',
      { reason: 'the laptop was stolen', ...body },
    ]);
    expect(answer.status, answer.body).toBe(201);
    return String(answer.json['id']);
  }

  async function lift(id: string): Promise<void> {
    expect((await sendBy(tvm, ops, ['DELETE', `/revocations/${id}`])).status).toBe(200);
    await new Promise((wake) => setTimeout(wake, 1_200));
  }

  it.each([
    ['of an approver by name', { kind: 'user', value: 'ben' }],
    [
      'of an approver by principal',
      { kind: 'principal', value: `sentinel:key/${ben.accessKeyId}` },
    ],
    ['of the requester', { kind: 'user', value: 'ann' }],
  ])('%s ends it for good, lifted or not', async (_, body) => {
    const other = await fresh();
    const id = await granted('one');
    const revocation = await revoke(body);
    expect((await vendBy(tvm, ann, 'one')).status).toBe(403);
    await expect
      .poll(async () => (await vendBy(other, ann, 'one')).status, { timeout: 1_500, interval: 20 })
      .toBe(403);
    await lift(revocation);
    for (const on of [tvm, other, await fresh()]) {
      const answer = await vendBy(on, ann, 'one');
      expect(outcomeOf(answer)).toEqual([403, 'PolicyRequiresApproval']);
      expect(answer.json['message']).toContain(
        `Request ${id}, which was approved, was ended for good`,
      );
      expect((await showBy(on, ann, id)).json['phase']).toBe('ended');
    }
    await clear(id);
  });

  it('of everything, which is lifted, ends no grant', async () => {
    const id = await granted('one');
    const revocation = await revoke({ kind: 'all' });
    expect((await vendBy(tvm, ann, 'one')).status).toBe(403);
    await lift(revocation);
    expect((await vendBy(tvm, ann, 'one')).status).toBe(200);
    await clear(id);
  });

  it('of somebody who approved before the quorum lets the same one approve again', async () => {
    const id = await ask('two');
    await approveBy(tvm, ben, id);
    await lift(await revoke({ kind: 'user', value: 'ben' }));
    // What ben said before does not count: cid's is the first.
    expect((await approveBy(tvm, cid, id)).json).toMatchObject({
      status: 'pending',
      needs: [{ have: 1, need: 2 }],
    });
    expect(
      (await sendBy(tvm, ben, ['GET', '/requests?view=review'])).json['requests'],
    ).toMatchObject([{ request_id: id }]);
    expect((await approveBy(tvm, ben, id)).json['status']).toBe('approved');
    expect((await vendBy(tvm, ann, 'two')).status).toBe(200);
    await clear(id);
  });
});

describe("an approver's key after the approval", () => {
  it.each([
    ['disabled', async () => register(desk, cid, { disabled: true })],
    ['rotated', async () => register(desk, { ...cid, secret: keyOfName('other').secret })],
    ['past its end', async () => register(desk, cid, { expires_at: '2020-01-02T03:04:05Z' })],
    ['given to somebody else', async () => register(desk, { ...cid, name: 'zoe' })],
  ])('%s takes the approval back', async (_, change) => {
    const id = await granted('one', cid);
    await change();
    const after = await fresh();
    const answer = await vendBy(after, ann, 'one');
    expect(outcomeOf(answer)).toEqual([403, 'PolicyRequiresApproval']);
    expect(answer.json['message']).toContain('not everybody who approved it still may');
    expect((await showBy(after, ann, id)).json['phase']).not.toBe('active');
    await register(desk, cid);
    await clear(id);
  });

  it('rotated before the quorum lets the approver approve anew', async () => {
    const id = await ask('two');
    await approveBy(tvm, cid, id);
    const changed = { ...cid, secret: keyOfName('other').secret };
    await register(desk, changed);
    const after = await fresh();
    expect((await approveBy(after, ben, id)).json).toMatchObject({
      status: 'pending',
      needs: [{ have: 1 }],
    });
    expect(
      (await sendBy(after, changed, ['GET', '/requests?view=review'])).json['requests'],
    ).toMatchObject([{ request_id: id }]);
    expect((await approveBy(after, changed, id)).json['status']).toBe('approved');
    expect((await vendBy(after, ann, 'two')).status).toBe(200);
    await register(desk, cid);
    await clear(id);
  });
});

describe("the requester's key after the approval", () => {
  it('rotated takes the grant away', async () => {
    const id = await granted('one');
    const changed = { ...ann, secret: keyOfName('other').secret };
    await register(desk, changed);
    const after = await fresh();
    expect(outcomeOf(await vendBy(after, changed, 'one'))).toEqual([403, 'PolicyRequiresApproval']);
    await register(desk, ann);
    await clear(id);
  });
});

describe('a document that changes after the approval', () => {
  it('of the profile makes the grant stale, and the answer says what changed', async () => {
    const id = await granted('role');
    await desk.put(
      '/sentinel/profiles/role',
      profileDocument({ role_arn: 'arn:aws:iam::000000000000:role/SentinelProtected-prod' }),
    );
    const after = await fresh();
    const answer = await vendBy(after, ann, 'role');
    expect(outcomeOf(answer)).toEqual([403, 'PolicyRequiresApproval']);
    expect(answer.json['message']).toContain('profile.roleArn');
    expect((await showBy(after, ann, id)).json).toMatchObject({
      phase: 'stale',
      changed: ['profile.roleArn'],
    });
    // Put back as it was, the grant vends again: it is exactly what was approved.
    await desk.put('/sentinel/profiles/role', profileDocument({ description: 'only words' }));
    expect((await vendBy(await fresh(), ann, 'role')).status).toBe(200);
    await clear(id);
  });

  it('of the profile before the approval refuses the digest that was seen', async () => {
    const id = await ask('role');
    const { json } = await showBy(tvm, ben, id);
    await desk.put('/sentinel/profiles/role', profileDocument({ max_duration: '30m' }));
    const answer = await actBy(await fresh(), ben, [id, 'approve'], { digest: json['digest'] });
    expect(outcomeOf(answer)).toEqual([409, 'RequestChanged']);
    expect(answer.json['differences']).toEqual(['profile.maxDurationSeconds']);
    await desk.put('/sentinel/profiles/role', profileDocument());
    await clear(id);
  });

  it('of the policy to deny is final, with a grant and with the means to ask', async () => {
    const id = await granted('shut');
    await desk.put('/sentinel/policies/shut', policyDocument({ ...POLICY, effect: 'deny' }));
    const after = await fresh();
    expect(outcomeOf(await vendBy(after, ann, 'shut'))).toEqual([403, 'PolicyDenied']);
    expect(outcomeOf(await askBy(after, ann, 'shut'))).toEqual([403, 'PolicyDenied']);
    await clear(id);
  });

  it('of the approval policy counts the reviews anew', async () => {
    const id = await granted('rule', ben);
    await desk.put('/sentinel/approval-policy', rules({ rule: { approvers: ['cid'] } }));
    expect(outcomeOf(await vendBy(await fresh(), ann, 'rule'))).toEqual([
      403,
      'PolicyRequiresApproval',
    ]);
    const two = { require: [{ group: 'owners', from: ['ben', 'cid'], approvals: 2 }] };
    await desk.put('/sentinel/approval-policy', rules({ rule: two }));
    expect(outcomeOf(await vendBy(await fresh(), ann, 'rule'))).toEqual([
      403,
      'PolicyRequiresApproval',
    ]);
    await desk.put('/sentinel/approval-policy', rules());
    expect((await vendBy(await fresh(), ann, 'rule')).status).toBe(200);
    await clear(id);
  });
});
