import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
import type { RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { policyDocument, profileDocument, startFakeSts } from './support.ts';

/** The story of an approval, from the vend that needs one to the end of what was vended. */
let desk: Desk;
let sts: Awaited<ReturnType<typeof startFakeSts>>;
let tvm: RunningTvm;
let second: RunningTvm;

const ann = keyOfName('ann');
const ben = keyOfName('ben');
const cid = keyOfName('cid');
const dot = keyOfName('dot');
const ops = keyOfName('ops');

/** The rule of each profile; everybody of `REQUESTERS` may ask for it. */
const RULES = {
  plain: { approvers: ['ben', 'ann'] },
  noted: {
    approvers: ['ben'],
    comment: 'required',
    ticket: { required: true, pattern: 'CHG-\\d+' },
  },
  short: { approvers: ['ben'], max_duration: '30m' },
  later: { approvers: ['ben'], start: 'first_use' },
  auto: { approvers: ['ben'], auto_approve: { users: ['ann'], max_duration: '1h' } },
  two: {
    require: [
      { group: 'owners', from: ['ben', 'cid'], approvals: 1 },
      { group: 'security', from: ['ben', 'dot'], approvals: 1 },
    ],
  },
  pair: { require: [{ group: 'owners', from: ['ben', 'cid', 'dot'], approvals: 2 }], denials: 2 },
  never: {
    approvers: ['ben'],
    approve_time: { hours: { start: '00:00', end: '00:01' }, days: [otherDay()] },
  },
  slow: { approvers: ['ben'], escalate: { after: '1h', from: ['cid'] } },
  capped: { approvers: ['ben'] },
} as const;
type Profile = keyof typeof RULES;

/** A day of the week that is neither today nor yesterday. */
function otherDay(): string {
  const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
  return days[(new Date().getUTCDay() + 3) % 7] ?? '';
}

beforeAll(async () => {
  desk = await startDesk();
  sts = await startFakeSts();
  for (const who of [ann, ben, cid, dot, ops]) await register(desk, who);
  for (const profile of Object.keys(RULES)) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument({ max_duration: '1h' }));
    const rule = {
      effect: 'require_approval',
      conditions: { users: ['ann', 'ben', 'cid'] },
      reason: 'two see more',
    };
    const cap = profile === 'capped' ? { max_server_duration: '20m' } : {};
    await desk.put(`/sentinel/policies/${profile}`, policyDocument({ ...rule, ...cap }));
  }
  await desk.put('/sentinel/profiles/orphan', profileDocument());
  await desk.put(
    '/sentinel/policies/orphan',
    policyDocument({ effect: 'require_approval', conditions: { users: ['ann'] } }),
  );
  const rules = Object.entries(RULES).map(([profile, rule]) => ({ profiles: [profile], ...rule }));
  await desk.put('/sentinel/approval-policy', approvalPolicy(...rules));
  await desk.put(
    '/sentinel/operators',
    JSON.stringify({
      version: '1',
      rules: [{ name: 'ops', users: ['ops'], actions: ['list', 'revoke', 'lift'] }],
    }),
  );
  const options = {
    environment: { AWS_ENDPOINT_URL_STS: sts.url, SENTINEL_PUBLIC_URL: 'https://tvm.example.com/' },
  };
  tvm = await startTvm(desk.url, options);
  second = await startTvm(desk.url, options);
});

afterAll(async () => {
  await tvm.close();
  await second.close();
  await sts.close();
  await desk.close();
});

/** Asks, and gives the id of the new request. */
async function ask(profile: Profile, who: Who = ann, more: object = {}): Promise<string> {
  const asked = await askBy(tvm, who, profile, more);
  expect(asked.status, asked.body).toBe(201);
  return idOf(asked);
}

async function approve(id: string, who: Who = ben, more: object = {}): Promise<RawAnswer> {
  const answer = await approveBy(tvm, who, id, more);
  expect(answer.status, answer.body).toBe(200);
  return answer;
}

