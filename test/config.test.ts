import { describe, expect, it } from 'vitest';
import { readConfig, type Config, type Environment } from '../src/config.ts';

const DESK: Environment = { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: 'http://127.0.0.1:4566' };
const CLOUD: Environment = { AWS_REGION: 'eu-central-1', SENTINEL_PUBLIC_URL: 'https://tvm.example.com' };

const configOf = (environment: Environment): Config => {
  const read = readConfig(environment);
  if (!read.ok) throw new Error(read.refusal);
  return read.value;
};

const refusalOf = (environment: Environment): string => {
  const read = readConfig(environment);
  return read.ok ? 'accepted' : read.refusal;
};

/** One sentence for a person: begins with the variable or names it, ends once, on one line. */
const expectSentence = (sentence: string, variable: string): void => {
  expect(sentence).toContain(variable);
  expect(sentence).toMatch(/^[^\n]+[.?]$/u);
  expect(sentence).not.toMatch(/\.\.$|undefined|\[object/u);
};

describe('the defaults', () => {
  it('on a desk need nothing but region and endpoint', () => {
    expect(configOf(DESK)).toMatchObject({
      port: 8080,
      host: '0.0.0.0',
      region: 'us-east-1',
      local: true,
      root: '/sentinel',
      secretsRoot: '/sentinel-secrets',
      publicUrl: 'http://localhost:8080',
      trustedHops: 0,
      clockSkew: 300_000,
      catalogMaxAge: 300_000,
      replayGuard: 'shared',
      logLevel: 'info',
      withoutEffect: [],
      allowedAccounts: undefined,
      hosts: undefined,
    });
    expect(configOf(DESK).tables).toEqual({
      sessions: 'sentinel-sessions',
      requests: 'sentinel-requests',
      breakglass: 'sentinel-breakglass',
      revocations: 'sentinel-revocations',
      guard: 'sentinel-guard',
    });
  });

  it('in AWS leave endpoints to the SDK and take no demo keys', () => {
    expect(configOf(CLOUD)).toMatchObject({
      local: false,
      endpoints: { sts: undefined, ssm: undefined, dynamodb: undefined },
      publicUrl: 'https://tvm.example.com',
    });
  });

  it('take an empty variable for one that is not set', () => {
    expect(configOf({ ...DESK, PORT: '', SENTINEL_ROOT: '', SENTINEL_HOSTS: '', AWS_DEFAULT_REGION: '' })).toEqual(
      configOf(DESK),
    );
  });

  it('take AWS_DEFAULT_REGION where AWS_REGION is missing, and need one of them', () => {
    const { AWS_REGION: _, ...rest } = DESK;
    expect(configOf({ ...rest, AWS_DEFAULT_REGION: 'eu-west-1' }).region).toBe('eu-west-1');
    expect(configOf({ ...DESK, AWS_DEFAULT_REGION: 'eu-west-1' }).region).toBe('us-east-1');
    expectSentence(refusalOf(rest), 'AWS_REGION');
  });
});

const GOOD: Readonly<Record<string, readonly string[]>> = {
  PORT: ['0', '80', '65535'],
  HOST: ['127.0.0.1', '::1', 'localhost'],
  METRICS_PORT: ['0', '9090'],
  AWS_REGION: [
    'eu-central-1',
    'us-gov-west-1',
    'cn-north-1',
    'us-isob-east-1',
    'eu-isoe-west-1',
    'eusc-de-east-1',
    'ap-southeast-7',
  ],
  AWS_ENDPOINT_URL: ['http://localstack:4566'],
  AWS_ENDPOINT_URL_STS: ['http://127.0.0.1:1'],
  AWS_ENDPOINT_URL_SSM: ['http://127.0.0.1:1'],
  AWS_ENDPOINT_URL_DYNAMODB: ['http://127.0.0.1:1'],
  SENTINEL_ROOT: ['/a', '/a/b-c_d.e'],
  SENTINEL_SECRETS_ROOT: ['/s', '/sentinel2'],
  SENTINEL_SESSION_TABLE: ['abc', 'a_b-c.d'],
  SENTINEL_APPROVAL_TABLE: ['abc'],
  SENTINEL_BREAKGLASS_TABLE: ['abc'],
  SENTINEL_REVOCATION_TABLE: ['abc'],
  SENTINEL_GUARD_TABLE: ['abc'],
  SENTINEL_ALLOWED_ACCOUNTS: ['111122223333', '111122223333, 444455556666'],
  SENTINEL_SSO_ACCOUNTS: ['111122223333'],
  SENTINEL_TRUSTED_SESSION_ROLES: ['arn:aws:iam::111122223333:role/a/R'],
  SENTINEL_PUBLIC_URL: ['https://tvm.example.com', 'http://localhost:8080/base'],
  SENTINEL_HOSTS: ['tvm.example.com', 'a.example:8443,[::1]:80'],
  SENTINEL_SERVER_ID: ['tvm-1', 'https://tvm.example.com'],
  SENTINEL_FRONT: ['none'],
  SENTINEL_TRUSTED_HOPS: ['0', '16'],
  SENTINEL_CLOCK_SKEW: ['1s', '15m'],
  SENTINEL_CATALOG_MAX_AGE: ['30s', '1h'],
  SENTINEL_SESSION_LIFE: ['15m', '8h', '24h'],
  SENTINEL_OUTAGE_GRACE: ['0s', '0', '15m'],
  SENTINEL_REPLAY_GUARD: ['shared', 'instance'],
  SENTINEL_STS_REGIONS: ['eu-central-1', 'eu-central-1, eu-west-1'],
  SENTINEL_RATE_LIMIT_REQUESTS: ['1', '1000000'],
  SENTINEL_RATE_LIMIT_WINDOW: ['1s', '1h'],
  SENTINEL_RATE_LIMIT_STORE: ['memory', 'shared'],
  SENTINEL_LOG_LEVEL: ['trace', 'info', 'silent'],
  SENTINEL_LOG_SIGNING_KEY: ['anything at all'],
  SENTINEL_LOG_SIGNING_KEY_ID: ['key-1'],
};

const BAD: Readonly<Record<string, readonly string[]>> = {
  PORT: ['65536', '-1', '80a', '8 0', '1e3', '0x50', '٨٠'],
  HOST: ['a b', 'http://x', 'a/b'],
  METRICS_PORT: ['x'],
  AWS_REGION: ['x', 'EU-CENTRAL-1', 'eu-central', 'us-east-1 ', '../x'],
  AWS_ENDPOINT_URL: ['localhost:4566', 'ftp://x', 'x', 'file:///etc/passwd'],
  AWS_ENDPOINT_URL_STS: ['x'],
  AWS_ENDPOINT_URL_SSM: ['x'],
  AWS_ENDPOINT_URL_DYNAMODB: ['x'],
  SENTINEL_ROOT: ['sentinel', '/', '/a/', '//a', '/a b', '/a/../b?'],
  SENTINEL_SECRETS_ROOT: ['x', '/x/'],
  SENTINEL_SESSION_TABLE: ['ab', 'a b', 'x'.repeat(256)],
  SENTINEL_APPROVAL_TABLE: ['a/b'],
  SENTINEL_BREAKGLASS_TABLE: ['ä'.repeat(4)],
  SENTINEL_REVOCATION_TABLE: ['a'],
  SENTINEL_GUARD_TABLE: ['a$b'],
  SENTINEL_ALLOWED_ACCOUNTS: ['11112222333', '111122223333,', '*', 'aws', '111122223333 444455556666'],
  SENTINEL_SSO_ACCOUNTS: ['x'],
  SENTINEL_TRUSTED_SESSION_ROLES: ['role/R', 'arn:aws:iam::111122223333:user/u', 'arn:aws:iam::111122223333:role/*'],
  SENTINEL_PUBLIC_URL: ['tvm.example.com', 'javascript:alert(1)', '/x'],
  SENTINEL_HOSTS: ['a b', 'http://a', 'a,,b', '*'],
  SENTINEL_SERVER_ID: ['a b', 'x'.repeat(129), 'ä'],
  SENTINEL_FRONT: ['alb', 'None'],
  SENTINEL_TRUSTED_HOPS: ['17', '-1', '1.5', 'x'],
  SENTINEL_CLOCK_SKEW: ['0s', '15m1s', '300', '5', '-5m', 'soon'],
  SENTINEL_CATALOG_MAX_AGE: ['29s', '61m', 'x'],
  SENTINEL_SESSION_LIFE: ['14m', '25h'],
  SENTINEL_OUTAGE_GRACE: ['15m1s', '-1s'],
  SENTINEL_REPLAY_GUARD: ['off', 'none', 'Shared'],
  SENTINEL_STS_REGIONS: ['x', 'eu-central-1,'],
  SENTINEL_RATE_LIMIT_REQUESTS: ['0', '1000001', 'x'],
  SENTINEL_RATE_LIMIT_WINDOW: ['0s', '2h'],
  SENTINEL_RATE_LIMIT_STORE: ['redis'],
  SENTINEL_LOG_LEVEL: ['verbose', 'INFO'],
};

describe.each(Object.keys(GOOD))('%s', (variable) => {
  it.each(GOOD[variable] ?? [])('may be "%s"', (value) => {
    expect(refusalOf({ ...DESK, [variable]: value })).toBe('accepted');
  });

  it.each(BAD[variable] ?? [])('may not be "%s", and one sentence names it', (value) => {
    expectSentence(refusalOf({ ...DESK, [variable]: value }), variable);
  });
});

describe('an unknown SENTINEL_ variable', () => {
  it.each([
    ['SENTINEL_CLOCK_SKEV', 'SENTINEL_CLOCK_SKEW'],
    ['SENTINEL_ALLOWED_ACCOUNT', 'SENTINEL_ALLOWED_ACCOUNTS'],
    ['SENTINEL_ROOTS', 'SENTINEL_ROOT'],
    ['SENTINEL_REPLAYGUARD', 'SENTINEL_REPLAY_GUARD'],
    ['SENTINEL_TRUSTED_HOP', 'SENTINEL_TRUSTED_HOPS'],
  ])('%s is refused, and %s named', (variable, meant) => {
    for (const value of ['x', '']) {
      const sentence = refusalOf({ ...DESK, [variable]: value });
      expectSentence(sentence, variable);
      expect(sentence).toContain(`did you mean ${meant}?`);
    }
  });

  it('far from all of them is refused too', () => {
    expectSentence(refusalOf({ ...DESK, [`SENTINEL_${'X'.repeat(250)}`]: 'x' }), 'SENTINEL_X');
    expectSentence(refusalOf({ ...DESK, SENTINEL_: 'x' }), 'SENTINEL_');
    expectSentence(refusalOf({ ...DESK, SENTINEL_toString: 'x' }), 'SENTINEL_toString');
  });

  it.each([
    'SENTINEL_SERVICE_HOST',
    'SENTINEL_SERVICE_PORT_HTTP',
    'SENTINEL_PORT',
    'SENTINEL_PORT_8080_TCP',
    'SENTINEL_PORT_8080_TCP_ADDR',
  ])('that Kubernetes injects (%s) is ignored', (variable) => {
    expect(configOf({ ...DESK, [variable]: 'tcp://10.0.0.1:8080' })).toEqual(configOf(DESK));
  });

  it('of others is none of ours', () => {
    expect(configOf({ ...DESK, MY_SENTINEL_X: 'x', sentinel: 'x' })).toEqual(configOf(DESK));
  });
});

describe('a contradiction', () => {
  it.each([
    ['/sentinel', '/sentinel'],
    ['/sentinel', '/sentinel/secrets'],
    ['/a/b', '/a'],
  ])('roots %s and %s under one another are refused', (SENTINEL_ROOT, SENTINEL_SECRETS_ROOT) => {
    const sentence = refusalOf({ ...DESK, SENTINEL_ROOT, SENTINEL_SECRETS_ROOT });
    expectSentence(sentence, 'SENTINEL_ROOT');
    expect(sentence).toContain('SENTINEL_SECRETS_ROOT');
  });

  it('roots that only begin alike are none', () => {
    expect(refusalOf({ ...DESK, SENTINEL_ROOT: '/a', SENTINEL_SECRETS_ROOT: '/ab' })).toBe('accepted');
  });

  it('without a public URL there is none to build status URLs on, unless on a desk', () => {
    expectSentence(refusalOf({ AWS_REGION: 'eu-central-1' }), 'SENTINEL_PUBLIC_URL');
    const mixed = { ...DESK, AWS_ENDPOINT_URL_STS: 'https://sts.eu-central-1.amazonaws.com' };
    expectSentence(refusalOf(mixed), 'SENTINEL_PUBLIC_URL');
  });

  it('one endpoint that is not a desk’s makes the whole none, so demo keys are refused', () => {
    for (const service of ['STS', 'SSM', 'DYNAMODB']) {
      const url = { [`AWS_ENDPOINT_URL_${service}`]: 'https://x.eu-central-1.amazonaws.com' };
      expect(configOf({ ...DESK, ...CLOUD, ...url }).local).toBe(false);
    }
    expect(configOf({ ...CLOUD, AWS_ENDPOINT_URL_SSM: 'http://127.0.0.1:1' }).local).toBe(false);
  });

  it.each(['function-url', 'http-api', 'rest-api'])('the front %s is for Lambda only, and not there yet', (front) => {
    expectSentence(refusalOf({ ...DESK, SENTINEL_FRONT: front }), 'SENTINEL_FRONT');
    expectSentence(refusalOf({ ...DESK, SENTINEL_FRONT: front, AWS_LAMBDA_RUNTIME_API: 'x' }), 'SENTINEL_FRONT');
  });

  it.each([
    ['SENTINEL_REPLAY_GUARD', 'instance'],
    ['SENTINEL_RATE_LIMIT_STORE', 'memory'],
  ])('%s=%s on Lambda is refused', (variable, value) => {
    expect(refusalOf({ ...DESK, [variable]: value })).toBe('accepted');
    expectSentence(refusalOf({ ...DESK, [variable]: value, AWS_LAMBDA_RUNTIME_API: 'x' }), variable);
  });
});

describe('what is read', () => {
  it('is frozen to its depths', () => {
    const config = configOf({ ...DESK, SENTINEL_ALLOWED_ACCOUNTS: '111122223333', SENTINEL_HOSTS: 'a' });
    for (const part of [config, config.endpoints, config.tables, config.allowedAccounts, config.hosts]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('is trimmed in lists, and endpoints of one service win over the common one', () => {
    const own = { SENTINEL_HOSTS: ' a , b:1 ', AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' };
    expect(configOf({ ...DESK, ...own })).toMatchObject({
      hosts: ['a', 'b:1'],
      endpoints: { sts: 'http://127.0.0.1:1', ssm: DESK['AWS_ENDPOINT_URL'], dynamodb: DESK['AWS_ENDPOINT_URL'] },
    });
  });

  it('says which variables have no effect yet', () => {
    const set = { SENTINEL_OUTAGE_GRACE: '1m', SENTINEL_LOG_SIGNING_KEY: 'k', SENTINEL_ROOT: '/x' };
    expect(configOf({ ...DESK, ...set }).withoutEffect.toSorted()).toEqual([
      'SENTINEL_LOG_SIGNING_KEY',
      'SENTINEL_OUTAGE_GRACE',
    ]);
  });

  it('never repeats the value of a signing key', () => {
    const sentence = refusalOf({ ...DESK, SENTINEL_LOG_SIGNING_KEY: 'the-key-itself', PORT: 'x' });
    expect(sentence).not.toContain('the-key-itself');
  });
});
