import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readArguments } from '../../src/cli/arguments.ts';
import type { Login } from '../../src/cli/login-file.ts';
import { readSettings } from '../../src/cli/settings.ts';
import { isOurProfile, runsOurselves } from '../../src/cli/source-credentials.ts';
import type { Process } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { writtenAs } from '../../src/cli/flags.ts';
import { HELP } from '../../src/cli/help.ts';
import type { ConnectionFlags } from '../../src/cli/connection-flags.ts';
import { connectionFlags, runProgram, understand } from './support.ts';

const ID = '0123456789abcdef';
const DIGEST = 'a'.repeat(64);

/** The flags that say which TVM is asked, where none of them is given. */
const OWN = { registeredKey: false };

describe('readArguments', () => {
  it.each([
    [['login'], { name: 'login', print: false, flags: OWN }],
    [
      ['whoami', '--json', '--url', 'https://x'],
      { name: 'whoami', json: true, flags: { ...OWN, url: 'https://x' } },
    ],
    [
      ['credentials', '--profile', 'team/prod'],
      { name: 'credentials', profile: 'team/prod', duration: 3600, flags: OWN },
    ],
    [
      [
        'credentials',
        '--profile=dev',
        '--duration=900',
        '--label=a.b',
        '--source-profile=p',
        '--front=lambda',
      ],
      {
        name: 'credentials',
        profile: 'dev',
        duration: 900,
        label: 'a.b',
        flags: { ...OWN, sourceProfile: 'p', front: 'lambda' },
      },
    ],
    [
      ['credentials', '--wait', '--profile', 'prod'],
      { name: 'credentials', profile: 'prod', duration: 3600, wait: 604_800, flags: OWN },
    ],
    [
      ['credentials', '--profile', 'prod', '--wait=30m', '--registered-key'],
      {
        name: 'credentials',
        profile: 'prod',
        duration: 3600,
        wait: 1800,
        flags: { registeredKey: true },
      },
    ],
    [
      [
        'request',
        'prod',
        '--justification',
        'deploy release 42',
        '--duration',
        '2h',
        '--ticket=OPS-7',
      ],
      {
        name: 'request',
        profile: 'prod',
        justification: 'deploy release 42',
        duration: 7200,
        ticket: 'OPS-7',
        json: false,
        flags: OWN,
      },
    ],
    [['requests'], { name: 'requests', view: 'mine', json: false, flags: OWN }],
    [
      ['requests', '--view', 'review', '--status', 'pending', '--profile', 'prod', '--json'],
      {
        name: 'requests',
        view: 'review',
        status: 'pending',
        profile: 'prod',
        json: true,
        flags: OWN,
      },
    ],
    [
      ['approve', ID, '--comment', 'go', '--duration', '900', '--digest', DIGEST],
      {
        name: 'approve',
        id: ID,
        comment: 'go',
        duration: 900,
        digest: DIGEST,
        json: false,
        flags: OWN,
      },
    ],
    [
      ['deny', '--comment', 'no', ID],
      { name: 'deny', id: ID, comment: 'no', json: false, flags: OWN },
    ],
    [['cancel', ID, '--json'], { name: 'cancel', id: ID, json: true, flags: OWN }],
    [
      ['end', ID, '--reason', 'done'],
      { name: 'end', id: ID, reason: 'done', json: false, flags: OWN },
    ],
    [[], { name: 'help' }],
    [['--help'], { name: 'help' }],
    [['login', '--help'], { name: 'help' }],
    [['--version'], { name: 'version' }],
  ])('understands %j', (argv, value) => {
    expect(understand(argv)).toEqual({ ok: true, value });
  });

  it.each([
    [['logn'], 'did you mean login?'],
    [['credentials'], '--profile'],
    [['credentials', '--profile', '../x'], '--profile'],
    [['credentials', '--profile', 'dev', '--duration', '899'], '--duration'],
    [['credentials', '--profile', 'dev', '--duration', '1e3'], '--duration'],
    [['credentials', '--profile', 'dev', '--label', 'a b'], '--label'],
    [['credentials', '--profile'], '--profile'],
    [['credentials', '--profile', 'dev', 'more'], 'more'],
    [['login', '--duration', '900'], '--duration'],
    [['login', '--region', 'us-east-1.evil.com'], '--region'],
    [['login', '--sts-region', 'X'], '--sts-region'],
    [['whoami', '--front', 'alb'], '--front'],
    [['whoami', '--front', 'lambda', '--service', 's3'], '--service'],
    [['login', '--server-id', 'a b'], '--server-id'],
    [['login', '--registered-key'], 'registered key'],
    [['credentials', '--profile', 'dev', '--wait=soon'], '--wait'],
    [['credentials', '--profile', 'dev', '--wait=0'], '--wait'],
    [['credentials', '--profile', 'dev', '--wait', '30m'], '30m'],
    [['request', '--justification', 'deploy release 42'], 'PROFILE'],
    [['request', '../x', '--justification', 'deploy release 42'], 'PROFILE'],
    [['request', 'prod'], '--justification'],
    [['request', 'prod', '--justification', 'short'], '--justification'],
    [['request', 'prod', '--justification', 'deploy release 42', '--duration', '9h'], '--duration'],
    [['request', 'prod', '--justification', 'deploy release 42', '--ticket', 'a b'], '--ticket'],
    [['request', 'prod', 'dev', '--justification', 'deploy release 42'], 'dev'],
    [['requests', '--view', 'yours'], '--view'],
    [['requests', '--status', 'open'], '--status'],
    [['requests', ID], ID],
    [['approve'], 'ID'],
    [['approve', '../whoami'], 'ID'],
    [['approve', ID, ID], ID],
    [['approve', ID, '--digest', 'abc'], '--digest'],
    [['deny', ID], '--comment'],
    [['cancel', ID.slice(1)], 'ID'],
    [['end', ID], '--reason'],
    [['end', ID, '--reason', 'x'], '--reason'],
  ])('refuses %j in a sentence that names what is wrong', (argv, named) => {
    const read = readArguments(argv);
    expect(read.ok ? 'accepted' : read.refusal).toContain(named);
    expect(read.ok ? '' : read.refusal).toMatch(/^[^\n]+[.?]$/u);
  });

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (argv) => typeof readArguments(argv).ok === 'boolean'),
    );
  });

  it('makes the program exit with 2 and write to stderr only when it refuses', async () => {
    const { code, stdout, stderr } = await runProgram(['nonsense', '--x'], {});
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^sentinel-tvm: [^\n]+\n$/u);
  });
});

