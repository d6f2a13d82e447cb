import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import {
  get,
  outcomes,
  policyDocument,
  profileDocument,
  putProfile,
  signedCall,
} from './support.ts';

let desk: Desk;
let tvm: RunningTvm;

const ALICE = { users: ['alice'] };

beforeAll(async () => {
  desk = await startDesk();
  await putProfile(desk, 'for-bob', { effect: 'allow', conditions: { users: ['bob'] } });
  await putProfile(desk, 'bad-policy', { effect: 'alow', conditions: ALICE });
  await putProfile(
    desk,
    'bad-profile',
    { effect: 'allow', conditions: ALICE },
    { max_duraton: '1h' },
  );
  await desk.put(
    '/sentinel/policies/no-profile',
    policyDocument({ effect: 'allow', conditions: ALICE }),
  );
  await desk.put('/sentinel/profiles/no-policy', profileDocument());
  await putProfile(desk, 'closed', {
    effect: 'deny',
    conditions: { accounts: ['000000000000'] },
    reason: 'a secret reason',
  });
  await putProfile(desk, 'closed-by-pattern', {
    effect: 'deny',
    conditions: { principals: ['sentinel:key/*'] },
  });
  await putProfile(desk, 'of-another-account', {
    effect: 'allow',
    conditions: { accounts: ['111122223333'] },
  });
  await putProfile(desk, 'never-now', {
    effect: 'allow',
    conditions: {
      ...ALICE,
      time: { days: ['monday'], hours: { start: '00:00', end: '00:01' }, timezone: neverNow() },
    },
  });
  await putProfile(desk, 'tracked', {
    effect: 'require_server_session',
    conditions: ALICE,
    reason: 'Tracked.',
  });
  await putProfile(
    desk,
    'hard',
    { effect: 'allow', conditions: ALICE },
    { hard_revoke: true, revoker_role_arn: 'arn:aws:iam::000000000000:role/sentinel-revoker' },
  );
  await putProfile(desk, 'approval-unnamed', {
    effect: 'require_approval',
    conditions: { profiles: ['approval-unnamed'] },
    reason: 'not for strangers',
  });
  await putProfile(desk, 'bound', { effect: 'allow', conditions: ALICE }, { bind_source_ip: true });
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

/** A time zone in which it is not the first minute of a Monday. */
function neverNow(): string {
  return new Date().getUTCHours() < 12 ? 'Etc/GMT-6' : 'Etc/GMT+6';
}

const SECRETS = new Set(['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Token']);

function expectDenied(answer: RawAnswer, error = 'PolicyDenied'): void {
  expect(answer.status, answer.body).toBe(403);
  expect(answer.json).toMatchObject({ error, Code: error });
  expect(Object.keys(answer.json).filter((key) => SECRETS.has(key))).toEqual([]);
  expect(answer.headers).toMatchObject({ 'x-amzn-errortype': error, 'cache-control': 'no-store' });
}

/** The answer without the profile's name and the request's id. */
function anonymous({ status, headers, body }: RawAnswer, profile: string): string {
  const {
    date: _date,
    'x-request-id': _id,
    'content-length': _length,
    ratelimit: _left,
    ...kept
  } = headers;
  return JSON.stringify([status, kept, body]).replaceAll(profile, '<profile>');
}

describe('GET /: 403 PolicyDenied for a profile without a rule for the caller', () => {
  it.each([
    'for-bob',
    'bad-policy',
    'bad-profile',
    'no-profile',
    'no-policy',
    'closed',
    'closed-by-pattern',
    'of-another-account',
    'never-now',
    'approval-policy',
    'toString',
    'constructor',
    '__proto__',
  ])('gives alice the same bytes for %s as for a profile that does not exist', async (profile) => {
    const unknown = await get(tvm, { profile: 'there-is-no-such' });
    const answer = await get(tvm, { profile });
    expectDenied(answer);
    expect(anonymous(answer, profile)).toBe(anonymous(unknown, 'there-is-no-such'));
    expect(answer.json['message']).toBe(
      `no rule lets alice use profile ${profile}; GET /profiles lists yours`,
    );
  });

  it('records the rule that denied', async () => {
    const answer = await get(tvm, { profile: 'closed' });
    expectDenied(answer);
    expect(tvm.audit.at(-1)).toMatchObject({
      outcome: 'denied',
      effect: 'deny',
      rule: 'rule-0',
      rule_index: 0,
      reason: 'a secret reason',
      user: 'alice',
      principal: 'sentinel:key/TVMDEMOALICE',
    });
  });

  it('records no rule when none matched', async () => {
    await get(tvm, { profile: 'for-bob' });
    expect(tvm.audit.at(-1)).toMatchObject({
      outcome: 'denied',
      effect: 'deny',
      rule: '',
      rule_index: -1,
    });
  });

  it('vends the same profile to a caller whom its rule allows', async () => {
    const answer = await get(tvm, { profile: 'for-bob' }, { as: 'bob' });
    expect(answer.status, answer.body).toBe(200);
  });
});

describe('GET /: 403 PolicyDenied by a deny rule', () => {
  it('shows rule and reason to a caller whom the rule names', async () => {
    const answer = await get(tvm, { profile: 'vault' });
    expectDenied(answer);
    expect(answer.json).toMatchObject({ profile: 'vault', rule: 'alice-left-the-vault' });
    expect(answer.json['reason']).toContain('Alice moved');
    expect(answer.json['message']).toContain('alice-left-the-vault');
  });

  it.each(['bob', 'carol', 'olivia'] as const)(
    'shows %s nothing of a rule that names somebody else',
    async (as) => {
      const answer = await get(tvm, { profile: 'vault' }, { as });
      expectDenied(answer);
      expect(Object.keys(answer.json).toSorted()).toEqual([
        'Code',
        'Message',
        'error',
        'message',
        'profile',
      ]);
      expect(answer.body).not.toMatch(/alice|Alice/u);
    },
  );
});

describe('GET /: 403 PolicyDenied by bind_source_ip', () => {
  it('refuses a private address when the profile has no source_vpc', async () => {
    const answer = await get(tvm, { profile: 'bound' });
    expectDenied(answer);
    expect(answer.json['message']).toContain('your address');
    expect(tvm.audit.at(-1)).toMatchObject({ outcome: 'denied', error: 'address-unknown' });
  });
});

describe('GET /: 403 PolicyRequiresApproval', () => {
  it('vends nothing, and gives the reason to a caller whom the rule names', async () => {
    const answer = await get(tvm, { profile: 'prod', duration: '900' });
    expectDenied(answer, 'PolicyRequiresApproval');
    expect(answer.json['reason']).toContain('second person');
    expect(tvm.audit.at(-1)).toMatchObject({
      outcome: 'denied',
      effect: 'require_approval',
      rule: 'prod-takes-two',
    });
  });

  it('hides the reason from a caller whom the rule does not name', async () => {
    const answer = await get(tvm, { profile: 'approval-unnamed' });
    expectDenied(answer, 'PolicyRequiresApproval');
    expect(answer.body).not.toContain('not for strangers');
    expect(answer.json).not.toHaveProperty('reason');
  });
});

describe('GET /: 403 RequestReplayed', () => {
  it('refuses a copy, and vends for the request with another nonce', async () => {
    const request = signedCall(tvm, { query: 'profile=dev' });
    expect((await sendRaw(tvm.port, request)).status).toBe(200);
    const again = await sendRaw(tvm.port, request);
    expectDenied(again, 'RequestReplayed');
    expect(again.json['message']).toContain('x-sentinel-nonce');
    expect(tvm.audit.at(-1)).toMatchObject({ outcome: 'denied', error: 'replayed' });
    expect((await sendRaw(tvm.port, signedCall(tvm, { query: 'profile=dev' }))).status).toBe(200);
  });

  it('vends for exactly one of many copies at once', async () => {
    const request = signedCall(tvm, { query: 'profile=dev' });
    const vended = outcomes(tvm, 'vended').length;
    const answers = await Promise.all(Array.from({ length: 8 }, () => sendRaw(tvm.port, request)));
    const errors = answers.map(({ status, json }) => `${status} ${String(json['error'])}`);
    expect(errors.filter((one) => one === '403 RequestReplayed')).toHaveLength(7);
    expect(errors.filter((one) => one.startsWith('200'))).toHaveLength(1);
    expect(outcomes(tvm, 'vended').length).toBe(vended + 1);
  });

  it('does not use a denied request up', async () => {
    const request = signedCall(tvm, { query: 'profile=vault' });
    for (const _ of [1, 2]) expectDenied(await sendRaw(tvm.port, request));
  });
});
