import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { PROGRAM, runProgram, scratch } from '../cli/support.ts';
import { bareEnvironment, lacksAwsCli } from '../local/support.ts';
import { sendRaw } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';

/**
 * Runs what README.md shows under "Try it": `npm run local` as a process, and the commands as they
 * are printed.
 */
const ROOT = resolve(import.meta.dirname, '..', '..');
const run = promisify(execFile);
const directory = scratch();
const README = readFileSync(resolve(ROOT, 'README.md'), 'utf8');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

type Json = Readonly<Record<string, string | number>>;

let port = 0;
let awsPort = 0;
let local: ChildProcess;
let stdout = '';
let stderr = '';

beforeAll(async () => {
  [port, awsPort] = [await freePort(), await freePort()];
  local = spawn(process.execPath, ['src/local/main.ts'], {
    cwd: ROOT,
    env: { ...bareEnvironment(), PORT: String(port), AWS_PORT: String(awsPort) },
  });
  local.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  local.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await vi.waitFor(() => expect(stderr).toContain('TVMDEMOALICE'), { timeout: 30_000 });
});

afterAll(async () => {
  local.kill('SIGTERM');
  const [code] = (await once(local, 'exit')) as [number | null];
  expect(code).toBe(0);
});

/** The curl command in README.md that contains `user`, with the port of this run. */
function curlLine(user: string): string {
  const line =
    lines(README).find((text) => text.startsWith('curl --aws-sigv4') && text.includes(user)) ?? '';
  return line.replace(':8080', `:${port}`);
}

/** Runs a curl command in a shell, and gives the status and the JSON of the answer. */
async function curl(line: string): Promise<{ readonly status: number; readonly json: Json }> {
  const { stdout: text } = await run('sh', [
    '-c',
    line.replace('curl ', "curl --silent --write-out '\\n%{http_code}' "),
  ]);
  const [body = '', status = ''] = lines(text);
  return { status: Number(status), json: JSON.parse(body) as Json };
}

function aws(credentials: Json | undefined, ...args: readonly string[]) {
  return run(
    'aws',
    ['--endpoint-url', `http://127.0.0.1:${awsPort}`, '--output', 'json', ...args],
    {
      env: {
        ...bareEnvironment(),
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: String(credentials?.['AccessKeyId'] ?? 'AKIADEMODANA0000'),
        AWS_SECRET_ACCESS_KEY: String(credentials?.['SecretAccessKey'] ?? 'demo-dana-not-a-secret'),
        ...(credentials === undefined
          ? {}
          : { AWS_SESSION_TOKEN: String(credentials['SessionToken']) }),
      },
    },
  );
}

const lacksCurl = await run('curl', ['--version']).then(
  () => false,
  () => true,
);
const lacksShell = process.platform === 'win32';
if (lacksCurl) process.stderr.write('skipped: curl is not on this machine\n');
const lacksCli = lacksAwsCli() !== undefined;

