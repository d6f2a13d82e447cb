import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig, type Config, type Environment } from '../../src/config/config.ts';
import { Variables } from '../../src/config/variables.ts';
import { BAD, GOOD } from './values.ts';

const LOCAL: Environment = { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: 'http://127.0.0.1:4566' };
const CLOUD: Environment = {
  AWS_REGION: 'eu-central-1',
  SENTINEL_PUBLIC_URL: 'https://tvm.example.com',
};

function configOf(environment: Environment): Config {
  const read = readConfig(environment);
  if (!read.ok) throw new Error(read.refusal);
  return read.value;
}

function refusalOf(environment: Environment): string {
  const read = readConfig(environment);
  return read.ok ? 'accepted' : read.refusal;
}

/** Expects one sentence on one line that names the variable. */
function expectSentence(sentence: string, variable: string): void {
  expect(sentence).toContain(variable);
  expect(sentence).toMatch(/^[^\n]+[.?]$/u);
  expect(sentence).not.toMatch(/\.\.$|undefined|\[object/u);
}

describe('the defaults of readConfig', () => {
  it('with a local AWS need only a region and an endpoint', () => {
    expect(configOf(LOCAL)).toMatchObject({
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
      hosts: ['localhost', '127.0.0.1', '[::1]'],
    });
    expect(configOf(LOCAL).tables).toEqual({
      sessions: 'sentinel-sessions',
      requests: 'sentinel-requests',
      breakglass: 'sentinel-breakglass',
      revocations: 'sentinel-revocations',
      guard: 'sentinel-guard',
      audit: 'sentinel-audit',
    });
  });

  it('in AWS leave the endpoints to the SDK and refuse demo keys', () => {
    expect(configOf(CLOUD)).toMatchObject({
      local: false,
      endpoints: { sts: undefined, ssm: undefined, dynamodb: undefined },
      publicUrl: 'https://tvm.example.com',
    });
  });

  it('apply to an empty variable as if it was not set', () => {
    expect(
      configOf({
        ...LOCAL,
        PORT: '',
        SENTINEL_ROOT: '',
        SENTINEL_HOSTS: '',
        AWS_DEFAULT_REGION: '',
      }),
    ).toEqual(configOf(LOCAL));
  });

  it('use AWS_DEFAULT_REGION where AWS_REGION is missing, and need one of them', () => {
    const { AWS_REGION: _, ...rest } = LOCAL;
    expect(configOf({ ...rest, AWS_DEFAULT_REGION: 'eu-west-1' }).region).toBe('eu-west-1');
    expect(configOf({ ...LOCAL, AWS_DEFAULT_REGION: 'eu-west-1' }).region).toBe('us-east-1');
    expectSentence(refusalOf(rest), 'AWS_REGION');
  });
});

describe.each(Object.keys(GOOD))('%s', (variable) => {
  it.each(GOOD[variable] ?? [])('accepts "%s"', (value) => {
    expect(refusalOf({ ...LOCAL, [variable]: value })).toBe('accepted');
  });

  it.each(BAD[variable] ?? [])('refuses "%s" with one sentence that names it', (value) => {
    expectSentence(refusalOf({ ...LOCAL, [variable]: value }), variable);
  });
});

describe('an unknown SENTINEL_ variable', () => {
  it.each([
    ['SENTINEL_CLOCK_SKEV', 'SENTINEL_CLOCK_SKEW'],
    ['SENTINEL_ALLOWED_ACCOUNT', 'SENTINEL_ALLOWED_ACCOUNTS'],
    ['SENTINEL_ROOTS', 'SENTINEL_ROOT'],
    ['SENTINEL_REPLAYGUARD', 'SENTINEL_REPLAY_GUARD'],
    ['SENTINEL_TRUSTED_HOP', 'SENTINEL_TRUSTED_HOPS'],
  ])('%s is refused with a sentence that suggests %s', (variable, meant) => {
    for (const value of ['x', '']) {
      const sentence = refusalOf({ ...LOCAL, [variable]: value });
      expectSentence(sentence, variable);
      expect(sentence).toContain(`did you mean ${meant}?`);
    }
  });

  it.each([
    ['SENTINEL_POLICY_ROOT', 'here policies lie under SENTINEL_ROOT/policies'],
    ['SENTINEL_POLICY_PARAMETER', 'SENTINEL_ROOT/policies/<profile>'],
    ['SENTINEL_REQUEST_TABLE', 'SENTINEL_APPROVAL_TABLE'],
    ['SENTINEL_RATE_LIMIT_TABLE', 'SENTINEL_RATE_LIMIT_STORE=shared'],
    ['SENTINEL_POLICY_SIGNING_KEY', 'policies are not signed here'],
    ['SENTINEL_ENFORCE_POLICY_SIGNING', 'policies are not signed here'],
    ['SENTINEL_MFA_TOTP_SECRETS_PARAM', 'no second factor'],
    ['SENTINEL_MFA_SMS_PHONES_PARAM', 'no second factor'],
    ['SENTINEL_CLOUDWATCH_LOG_GROUP', 'stdout'],
    ['SENTINEL_CLOUDWATCH_STREAM', 'stdout'],
    ['SENTINEL_REQUIRE_DEVICE', 'no device'],
    ['SENTINEL_MDM_PROVIDER', 'no device'],
    ['SENTINEL_MDM_BASE_URL', 'no device'],
    ['SENTINEL_MDM_API_SECRET_ID', 'no device'],
    ['SENTINEL_MDM_API_TOKEN', 'no device'],
    ['SENTINEL_MDM_TENANT_ID', 'no device'],
  ])("%s is one of Sentinel's own, and is refused with what to do instead", (variable, said) => {
    for (const value of ['/sentinel/policies', '']) {
      const sentence = refusalOf({ ...LOCAL, [variable]: value });
      expectSentence(sentence, variable);
      expect(sentence).toContain(said);
      expect(sentence).not.toContain('did you mean');
    }
  });

  it.each([
    'SENTINEL_FOO',
    'SENTINEL_TOKEN',
    'SENTINEL_POLICY_TABLE',
    'SENTINEL_DEBUG',
    'SENTINEL_X',
    'SENTINEL_URL',
  ])('%s is near to no known name, and is refused without a suggestion', (variable) => {
    expect(refusalOf({ ...LOCAL, [variable]: 'x' })).toBe(
      `${variable} is not a variable of this server.`,
    );
  });

  it('is shown with invisible characters escaped', () => {
    expect(refusalOf({ ...LOCAL, 'SENTINEL_R\u202eOOT_AND_MORE': 'x' })).toContain(
      String.raw`SENTINEL_R\u202eOOT`,
    );
  });

  it('is refused however long or short its name is', () => {
    expectSentence(refusalOf({ ...LOCAL, [`SENTINEL_${'X'.repeat(250)}`]: 'x' }), 'SENTINEL_X');
    expectSentence(refusalOf({ ...LOCAL, SENTINEL_: 'x' }), 'SENTINEL_');
    expectSentence(refusalOf({ ...LOCAL, SENTINEL_toString: 'x' }), 'SENTINEL_toString');
  });

  it.each([
    'SENTINEL_SERVICE_HOST',
    'SENTINEL_SERVICE_PORT_HTTP',
    'SENTINEL_PORT',
    'SENTINEL_PORT_8080_TCP',
    'SENTINEL_PORT_8080_TCP_ADDR',
  ])('is ignored if Kubernetes injects it (%s)', (variable) => {
    expect(configOf({ ...LOCAL, [variable]: 'tcp://10.0.0.1:8080' })).toEqual(configOf(LOCAL));
  });

  it('is one that begins with SENTINEL_ in capitals only', () => {
    expect(configOf({ ...LOCAL, MY_SENTINEL_X: 'x', sentinel: 'x' })).toEqual(configOf(LOCAL));
  });
});

describe('variables that depend on one another', () => {
  it.each([
    ['/sentinel', '/sentinel'],
    ['/sentinel', '/sentinel/secrets'],
    ['/a/b', '/a'],
  ])(
    'the roots %s and %s are refused because one contains the other',
    (SENTINEL_ROOT, SENTINEL_SECRETS_ROOT) => {
      const sentence = refusalOf({ ...LOCAL, SENTINEL_ROOT, SENTINEL_SECRETS_ROOT });
      expectSentence(sentence, 'SENTINEL_ROOT');
      expect(sentence).toContain('SENTINEL_SECRETS_ROOT');
    },
  );

  it('roots that only begin alike are accepted', () => {
    expect(refusalOf({ ...LOCAL, SENTINEL_ROOT: '/a', SENTINEL_SECRETS_ROOT: '/ab' })).toBe(
      'accepted',
    );
  });

  it('SENTINEL_PUBLIC_URL is required unless all of AWS is local', () => {
    expectSentence(refusalOf({ AWS_REGION: 'eu-central-1' }), 'SENTINEL_PUBLIC_URL');
    const mixed = { ...LOCAL, AWS_ENDPOINT_URL_STS: 'https://sts.eu-central-1.amazonaws.com' };
    expectSentence(refusalOf(mixed), 'SENTINEL_PUBLIC_URL');
  });

  it('one endpoint that is not local makes the AWS not local, so demo keys are refused', () => {
    for (const service of ['STS', 'SSM', 'DYNAMODB']) {
      const url = { [`AWS_ENDPOINT_URL_${service}`]: 'https://x.eu-central-1.amazonaws.com' };
      expect(configOf({ ...LOCAL, ...CLOUD, ...url }).local).toBe(false);
    }
    expect(configOf({ ...CLOUD, AWS_ENDPOINT_URL_SSM: 'http://127.0.0.1:1' }).local).toBe(false);
  });

  it('a trusted role that is listed both with "=sso" and without is refused, whatever its path', () => {
    function arn(path: string): string {
      return `arn:aws:iam::111122223333:role/${path}R`;
    }
    function list(...roles: readonly string[]) {
      return refusalOf({ ...LOCAL, SENTINEL_TRUSTED_SESSION_ROLES: roles.join(',') });
    }
    expectSentence(list(arn(''), `${arn('')}=sso`), 'SENTINEL_TRUSTED_SESSION_ROLES');
    expectSentence(list(`${arn('a/')}=sso`, arn('b/')), 'SENTINEL_TRUSTED_SESSION_ROLES');
    expect(list(arn('a/'), arn(''))).toBe('accepted');
    expect(list(`${arn('')}=sso`, `${arn('')}2`)).toBe('accepted');
  });

  const LAMBDA = { ...LOCAL, AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001' };

  it.each(['function-url', 'http-api', 'rest-api'])(
    'SENTINEL_FRONT=%s is accepted on Lambda only',
    (front) => {
      expectSentence(
        refusalOf({ ...LOCAL, SENTINEL_FRONT: front, SENTINEL_FRONT_ID: 'abcdefgh12' }),
        'SENTINEL_FRONT',
      );
      expect(
        configOf({ ...LAMBDA, SENTINEL_FRONT: front, SENTINEL_FRONT_ID: 'abcdefgh12' }).front,
      ).toEqual({
        kind: front,
        id: 'abcdefgh12',
      });
    },
  );

  it('a front has the configured id, or the one in a public URL of AWS', () => {
    const front = { ...LAMBDA, SENTINEL_FRONT: 'http-api' };
    expectSentence(refusalOf(front), 'SENTINEL_FRONT_ID');
    expectSentence(
      refusalOf({ ...front, SENTINEL_PUBLIC_URL: 'https://tvm.example.com' }),
      'SENTINEL_FRONT_ID',
    );
    function idOf(url: string) {
      return configOf({ ...front, SENTINEL_PUBLIC_URL: url }).front?.id;
    }
    expect(idOf('https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/')).toBe('a1b2c3d4e5');
    expect(idOf('https://a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn')).toBe('a1b2c3d4e5');
    expect(idOf(`https://${'u'.repeat(32)}.lambda-url.eu-central-1.on.aws`)).toBe('u'.repeat(32));
    const lookalike = 'https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com.evil.example';
    expectSentence(refusalOf({ ...front, SENTINEL_PUBLIC_URL: lookalike }), 'SENTINEL_FRONT_ID');
    expectSentence(refusalOf({ ...LOCAL, SENTINEL_FRONT_ID: 'abcdefgh12' }), 'SENTINEL_FRONT_ID');
  });

  it.each([
    ['SENTINEL_REPLAY_GUARD', 'instance'],
    ['SENTINEL_RATE_LIMIT_STORE', 'memory'],
    ['SENTINEL_TRUSTED_HOPS', '0'],
  ])('%s=%s is refused on Lambda', (variable, value) => {
    expect(refusalOf({ ...LOCAL, [variable]: value })).toBe('accepted');
    expectSentence(
      refusalOf({ ...LOCAL, [variable]: value, AWS_LAMBDA_RUNTIME_API: 'x' }),
      variable,
    );
  });
});

describe('SENTINEL_WEBHOOK_URL', () => {
  const HOOK = 'https://hooks.example.com/services/the-secret-path';

  it('is refused on Lambda with a sentence that names SENTINEL_SNS_TOPIC_ARN', () => {
    const sentence = refusalOf({
      ...LOCAL,
      AWS_LAMBDA_RUNTIME_API: 'x',
      SENTINEL_WEBHOOK_URL: HOOK,
    });
    expectSentence(sentence, 'SENTINEL_WEBHOOK_URL');
    expect(sentence).toContain('SENTINEL_SNS_TOPIC_ARN');
    const topic = { SENTINEL_SNS_TOPIC_ARN: 'arn:aws:sns:eu-central-1:111122223333:x' };
    expect(refusalOf({ ...LOCAL, AWS_LAMBDA_RUNTIME_API: 'x', ...topic })).toBe('accepted');
  });

  it.each(['http://127.0.0.1:9999/', 'http://localhost/', 'http://[::1]/'])(
    'may be %s only where the AWS endpoint is local',
    (hook) => {
      expectSentence(refusalOf({ ...CLOUD, SENTINEL_WEBHOOK_URL: hook }), 'SENTINEL_WEBHOOK_URL');
      expect(refusalOf({ ...LOCAL, SENTINEL_WEBHOOK_URL: hook })).toBe('accepted');
      expect(refusalOf({ ...CLOUD, SENTINEL_WEBHOOK_URL: HOOK })).toBe('accepted');
    },
  );

  it('is never repeated in a sentence, because its path is a secret', () => {
    const given = [
      { ...LOCAL, AWS_LAMBDA_RUNTIME_API: 'x', SENTINEL_WEBHOOK_URL: HOOK },
      { ...LOCAL, SENTINEL_WEBHOOK_URL: HOOK.replace('https:', 'http:') },
      { ...CLOUD, SENTINEL_WEBHOOK_URL: 'http://127.0.0.1/the-secret-path' },
    ];
    for (const environment of given) {
      expectSentence(refusalOf(environment), 'SENTINEL_WEBHOOK_URL');
      expect(refusalOf(environment)).not.toContain('secret');
    }
  });
});

describe('the receivers of events', () => {
  it('are none unless they are configured, and the format is JSON', () => {
    expect(configOf(CLOUD).events).toEqual({
      webhookUrl: undefined,
      webhookFormat: 'json',
      topicArn: undefined,
    });
  });

  it('may be a webhook and a topic at once', () => {
    const set = {
      SENTINEL_WEBHOOK_URL: 'https://hooks.example.com/x',
      SENTINEL_WEBHOOK_FORMAT: 'slack',
      SENTINEL_SNS_TOPIC_ARN: 'arn:aws:sns:eu-central-1:111122223333:x',
    };
    expect(configOf({ ...CLOUD, ...set })).toMatchObject({
      events: {
        webhookUrl: set.SENTINEL_WEBHOOK_URL,
        webhookFormat: 'slack',
        topicArn: set.SENTINEL_SNS_TOPIC_ARN,
      },
      withoutEffect: [],
    });
  });

  it('are reached at the endpoint of AWS_ENDPOINT_URL_SNS where that is set', () => {
    expect(configOf(LOCAL).endpoints.sns).toBe(LOCAL['AWS_ENDPOINT_URL']);
    expect(configOf({ ...LOCAL, AWS_ENDPOINT_URL_SNS: 'http://127.0.0.1:1' }).endpoints.sns).toBe(
      'http://127.0.0.1:1',
    );
  });
});

describe('SENTINEL_DRAIN', () => {
  it('is 20 s by default, and 0 s where the AWS endpoint is local', () => {
    expect(configOf(CLOUD).drain).toBe(20_000);
    expect(configOf(LOCAL).drain).toBe(0);
    expect(configOf({ ...LOCAL, SENTINEL_DRAIN: '1m40s' }).drain).toBe(100_000);
    expect(configOf({ ...CLOUD, SENTINEL_DRAIN: '0s' }).drain).toBe(0);
  });
});

describe('SENTINEL_KEY_LIFE', () => {
  it('is an hour by default', () => {
    expect(configOf(CLOUD).keyLife).toBe(3_600_000);
    expect(configOf({ ...CLOUD, SENTINEL_KEY_LIFE: '90s' }).keyLife).toBe(90_000);
  });
});

describe('SENTINEL_HOSTS', () => {
  it('defaults to the host of the public URL, and with a local AWS also those of the machine', () => {
    expect(configOf(CLOUD).hosts).toEqual(['tvm.example.com']);
    const url = 'https://TVM.Example.com:8443/base';
    expect(configOf({ ...CLOUD, SENTINEL_PUBLIC_URL: url }).hosts).toEqual(['tvm.example.com']);
    expect(configOf({ ...CLOUD, SENTINEL_PUBLIC_URL: 'http://[2001:DB8::1]:80' }).hosts).toEqual([
      '[2001:db8::1]',
    ]);
    const local = configOf({ ...LOCAL, SENTINEL_PUBLIC_URL: url });
    expect(local.hosts).toEqual(['tvm.example.com', 'localhost', '127.0.0.1', '[::1]']);
    expect(configOf({ ...LOCAL, SENTINEL_HOSTS: 'a:1' }).hosts).toEqual(['a:1']);
  });

  it('defaults to any host behind a front of AWS Lambda, which verified the host', () => {
    const front = {
      AWS_LAMBDA_RUNTIME_API: 'x',
      SENTINEL_FRONT: 'http-api',
      SENTINEL_FRONT_ID: 'abcdefgh12',
    };
    expect(configOf({ ...CLOUD, ...front }).hosts).toBeUndefined();
    expect(configOf({ ...CLOUD, ...front, SENTINEL_HOSTS: 'a' }).hosts).toEqual(['a']);
    expect(configOf({ ...CLOUD, AWS_LAMBDA_RUNTIME_API: 'x' }).hosts).toEqual(['tvm.example.com']);
  });
});

describe('METRICS_PORT', () => {
  function portOf(environment: Record<string, string>) {
    const { metricsPort, metricsRequired } = configOf({ ...LOCAL, ...environment });
    return [metricsPort, metricsRequired];
  }

  it('is 9090 by default, and required only where it is set', () => {
    expect(portOf({})).toEqual([9090, false]);
    expect(portOf({ METRICS_PORT: '9464' })).toEqual([9464, true]);
    expect(portOf({ METRICS_PORT: 'off' })).toEqual([undefined, true]);
    expect(portOf({ METRICS_PORT: '9464', AWS_LAMBDA_RUNTIME_API: 'x' })[0]).toBeUndefined();
    expectSentence(refusalOf({ ...LOCAL, METRICS_PORT: 'on' }), 'METRICS_PORT');
  });
});

describe('SENTINEL_TRUSTED_HOPS', () => {
  it('is 0 by default, and on Lambda 1 for the hop before the adapter', () => {
    expect(configOf(LOCAL).trustedHops).toBe(0);
    expect(configOf({ ...LOCAL, AWS_LAMBDA_RUNTIME_API: 'x' }).trustedHops).toBe(1);
    expect(
      configOf({ ...LOCAL, AWS_LAMBDA_RUNTIME_API: 'x', SENTINEL_TRUSTED_HOPS: '2' }).trustedHops,
    ).toBe(2);
  });
});

describe('the result of readConfig', () => {
  it('is deeply frozen', () => {
    const config = configOf({
      ...LOCAL,
      SENTINEL_ALLOWED_ACCOUNTS: '111122223333',
      SENTINEL_HOSTS: 'a',
    });
    for (const part of [
      config,
      config.endpoints,
      config.tables,
      config.allowedAccounts,
      config.hosts,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('has trimmed lists, and prefers the endpoint of a service to the common one', () => {
    const own = { SENTINEL_HOSTS: ' a , b:1 ', AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' };
    expect(configOf({ ...LOCAL, ...own })).toMatchObject({
      hosts: ['a', 'b:1'],
      endpoints: {
        sts: 'http://127.0.0.1:1',
        ssm: LOCAL['AWS_ENDPOINT_URL'],
        dynamodb: LOCAL['AWS_ENDPOINT_URL'],
      },
    });
  });

  it('lists the variables that are set but have no effect yet', () => {
    const set = {
      SENTINEL_STS_REGIONS: 'eu-west-1',
      SENTINEL_LOG_SIGNING_KEY: 'k',
      SENTINEL_ROOT: '/x',
    };
    expect(configOf({ ...LOCAL, ...set }).withoutEffect.toSorted()).toEqual([
      'SENTINEL_LOG_SIGNING_KEY',
      'SENTINEL_STS_REGIONS',
    ]);
  });

  it('never repeats the value of a signing key', () => {
    const sentence = refusalOf({ ...LOCAL, SENTINEL_LOG_SIGNING_KEY: 'the-key-itself', PORT: 'x' });
    expect(sentence).not.toContain('the-key-itself');
  });
});

describe('the table of variables in README.md', () => {
  const readme = readFileSync(resolve(import.meta.dirname, '../..', 'README.md'), 'utf8');
  const section = /\n## Configuration\n(.*?)\n## /su.exec(readme)?.[1] ?? '';
  const named = section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) =>
      [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/gu)].map(([, name = '']) => name),
    )
    // `_STS` in the row of AWS_ENDPOINT_URL stands for AWS_ENDPOINT_URL_STS.
    .map((name) => (name.startsWith('_') ? `AWS_ENDPOINT_URL${name}` : name));

  it('has each variable of the server once, and no other', () => {
    expect(named.toSorted()).toEqual(Object.keys(Variables.entries).toSorted());
  });

  it('says which variables are not used yet, and of no others', () => {
    const rows = section
      .split('\n')
      .filter((line) => line.startsWith('| `') && /not used yet/iu.test(line));
    const said = rows.flatMap((line) =>
      [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/gu)].map(([, name]) => name),
    );
    const known = Object.keys(Variables.entries).filter((name) => {
      const value = GOOD[name]?.[0] ?? '';
      const read = readConfig({ ...LOCAL, [name]: value });
      return read.ok && read.value.withoutEffect.length > 0;
    });
    expect(said.toSorted()).toEqual(known.toSorted());
  });
});
