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

const RULES = {
  plain: { approvers: ['ben'] },
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
  for (const who of [ann, ben]) await register(desk, who);
  const rule = { effect: 'require_approval', conditions: { users: ['ann', 'ben', 'cid', 'dot'] } };
  for (const profile of Object.keys(RULES)) {
    const more = profile === 'hard' ? HARD : {};
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument(more));
    await desk.put(`/sentinel/policies/${profile}`, policyDocument(rule));
  }
  const rules = Object.entries(RULES).map(([profile, one]) => ({ profiles: [profile], ...one }));
  await desk.put('/sentinel/approval-policy', approvalPolicy(...rules));
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
  const { digest } = (await show(id)).json;
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
