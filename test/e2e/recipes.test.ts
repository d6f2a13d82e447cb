import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { scratch, writeText } from '../cli/support.ts';
import { bareEnvironment, DANA, lacksBoto, role, sdk } from '../local/support.ts';
import { ROOT } from '../support/processes.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/** Runs the recipes of src/cli/README.md as they are printed. */
const TEXT = readFileSync(resolve(ROOT, 'src/cli/README.md'), 'utf8');
const directory = scratch();
const exec = promisify(execFile);

function recipe(language: string): string {
  const [, text] = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'u').exec(TEXT) ?? [];
  if (text === undefined) throw new Error(`there is no recipe in ${language}`);
  return text;
}

let desk: Desk;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url, { environment: { SENTINEL_SERVER_ID: 'tvm-1' } });
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

function environment(more: Readonly<Record<string, string>>) {
  return {
    ...bareEnvironment(),
    TVM_URL: tvm.url,
    TVM_SERVER_ID: 'tvm-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    ...more,
  };
}

const lacking = lacksBoto();

describe.skipIf(lacking !== undefined)('the Python recipe of src/cli/README.md', () => {
  async function vend(credentials: Readonly<Record<string, string>>) {
    const file = writeText(directory, 'tvm.py', recipe('python'));
    const { stdout } = await exec('python3', [file, 'dev'], { env: environment(credentials) });
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  it('has at most 25 lines, and vends with an IAM user’s key', async () => {
    expect(recipe('python').trim().split('\n').length).toBeLessThanOrEqual(25);
    const vended = await vend({
      AWS_ACCESS_KEY_ID: DANA.accessKeyId,
      AWS_SECRET_ACCESS_KEY: DANA.secretAccessKey,
    });
    expect(vended).toMatchObject({
      Version: 1,
      Profile: 'dev',
      SourceIdentity: expect.stringMatching(/=user_dana\.[0-9a-f]{10}$/u),
    });
  });

  it('forwards a session token, and is refused as the role, not let in by the session’s name', async () => {
    const sts = new STSClient(sdk(desk, DANA));
    const { Credentials } = await sts.send(
      new AssumeRoleCommand({ RoleArn: role('deploy'), RoleSessionName: 'dana' }),
    );
    sts.destroy();
    const session = {
      AWS_ACCESS_KEY_ID: String(Credentials?.AccessKeyId),
      AWS_SECRET_ACCESS_KEY: String(Credentials?.SecretAccessKey),
      AWS_SESSION_TOKEN: String(Credentials?.SessionToken),
    };
    await expect(vend(session)).rejects.toThrow('403');
    expect(tvm.audit.at(-1)).toMatchObject({
      user: 'role/deploy',
      caller_session_name: 'dana',
      outcome: 'denied',
    });
  });
});

const lacksCurl = spawnSync('curl', ['--version']).status !== 0;
if (lacksCurl) process.stderr.write('skipped: curl is not on this machine\n');

describe.skipIf(lacksCurl || process.platform === 'win32')(
  'the curl recipe of src/cli/README.md',
  () => {
    it('mints a key and vends with it', async () => {
      const file = writeText(directory, 'vend.sh', recipe('sh'));
      const variables = {
        TVM_ACCESS_KEY_ID: 'TVMDEMOALICE',
        TVM_SECRET: 'demo-alice-not-a-secret',
      };
      const { stdout } = await exec('sh', [file], { cwd: directory, env: environment(variables) });
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1, Profile: 'dev' });
      expect(tvm.audit.at(-1)).toMatchObject({
        via: 'minted-key',
        user: 'alice',
        outcome: 'vended',
      });
      expect(readFileSync(join(directory, 'key.json'), 'utf8')).toContain('TVMK');
    });
  },
);
