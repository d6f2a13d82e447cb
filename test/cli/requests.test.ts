import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { call } from '../http/support.ts';
import { bareEnvironment } from '../local/support.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { PROGRAM, runProgram, scratch, type Run } from './support.ts';

/** The commands of approvals as their users have them, against a TVM on the embedded AWS. */
const directory = scratch();
let desk: Desk;
let tvm: RunningTvm;

const POLICY = `version: "1"
rules:
  - name: ask
    effect: require_approval
    conditions: { users: [alice, user/dana] }
`;

/** Profiles of which each test has one, so that none finds what another left behind. */
const PROFILES = [
  'asked',
  'listed',
  'approved',
  'insisted',
  'shorter',
  'denied',
  'cancelled',
  'ended',
  'waited',
  'refused',
  'slow',
  'interrupted',
  'dana',
  'gone',
  'twice',
];

/** Profiles of which one rule wants a ticket, and of which no rule is. */
const OTHERS = ['ticketed', 'ticketless', 'orphan'];

beforeAll(async () => {
  desk = await startDesk();
  const profile = JSON.stringify({
    role_arn: 'arn:aws:iam::000000000000:role/SentinelProtected-dev',
    max_duration: '1h',
  });
  for (const name of [...PROFILES, ...OTHERS]) {
    await desk.put(`/sentinel/policies/${name}`, POLICY);
    await desk.put(`/sentinel/profiles/${name}`, profile);
  }
  const ticketed = {
    name: 'ticketed',
    profiles: ['ticketed', 'ticketless'],
    approvers: ['bob'],
    ticket: { required: true, pattern: String.raw`OPS-\d+` },
    comment: 'required',
  };
  const ordinary = {
    name: 'ordinary',
    profiles: PROFILES,
    approvers: ['bob', 'olivia'],
    request_ttl: '1h',
  };
  await desk.put(
    '/sentinel/approval-policy',
    JSON.stringify({ version: '1', rules: [ticketed, ordinary] }),
  );
  tvm = await startTvm(desk.url, { environment: { SENTINEL_SERVER_ID: 'sentinel-local' } });
}, 60_000);

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

type Who = keyof typeof DEMO_CLIENTS;

/** The environment of a demo caller, whose registered key signs. */
function environment(who: Who): Record<string, string> {
  const { accessKeyId, secret } = DEMO_CLIENTS[who];
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secret,
    TVM_URL: tvm.url,
    TVM_LOGIN_FILE: join(directory, 'login.json'),
  };
}

function as(who: Who, ...args: readonly string[]): Promise<Run> {
  return runProgram([...args, '--registered-key'], environment(who));
}

type Json = Readonly<Record<string, unknown>>;

function json({ stdout }: Run): Json {
  return JSON.parse(stdout) as Json;
}

/** Lets alice ask for a profile; gives the id of the request. */
async function ask(profile: string): Promise<string> {
  const run = await as(
    'alice',
    'request',
    profile,
    '--justification',
    'deploy release 42',
    '--json',
  );
  expect(run.stderr).toBe('');
  return String(json(run)['request_id']);
}

/** One sentence on stderr, nothing on stdout, exit code 1. */
function refusal(part: RegExp | string): Run {
  const text = typeof part === 'string' ? part : part.source;
  return {
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(new RegExp(`^sentinel-tvm: [^\n]*${text}[^\n]*\\.\n$`, 'u')),
  };
}

describe('request', () => {
  it('asks for an approval, and says who can give it', async () => {
    const { code, stdout, stderr } = await as(
      'alice',
      'request',
      'asked',
      '--justification',
      'deploy release 42',
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^Request [0-9a-f]{16} for profile asked is pending until \S+; it needs bob or olivia \(0 of 1\)\.\n$/u,
    );
  });

  it('finds the pending request that asks for the same, and refuses one that asks for something else', async () => {
    const id = await ask('twice');
    expect(await ask('twice')).toBe(id);
    const other = await as(
      'alice',
      'request',
      'twice',
      '--justification',
      'something else',
      '--duration',
      '30m',
    );
    expect(other).toEqual(refusal('Conflict'));
  });

  it('sends duration and ticket, and is refused for a ticket that the rule does not take', async () => {
    const wrong = await as(
      'alice',
      'request',
      'ticketed',
      '--justification',
      'deploy release 42',
      '--ticket',
      'X-1',
    );
    expect(wrong).toEqual(refusal('"ticket"[^\n]*ValidationError'));
    const more = ['--ticket', 'OPS-7', '--duration', '30m', '--json'];
    const right = await as(
      'alice',
      'request',
      'ticketed',
      '--justification',
      'deploy release 42',
      ...more,
    );
    expect(json(right)).toMatchObject({ ticket: 'OPS-7', duration: 1_800, status: 'pending' });
  });

  it('is refused for a profile that is closed to the caller', async () => {
    const closed = await as('carol', 'request', 'asked', '--justification', 'let me look at it');
    expect(closed).toEqual(refusal('PolicyDenied'));
  });

  it('asks for an IAM user as well, after a login', async () => {
    const dana = {
      AWS_ACCESS_KEY_ID: 'AKIADEMODANA0000',
      AWS_SECRET_ACCESS_KEY: 'demo-dana-not-a-secret',
    };
    const args = ['request', 'dana', '--justification', 'deploy release 42', '--json'];
    const run = await runProgram(args, { ...environment('alice'), ...dana });
    expect(json(run)).toMatchObject({ requester: 'user/dana', profile: 'dana', status: 'pending' });
  });
});

