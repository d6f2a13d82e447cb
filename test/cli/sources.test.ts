import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  answerJson,
  DANA,
  runProgram,
  scratch,
  startStranger,
  strangersKey,
  writeText,
  type Stranger,
} from './support.ts';

/**
 * Whose credentials sign: who was named, or who logged in, and never somebody else in their place.
 */
const directory = scratch();
let stranger: Stranger;
let file: string;
let files = 0;
/** Seconds that a key lives. */
let life: number;

/** Who made each request: the access key id of its signature, forwarded or not. */
function signers(): readonly string[] {
  return stranger.seen.flatMap(({ headers: { authorization = '' } }) => {
    const token = /^Sentinel-STS (.+)$/u.exec(authorization)?.[1];
    const text = token === undefined ? authorization : Buffer.from(token, 'base64url').toString();
    return /(?:Credential=|"credential":")(\w+)/u.exec(text)?.[1] ?? [];
  });
}

/** A TVM that gives a key to anybody, and a container that has a role. */
beforeAll(async () => {
  stranger = await startStranger(({ method, url }, response) => {
    const end = `${new Date(Date.now() + life * 1_000).toISOString().slice(0, 19)}Z`;
    if (url === '/role') {
      answerJson(response, 200, { ...strangersKey('ASIACONTAINER'), Token: 't' });
      return;
    }
    answerJson(response, 200, {
      ...strangersKey(),
      Expiration: method === 'POST' ? end : '2030-01-01T00:00:00Z',
    });
  });
});

afterAll(() => stranger.close());

beforeEach(() => {
  stranger.seen.length = 0;
  life = 3_600;
  file = join(directory, `${(files += 1)}.json`);
});

const CONFIG = [
  '[profile static]',
  'aws_access_key_id = AKIAOFTHEPROFILE',
  'aws_secret_access_key = secret-of-the-profile',
  '[profile failing]',
  'credential_process = node --eval process.exit(1) secret-of-the-process',
  '',
].join('\n');

function run(variables: Readonly<Record<string, string>>, ...args: readonly string[]) {
  return runProgram(args, {
    TVM_URL: stranger.url,
    TVM_LOGIN_FILE: file,
    AWS_CONFIG_FILE: writeText(directory, 'config', CONFIG),
    ...variables,
  });
}

function vend(variables: Readonly<Record<string, string>>, ...args: readonly string[]) {
  return run(variables, 'credentials', '--profile', 'dev', ...args);
}

function inContainer() {
  return { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${stranger.url}/role` };
}

describe('a profile that is named', () => {
  it.each([
    ['is not there', 'typo'],
    ['gives nothing', 'failing'],
  ])('is not replaced by other credentials when it %s', async (_, profile) => {
    for (const [variables, args] of [
      [{}, ['--source-profile', profile]],
      [{ AWS_PROFILE: profile }, []],
    ] as const) {
      const { code, stdout, stderr } = await vend({ ...inContainer(), ...variables }, ...args);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        new RegExp(`^sentinel-tvm: [^\\n]*AWS profile ${profile}[^\\n]*\\.\\n$`, 'u'),
      );
      expect(stderr).not.toContain('secret');
      expect(signers()).toEqual([]);
    }
  });

  it('comes before the keys of the environment, and the SDK writes nothing to stderr', async () => {
    const { code, stderr } = await vend({ ...DANA, AWS_PROFILE: 'static' });
    expect([code, stderr]).toEqual([0, '']);
    expect(signers()[0]).toBe('AKIAOFTHEPROFILE');
  });

  it('by AWS_PROFILE still signs when the login is renewed without that variable', async () => {
    life = 30;
    await run({ AWS_PROFILE: 'static' }, 'login');
    stranger.seen.length = 0;
    expect((await vend(inContainer())).code).toBe(0);
    expect(signers()[0]).toBe('AKIAOFTHEPROFILE');
  });
});

describe('the last login', () => {
  it('is not renewed with other credentials when its key is gone', async () => {
    life = 30;
    await run(DANA, 'login');
    life = 3_600;
    stranger.seen.length = 0;
    const { code, stdout, stderr } = await vend(inContainer());
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^sentinel-tvm: The AWS key of the last login is not in the environment[^\n]+\n$/u,
    );
    expect(signers()).toEqual([]);
    // A new login is made by whoever is there, and what follows is theirs.
    expect((await run(inContainer(), 'login')).code).toBe(0);
    expect((await vend(inContainer())).code).toBe(0);
    expect(signers()[0]).toBe('ASIACONTAINER');
  });

  it('is used until the next login, also after another TVM was asked', async () => {
    await run(DANA, 'login', '--url', `${stranger.url}/a`, '--server-id', 'a');
    await vend(DANA, '--url', `${stranger.url}/b`, '--server-id', 'b');
    stranger.seen.length = 0;
    await vend({ ...DANA, TVM_URL: '' });
    expect(stranger.seen.map(({ url }) => url)).toEqual(['/a/?duration=3600&profile=dev']);
  });

  it.each(['{"version":1', '{"version":2,"keys":[]}', ''])(
    'in a file that holds %j is lost, with a note',
    async (text) => {
      writeFileSync(file, text, { mode: 0o600 });
      const { code, stdout, stderr } = await vend(DANA);
      expect([code, Object.keys(JSON.parse(stdout) as object)[0]]).toEqual([0, 'Version']);
      expect(stderr).toBe(`sentinel-tvm: ${file} holds no logins and is taken for empty.\n`);
      expect((await vend(DANA)).stderr).toBe('');
    },
  );
});
