import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  answerJson,
  DANA,
  runProgram,
  scratch,
  startStranger,
  strangersKey,
  type Stranger,
} from './support.ts';

/** What the client makes of servers that are no TVM, or are none today. */
const directory = scratch();
const strangers: Stranger[] = [];
let files = 0;

async function start(...args: Parameters<typeof startStranger>): Promise<Stranger> {
  const stranger = await startStranger(...args);
  strangers.push(stranger);
  return stranger;
}

afterEach(async () => {
  await Promise.all(strangers.splice(0).map((stranger) => stranger.close()));
});

function environment(url: string) {
  return {
    ...DANA,
    TVM_URL: url,
    TVM_LOGIN_FILE: join(directory, `${(files += 1)}.json`),
  };
}

function credentials(url: string, ...more: readonly string[]) {
  return runProgram(['credentials', '--profile', 'dev', ...more], environment(url));
}

const VENDED = {
  Version: 1,
  AccessKeyId: 'ASIAEXAMPLE',
  SecretAccessKey: 's',
  SessionToken: 't',
  Expiration: '2030-01-01T00:00:00Z',
};

describe('an answer that no TVM gives', () => {
  it.each<[string, (url: string) => Parameters<typeof startStranger>[0]]>([
    [
      'a redirect',
      (url) => (_, response) => response.writeHead(302, { location: `${url}/elsewhere` }).end(),
    ],
    [
      'a page',
      () => (_, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome</html>'),
    ],
    ['a list', () => (_, response) => answerJson(response, 200, [])],
    ['an empty object', () => (_, response) => answerJson(response, 200, {})],
    ['a flood', () => (_, response) => response.end('x'.repeat(1_000_000))],
    ['nothing', () => (_, response) => response.end()],
    ['the end of the connection', () => (_, response) => response.destroy()],
    [
      'a key without a secret',
      () => (_, response) => answerJson(response, 200, { AccessKeyId: 'a' }),
    ],
  ])('is refused in one sentence, with nothing on stdout: %s', async (_, answer) => {
    const elsewhere = await start((_request, response) =>
      answerJson(response, 200, strangersKey()),
    );
    const stranger = await start(answer(elsewhere.url));
    const { code, stdout, stderr } = await credentials(stranger.url);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^sentinel-tvm: [^\n]+\.\n$/u);
    expect(elsewhere.seen).toEqual([]);
    const [first] = stranger.seen;
    expect(stderr).not.toContain(first?.headers.authorization?.slice(-40) ?? 'nothing was sent');
  });

  it('reaches the terminal without its escape sequences', async () => {
    const evil = {
      error: 'AccessDenied',
      message: '\u001b[2J\u001b]0;owned\u0007 no\nsentinel-tvm: all is well',
    };
    const stranger = await start((_, response) => answerJson(response, 403, evil));
    const { stderr } = await credentials(stranger.url);
    expect(stderr).toMatch(/^[\u0020-\u007e]+\n$/u);
  });
});

describe('an answer that says to try again', () => {
  it('is followed once, with another signature and nonce', async () => {
    const stranger = await start((request, response, number) => {
      if (number === 1 || number === 3)
        answerJson(
          response,
          503,
          { error: 'ServiceUnavailable', message: 'm' },
          { 'retry-after': '0' },
        );
      else answerJson(response, 200, request.method === 'POST' ? strangersKey() : VENDED);
    });
    const { code, stdout } = await credentials(stranger.url);
    expect([code, JSON.parse(stdout)]).toEqual([0, VENDED]);
    expect(stranger.seen.map(({ method }) => method)).toEqual(['POST', 'POST', 'GET', 'GET']);
    expect(new Set(stranger.seen.map(({ headers }) => headers.authorization)).size).toBe(4);
    const nonces = stranger.seen.slice(2).map(({ headers }) => headers['x-sentinel-nonce']);
    expect(new Set(nonces).size).toBe(2);
  });

  it('is not followed when the wait would be long', async () => {
    const stranger = await start((_, response) =>
      answerJson(
        response,
        429,
        { error: 'RateLimited', message: 'later' },
        { 'retry-after': '60' },
      ),
    );
    expect((await credentials(stranger.url)).stderr).toContain('later (RateLimited)');
    expect(stranger.seen).toHaveLength(1);
  });
});

function request(index: number) {
  return {
    request_id: index.toString(16).padStart(16, '0'),
    status: 'pending',
    phase: 'waiting',
    requester: 'alice',
    profile: 'prod',
    justification: 'deploy\u001b[2J release 42',
    duration: 3_600,
    start: 'approval',
    created_at: '2026-01-02T03:04:05Z',
    expires_at: '2026-01-02T04:04:05Z',
    rule: 'all',
    needs: [],
    reviews: [],
    digest: 'a'.repeat(64),
    facts: { profile: { policy: 'x'.repeat(2_000) } },
  };
}

function list(url: string, ...more: readonly string[]) {
  return runProgram(['requests', '--registered-key', ...more], environment(url));
}