describe('requests', () => {
  it('lists one’s own requests, those that one can decide, and for operators all', async () => {
    const id = await ask('listed');
    const mine = await as('alice', 'requests', '--profile', 'listed');
    expect(mine.stdout).toMatch(
      new RegExp(`^${id}  pending  0 of 1  listed  alice  3600 s  \\S+  deploy release 42\n$`, 'u'),
    );
    const review = await as('bob', 'requests', '--view', 'review', '--status', 'pending', '--json');
    const ids = (json(review)['requests'] as Json[]).map(({ request_id: of }) => of);
    expect(ids).toContain(id);
    const all = await as('olivia', 'requests', '--view', 'all', '--profile', 'listed', '--json');
    expect(json(all)).toMatchObject({
      requests: [{ request_id: id, digest: expect.stringMatching(/^[0-9a-f]{64}$/u) }],
    });
  });

  it('says so if there are none, and refuses all to those who are no operators', async () => {
    expect(await as('carol', 'requests')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'There are none.\n',
    });
    expect(await as('carol', 'requests', '--view', 'all')).toEqual(refusal('NotPermitted'));
  });
});

describe('approve', () => {
  it('shows on stderr what it approves, and approves it', async () => {
    const id = await ask('approved');
    const { code, stdout, stderr } = await as('bob', 'approve', id, '--comment', 'go ahead');
    expect(code).toBe(0);
    expect(stderr).toContain(`Request ${id} allows:\n`);
    expect(stderr).toMatch(
      /^profile\.roleArn: +arn:aws:iam::000000000000:role\/SentinelProtected-dev$/mu,
    );
    expect(stderr).toMatch(/^requester\.name: +key\/alice$/mu);
    expect(stderr).toMatch(/^digest: +[0-9a-f]{64}$/mu);
    expect(stdout).toMatch(
      new RegExp(`^Request ${id} for profile approved is approved until \\S+\\.\n$`, 'u'),
    );
    // Once more, it is the same approval.
    expect((await as('bob', 'approve', id)).code).toBe(0);
    const vended = await as('alice', 'credentials', '--profile', 'approved');
    expect(json(vended)).toMatchObject({
      Version: 1,
      AccessKeyId: expect.stringMatching(/^ASIA/u),
    });
  });

  it('approves for a shorter time, and never for a longer one', async () => {
    const id = await ask('shorter');
    expect((await as('bob', 'approve', id, '--duration', '2h')).stderr).toContain(
      '"duration" must be at most 3600',
    );
    const run = await as('bob', 'approve', id, '--duration', '15m', '--json');
    expect(json(run)).toMatchObject({ status: 'approved', phase: 'active', duration: 900 });
  });

  it('insists on a digest that was seen before', async () => {
    const id = await ask('insisted');
    const other = await as('bob', 'approve', id, '--digest', 'a'.repeat(64));
    expect(other).toEqual(refusal('is not what you saw: its digest is [0-9a-f]{64} now'));
    const shown = await call(tvm, { path: `/requests/${id}`, as: 'bob' });
    const same = await as('bob', 'approve', id, '--digest', String(shown.json['digest']), '--json');
    expect(json(same)).toMatchObject({ status: 'approved' });
  });

  it('is refused to the requester, to strangers, and without a comment that the rule wants', async () => {
    const {
      requests: [request],
    } = json(await as('alice', 'requests', '--profile', 'ticketed', '--json')) as {
      requests: Json[];
    };
    const id = String(request?.['request_id']);
    expect((await as('alice', 'approve', id)).stderr).toMatch(
      /under whatever identity \(NotPermitted\)\.\n$/u,
    );
    expect(await as('carol', 'approve', id)).toEqual(refusal('NotPermitted'));
    expect((await as('bob', 'approve', id)).stderr).toContain('"comment"');
    expect(await as('bob', 'approve', '0123456789abcdef')).toEqual(refusal('NotPermitted'));
  });
});

describe('deny', () => {
  it('denies with a comment, once', async () => {
    const id = await ask('denied');
    const run = await as('bob', 'deny', id, '--comment', 'not on a Friday');
    expect(run).toEqual({
      code: 0,
      stderr: '',
      stdout: `Request ${id} for profile denied was denied by bob: not on a Friday.\n`,
    });
    expect(await as('olivia', 'deny', id, '--comment', 'no')).toEqual(
      refusal('denied already[^\n]*Conflict'),
    );
    expect(await as('alice', 'deny', id, '--comment', 'no')).toEqual(refusal('NotPermitted'));
  });
});

