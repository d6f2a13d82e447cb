import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  approvalPolicy,
  idOf,
  keyOfName,
  register,
  sendBy,
  type Who,
} from '../support/approvals.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { amzDateOf } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { policyDocument, profileDocument, startFakeSts, stsCredentials } from './support.ts';

/** What time does to requests for an approval, by a clock that the tests move. */
let desk: Desk;
let sts: Awaited<ReturnType<typeof startFakeSts>>;
let tvm: RunningTvm;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const BEGUN = Math.floor(Date.now() / 1_000) * 1_000;
let now = BEGUN;

const ann = keyOfName('ann');
const ben = keyOfName('ben');
const cid = keyOfName('cid');
const cid2 = keyOfName('cid', 2);
const dot = keyOfName('dot');

/** The hour and minute of a moment in UTC, as documents write it. */
function clockTime(ms: number): string {
  return new Date(ms).toISOString().slice(11, 16);
}

/** Twenty hours after the beginning the window of `timed` opens, for one hour. */
const OPENS = BEGUN + 20 * HOUR;

const MANY = Array.from({ length: 11 }, (_, n) => `many/${n}`);

const RULES = {
  plain: { approvers: ['ben'] },
  pair: {
    require: [{ group: 'team', from: ['ben'], approvals: 2 }],
    escalate: { after: '1h', from: ['cid', 'dot'] },
  },
  groups: {
    require: [
      { group: 'owners', from: ['ben'] },
      { group: 'security', from: ['dot'] },
    ],
    escalate: { after: '30m', from: ['cid'], group: 'security' },
  },
  timed: {
    approvers: ['ben'],
    request_ttl: '48h',
    approve_time: { hours: { start: clockTime(OPENS), end: clockTime(OPENS + HOUR) } },
  },
  later: { approvers: ['ben'], start: 'first_use' },
  hard: { approvers: ['ben'] },
};

const HARD = {
  hard_revoke: true,
  revoker_role_arn: 'arn:aws:iam::000000000000:role/sentinel-revoker',
};

beforeAll(async () => {
  desk = await startDesk();
  sts = await startFakeSts(() =>
    stsCredentials({ Expiration: new Date(now + HOUR).toISOString().replace(/\.\d+/u, '') }),
  );
  for (const who of [ann, ben, cid, cid2, dot]) await register(desk, who);
  const rule = { effect: 'require_approval', conditions: { users: ['ann', 'ben', 'cid', 'dot'] } };
  for (const profile of [...Object.keys(RULES), ...MANY]) {
    const more = profile === 'hard' ? HARD : {};
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument(more));
    await desk.put(`/sentinel/policies/${profile}`, policyDocument(rule));
  }
  const rules = Object.entries(RULES).map(([profile, one]) => ({ profiles: [profile], ...one }));
  const many = { profiles: MANY, approvers: ['ben'], request_ttl: '2h' };
  await desk.put('/sentinel/approval-policy', approvalPolicy(...rules, many));
  await desk.put(
    '/sentinel/break-glass-policy',
    JSON.stringify({ version: '1', rules: [{ name: 'fire', users: ['ann'] }] }),
  );
  tvm = await startTvm(desk.url, {
    clock: () => now,
    environment: { AWS_ENDPOINT_URL_STS: sts.url, SENTINEL_RATE_LIMIT_REQUESTS: '10000' },
  });
});

afterAll(async () => {
  await tvm.close();
  await sts.close();
  await desk.close();
});

function as(who: Who, method: 'GET' | 'POST', path: string, body?: object): Promise<RawAnswer> {
  return sendBy(tvm, who, [method, path, body], { amzDate: amzDateOf(now) });
}

async function ask(who: Who, profile: string, more: object = {}): Promise<string> {
  const body = { profile, justification: 'deploy release 42', ...more };
  const asked = await as(who, 'POST', '/requests', body);
  expect(asked.status, asked.body).toBe(201);
  return idOf(asked);
}

function show(id: string, who = ann): Promise<RawAnswer> {
  return as(who, 'GET', `/requests/${id}`);
}

async function approve(who: Who, id: string): Promise<RawAnswer> {
  // ben may see all of them.
  const { digest } = (await show(id, ben)).json;
  return as(who, 'POST', `/requests/${id}/approve`, { digest });
}

function vend(who: Who, profile: string): Promise<RawAnswer> {
  return as(who, 'GET', `/?profile=${profile}`);
}

function instant(ms: number): string {
  return new Date(ms).toISOString().replace('.000', '');
}