describe('README.md, "Try it"', () => {
  it.skipIf(lacksCurl || lacksShell)('vends to alice with the printed command', async () => {
    const { status, json } = await curl(curlLine('TVMDEMOALICE'));
    expect(status).toBe(200);
    expect(json).toMatchObject({ Version: 1, Profile: 'dev', AccountId: '000000000000' });
    expect(json['SourceIdentity']).toMatch(/^sentinel=d=[0-9a-f]{16}=alice$/u);
  });

  it.skipIf(lacksCurl || lacksShell)(
    'vends with the same command four times in one second',
    async () => {
      const all = await Promise.all(
        Array.from({ length: 4 }, () => curl(curlLine('TVMDEMOALICE'))),
      );
      expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    },
  );

  it.skipIf(lacksCurl || lacksShell)(
    'refuses carol with the printed command and the printed message',
    async () => {
      const { status, json } = await curl(curlLine('TVMDEMOCAROL'));
      expect(status).toBe(403);
      expect(json).toMatchObject({
        error: 'PolicyDenied',
        message: 'no rule lets carol use profile dev; GET /profiles lists yours',
      });
    },
  );

  it('refuses prod and vault to alice, each with its own reason', async () => {
    function ask(query: string) {
      const { headers } = sign({ host: `127.0.0.1:${port}`, query });
      return sendRaw(port, { target: `/?${query}`, headers });
    }
    expect((await ask('profile=prod')).json).toMatchObject({ error: 'PolicyRequiresApproval' });
    const vault = await ask('profile=vault');
    expect(vault.json).toMatchObject({ error: 'PolicyDenied' });
    expect(vault.json['reason']).toBeTypeOf('string');
  });

  it('refuses a request that was changed after signing', async () => {
    const { headers } = sign({ host: `127.0.0.1:${port}`, query: 'profile=dev' });
    const answer = await sendRaw(port, { target: '/?profile=deV', headers });
    expect(answer).toMatchObject({ status: 403, json: { error: 'SignatureDoesNotMatch' } });
  });

  it.skipIf(lacksCurl || lacksShell || lacksCli)(
    'gives credentials that the AWS CLI can use',
    async () => {
      const { json } = await curl(curlLine('TVMDEMOALICE'));
      const { stdout: identity } = await aws(json, 'sts', 'get-caller-identity');
      expect((JSON.parse(identity) as Json)['Arn']).toBe(
        'arn:aws:sts::000000000000:assumed-role/SentinelProtected-dev/alice',
      );
    },
  );

  it.skipIf(lacksCurl || lacksShell || lacksCli)(
    'keeps vended credentials and dana from assuming the protected role',
    async () => {
      const { json } = await curl(curlLine('TVMDEMOALICE'));
      const role = [
        '--role-arn',
        'arn:aws:iam::000000000000:role/SentinelProtected-dev',
        '--role-session-name',
        'direct',
      ];
      await expect(aws(json, 'sts', 'assume-role', ...role)).rejects.toThrow(/AccessDenied/u);
      await expect(aws(undefined, 'sts', 'assume-role', ...role)).rejects.toThrow(/AccessDenied/u);
    },
  );

  it.skipIf(process.platform === 'win32')(
    'vends to dana with the printed command of the client',
    async () => {
      const line =
        lines(README).find((text) => text.startsWith('AWS_ACCESS_KEY_ID=AKIADEMODANA')) ?? '';
      const command = line.replace('sentinel-tvm', `'${PROGRAM}'`);
      const env = {
        ...bareEnvironment(),
        TVM_URL: `http://127.0.0.1:${port}`,
        TVM_LOGIN_FILE: join(directory, 'login.json'),
      };
      const { stdout: text } = await run('sh', ['-c', command], { env });
      expect(JSON.parse(text)).toMatchObject({
        Version: 1,
        AccessKeyId: expect.stringMatching(/^ASIA/u),
      });
      expect(stderr).toContain('credentials --profile dev --url');
    },
  );

  it('gives an approval with the printed commands of the client', async () => {
    function as(who: 'alice' | 'bob', ...args: readonly string[]) {
      const { accessKeyId, secret } = DEMO_CLIENTS[who];
      return runProgram([...args, '--registered-key'], {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secret,
        TVM_URL: `http://127.0.0.1:${port}`,
        TVM_LOGIN_FILE: join(directory, 'story.json'),
      });
    }
    // A vend above may have made a request for another reason.
    const before = JSON.parse(
      (await as('alice', 'requests', '--status', 'pending', '--json')).stdout,
    ) as {
      readonly requests: readonly { readonly request_id: string }[];
    };
    for (const { request_id: id } of before.requests) await as('alice', 'cancel', id);

    const story = lines(README.slice(README.indexOf('## Try it'), README.indexOf('## Ask it')))
      .filter((line) => /^sentinel-tvm (?:request|approve|credentials --profile prod)/u.test(line))
      .map((line) => line.replace('sentinel-tvm ', '').replace(/ +#.*$/u, ''));
    expect(story).toHaveLength(4);
    let id = '';
    for (const [step, who] of (['alice', 'bob', 'bob', 'alice'] as const).entries()) {
      const words = [...(story[step] ?? '').matchAll(/"([^"]*)"|(\S+)/gu)].map(
        ([, quoted, bare]) => quoted ?? bare ?? '',
      );
      const run = await as(who, ...words.map((word) => (/^[0-9a-f]{16}$/u.test(word) ? id : word)));
      expect(run.code, run.stderr).toBe(0);
      id ||=
        /^Request ([0-9a-f]{16}) for profile prod is pending/u.exec(run.stdout)?.[1] ?? 'no id';
    }
  });

  it('writes only audit records to stdout', async () => {
    await expect.poll(() => lines(stdout).length).toBeGreaterThan(2);
    for (const line of lines(stdout)) expect(JSON.parse(line)).toMatchObject({ type: 'audit' });
    expect(stderr).toContain(`listening on http://127.0.0.1:${port}`);
  });
});