describe('cancel', () => {
  it('withdraws one’s own request, and nobody else’s', async () => {
    const id = await ask('cancelled');
    expect(await as('bob', 'cancel', id)).toEqual(refusal('NotPermitted'));
    expect(json(await as('alice', 'cancel', id, '--json'))).toMatchObject({
      status: 'cancelled',
      ended_by: 'alice',
    });
    expect(await as('alice', 'cancel', id)).toEqual(refusal('Conflict'));
  });
});

describe('end', () => {
  it('ends what was approved, for good', async () => {
    const id = await ask('ended');
    await as('bob', 'approve', id);
    expect((await as('alice', 'credentials', '--profile', 'ended')).code).toBe(0);
    expect(await as('carol', 'end', id, '--reason', 'because')).toEqual(refusal('NotPermitted'));
    const run = await as('bob', 'end', id, '--reason', 'deployed');
    const words = run.stdout.replace(/until \d{4}-\S+Z\)/u, 'until THEN)');
    expect(words).toBe(
      `Request ${id} for profile ended was cancelled by bob ` +
        '(credentials from before may work until THEN): deployed.\n',
    );
    const vend = await as('alice', 'credentials', '--profile', 'ended');
    expect(vend).toEqual(refusal('PolicyRequiresApproval'));
  });
});

describe('credentials --wait', () => {
  /** Starts a wait; resolves once it says that it waits. */
  async function startWait(profile: string, ...more: readonly string[]) {
    const args = [PROGRAM, 'credentials', '--profile', profile, '--registered-key', ...more];
    const child = spawn(process.execPath, args, {
      env: { ...bareEnvironment(), ...environment('alice') },
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
    const ended = once(child, 'close') as Promise<[number | null]>;
    await expect.poll(() => output.stderr, { timeout: 15_000 }).toMatch(/\n$/u);
    const id =
      /waiting for request ([0-9a-f]{16}) at http/u.exec(output.stderr)?.[1] ?? output.stderr;
    async function end(): Promise<Run> {
      const [code] = await ended;
      return { code, ...output };
    }
    return { id, child, end };
  }

  it('says for what it waits, of whom and where, and vends once it is approved', async () => {
    const wait = await startWait('waited', '--wait', '--justification', 'deploy release 42');
    await as('bob', 'approve', wait.id);
    const run = await wait.end();
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr.replace(/at http:\S+\/requests\//u, 'at URL/')).toBe(
      `sentinel-tvm: Profile waited needs an approval of bob or olivia (0 of 1); waiting for request ${wait.id} at ` +
        `URL/${wait.id}. Ctrl-C ends the wait, and the request stays.\n`,
    );
    expect(Object.keys(json(run))).toEqual([
      'Version',
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Expiration',
    ]);
    const shown = await call(tvm, { path: `/requests/${wait.id}`, as: 'bob' });
    expect(shown.json['justification']).toBe('deploy release 42');
  });

  it.each([
    {
      becomes: 'denied',
      profile: 'refused',
      by: 'bob',
      command: ['deny', '--comment', 'not today'],
    },
    {
      becomes: 'cancelled',
      profile: 'gone',
      by: 'olivia',
      command: ['end', '--reason', 'not today'],
    },
  ] as const)(
    'exits with 1 and a sentence when the request is $becomes',
    async ({ becomes, profile, by, command }) => {
      const wait = await startWait(profile, '--wait');
      await as(by, ...command, wait.id);
      const { code, stdout, stderr } = await wait.end();
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr.split('\n')[1]).toBe(
        `sentinel-tvm: Request ${wait.id} for profile ${profile} was ${becomes} by ${by}: not today.`,
      );
    },
  );

  it('gives up when it was not decided in time', async () => {
    const { code, stdout, stderr } = await as(
      'alice',
      'credentials',
      '--profile',
      'slow',
      '--wait=2s',
    );
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /\nsentinel-tvm: Request [0-9a-f]{16} was not decided in 2 s; [^\n]+\.\n$/u,
    );
  });

  it('ends at once on Ctrl-C, with nothing on stdout', async () => {
    const wait = await startWait('interrupted', '--wait');
    const begun = Date.now();
    wait.child.kill('SIGINT');
    const { code, stdout } = await wait.end();
    expect([code, stdout]).toEqual([130, '']);
    expect(Date.now() - begun).toBeLessThan(1_000);
    const shown = await call(tvm, { path: `/requests/${wait.id}`, as: 'alice' });
    expect(shown.json['status']).toBe('pending');
  });

  it('does not wait where nobody could approve, or where nothing is to be approved', async () => {
    expect(await as('alice', 'credentials', '--profile', 'orphan', '--wait')).toEqual(
      refusal('no rule of the approval'),
    );
    expect(await as('alice', 'credentials', '--profile', 'ticketless', '--wait')).toEqual(
      refusal('wants the ticket'),
    );
    expect(await as('carol', 'credentials', '--profile', 'waited', '--wait')).toEqual(
      refusal('PolicyDenied'),
    );
    const free = await as('alice', 'credentials', '--profile', 'dev', '--wait');
    expect([free.code, free.stderr]).toEqual([0, '']);
  });
});