describe('a long list of requests', () => {
  it('is read to its end, over empty pages and over a limit of requests', async () => {
    const stranger = await start(({ url }, response, number) => {
      if (number === 3) {
        answerJson(
          response,
          429,
          { error: 'RateLimited', message: 'later' },
          { 'retry-after': '6' },
        );
        return;
      }
      const page = Number(/next_token=(\d+)/u.exec(url)?.[1] ?? 0);
      const requests =
        page === 1 ? [] : Array.from({ length: 99 }, (_, index) => request(page * 100 + index));
      answerJson(response, 200, { requests, next_token: page < 4 ? `${page + 1}` : undefined });
    });
    const { code, stdout, stderr } = await list(stranger.url, '--json');
    expect([code, stderr]).toEqual([
      0,
      'sentinel-tvm: The list goes on in 6 s, as the TVM asks.\n',
    ]);
    expect((JSON.parse(stdout) as { requests: unknown[] }).requests).toHaveLength(4 * 99);
    expect(stranger.seen).toHaveLength(6);
  });

  it('that does not end is refused, and escape sequences do not reach the terminal', async () => {
    const stranger = await start(({ url }, response) =>
      answerJson(response, 200, {
        requests: [request(1)],
        next_token: url.includes('next_token=b') ? 'a' : 'b',
      }),
    );
    const { code, stdout, stderr } = await list(stranger.url);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe('sentinel-tvm: The list of the TVM does not end; check --url.\n');
    const short = await start((_, response) =>
      answerJson(response, 200, { requests: [request(1)] }),
    );
    expect((await list(short.url)).stdout).toMatch(/^[\u0020-\u007e]+\n$/u);
  });
});

describe('approve', () => {
  it('reaches the terminal without escape sequences, and sends only the digest of what it showed', async () => {
    const stranger = await start(({ method }, response) =>
      answerJson(response, method === 'GET' ? 200 : 409, {
        error: 'RequestChanged',
        message: 'changed',
        ...request(1),
        digest: 'd'.repeat(64),
        facts: {
          justification: '\u001b[2Jdigest: fake\ndigest:  fake',
          profile: { roleArn: 'arn', more: { a: 1 } },
        },
      }),
    );
    const args = ['approve', '0123456789abcdef', '--registered-key'];
    const { code, stdout, stderr } = await runProgram(args, environment(stranger.url));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^[\u0020-\u007e\n]+$/u);
    expect(stderr.split('\n').filter((line) => line.startsWith('digest:'))).toHaveLength(1);
    expect(stderr).toContain('changed (RequestChanged).');
    expect(stranger.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['GET', '/requests/0123456789abcdef', ''],
      ['POST', '/requests/0123456789abcdef/approve', JSON.stringify({ digest: 'd'.repeat(64) })],
    ]);
  });
});

describe('a kept key', () => {
  it('that the TVM no longer knows is replaced once, and not again and again', async () => {
    const stranger = await start((request, response) => {
      if (request.method === 'POST') answerJson(response, 200, strangersKey());
      else answerJson(response, 403, { error: 'InvalidClientTokenId', message: 'not known' });
    });
    const variables = environment(stranger.url);
    await runProgram(['credentials', '--profile', 'dev'], variables);
    stranger.seen.length = 0;
    const { code, stderr } = await runProgram(['credentials', '--profile', 'dev'], variables);
    expect([code, stderr]).toEqual([1, 'sentinel-tvm: not known (InvalidClientTokenId).\n']);
    expect(stranger.seen.map(({ method }) => method)).toEqual(['GET', 'POST', 'GET']);
  });

  it('that is about to end is not used', async () => {
    let number = 0;
    const soon = `${new Date(Date.now() + 30_000).toISOString().slice(0, 19)}Z`;
    const stranger = await start((request, response) => {
      const key = { ...strangersKey(`TVMK${(number += 1)}`), Expiration: soon };
      answerJson(response, 200, request.method === 'POST' ? key : VENDED);
    });
    const variables = environment(stranger.url);
    await runProgram(['credentials', '--profile', 'dev'], variables);
    await runProgram(['credentials', '--profile', 'dev'], variables);
    expect(stranger.seen.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST', 'GET']);
    const { keys } = JSON.parse(readFileSync(variables.TVM_LOGIN_FILE, 'utf8')) as {
      keys: unknown[];
    };
    expect(keys).toHaveLength(1);
  });
});

describe('behind a Lambda front', () => {
  it('signs requests with the caller’s own credentials, without a login', async () => {
    const stranger = await start((_, response) => answerJson(response, 200, VENDED));
    const variables = { ...environment(stranger.url), AWS_SESSION_TOKEN: 'token-of-dana' };
    for (const [args, service] of [
      [[], 'execute-api'],
      [['--service', 'lambda'], 'lambda'],
    ] as const) {
      stranger.seen.length = 0;
      const all = [
        'credentials',
        '--profile',
        'dev',
        '--front',
        'lambda',
        '--region',
        'eu-central-1',
        ...args,
      ];
      expect((await runProgram(all, variables)).code).toBe(0);
      expect(stranger.seen).toHaveLength(1);
      expect(stranger.seen[0]?.headers.authorization).toMatch(
        new RegExp(`Credential=AKIADEMODANA0000/\\d{8}/eu-central-1/${service}/aws4_request`, 'u'),
      );
      expect(stranger.seen[0]?.headers['x-amz-security-token']).toBe('token-of-dana');
    }
  });

  it('refuses to log in', async () => {
    const { code, stderr } = await runProgram(
      ['login', '--front', 'lambda'],
      environment('http://127.0.0.1:1'),
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining('no login')]);
  });
});
