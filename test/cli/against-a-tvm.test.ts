import { execFile } from 'node:child_process';
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { bareEnvironment, DANA as DANA_KEY, lacksAwsCli, role, sdk } from '../local/support.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { DANA, PROGRAM, runProgram, scratch, writeText } from './support.ts';

/** The client as a user has it, against a TVM on the embedded AWS. */
const directory = scratch();
const exec = promisify(execFile);
let desk: Desk;
let tvm: RunningTvm;
let files = 0;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url, { environment: { SENTINEL_SERVER_ID: 'sentinel-local' } });
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

/** dana's environment, with a login file of its own. */
function asDana(): Record<string, string> & { readonly TVM_LOGIN_FILE: string } {
  return {
    ...DANA,
    TVM_URL: tvm.url,
    TVM_LOGIN_FILE: join(directory, `d${(files += 1)}`, 'login.json'),
  };
}

function forwarded(): number {
  return tvm.audit.filter(({ via }) => via === 'sts').length;
}

type Json = Readonly<Record<string, unknown>>;

describe('login', () => {
  it('gets a key through STS, keeps it readable by its owner only, and names the caller', async () => {
    const environment = asDana();
    const { code, stdout, stderr } = await runProgram(['login'], environment);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(
      /^Logged in at http:\/\/127\.0\.0\.1:\d+ as user\/dana until [0-9TZ:-]+\.\n$/u,
    );
    const file = environment.TVM_LOGIN_FILE;
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect((statSync(join(file, '..')).mode & 0o777).toString(8)).toBe('700');
    const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: Json[] };
    expect(keys).toHaveLength(1);
    for (const secret of [
      keys[0]?.['secretAccessKey'],
      keys[0]?.['sessionToken'],
      DANA.AWS_SECRET_ACCESS_KEY,
    ]) {
      expect(stderr).not.toContain(String(secret));
    }
    expect(readFileSync(file, 'utf8')).not.toContain(DANA.AWS_SECRET_ACCESS_KEY);
  });

  it('prints the key only with --print', async () => {
    const { code, stdout } = await runProgram(['login', '--print'], asDana());
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(stdout) as Json)).toEqual([
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Expiration',
    ]);
  });

  it('is refused for the id of another server, and keeps nothing', async () => {
    const environment = asDana();
    const { code, stdout, stderr } = await runProgram(
      ['login', '--server-id', 'another'],
      environment,
    );
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^sentinel-tvm: The login was refused: [^\n]*\(AccessDenied\)\.\n$/u);
    expect(() => statSync(environment.TVM_LOGIN_FILE)).toThrow('ENOENT');
  });
});

describe('credentials', () => {
  it('prints exactly what a credential_process prints, for an hour, and logs in once for several calls', async () => {
    const environment = asDana();
    const before = forwarded();
    for (let vend = 0; vend < 3; vend += 1) {
      const { code, stdout, stderr } = await runProgram(
        ['credentials', '--profile', 'dev'],
        environment,
      );
      expect([code, stderr]).toEqual([0, '']);
      const json = JSON.parse(stdout) as Json;
      expect(Object.keys(json)).toEqual([
        'Version',
        'AccessKeyId',
        'SecretAccessKey',
        'SessionToken',
        'Expiration',
      ]);
      expect(json['Version']).toBe(1);
      const minutes = (Date.parse(String(json['Expiration'])) - Date.now()) / 60_000;
      expect(Math.round(minutes)).toBe(60);
    }
    expect(forwarded() - before).toBe(1);
  });

  it('asks for the duration and the label of its flags', async () => {
    const args = ['credentials', '--profile', 'dev', '--duration', '900', '--label', 'ci.1'];
    const { stdout } = await runProgram(args, asDana());
    const minutes =
      (Date.parse(String((JSON.parse(stdout) as Json)['Expiration'])) - Date.now()) / 60_000;
    expect(Math.round(minutes)).toBe(15);
  });

  it('prints one sentence on stderr and nothing on stdout when the TVM refuses', async () => {
    const { code, stdout, stderr } = await runProgram(
      ['credentials', '--profile', 'prod'],
      asDana(),
    );
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^sentinel-tvm: [^\n]+\(PolicyDenied\)\.\n$/u);
  });

  it('uses the last login when the environment names no credentials', async () => {
    const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...bare } = asDana();
    expect((await runProgram(['credentials', '--profile', 'dev'], bare)).code).toBe(1);
    await runProgram(['login'], { ...bare, ...DANA });
    expect((await runProgram(['credentials', '--profile', 'dev'], bare)).code).toBe(0);
  });

  it('never uses the key of one caller for another', async () => {
    const environment = asDana();
    await runProgram(['login'], environment);
    const sts = new STSClient(sdk(desk, DANA_KEY));
    const assumed = await sts.send(
      new AssumeRoleCommand({ RoleArn: role('deploy'), RoleSessionName: 'dana' }),
    );
    sts.destroy();
    const deploy = {
      ...environment,
      AWS_ACCESS_KEY_ID: String(assumed.Credentials?.AccessKeyId),
      AWS_SECRET_ACCESS_KEY: String(assumed.Credentials?.SecretAccessKey),
      AWS_SESSION_TOKEN: String(assumed.Credentials?.SessionToken),
    };
    const { code, stderr } = await runProgram(['credentials', '--profile', 'dev'], deploy);
    expect([code, stderr]).toEqual([1, expect.stringContaining('role/deploy')]);
    const who = await runProgram(['whoami', '--json'], deploy);
    expect(JSON.parse(who.stdout)).toMatchObject({
      name: 'role/deploy',
      session_name: 'dana',
      via: 'minted-key',
    });
  });

  it('logs in again when the TVM no longer knows the key', async () => {
    const environment = asDana();
    await runProgram(['login'], environment);
    const file = environment.TVM_LOGIN_FILE;
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replaceAll(/TVM1\.local\.[\w-]{8}/gu, 'TVM1.local.AAAAAAAA'),
    );
    const before = forwarded();
    expect((await runProgram(['credentials', '--profile', 'dev'], environment)).code).toBe(0);
    expect(forwarded() - before).toBe(1);
  });

  it('refuses a login file that others can read', async () => {
    const environment = asDana();
    await runProgram(['login'], environment);
    chmodSync(environment.TVM_LOGIN_FILE, 0o640);
    const { code, stdout, stderr } = await runProgram(
      ['credentials', '--profile', 'dev'],
      environment,
    );
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('can be read by others');
  });

  it('runs through a symbolic link, as npm makes one', async () => {
    const link = join(directory, 'sentinel-tvm');
    symlinkSync(PROGRAM, link);
    expect((await runProgram(['credentials', '--profile', 'dev'], asDana(), link)).code).toBe(0);
  });
});

