import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { get, outcomes, post, postText, putProfile } from './support.ts';

let desk: Desk;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  await putProfile(desk, 'team/a.b-c_d', { effect: 'allow', conditions: { users: ['alice'] } });
  await putProfile(desk, 'short', {
    effect: 'allow',
    conditions: { users: ['alice'] },
    max_server_duration: '5m',
  });
  await putProfile(
    desk,
    'half-hour',
    { effect: 'allow', conditions: { users: ['alice'] } },
    { max_duration: '30m' },
  );
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

function clientOf(body: Readonly<Record<string, unknown>>): STSClient {
  return new STSClient({
    endpoint: desk.url,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: {
      accessKeyId: String(body['AccessKeyId']),
      secretAccessKey: String(body['SecretAccessKey']),
      sessionToken: String(body['SessionToken']),
    },
  });
}

const KEYS = [
  'AccessKeyId',
  'AccountId',
  'Expiration',
  'Profile',
  'RoleArn',
  'SecretAccessKey',
  'SessionId',
  'SessionToken',
  'SourceIdentity',
  'Token',
  'Version',
];

/** Seconds from a moment to an answer's Expiration. */
function life(answer: { readonly json: Readonly<Record<string, unknown>> }, from: number): number {
  return (Date.parse(String(answer.json['Expiration'])) - from) / 1000;
}

describe.each([
  ['GET', (fields: Record<string, string | number>) => get(tvm, toText(fields))],
  ['POST', (fields: Record<string, string | number>) => post(tvm, fields)],
] as const)('200: %s /', (_, send) => {
  it('answers exactly the fields that credential_process and the container provider read', async () => {
    const answer = await send({ profile: 'dev' });
    expect(answer.status, answer.body).toBe(200);
    expect(Object.keys(answer.json).toSorted()).toEqual(KEYS);
    expect(answer.json).toMatchObject({
      Version: 1,
      AccountId: '000000000000',
      RoleArn: 'arn:aws:iam::000000000000:role/SentinelProtected-dev',
      Profile: 'dev',
    });
    expect(answer.json['Token']).toBe(answer.json['SessionToken']);
    expect(answer.json['SessionId']).toMatch(/^[0-9a-f]{16}$/u);
    expect(answer.json['SourceIdentity']).toMatch(/^sentinel=d=[0-9a-f]{16}=alice$/u);
    expect(answer.json['Expiration']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u);
  });

  it('answers with no-store, and with the ids that are in the audit record', async () => {
    const answer = await send({ profile: 'dev' });
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
    });
    expect(tvm.audit.at(-1)).toMatchObject({
      outcome: 'vended',
      http_request_id: answer.headers['x-request-id'],
      session_id: answer.json['SessionId'],
      source_identity: answer.json['SourceIdentity'],
      vended_access_key_id: answer.json['AccessKeyId'],
      expiration: answer.json['Expiration'],
      source_ip: '127.0.0.1',
    });
  });

  it('gives each vend its own SourceIdentity and request id, and one caller one session', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => send({ profile: 'dev' })));
    for (const field of ['SourceIdentity', 'AccessKeyId', 'SecretAccessKey']) {
      expect(new Set(answers.map(({ json }) => json[field])).size, field).toBe(3);
    }
    expect(new Set(answers.map(({ headers }) => headers['x-request-id'])).size).toBe(3);
    expect(new Set(answers.map(({ json }) => json['SessionId'])).size).toBe(1);
  });

  it.each([900, 901, 3599, 3600])('vends for the %i seconds asked for', async (duration) => {
    const before = Date.now();
    const answer = await send({ profile: 'dev', duration });
    expect(answer.status, answer.body).toBe(200);
    expect(life(answer, before)).toBeGreaterThan(duration - 2);
    expect(life(answer, Date.now())).toBeLessThanOrEqual(duration);
    expect(tvm.audit.at(-1)).toMatchObject({ session_duration_seconds: duration });
  });

  it('vends for 15 minutes without a duration, though the profile allows an hour', async () => {
    const answer = await send({ profile: 'dev' });
    expect(answer.status).toBe(200);
    expect(life(answer, Date.now())).toBeLessThanOrEqual(900);
  });

  it.each(['short', 'half-hour'])(
    'cuts the duration to the maximum of %s, and shows that in Expiration',
    async (profile) => {
      const cap = { short: 300, 'half-hour': 1800 }[profile] ?? 0;
      const before = Date.now();
      const answer = await send({ profile, duration: 3600 });
      expect(answer.status, answer.body).toBe(200);
      expect(life(answer, before)).toBeGreaterThan(cap - 2);
      expect(life(answer, Date.now())).toBeLessThanOrEqual(cap);
    },
  );

  it('accepts device_id and session_label', async () => {
    const answer = await send({
      profile: 'dev',
      device_id: 'a device',
      session_label: 'laptop_1.a-b',
    });
    expect(answer.status, answer.body).toBe(200);
    expect(answer.body).not.toContain('a device');
  });

  it('accepts every character in a profile’s name that SSM accepts', async () => {
    const answer = await send({ profile: 'team/a.b-c_d' });
    expect(answer.json).toMatchObject({ Profile: 'team/a.b-c_d' });
  });
});

function toText(fields: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value)]));
}

describe('the credentials of GET /', () => {
  it('belong to the protected role, with the caller’s name as the session name', async () => {
    const { json } = await get(tvm, { profile: 'dev' });
    const identity = await clientOf(json).send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe('arn:aws:sts::000000000000:assumed-role/SentinelProtected-dev/alice');
  });

  it('cannot assume another protected role', async () => {
    const { json } = await get(tvm, { profile: 'dev' });
    const assume = new AssumeRoleCommand({
      RoleArn: 'arn:aws:iam::000000000000:role/SentinelProtected-prod',
      RoleSessionName: 'alice',
      SourceIdentity: String(json['SourceIdentity']),
    });
    await expect(clientOf(json).send(assume)).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  it('do not work with the secret of another vend', async () => {
    const [one, two] = await Promise.all([
      get(tvm, { profile: 'dev' }),
      get(tvm, { profile: 'dev' }),
    ]);
    const mixed = { ...one.json, SecretAccessKey: two.json['SecretAccessKey'] };
    await expect(clientOf(mixed).send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
  });
});

describe('the body of POST /', () => {
  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
  ])('is accepted with the content type %s', async (type) => {
    const answer = await postText(tvm, '{"profile":"dev"}', { headers: { 'content-type': type } });
    expect(answer.status, answer.body).toBe(200);
  });

  it('may have white space, escapes, and strings that look like keys', async () => {
    const body = ' { "pro\\u0066ile" : "dev" ,\n "device_id" : "\\"profile\\" : \\"prod\\", {" } ';
    const answer = await postText(tvm, body);
    expect(answer.status, answer.body).toBe(200);
    expect(answer.json['Profile']).toBe('dev');
  });

  it('leaves one record for each vend, as GET / does', async () => {
    const before = outcomes(tvm, 'vended').length;
    await get(tvm, { profile: 'dev' });
    await post(tvm, { profile: 'dev' });
    expect(outcomes(tvm, 'vended').length).toBe(before + 2);
  });
});
