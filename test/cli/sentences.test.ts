import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArguments } from '../../src/cli/arguments.ts';
import { printable } from '../../src/cli/printable.ts';
import { readSettings } from '../../src/cli/settings.ts';
import {
  answerJson,
  connectionFlags,
  runProgram,
  scratch,
  startStranger,
  strangersKey,
  type Stranger,
} from './support.ts';

/** What the client says: sentences to their end, in which everything can be seen. */
const SENTENCE = /^(?:[A-Z]|"|--)[^\n]*[^\s.?][.?]$/u;

function refusalOf(argv: readonly string[]): string {
  const read = readArguments(argv);
  return read.ok ? 'accepted' : read.refusal;
}

describe('a command line that is wrong', () => {
  it('suggests the nearest command for an unknown one', () => {
    expect(refusalOf(['xyz'])).toBe('"xyz" is no command. See --help.');
    expect(refusalOf(['logn'])).toBe('"logn" is no command; did you mean login? See --help.');
    expect(refusalOf(['x\u202ey\u001b[31m'])).toBe(
      String.raw`"x\u202ey\u001b[31m" is no command. See --help.`,
    );
  });

  it.each([
    [['xyz']],
    [['']],
    [['logn']],
    [['login', '--url']],
    [['login', '--url', '--print']],
    [['login', '--nonsense']],
    [['login', '-x']],
    [['login', 'more']],
    [['login', '--print=yes']],
    [['login', '--front', 'lambda']],
    [['login', '--front', 'alb']],
    [['login', '--region', 'x']],
    [['login', '--server-id', 'a b']],
    [['credentials']],
    [['credentials', '--profile', 'dev', '--duration', '1']],
    [['credentials', '--profile', 'dev', '--label', '']],
    [['whoami', '--front', 'lambda', '--service', 's3']],
    [['login', '--registered-key']],
    [['credentials', '--profile', 'dev', '--wait=soon']],
    [['request']],
    [['request', 'prod']],
    [['request', 'prod', 'dev']],
    [['request', 'prod', '--justification', 'deploy release 42', '--duration', '1d']],
    [['requests', '--view', 'x']],
    [['approve']],
    [['approve', 'x']],
    [['approve', '0123456789abcdef', '--digest', 'x']],
    [['deny', '0123456789abcdef']],
    [['cancel', '0123456789abcdef', '--reason', 'x']],
    [['end', '0123456789abcdef']],
  ])('%j is refused in one sentence with its full stop', (argv) => {
    expect(refusalOf(argv)).toMatch(SENTENCE);
  });

  it.each([
    [{ url: 'x' }],
    [{ url: 'http://tvm.example.com' }],
    [{ url: 'https://a:b@tvm.example.com' }],
    [{ url: 'https://tvm.example.com' }],
    [{ url: 'https://tvm.example.com', region: 'eu-central-1' }],
  ])('settings of %j are refused in one sentence with its full stop', (flags) => {
    const read = readSettings(connectionFlags(flags), {}, undefined);
    expect(read.ok ? 'accepted' : read.refusal).toMatch(SENTENCE);
  });

  it.each([
    ['https://abc.execute-api.eusc-de-east-1.amazonaws.eu', 'eusc-de-east-1'],
    ['https://abc.execute-api.us-isob-east-1.sc2s.sgov.gov', 'us-isob-east-1'],
    ['https://abc.execute-api.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['https://abc.lambda-url.us-east-1.on.aws', 'us-east-1'],
  ])('the region comes from the AWS host %s', (url, region) => {
    const read = readSettings(connectionFlags({ url, front: 'lambda' }), {}, undefined);
    expect(read.ok && read.value.region).toBe(region);
  });
});

describe('printable', () => {
  it.each([
    ['plain', 'plain'],
    ['Jos\u00e9 \ud83d\ude00', 'Jos\u00e9 \ud83d\ude00'],
    ['two\r\nlines', 'two lines'],
    ['\u001b]0;title\u0007', String.raw`\u001b]0;title\u0007`],
    ['\u009b31m', String.raw`\u009b31m`],
    ['a\u202eb', String.raw`a\u202eb`],
    ['a\u200bb\u2028c', String.raw`a\u200bb\u2028c`],
    [{ a: '\u202e' }, String.raw`{"a":"\u202e"}`],
    [undefined, ''],
  ])('makes one line of visible characters of %j', (value, text) => {
    expect(printable(value)).toBe(text);
  });
});

describe('an answer with invisible characters', () => {
  const directory = scratch();
  const HIDDEN = 'a\u202eb\u009b31m\u001b[2J\u200b';
  const SHOWN = String.raw`a\u202eb\u009b31m\u001b[2J\u200b`;
  let stranger: Stranger;

  beforeAll(async () => {
    stranger = await startStranger(({ url }, response) => {
      if (url === '/keys') return answerJson(response, 200, strangersKey());
      if (url === '/whoami') return answerJson(response, 200, { name: HIDDEN, [HIDDEN]: 'x' });
      const vended = {
        AccessKeyId: HIDDEN,
        SecretAccessKey: 's',
        SessionToken: 't',
        Expiration: '2030-01-01T00:00:00Z',
      };
      return answerJson(response, 200, vended);
    });
  });

  afterAll(() => stranger.close());

  function run(...args: readonly string[]) {
    return runProgram(args, {
      AWS_ACCESS_KEY_ID: 'AKIADEMODANA0000',
      AWS_SECRET_ACCESS_KEY: 'demo-dana-not-a-secret',
      TVM_URL: stranger.url,
      TVM_LOGIN_FILE: join(directory, 'login.json'),
    });
  }

  it('is printed with visible characters only by whoami, whoami --json, login and credentials', async () => {
    for (const args of [
      ['whoami'],
      ['whoami', '--json'],
      ['login'],
      ['credentials', '--profile', 'dev'],
    ]) {
      const { code, stdout, stderr } = await run(...args);
      expect(code, stderr).toBe(0);
      expect(`${stdout}${stderr}`).toMatch(/^[\u0020-\u007e\n]+$/u);
      expect(`${stdout}${stderr}`).toContain(SHOWN);
      if (stdout.startsWith('{'))
        expect(Object.values(JSON.parse(stdout) as object)).toContain(HIDDEN);
    }
  });
});