describe('sentinel-tvm as its own source of credentials', () => {
  function config(text: string): string {
    return writeText(directory, `config${(files += 1)}`, text);
  }
  const OURS = `[profile tvm]\ncredential_process = "${PROGRAM}" credentials --profile dev\n`;

  it.each([
    ['the profile in use', OURS, { AWS_PROFILE: 'tvm' }, []],
    ['the profile named as source', OURS, {}, ['--source-profile', 'tvm']],
    ['the default profile', OURS.replace('profile tvm', 'default'), {}, []],
    [
      'a source of the source',
      `${OURS}[profile a]\nsource_profile = tvm\nrole_arn = x\n`,
      { AWS_PROFILE: 'a' },
      [],
    ],
  ])('is refused: %s', async (_, text, variables, args) => {
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _secret, ...bare } = asDana();
    const environment = { ...bare, AWS_CONFIG_FILE: config(text), ...variables };
    const { code, stdout, stderr } = await runProgram(
      ['credentials', '--profile', 'dev', ...args],
      environment,
    );
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^sentinel-tvm: [^\n]*--source-profile\.\n$/u);
  });

  it('is noticed when another program stands between', async () => {
    const wrapper = writeText(
      directory,
      'wrapper.sh',
      `#!/bin/sh\nexec '${PROGRAM}' "$@"\n`,
      0o700,
    );
    const text = `[profile wrapped]\ncredential_process = ${wrapper} credentials --profile dev\n`;
    const environment = { ...asDana(), AWS_CONFIG_FILE: config(text) };
    const args = ['credentials', '--profile', 'dev', '--source-profile', 'wrapped'];
    const { code, stdout, stderr } = await runProgram(args, environment);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('There are no AWS credentials to sign with');
    const nested = await runProgram(['whoami'], { ...environment, TVM_NESTED: '1' });
    expect(nested.stderr).toMatch(/^sentinel-tvm: sentinel-tvm would ask itself[^\n]*\n$/u);
  });
});

const lacking = lacksAwsCli();

describe.skipIf(lacking !== undefined)('an AWS CLI profile', () => {
  it('whose credential_process is sentinel-tvm gets the protected role', async () => {
    const { TVM_URL, TVM_LOGIN_FILE } = asDana();
    const text = [
      '[profile dev]',
      `credential_process = ${PROGRAM} credentials --profile dev --source-profile dana --url ${TVM_URL}`,
      '[profile dana]',
      `aws_access_key_id = ${DANA.AWS_ACCESS_KEY_ID}`,
      `aws_secret_access_key = ${DANA.AWS_SECRET_ACCESS_KEY}`,
      '',
    ].join('\n');
    const env = {
      ...bareEnvironment(),
      AWS_CONFIG_FILE: writeText(directory, 'aws-config', text),
      AWS_PROFILE: 'dev',
      AWS_DEFAULT_REGION: 'us-east-1',
      TVM_LOGIN_FILE,
    };
    const { stdout } = await exec(
      'aws',
      ['--endpoint-url', desk.url, '--output', 'json', 'sts', 'get-caller-identity'],
      { env },
    );
    expect((JSON.parse(stdout) as Json)['Arn']).toMatch(
      /^arn:aws:sts::000000000000:assumed-role\/SentinelProtected-dev\/user_dana\.[0-9a-f]{10}$/u,
    );
  });
});
