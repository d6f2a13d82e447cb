import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import {
  get,
  outcomes,
  signedCall,
  startFakeSts,
  stsCredentials,
  stsError,
  type FakeAnswer,
} from './support.ts';

let desk: Desk;
let sts: Awaited<ReturnType<typeof startFakeSts>>;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  sts = await startFakeSts();
  tvm = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } });
});

afterAll(async () => {
  await tvm.close();
  await sts.close();
  await desk.close();
});

/** Vends while STS gives this answer. */
function vendWhile(answer: FakeAnswer): Promise<RawAnswer> {
  sts.control.assumeRole = () => answer;
  return get(tvm, { profile: 'dev' });
}

/** Expects nothing of STS's text in the answer, and STS's code in the record. */
function expectFailed(answer: RawAnswer, code: string | undefined): void {
  expect(answer.json).toMatchObject({
    Code: answer.json['error'],
    Message: answer.json['message'],
  });
  for (const key of ['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Token', 'upstream_code']) {
    expect(answer.json).not.toHaveProperty(key);
  }
  expect(answer.body).not.toContain('upstream says no');
  if (code !== undefined) expect(answer.body).not.toContain(code);
  const record = tvm.audit.at(-1);
  expect(record).toMatchObject({
    event: 'vend',
    outcome: 'failed',
    effect: 'allow',
    rule: 'engineers-in-dev',
  });
  expect(record).not.toHaveProperty('vended_access_key_id');
  expect(record?.['upstream_code']).toEqual(code ?? expect.any(String));
}

describe('GET /: 500 ProfileMisconfigured', () => {
  it.each([
    'AccessDenied',
    'MalformedPolicyDocument',
    'PackedPolicyTooLarge',
    'ValidationError',
    'InvalidParameterValue',
    'InvalidParameterCombination',
    'MissingParameter',
    'RegionDisabledException',
    'OptInRequired',
    'NotAuthorized',
    'RequestEntityTooLargeException',
  ])('is answered to %s of STS, without a retry', async (code) => {
    const before = sts.assumed().length;
    const answer = await vendWhile(stsError(code, code === 'AccessDenied' ? 403 : 400));
    expect(answer.status, answer.body).toBe(500);
    expect(answer.json).toMatchObject({ error: 'ProfileMisconfigured', profile: 'dev' });
    expect(answer.headers).not.toHaveProperty('retry-after');
    expect(sts.assumed().length).toBe(before + 1);
    const logged = String(tvm.audit.at(-1)?.['upstream_code']);
    // The SDK names some errors after its own classes.
    expect([code, `${code}Exception`, code.replace(/Exception$/u, '')]).toContain(logged);
    expectFailed(answer, logged);
  });
});

describe('GET /: 503 UpstreamThrottled', () => {
  it.each([
    'Throttling',
    'ThrottlingException',
    'RequestLimitExceeded',
    'RequestThrottled',
    'PriorRequestNotComplete',
  ])('is answered to %s of STS after retries, with Retry-After', async (code) => {
    const before = sts.assumed().length;
    const answer = await vendWhile(stsError(code));
    expect(answer.status, answer.body).toBe(503);
    expect(answer.json['error']).toBe('UpstreamThrottled');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.json['retry_after']).toBe(Number(answer.headers['retry-after']));
    expect(sts.assumed().length).toBeGreaterThan(before + 1);
    expectFailed(answer, code);
  });

  it('is answered to status 429 of STS with any code', async () => {
    const answer = await vendWhile(stsError('SomethingNew', 429));
    expect([answer.status, answer.json['error']], answer.body).toEqual([503, 'UpstreamThrottled']);
  });

  it('lets the same signed request vend later, once', async () => {
    sts.control.assumeRole = () => stsError('Throttling');
    const request = signedCall(tvm, { query: 'profile=dev' });
    expect((await sendRaw(tvm.port, request)).status).toBe(503);
    sts.control.assumeRole = () => stsCredentials();
    expect((await sendRaw(tvm.port, request)).status).toBe(200);
    expect((await sendRaw(tvm.port, request)).json['error']).toBe('RequestReplayed');
  });

  it('is not answered if a retry within the request succeeds', async () => {
    let calls = 0;
    sts.control.assumeRole = () => {
      calls += 1;
      return calls === 1 ? stsError('Throttling') : stsCredentials();
    };
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
  });
});