describe('HELP', () => {
  it.each(COMMANDS.map(({ name }) => [name]))('has a line for %s', (name) => {
    expect(HELP).toMatch(new RegExp(`^  sentinel-tvm ${name} .+$`, 'mu'));
  });

  it('names every flag', () => {
    const flags = COMMANDS.flatMap((command) => Object.entries(command.flags));
    for (const [name, flag] of flags)
      expect(HELP).toMatch(new RegExp(`${writtenAs(name, flag)}\\b`, 'u'));
    expect(flags.length).toBeGreaterThan(8);
  });

  it.each(['--help', '-h', 'help', 'login --help', ''])('is printed for %j', async (line) => {
    const read = readArguments(line.split(' ').filter(Boolean));
    expect(read.ok && (await read.value.run({} as Process))).toMatchObject({
      ok: true,
      value: { stdout: HELP },
    });
  });
});

describe('readSettings', () => {
  const LAST = {
    url: 'https://tvm.example.com',
    serverId: 'tvm-1',
    region: 'eu-west-1',
    source: 'default',
  };
  type Rest = readonly [environment: Readonly<Record<string, string>>, last: Login | undefined];
  function settings(flags: Partial<ConnectionFlags>, ...rest: Rest) {
    const read = readSettings(connectionFlags(flags), ...rest);
    return read.ok ? read.value : read.refusal;
  }

  it('takes the TVM of this machine when nothing else is given', () => {
    expect(settings({}, {}, undefined)).toEqual({
      url: 'http://127.0.0.1:8080',
      serverId: 'sentinel-local',
      region: 'us-east-1',
      stsRegion: 'us-east-1',
      source: 'default',
      sourceProfile: undefined,
      ownService: undefined,
    });
  });

  it('prefers flags to the environment, and the environment to the last login', () => {
    const environment = {
      TVM_URL: 'https://env.example',
      TVM_SERVER_ID: 'env',
      AWS_REGION: 'us-west-2',
    };
    const flags = { url: 'https://flag.example', serverId: 'flag', region: 'ap-south-1' };
    expect(settings(flags, environment, LAST)).toMatchObject(flags);
    expect(settings({}, environment, LAST)).toMatchObject({
      url: 'https://env.example',
      serverId: 'env',
      region: 'us-west-2',
    });
    expect(settings({}, {}, LAST)).toMatchObject({
      url: LAST.url,
      serverId: 'tvm-1',
      region: 'eu-west-1',
    });
  });

  it('takes nothing from the last login for another server', () => {
    expect(settings({ url: 'https://other.example', region: 'eu-west-1' }, {}, LAST)).toContain(
      '--server-id',
    );
    expect(settings({ url: 'https://other.example', serverId: 'x' }, {}, LAST)).toContain(
      '--region',
    );
  });

  it.each([
    'http://tvm.example.com',
    'http://10.0.0.1',
    'ftp://x',
    'x',
    'https://u:p@x',
    'https://x/?a=1',
    'http://127.0.0.1.evil.com',
  ])('refuses the URL %s', (url) => {
    expect(settings({ url, region: 'eu-west-1', serverId: 'x' }, {}, undefined)).toContain('--url');
  });

  it.each([
    ['https://abc.lambda-url.eu-central-1.on.aws/', 'lambda', 'eu-central-1'],
    ['https://abc.execute-api.eu-west-3.amazonaws.com/prod', 'execute-api', 'eu-west-3'],
    ['https://tvm.example.com', 'execute-api', 'us-east-2'],
    ['https://abc.lambda-url.eu-central-1.on.aws.evil.example', 'execute-api', 'us-east-2'],
  ])('signs for %s behind a front as %s in %s', (url, ownService, region) => {
    expect(
      settings({ url, front: 'lambda' }, { AWS_REGION: 'us-east-2' }, undefined),
    ).toMatchObject({
      ownService,
      region,
    });
  });
});

