import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { scratch } from '../cli/support.ts';
import { bareEnvironment, lacksAwsCli } from '../local/support.ts';
import { freePort, ROOT } from '../support/processes.ts';

/** Pastes what `npm run local` prints into one shell, line by line, as it is printed. */
const run = promisify(execFile);
const directory = scratch();
const isLacking = process.platform === 'win32' || spawnSync('curl', ['--version']).status !== 0;
if (isLacking) process.stderr.write('skipped: a POSIX shell and curl are not on this machine\n');
const lacksCli = lacksAwsCli() !== undefined;

type Json = Readonly<Record<string, unknown>>;

describe.skipIf(isLacking)('the commands that npm run local prints', () => {
  let local: ChildProcess;
  let printed = '';
  let audit = '';
  /** What each command wrote to stdout and stderr together, by the comment above it. */
  const answers = new Map<string, string>();

  beforeAll(async () => {
    const [port, awsPort] = [await freePort(), await freePort()];
    local = spawn(process.execPath, ['src/local/main.ts'], {
      cwd: ROOT,
      env: { ...bareEnvironment(), PORT: String(port), AWS_PORT: String(awsPort) },
    });
    local.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    local.stdout?.on('data', (chunk: Buffer) => (audit += chunk.toString()));
    await vi.waitFor(() => expect(printed).toMatch(/with curl or with the client:\n.+\n.+\n/u), {
      timeout: 30_000,
    });
    await paste();
  }, 60_000);

  afterAll(async () => {
    local.kill('SIGTERM');
    await once(local, 'exit');
  });

  /** The printed lines from the first comment on, with a mark before each command. */
  function script(): string {
    const lines = printed.slice(printed.indexOf('# Credentials for alice')).split('\n');
    let comment = '';
    let number = 0;
    return lines
      .filter(
        (line) => line !== '' && !line.startsWith('{') && !(lacksCli && line.startsWith('aws ')),
      )
      .flatMap((line) => {
        if (line.startsWith('#')) {
          [comment, number] = [line, 0];
          return [line];
        }
        number += 1;
        return [`printf '\\n=== %s\\n' '${comment} ${number}'`, line];
      })
      .join('\n');
  }

  async function paste(): Promise<void> {
    const path = [dirname(process.execPath), process.env['PATH']].join(':');
    const env = {
      ...bareEnvironment(),
      PATH: path,
      TVM_LOGIN_FILE: join(directory, 'login.json'),
      // Whoever pastes may work in another region.
      AWS_REGION: 'eu-central-1',
    };
    const { stdout } = await run('sh', ['-c', `exec 2>&1\n${script()}`], { cwd: ROOT, env });
    for (const part of stdout.split('\n=== ').slice(1)) {
      const [head = '', ...rest] = part.split('\n');
      answers.set(head, rest.join('\n'));
    }
  }

  function answerTo(comment: string, number = 1): string {
    const found = [...answers].find(
      ([head]) => head.startsWith(`# ${comment}`) && head.endsWith(` ${number}`),
    );
    return found?.[1] ?? `nothing under ${comment} ${number} of ${[...answers.keys()].join('\n')}`;
  }

  function jsonOf(answer: string): Json {
    return JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as Json;
  }

  it('vend dev to alice and to dana, and nothing to carol', () => {
    expect(jsonOf(answerTo('Credentials for alice'))).toMatchObject({ Version: 1, Profile: 'dev' });
    expect(jsonOf(answerTo('No rule matches carol'))).toMatchObject({ error: 'PolicyDenied' });
    expect(jsonOf(answerTo('Credentials for the IAM user dana'))).toMatchObject({ Version: 1 });
  });

  it.skipIf(lacksCli)(
    'put alice’s credentials into the environment, where the AWS CLI uses them',
    () => {
      expect(answerTo('Put them into the environment', 2)).toContain(
        'assumed-role/SentinelProtected-dev/alice',
      );
    },
  );

  it('tell alice that her request waits, for whom and where', () => {
    expect(jsonOf(answerTo('Until somebody approves'))).toMatchObject({
      error: 'PolicyRequiresApproval',
      request_id: expect.stringMatching(/^[0-9a-f]{16}$/u),
      approval_status_url: expect.stringMatching(/^http:.+\/requests\/[0-9a-f]{16}$/u),
      needs: [{ have: 0, need: 1, eligible: ['bob', 'olivia'] }],
    });
  });

  it('show bob the request with its reason, and approve exactly what he is shown', () => {
    const { request_id: id } = jsonOf(answerTo('Until somebody approves'));
    expect(answerTo('bob looks', 1)).toMatch(
      new RegExp(
        `^${String(id)}  pending  0 of 1  prod  alice  3600 s .+Deploy release 42 of the shop`,
        'u',
      ),
    );
    const approval = answerTo('bob looks', 2);
    expect(approval).toContain(`Request ${String(id)} allows:\n`);
    expect(approval).toMatch(
      /^profile\.roleArn: +arn:aws:iam::000000000000:role\/SentinelProtected-prod$/mu,
    );
    expect(approval).toMatch(/^justification: +Deploy release 42 of the shop$/mu);
    expect(approval).toMatch(
      new RegExp(`^Request ${String(id)} for profile prod is approved until \\S+\\.$`, 'mu'),
    );
  });

  it('vend prod to alice with curl and with the client, and the audit log names bob', () => {
    const { request_id: id } = jsonOf(answerTo('Until somebody approves'));
    expect(jsonOf(answerTo('alice gets credentials for prod', 1))).toMatchObject({
      Profile: 'prod',
      SourceIdentity: `sentinel=a=${String(id)}=alice`,
    });
    expect(jsonOf(answerTo('alice gets credentials for prod', 2))).toMatchObject({
      Version: 1,
      AccessKeyId: expect.stringMatching(/^ASIA/u),
    });
    const records = audit
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    const vends = records.filter(
      ({ event, outcome, profile, user }) =>
        event === 'vend' && outcome === 'vended' && profile === 'prod' && user === 'alice',
    );
    expect(vends).toHaveLength(2);
    for (const vend of vends)
      expect(vend).toMatchObject({ approved_request_id: id, approvers: ['key/bob'] });
  });

  it('vend prod to bob in an emergency, until he closes it, and olivia reviews it', () => {
    const vended = jsonOf(answerTo('It vends at once'));
    expect(vended).toMatchObject({
      Profile: 'prod',
      SourceIdentity: expect.stringMatching(/^sentinel=b=[0-9a-f]{16}=bob$/u),
    });
    const id = String(vended['SourceIdentity']).split('=')[2] ?? '';
    expect(answerTo('bob closes it', 1)).toMatch(
      new RegExp(
        `^Break-glass event ${id} for profile prod was closed by bob .+olivia must review`,
        'u',
      ),
    );
    expect(answerTo('bob closes it', 2)).toContain('olivia has reviewed it.');
  });
});