describe('credentials_end', () => {
  /** An approval that was used, and ended with `action`. */
  async function ended(profile: string, duration: number, action = 'end'): Promise<string> {
    const id = await ask(ann, profile, { duration });
    expect((await approve(ben, id)).status).toBe(200);
    const vended = await vend(ann, profile);
    expect(vended.status, vended.body).toBe(200);
    const body = action === 'end' ? { reason: 'the work is done' } : {};
    const answer = await as(ann, 'POST', `/requests/${id}/${action}`, body);
    expect(answer.json, answer.body).toMatchObject({ status: 'cancelled', phase: 'ended' });
    return id;
  }

  it.each(['end', 'cancel'])('says after %s how long what was vended may work', async (action) => {
    const long = await ended('plain', 28_800, action);
    const last = now + HOUR;
    expect((await show(long)).json['credentials_end']).toBe(instant(last));
    const short = await ended('plain', 600, action);
    expect((await show(short)).json['credentials_end']).toBe(instant(now + 10 * MINUTE));
    // It is the moment of the end that counts, and afterwards there is nothing to say.
    now += 30 * MINUTE;
    expect((await show(long)).json['credentials_end']).toBe(instant(last));
    expect((await show(short)).json).not.toHaveProperty('credentials_end');
    now += 30 * MINUTE;
    expect((await show(long)).json).not.toHaveProperty('credentials_end');
  });

  it('is in the answer to the end itself', async () => {
    const id = await ask(ann, 'plain', { duration: 1_200 });
    const approved = await approve(ben, id);
    expect(approved.json).not.toHaveProperty('credentials_end');
    const answer = await as(ben, 'POST', `/requests/${id}/end`, { reason: 'the work is done' });
    expect(answer.json['credentials_end']).toBe(approved.json['effective_end']);
  });

  it('is missing where nothing was vended', async () => {
    const pending = await ask(ann, 'plain');
    const withdrawn = await as(ann, 'POST', `/requests/${pending}/cancel`, {});
    expect(withdrawn.json).toMatchObject({ status: 'cancelled' });
    expect(withdrawn.json).not.toHaveProperty('credentials_end');
    const unused = await ask(ann, 'later');
    expect((await approve(ben, unused)).status).toBe(200);
    const answer = await as(ann, 'POST', `/requests/${unused}/end`, { reason: 'not needed' });
    expect(answer.json).toMatchObject({ status: 'cancelled' });
    expect(answer.json).not.toHaveProperty('credentials_end');
    const used = await ended('later', 600);
    expect((await show(used)).json['credentials_end']).toBe(instant(now + 10 * MINUTE));
  });

  it('is missing where the profile has hard revocation', async () => {
    const id = await ended('hard', 3_600);
    expect((await show(id)).json).not.toHaveProperty('credentials_end');
    const wish = {
      reason_code: 'incident',
      justification: 'payments have failed since 14:02 UTC',
    };
    for (const profile of ['hard', 'plain']) {
      const opened = await as(ann, 'POST', '/break-glass', { profile, ...wish });
      const event = String(opened.json['event_id']);
      expect((await vend(ann, profile)).status).toBe(200);
      const path = `/break-glass/${event}/close`;
      const { json, body } = await as(ann, 'POST', path, { reason: 'payments work again' });
      expect(json['status'], body).toBe('closed');
      const last = profile === 'hard' ? undefined : instant(now + HOUR);
      expect(json['credentials_end']).toBe(last);
    }
  });
});

describe('escalate', () => {
  it('adds approvers when its time has come, and changes no number', async () => {
    const id = await ask(ann, 'pair');
    const before = [{ group: 'team', have: 0, need: 2, eligible: ['ben'] }];
    expect((await show(id)).json['needs']).toEqual(before);
    expect((await approve(ben, id)).json['status']).toBe('pending');
    now += HOUR - 1_000;
    expect((await show(id)).json['needs']).toEqual([{ ...before[0], have: 1 }]);
    expect((await approve(cid, id)).status).toBe(403);
    expect((await as(cid, 'GET', '/requests?view=review')).json['requests']).toEqual([]);
    now += 1_000;
    const after = [{ group: 'team', have: 1, need: 2, eligible: ['ben', 'cid', 'dot'] }];
    expect((await show(id)).json['needs']).toEqual(after);
    const waiting = await as(cid, 'GET', '/requests?view=review');
    expect(waiting.json['requests']).toMatchObject([{ request_id: id }]);
    const approved = await approve(cid, id);
    expect(approved.json, approved.body).toMatchObject({ status: 'approved' });
    // Whom escalation added goes on to count, at each vend.
    now += 10 * MINUTE;
    const vended = await vend(ann, 'pair');
    expect(vended.status, vended.body).toBe(200);
  });

  it('does not let those suffice whom it adds to fewer than the number', async () => {
    const id = await ask(cid, 'pair');
    now += HOUR;
    // cid asks, so that ben and dot are left, and both are needed.
    expect((await approve(cid, id)).status).toBe(403);
    expect((await approve(dot, id)).json).toMatchObject({
      status: 'pending',
      needs: [{ have: 1, need: 2 }],
    });
    expect((await approve(ben, id)).json['status']).toBe('approved');
  });

  it('adds to the group that it names, and to no other', async () => {
    const id = await ask(ann, 'groups');
    now += 30 * MINUTE;
    const escalated = [
      { group: 'owners', have: 0, need: 1, eligible: ['ben'] },
      { group: 'security', have: 0, need: 1, eligible: ['dot', 'cid'] },
    ];
    expect((await show(id)).json['needs']).toEqual(escalated);
    expect((await approve(cid, id)).json['status']).toBe('pending');
    expect((await approve(dot, id)).json['status']).toBe('pending');
    expect((await approve(ben, id)).json['status']).toBe('approved');
  });
});