function end(id: string, who: Who = ann): Promise<RawAnswer> {
  return actBy(tvm, who, [id, 'end'], { reason: 'the work is done' });
}

/** What STS was asked for last. */
function lastAssumed(): URLSearchParams {
  return new URLSearchParams(sts.assumed().at(-1));
}

function tagsOf(assumed: URLSearchParams): Readonly<Record<string, string>> {
  const keys = [...assumed.keys()].filter((key) => /^Tags\.member\.\d+\.Key$/u.test(key));
  return Object.fromEntries(
    keys.map((key) => [assumed.get(key) ?? '', assumed.get(key.replace(/Key$/u, 'Value')) ?? '']),
  );
}

describe('the story of an approval', () => {
  it('goes from the vend that needs one to credentials that end with it', async () => {
    // A vend without an approval makes the request, and says where to go.
    const refused = await vendBy(tvm, ann, 'plain');
    expect(outcomeOf(refused)).toEqual([403, 'PolicyRequiresApproval']);
    const id = idOf(refused);
    expect(id).toMatch(/^[0-9a-f]{16}$/u);
    expect(refused.json['approval_status_url']).toBe(`https://tvm.example.com/requests/${id}`);
    expect(refused.json['needs']).toEqual([
      { group: 'approvers', have: 0, need: 1, eligible: ['ben', 'ann'] },
    ]);
    // The next vend, on any instance, finds it.
    expect(idOf(await vendBy(second, ann, 'plain'))).toBe(id);
    // The requester sees what is asked for.
    const shown = await showBy(second, ann, id);
    expect(shown.json).toMatchObject({
      request_id: id,
      status: 'pending',
      phase: 'waiting',
      requester: 'ann',
      profile: 'plain',
      justification: 'requested by a vend',
      duration: 3_600,
      rule: 'rule-0',
      reviews: [],
    });
    expect(shown.json['facts']).toMatchObject({
      id,
      profile_name: 'plain',
      seconds: 3_600,
      profile: { roleArn: 'arn:aws:iam::000000000000:role/SentinelProtected-dev' },
    });
    // The approver finds it in what they can decide; the requester does not.
    const review = await sendBy(tvm, ben, ['GET', '/requests?view=review']);
    expect(review.json['requests']).toMatchObject([
      { request_id: id, digest: shown.json['digest'] },
    ]);
    expect((await sendBy(tvm, ann, ['GET', '/requests?view=review'])).json['requests']).toEqual([]);
    // Another digest than what is shown approves nothing.
    const wrong = await actBy(tvm, ben, [id, 'approve'], { digest: 'a'.repeat(64) });
    expect(outcomeOf(wrong)).toEqual([409, 'RequestChanged']);
    expect(wrong.json['digest']).toBe(shown.json['digest']);
    // Approving what is shown does; repeating it is the same answer.
    const before = Date.now();
    const approved = await approve(id);
    expect(approved.json).toMatchObject({
      status: 'approved',
      phase: 'active',
      reviews: [{ reviewer: 'ben' }],
    });
    expect(outcomeOf(await approveBy(tvm, ben, id))).toEqual([200, undefined]);
    const ends = Date.parse(String(approved.json['effective_end']));
    expect(ends).toBeGreaterThan(before + 3_590_000);
    expect(ends).toBeLessThan(Date.now() + 3_601_000);
    // The vend works, on the other instance, and carries the marks of the approval.
    const vended = await vendBy(second, ann, 'plain');
    expect(vended.status, vended.body).toBe(200);
    expect(vended.json['SourceIdentity']).toBe(`sentinel=a=${id}=ann`);
    const assumed = lastAssumed();
    expect(assumed.get('SourceIdentity')).toBe(`sentinel=a=${id}=ann`);
    expect(tagsOf(assumed)).toMatchObject({ SentinelRequestID: id, SentinelUser: 'key/ann' });
    const policy = assumed.get('Policy') ?? '';
    expect(policy).toContain(
      `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"${String(approved.json['effective_end'])}"}}}`,
    );
    expect(policy).toContain('{"Effect":"Deny","Action":"sts:*","Resource":"*"}');
    // The record of it names the request and who approved.
    expect(second.audit.findLast(({ event }) => event === 'vend')).toMatchObject({
      outcome: 'vended',
      request_id: id,
      approved_request_id: id,
      approvers: ['key/ben'],
      effect: 'allow',
    });
    const words = tvm.audit.filter(
      ({ event, request_id }) => event === 'approval' && request_id === id,
    );
    expect(words.map(({ action, effect, actor }) => [action, effect, actor])).toEqual([
      ['requested', 'allow', 'ann'],
      ['approved', 'deny', 'ben'],
      ['approved', 'allow', 'ben'],
    ]);
    // Ending it is known everywhere within a second, and takes the session with it.
    const session = String(vended.json['SessionId']);
    expect((await showSession(second, session)).json['status']).toBe('active');
    expect((await end(id, ben)).json).toMatchObject({
      status: 'cancelled',
      phase: 'ended',
      ended_by: 'ben',
    });
    const ended = performance.now();
    await expect
      .poll(async () => (await vendBy(second, ann, 'plain')).json['request_id'], {
        timeout: 3_000,
        interval: 20,
      })
      .not.toBe(undefined);
    await expect
      .poll(async () => (await showSession(second, session)).json['status'], {
        timeout: 3_000,
        interval: 20,
      })
      .not.toBe('active');
    expect(performance.now() - ended).toBeLessThan(2_000);
    const again = await vendBy(second, ann, 'plain');
    expect(outcomeOf(again)).toEqual([403, 'PolicyRequiresApproval']);
    expect(idOf(again)).not.toBe(id);
    await actBy(tvm, ann, [idOf(again), 'cancel']);
  });

  function showSession(on: RunningTvm, id: string): Promise<RawAnswer> {
    return sendBy(on, ann, ['GET', `/sessions/${id}`]);
  }
});