const FAULTS: readonly (readonly [string, FakeAnswer, string | undefined])[] = [
  ['an error of the server', stsError('InternalFailure', 500), 'InternalFailure'],
  ['a gateway’s page', { status: 502, body: '<html>bad gateway</html>' }, undefined],
  ['an unknown error', stsError('SomethingNew', 400), 'SomethingNew'],
  ['AccessDenied of a broken server', stsError('AccessDenied', 500), 'AccessDenied'],
  [
    'an invalid key of the TVM’s own',
    stsError('InvalidClientTokenId', 403),
    'InvalidClientTokenId',
  ],
  ['garbage', { status: 200, body: '\u0000\u0001 not xml <<<' }, undefined],
  ['JSON', { status: 200, body: '{"AccessKeyId":"x"}' }, undefined],
  ['an empty answer', { status: 200, body: '' }, undefined],
  ['a closed connection', 'close', undefined],
  ['credentials without token', stsCredentials({ SessionToken: '' }), undefined],
  ['credentials without secret', stsCredentials({ SecretAccessKey: '' }), undefined],
  ['credentials without end', stsCredentials({ Expiration: '' }), undefined],
  ['credentials with an end that is no date', stsCredentials({ Expiration: 'soon' }), undefined],
];

describe('GET /: 503 ServiceUnavailable by STS', () => {
  it.each(FAULTS)(
    'uses the request up and gives no credentials after %s',
    async (_, fault, code) => {
      const vended = outcomes(tvm, 'vended').length;
      sts.control.assumeRole = () => fault;
      const request = signedCall(tvm, { query: 'profile=dev' });
      const answer = await sendRaw(tvm.port, request);
      expect(answer.status, answer.body).toBe(503);
      expect(answer.json).toMatchObject({ error: 'ServiceUnavailable', retry_after: 5 });
      expect(answer.headers['retry-after']).toBe('5');
      expectFailed(answer, code);
      sts.control.assumeRole = () => stsCredentials();
      expect((await sendRaw(tvm.port, request)).json['error']).toBe('RequestReplayed');
      expect(outcomes(tvm, 'vended').length).toBe(vended);
    },
  );

  it('is answered in time when STS hangs', async () => {
    const answer = await vendWhile('hang');
    expect(answer.status).toBe(503);
    expectFailed(answer, undefined);
  });

  it('is answered when STS does not listen', async () => {
    const gone = await startFakeSts();
    const lonely = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_STS: gone.url } });
    await gone.close();
    const answer = await get(lonely, { profile: 'dev' });
    await lonely.close();
    expect(answer.status, answer.body).toBe(503);
  });
});

describe('GET / with expired credentials of the TVM’s own', () => {
  it.each(['ExpiredToken', 'ExpiredTokenException'])(
    'refreshes them once at %s, and vends',
    async (code) => {
      const before = sts.assumed().length;
      sts.control.assumeRole = () =>
        sts.assumed().length === before + 1 ? stsError(code, 403) : stsCredentials();
      expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
      expect(sts.assumed().length).toBe(before + 2);
    },
  );

  it('answers 503 if they are still expired at the second try', async () => {
    const before = sts.assumed().length;
    const answer = await vendWhile(stsError('ExpiredToken', 403));
    expect(answer.status).toBe(503);
    expectFailed(answer, 'ExpiredToken');
    expect(sts.assumed().length).toBe(before + 2);
  });
});

describe('the log of a fault of STS', () => {
  it('has the code of AWS and no credentials', async () => {
    await vendWhile(stsError('AccessDenied', 403));
    expect(tvm.log()).toContain('AccessDenied');
    expect(tvm.log()).not.toContain('demo-tvm-not-a-secret');
    expect(tvm.log()).not.toMatch(/fake-secret-key|fake-session-token|Signature=/u);
  });
});