describe('runsOurselves', () => {
  it.each([
    'sentinel-tvm credentials --profile dev',
    '/usr/local/bin/sentinel-tvm credentials',
    '"C:\\Program Files\\sentinel-tvm.cmd" credentials',
    "'/opt/my tools/sentinel-tvm' x",
    'npx sentinel-tvm credentials',
    'node /x/.scripts/sentinel-tvm.mjs credentials',
  ])('recognises %s', (command) => {
    expect(runsOurselves(command)).toBe(true);
  });

  it.each([
    'aws-vault exec sentinel',
    'my-sentinel-tvm x',
    'sentinel-tvm-wrapper',
    '/sentinel-tvm/other',
    '',
  ])('does not take %s for this program', (command) => {
    expect(runsOurselves(command)).toBe(false);
  });

  it('finds a profile of ours through its sources, and ends at a circle of sources', () => {
    const ours = { credential_process: 'sentinel-tvm credentials --profile dev' };
    expect(
      isOurProfile('a', { a: { source_profile: 'b' }, b: { source_profile: 'c' }, c: ours }),
    ).toBe(true);
    expect(isOurProfile('a', { a: { source_profile: 'b' }, b: { source_profile: 'a' } })).toBe(
      false,
    );
    expect(isOurProfile('a', { a: { source_profile: 'a' } })).toBe(false);
    expect(isOurProfile('missing', {})).toBe(false);
  });
});
