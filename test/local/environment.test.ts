import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  readPorts,
  seedSettings,
  seedTarget,
  tvmEnvironment,
} from '../../src/local/environment.ts';
import { recipes } from '../../src/local/recipes.ts';

const PORTS = { tvm: 8_080, aws: 4_566 };

describe('readPorts', () => {
  it('defaults to 8080 and 4566', () => {
    expect(readPorts({})).toEqual({ ok: true, value: PORTS });
    expect(readPorts({ PORT: '1', AWS_PORT: '65535' })).toEqual({
      ok: true,
      value: { tvm: 1, aws: 65_535 },
    });
  });

  it.each(['0', '65536', 'x', '80 ', '-1', '1e3'])(
    'refuses AWS_PORT=%s by its name',
    (AWS_PORT) => {
      expect(readPorts({ AWS_PORT })).toEqual({
        ok: false,
        refusal: expect.stringContaining('AWS_PORT'),
      });
    },
  );

  it('refuses the same port for both', () => {
    expect(readPorts({ PORT: '9000', AWS_PORT: '9000' }).ok).toBe(false);
  });
});

describe('tvmEnvironment', () => {
  it('keeps the user’s settings, but nothing of a real AWS', () => {
    const environment = tvmEnvironment(
      {
        PATH: '/bin',
        HOST: '0.0.0.0',
        SENTINEL_ROOT: '/x',
        AWS_PROFILE: 'prod',
        AWS_SESSION_TOKEN: 'token',
        AWS_ENDPOINT_URL_STS: 'https://sts.amazonaws.com',
        aws_region: 'eu-west-1',
        AWS_ACCESS_KEY_ID: 'AKIAREAL',
      },
      PORTS,
    );
    expect(environment).toEqual({
      PATH: '/bin',
      SENTINEL_ROOT: '/x',
      SENTINEL_SERVER_ID: 'sentinel-local',
      PORT: '8080',
      HOST: '127.0.0.1',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:4566',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ACCESS_KEY_ID: 'AKIADEMOTVM00000',
      AWS_SECRET_ACCESS_KEY: 'demo-tvm-not-a-secret',
      AWS_CONFIG_FILE: expect.any(String),
      AWS_SHARED_CREDENTIALS_FILE: expect.any(String),
    });
  });

  it('accepts the user’s SENTINEL_SERVER_ID', () => {
    expect(tvmEnvironment({ SENTINEL_SERVER_ID: 'mine' }, PORTS)['SENTINEL_SERVER_ID']).toBe(
      'mine',
    );
  });
});

describe('tvmEnvironment: the receiver of events', () => {
  const URL = 'http://127.0.0.1:1234/';

  it('is the one that npm run local starts, unless the user has set another, or none', () => {
    expect(tvmEnvironment({}, PORTS, URL)).toMatchObject({ SENTINEL_WEBHOOK_URL: URL });
    for (const mine of ['http://127.0.0.1:9/', '']) {
      expect(tvmEnvironment({ SENTINEL_WEBHOOK_URL: mine }, PORTS, URL)).toMatchObject({
        SENTINEL_WEBHOOK_URL: mine,
      });
    }
    expect(tvmEnvironment({}, PORTS)).not.toHaveProperty('SENTINEL_WEBHOOK_URL');
  });
});

describe('seedTarget and seedSettings', () => {
  it('require an endpoint', () => {
    expect(seedTarget({})).toEqual({
      ok: false,
      refusal: expect.stringContaining('AWS_ENDPOINT_URL'),
    });
  });

  it('read region and credentials from the environment', () => {
    const AWS_ENDPOINT_URL = 'http://localstack:4566';
    expect(seedTarget({ AWS_ENDPOINT_URL, AWS_DEFAULT_REGION: 'eu-west-1' })).toEqual({
      ok: true,
      value: { endpoint: AWS_ENDPOINT_URL, region: 'eu-west-1' },
    });
    const keys = {
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_SESSION_TOKEN: '',
    };
    expect(seedTarget({ AWS_ENDPOINT_URL, ...keys })).toMatchObject({
      value: { region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } },
    });
  });

  it('read roots and table names from the environment', () => {
    expect(
      seedSettings({ SENTINEL_ROOT: '/a', SENTINEL_SECRETS_ROOT: '/b', SENTINEL_GUARD_TABLE: 'g' }),
    ).toMatchObject({
      root: '/a',
      secretsRoot: '/b',
      tables: { guard: 'g', sessions: 'sentinel-sessions' },
    });
  });
});

describe('recipes', () => {
  it('contain the same vend as the README', () => {
    const line =
      'curl --aws-sigv4 aws:amz:us-east-1:execute-api --user TVMDEMOALICE:demo-alice-not-a-secret ' +
      `-H "x-sentinel-nonce: $(openssl rand -hex 16)" 'http://127.0.0.1:8080/?profile=dev'`;
    expect(recipes(PORTS, 'linux').split('\n')).toContain(line);
    expect(readFileSync(new URL('../../README.md', import.meta.url), 'utf8').split('\n')).toContain(
      line,
    );
  });

  it.each(['linux', 'win32'])(
    'sign a nonce with every curl, so that two in the same second differ: %s',
    (platform) => {
      const curls = recipes(PORTS, platform)
        .split('\n')
        .filter((line) => line.includes('curl -'));
      expect(curls.length).toBeGreaterThan(1);
      for (const line of curls) expect(line).toContain('-H "x-sentinel-nonce: ');
    },
  );

  it('contain no single quotes on Windows, whose shell does not support them', () => {
    expect(recipes(PORTS, 'win32')).not.toContain("'");
  });
});
