import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { call, get, post, startFakeSts, stsError } from '../http/support.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

let desk: Desk;

beforeAll(async () => {
  desk = await startDesk();
});

afterAll(async () => {
  await desk.close();
});

const SECRETS = [
  ...Object.values(DEMO_CLIENTS).map(({ secret }) => secret),
  'demo-tvm-not-a-secret',
];

function expectClean(tvm: RunningTvm, secrets: readonly string[]): void {
  const said = JSON.stringify(tvm.audit) + tvm.log();
  for (const secret of [...SECRETS, ...secrets]) expect(said).not.toContain(secret);
  expect(said).not.toMatch(/SecretAccessKey|SessionToken|Signature=|"secret"/u);
}

describe('the audit log and the log of a vend', () => {
  it('hold no secret key, token or signature, at any level', async () => {
    const tvm = await startTvm(desk.url, { environment: { SENTINEL_LOG_LEVEL: 'trace' } });
    const answers = [
      await get(tvm, { profile: 'dev' }),
      await post(tvm, { profile: 'dev', duration: 3600 }),
    ];
    await get(tvm, { profile: 'vault' });
    await get(tvm, { profile: 'prod' });
    await call(tvm, { path: '/profiles' });
    await sendRaw(tvm.port, {
      target: '/',
      headers: { host: tvm.host, authorization: 'AWS4-HMAC-SHA256 x' },
    });
    expect(tvm.audit.filter(({ outcome }) => outcome === 'vended')).toHaveLength(2);
    for (const { json } of answers) {
      expectClean(tvm, [String(json['SecretAccessKey']), String(json['SessionToken'])]);
      expect(JSON.stringify(tvm.audit)).toContain(String(json['AccessKeyId']));
    }
    await tvm.close();
  });

  it('hold none of them if AWS STS fails', async () => {
    const sts = await startFakeSts();
    const tvm = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } });
    for (const fault of [
      stsError('AccessDenied', 403),
      stsError('InternalFailure', 500),
      'close',
    ] as const) {
      sts.control.assumeRole = () => fault;
      expect((await get(tvm, { profile: 'dev' })).status).toBeGreaterThanOrEqual(500);
    }
    expect(tvm.log()).toContain('AssumeRole failed');
    expectClean(tvm, ['fake-secret-key', 'fake-session-token']);
    await tvm.close();
    await sts.close();
  });

  it('have one record of a vend, with everything that an investigation needs', async () => {
    const tvm = await startTvm(desk.url);
    const answer = await get(tvm, { profile: 'dev' });
    expect(tvm.audit).toEqual([
      {
        type: 'audit',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/u),
        event: 'vend',
        http_request_id: answer.headers['x-request-id'],
        source_ip: '127.0.0.1',
        user: 'alice',
        principal: 'sentinel:key/TVMDEMOALICE',
        subject: 'sentinel:key/TVMDEMOALICE',
        account: '000000000000',
        via: 'key',
        access_key_id: 'TVMDEMOALICE',
        profile: 'dev',
        policy_path: 'policies/dev',
        effect: 'allow',
        rule: 'engineers-in-dev',
        rule_index: 0,
        rule_hash: expect.stringMatching(/^[0-9a-f]{16}$/u),
        catalog_version: expect.stringMatching(/^[0-9a-f]{16}$/u),
        reason: 'Engineers work in dev.',
        outcome: 'vended',
        vend_id: String(answer.json['SourceIdentity']).split('=')[2],
        session_id: answer.json['SessionId'],
        tracking: 'tracked',
        source_identity: answer.json['SourceIdentity'],
        role_session_name: 'alice',
        role_arn: 'arn:aws:iam::000000000000:role/SentinelProtected-dev',
        session_duration_seconds: 900,
        vended_access_key_id: answer.json['AccessKeyId'],
        expiration: answer.json['Expiration'],
      },
    ]);
    await tvm.close();
  });
});