describe('POST /requests', () => {
  it('answers 201, then 200 for the same, and 409 for another', async () => {
    const id = await ask('plain');
    const same = await askBy(second, ann, 'plain');
    expect([same.status, idOf(same)]).toEqual([200, id]);
    const other = await askBy(second, ann, 'plain', { justification: 'something else altogether' });
    expect(outcomeOf(other)).toEqual([409, 'Conflict']);
    expect(other.json).toMatchObject({ status: 'pending', request_id: id });
    expect((await actBy(tvm, ann, [id, 'cancel'])).json).toMatchObject({
      status: 'cancelled',
      phase: 'ended',
    });
    expect(outcomeOf(await actBy(tvm, ann, [id, 'cancel']))).toEqual([409, 'Conflict']);
    expect(outcomeOf(await approveBy(tvm, ben, id))).toEqual([409, 'Conflict']);
    const anew = await ask('plain', ann, { justification: 'something else altogether' });
    expect(anew).not.toBe(id);
    await actBy(tvm, ann, [anew, 'cancel']);
  });

  it('answers PolicyDenied as a vend does, byte for byte', async () => {
    for (const profile of ['dev', 'nowhere']) {
      const [asked, vended] = [await askBy(tvm, dot, profile), await vendBy(tvm, dot, profile)];
      expect(outcomeOf(asked)).toEqual([403, 'PolicyDenied']);
      expect(asked.body).toBe(vended.body);
    }
  });

  it('refuses where no rule of the approval policy is for the profile', async () => {
    expect(outcomeOf(await askBy(tvm, ann, 'orphan'))).toEqual([403, 'PolicyRequiresApproval']);
    const vend = await vendBy(tvm, ann, 'orphan');
    expect(outcomeOf(vend)).toEqual([403, 'PolicyRequiresApproval']);
    expect(vend.json).not.toHaveProperty('request_id');
  });

  it.each([
    [9, 400],
    [10, 201],
    [500, 201],
    [501, 400],
  ])('takes a justification of %i characters with %i', async (length, status) => {
    const asked = await askBy(tvm, ann, 'plain', { justification: 'x'.repeat(length) });
    expect(asked.status, asked.body).toBe(status);
    if (asked.status === 201) await actBy(tvm, ann, [idOf(asked), 'cancel']);
  });

  it.each([
    [0, 400],
    [-1, 400],
    [1.5, 400],
    [28_800, 201],
    [28_801, 400],
  ])('takes a duration of %d seconds with %i', async (duration, status) => {
    const asked = await askBy(tvm, ann, 'plain', { duration });
    expect(asked.status, asked.body).toBe(status);
    if (asked.status === 201) await actBy(tvm, ann, [idOf(asked), 'cancel']);
  });

  it('keeps to the longest time of the rule', async () => {
    expect(outcomeOf(await askBy(tvm, ann, 'short', { duration: 1_801 }))).toEqual([
      400,
      'ValidationError',
    ]);
    const id = await ask('short');
    expect((await showBy(tvm, ann, id)).json['duration']).toBe(1_800);
    await actBy(tvm, ann, [id, 'cancel']);
  });

  it('wants the ticket and the comment of the rule', async () => {
    for (const ticket of [undefined, 'CHG-', 'XCHG-1', 'CHG-1x', 'chg-1']) {
      expect(outcomeOf(await askBy(tvm, ann, 'noted', { ticket })), String(ticket)).toEqual([
        400,
        'ValidationError',
      ]);
    }
    const vend = await vendBy(tvm, ann, 'noted');
    expect(outcomeOf(vend)).toEqual([403, 'PolicyRequiresApproval']);
    expect(vend.json).toMatchObject({ field: 'ticket' });
    expect(vend.json).not.toHaveProperty('request_id');
    expect(vend.json['message']).toContain('POST /requests');
    // A vend may bring it.
    const words = { profile: 'noted', ticket: 'CHG-17', justification: 'deploy release 42' };
    const id = idOf(await sendBy(tvm, ann, ['POST', '/', words]));
    expect((await showBy(tvm, ann, id)).json).toMatchObject({
      ticket: 'CHG-17',
      justification: 'deploy release 42',
    });
    expect(outcomeOf(await approveBy(tvm, ben, id))).toEqual([400, 'ValidationError']);
    await approve(id, ben, { comment: 'as agreed in the morning' });
    expect((await vendBy(tvm, ann, 'noted')).status).toBe(200);
    await end(id);
  });

  it('makes no more than ten open requests of one person', async () => {
    const who = keyOfName('cid');
    const ids: string[] = [];
    for (const profile of [
      'plain',
      'short',
      'later',
      'two',
      'pair',
      'slow',
      'never',
      'auto',
      'capped',
    ] as const) {
      ids.push(await ask(profile, who));
    }
    ids.push(await ask('noted', who, { ticket: 'CHG-1' }));
    // Ten profiles are all there are here, so that one of the ten is found, and none is new.
    expect((await askBy(tvm, who, 'plain')).status).toBe(200);
    for (const id of ids) expect((await actBy(tvm, who, [id, 'cancel'])).status).toBe(200);
  });
});