describe('the eleventh open request of a person', () => {
  it('is refused until one of them is cancelled, under whatever key', async () => {
    const ids: string[] = [];
    for (const profile of MANY.slice(0, 10)) ids.push(await ask(cid, profile));
    const [last = ''] = MANY.slice(10);
    const wish = { profile: last, justification: 'deploy release 42' };
    now += MINUTE;
    for (const who of [cid, cid2]) {
      const refused = await as(who, 'POST', '/requests', wish);
      expect(refused.status, refused.body).toBe(429);
      expect(refused.json).toMatchObject({
        error: 'QuotaExceeded',
        message:
          'You have 10 requests open, which is the most; cancel one, or wait until one is decided.',
      });
      expect(refused.headers['retry-after']).toBe(String(119 * 60));
    }
    // A vend that would make one is told the same, and somebody else is not concerned.
    const vended = await vend(cid, last);
    expect([vended.status, vended.json['error']]).toEqual([429, 'QuotaExceeded']);
    await as(ann, 'POST', `/requests/${await ask(ann, last)}/cancel`, {});
    // The same once more is found, and takes no place.
    const again = { profile: MANY[3], justification: 'deploy release 42' };
    const same = await as(cid, 'POST', '/requests', again);
    expect([same.status, idOf(same)]).toEqual([200, ids[3]]);
    const cancelled = await as(cid, 'POST', `/requests/${ids[5] ?? ''}/cancel`, {});
    expect(cancelled.status, cancelled.body).toBe(200);
    await ask(cid, last);
    const twelfth = await as(cid, 'POST', '/requests', { ...wish, profile: MANY[5] });
    expect(twelfth.status).toBe(429);
  });

  it('has a place again once one has expired', async () => {
    now += 2 * HOUR;
    for (const profile of MANY.slice(0, 10)) await ask(cid, profile);
    const [last = ''] = MANY.slice(10);
    const refused = await as(cid, 'POST', '/requests', {
      profile: last,
      justification: 'deploy release 42',
    });
    expect(refused.headers['retry-after']).toBe(String(120 * 60));
    now += 2 * HOUR;
    await ask(cid, last);
  });
});

describe('approve_time', () => {
  it('lets a request be approved in its window only', async () => {
    const minute = Math.floor(OPENS / MINUTE) * MINUTE;
    const [first, second] = [await ask(ann, 'timed'), await ask(cid, 'timed')];
    expect(now).toBeLessThan(minute);
    now = minute - 1_000;
    const early = await approve(ben, first);
    expect([early.status, early.json['error']]).toEqual([403, 'NotPermitted']);
    expect(early.json['message']).toContain('at certain times only, and this is none of them');
    expect((await show(first)).json).toMatchObject({ status: 'pending', reviews: [] });
    now = minute;
    expect((await approve(ben, first)).json['status']).toBe('approved');
    now = minute + HOUR;
    const late = await approve(ben, second);
    expect([late.status, late.json['error']]).toEqual([403, 'NotPermitted']);
    // The window opens again the next day.
    now = minute + 24 * HOUR;
    expect((await approve(ben, second)).json['status']).toBe('approved');
  });

  it('lets what was approved in its window vend behind it', async () => {
    const id = await ask(ann, 'timed', { duration: 7_200 });
    expect((await approve(ben, id)).json['status']).toBe('approved');
    now += 90 * MINUTE;
    const vended = await vend(ann, 'timed');
    expect(vended.status, vended.body).toBe(200);
  });
});