describe('POST /requests/{id}/deny', () => {
  it('is final for the request, and not for the next one', async () => {
    const id = await ask('plain');
    expect(outcomeOf(await actBy(tvm, ben, [id, 'deny']))).toEqual([400, 'ValidationError']);
    const denied = await actBy(tvm, ben, [id, 'deny'], { comment: 'not before the audit' });
    expect(denied.json).toMatchObject({ status: 'denied', phase: 'ended' });
    expect(outcomeOf(await approveBy(tvm, ben, id))).toEqual([409, 'Conflict']);
    expect((await vendBy(tvm, ann, 'plain')).json['request_id']).not.toBe(id);
    await actBy(tvm, ann, [idOf(await vendBy(tvm, ann, 'plain')), 'cancel']);
  });

  it('takes as many denials as the rule says', async () => {
    const id = await ask('pair');
    expect(
      (await actBy(tvm, ben, [id, 'deny'], { comment: 'rather not today' })).json['status'],
    ).toBe('pending');
    expect((await approve(id, cid)).json['status']).toBe('pending');
    expect(
      (await actBy(tvm, dot, [id, 'deny'], { comment: 'rather not today' })).json['status'],
    ).toBe('denied');
  });
});

describe('an approval that begins with its first use', () => {
  it('starts once, and the start stays', async () => {
    const id = await ask('later', ann, { duration: 1_200 });
    const approved = await approve(id);
    expect(approved.json).not.toHaveProperty('effective_end');
    expect(approved.json).toMatchObject({ start: 'first_use', phase: 'active' });
    const before = Date.now();
    expect((await vendBy(tvm, ann, 'later')).status).toBe(200);
    const started = await showBy(second, ann, id);
    const ends = Date.parse(String(started.json['effective_end']));
    expect(ends).toBeGreaterThanOrEqual(before + 1_199_000);
    expect((await vendBy(second, ann, 'later')).status).toBe(200);
    expect((await showBy(tvm, ann, id)).json['effective_end']).toBe(started.json['effective_end']);
    expect(lastAssumed().get('Policy')).toContain(String(started.json['effective_end']));
    await end(id);
  });

  it('has one start when five vends begin it at once', async () => {
    const id = await ask('later');
    await approve(id);
    const vends = await Promise.all(
      [tvm, second, tvm, second, tvm].map((on) => vendBy(on, ann, 'later')),
    );
    expect(vends.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const { json } = await showBy(tvm, ann, id);
    const policies = sts
      .assumed()
      .slice(-5)
      .map((body) => new URLSearchParams(body).get('Policy') ?? '');
    for (const policy of policies) expect(policy).toContain(String(json['effective_end']));
    await end(id);
  });
});

describe('auto_approve', () => {
  it('approves what it names at once', async () => {
    const asked = await askBy(tvm, ann, 'auto', { duration: 3_600 });
    expect(asked.json).toMatchObject({
      status: 'approved',
      phase: 'active',
      auto_approved: true,
      reviews: [],
    });
    const vended = await vendBy(second, ann, 'auto');
    expect(vended.status, vended.body).toBe(200);
    expect(vended.json['SourceIdentity']).toBe(`sentinel=a=${idOf(asked)}=ann`);
    await end(idOf(asked));
  });

  it.each([
    ['a longer time', ann, 3_601],
    ['another requester', cid, 600],
  ])('leaves %s to the approvers', async (_, who, duration) => {
    const asked = await askBy(tvm, who, 'auto', { duration });
    expect(asked.json).toMatchObject({ status: 'pending' });
    expect((await vendBy(tvm, who, 'auto')).status).toBe(403);
    await actBy(tvm, who, [idOf(asked), 'cancel']);
  });

  it('lets the vend after the one that asked pass', async () => {
    const first = await vendBy(tvm, ann, 'auto');
    const next = first.status === 200 ? first : await vendBy(tvm, ann, 'auto');
    expect(next.status, next.body).toBe(200);
    expect(first.body).not.toContain('waits for its approvers');
    await end(String(next.json['SourceIdentity']).split('=')[2] ?? '');
  });
});

describe('groups that must all approve', () => {
  it('count one person of two groups once, where it is needed', async () => {
    const id = await ask('two');
    // ben is in both; with cid he counts for security, with dot for the owners.
    expect((await approve(id, ben)).json['status']).toBe('pending');
    expect(outcomeOf(await approveBy(tvm, ben, id))).toEqual([200, undefined]);
    expect((await vendBy(tvm, ann, 'two')).status).toBe(403);
    expect((await approve(id, cid)).json['status']).toBe('approved');
    expect((await vendBy(second, ann, 'two')).status).toBe(200);
    await end(id);
    const other = await ask('two');
    await approve(other, ben);
    expect((await approve(other, dot)).json['status']).toBe('approved');
    await end(other);
  });

  it('do not take two of one group for one of each', async () => {
    const id = await ask('two');
    expect((await approve(id, cid)).json).toMatchObject({
      status: 'pending',
      needs: [
        { group: 'owners', have: 1, need: 1 },
        { group: 'security', have: 0, need: 1 },
      ],
    });
    expect((await vendBy(tvm, ann, 'two')).status).toBe(403);
    await actBy(tvm, ann, [id, 'cancel']);
  });
});

describe('POST /requests/{id}/approve', () => {
  it('may shorten the time, and the shortest counts', async () => {
    const id = await ask('pair', ann, { duration: 3_600 });
    const before = Date.now();
    await approve(id, ben, { duration: 1_800 });
    const approved = await approve(id, cid, { duration: 600 });
    expect(approved.json).toMatchObject({ status: 'approved', duration: 600 });
    expect(Date.parse(String(approved.json['effective_end']))).toBeLessThan(before + 610_000);
    const vended = await vendBy(tvm, ann, 'pair');
    const ends = Date.parse(String(approved.json['effective_end']));
    expect(Date.parse(String(vended.json['Expiration']))).toBeLessThanOrEqual(ends);
    expect(Date.parse(String(vended.json['Expiration']))).toBeGreaterThan(ends - 3_000);
    expect(lastAssumed().get('DurationSeconds')).toBe('900');
    await end(id);
  });

  it('refuses a longer time than was asked for', async () => {
    const id = await ask('plain', ann, { duration: 600 });
    expect(outcomeOf(await approveBy(tvm, ben, id, { duration: 601 }))).toEqual([
      400,
      'ValidationError',
    ]);
    await actBy(tvm, ann, [id, 'cancel']);
  });

  it('refuses outside the times of the rule', async () => {
    const id = await ask('never');
    expect(outcomeOf(await approveBy(tvm, ben, id))).toEqual([403, 'NotPermitted']);
    await actBy(tvm, ann, [id, 'cancel']);
  });

  it('leaves those who are added later to later', async () => {
    const id = await ask('slow');
    expect(outcomeOf(await approveBy(tvm, cid, id))).toEqual([403, 'NotPermitted']);
    expect((await approve(id, ben)).json['status']).toBe('approved');
    await end(id);
  });

  it('lets the cap of the policy hold for each vend', async () => {
    const id = await ask('capped');
    await approve(id);
    await vendBy(tvm, ann, 'capped', { duration: '3600' });
    expect(lastAssumed().get('DurationSeconds')).toBe('1200');
    await end(id);
  });
});

describe('POST /requests/{id}/end and cancel', () => {
  it('end is for the requester, the reviewers and operators who may revoke', async () => {
    for (const [who, status] of [
      [cid, 403],
      [dot, 403],
      [ann, 200],
      [ben, 200],
      [ops, 200],
    ] as const) {
      const id = await ask('plain');
      await approve(id);
      expect((await end(id, who)).status, who.name).toBe(status);
      expect((await vendBy(tvm, ann, 'plain')).status).toBe(status === 200 ? 403 : 200);
      const open = status === 200 ? idOf(await vendBy(tvm, ann, 'plain')) : id;
      await actBy(tvm, ann, [open, 'end'], { reason: 'the work is done' });
    }
  });

  it('cancel is for the requester alone, before and after the approval', async () => {
    const id = await ask('plain');
    for (const who of [ben, ops])
      expect(outcomeOf(await actBy(tvm, who, [id, 'cancel']))).toEqual([403, 'NotPermitted']);
    await approve(id);
    expect((await actBy(tvm, ann, [id, 'cancel'])).json).toMatchObject({
      status: 'cancelled',
      phase: 'ended',
    });
    expect((await vendBy(tvm, ann, 'plain')).status).toBe(403);
    await actBy(tvm, ann, [idOf(await vendBy(tvm, ann, 'plain')), 'cancel']);
  });
});
