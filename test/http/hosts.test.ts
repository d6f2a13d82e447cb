import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call } from './support.ts';

let desk: Desk;
let tvm: RunningTvm;
let foreign: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url, {
    environment: { SENTINEL_HOSTS: 'TVM.example.com, exact.example.com:8443, [2001:db8::1]' },
  });
  foreign = await startTvm(desk.url, {
    environment: { SENTINEL_ALLOWED_ACCOUNTS: '111122223333,444455556666' },
  });
});

afterAll(async () => {
  await tvm.close();
  await foreign.close();
  await desk.close();
});

function vendAs(host: string) {
  return call(tvm, { host, query: 'profile=dev' });
}

describe('SENTINEL_HOSTS', () => {
  it.each([
    'tvm.example.com',
    'TVM.EXAMPLE.COM',
    'tvm.example.com:8080',
    'tvm.example.com:1',
    'exact.example.com:8443',
    '[2001:db8::1]',
    '[2001:DB8::1]:8080',
  ])('serves the host %s', async (host) => {
    const answer = await vendAs(host);
    expect(answer.status, answer.body).toBe(200);
  });

  it.each([
    'exact.example.com',
    'exact.example.com:8444',
    'tvm.example.com.',
    'xtvm.example.com',
    'evil.example',
    'localhost',
  ])('refuses the host "%s" before it checks the signature', async (host) => {
    const before = tvm.audit.length;
    const answer = await vendAs(host);
    expect(answer.status, answer.body).toBe(400);
    expect(answer.json['error']).toBe('ValidationError');
    const listing = await call(tvm, { host, path: '/profiles' });
    expect(listing.status).toBe(400);
    expect(tvm.audit.length).toBe(before);
  });

  it.each([
    'tvm.example.com:80:80',
    'tvm.example.com:80a',
    'tvm.example.com@evil.example',
    '2001:db8::1',
    '',
  ])('refuses the malformed host "%s"', async (host) => {
    const before = tvm.audit.length;
    expect((await vendAs(host)).status).toBe(400);
    expect(tvm.audit.length).toBe(before);
  });

  it.each(['/healthz', '/readyz'])(
    'does not apply to %s, which load balancers request by address',
    async (target) => {
      const answer = await sendRaw(tvm.port, { target, headers: { host: '10.0.0.7:8080' } });
      expect(answer.status).toBe(200);
    },
  );

  it('names the served hosts in its refusal, and repeats the refused one short and printable', async () => {
    const { json } = await vendAs('evil.example');
    expect(json['message']).toBe(
      'The host "evil.example" is not one that this server answers for; it answers for TVM.example.com, exact.example.com:8443, [2001:db8::1]. Sign for one of these, or ask its operator to set SENTINEL_HOSTS.',
    );
    const long = await vendAs('x'.repeat(5_000));
    expect(String(long.json['message']).length).toBeLessThan(400);
    for (const character of ['\u0001', '\u007f', '\u009b', '\u00e9']) {
      const { status, body } = await vendAs(`evil${character}[31m.example`);
      expect(status).toBe(400);
      expect(body).not.toContain(character);
    }
  });
});

describe('the served hosts without SENTINEL_HOSTS', () => {
  const running: RunningTvm[] = [];
  beforeAll(async () => {
    running.push(await startTvm(desk.url));
    running.push(
      await startTvm(desk.url, {
        environment: { SENTINEL_PUBLIC_URL: 'https://TVM.example.com/base' },
      }),
    );
  });
  afterAll(async () => {
    for (const one of running) await one.close();
  });

  async function statusAt(index: number, host: string): Promise<number> {
    return (await call(running[index] as RunningTvm, { host, query: 'profile=dev' })).status;
  }

  it.each(['localhost', 'LOCALHOST:8080', '127.0.0.1', '127.0.0.1:1', '[::1]', '[::1]:8080'])(
    'include those of this machine if the AWS endpoint is local: %s',
    async (host) => {
      expect(await statusAt(0, host)).toBe(200);
      expect(await statusAt(1, host)).toBe(200);
    },
  );

  it('include that of SENTINEL_PUBLIC_URL on any port', async () => {
    for (const host of ['tvm.example.com', 'TVM.example.com:443']) {
      expect(await statusAt(1, host)).toBe(200);
      expect(await statusAt(0, host)).toBe(400);
    }
  });

  it.each([
    'evil.example',
    'tvm.example.com.evil.example',
    '10.0.0.7',
    '127.0.0.2',
    'localhost.',
    '0.0.0.0',
    '',
  ])('do not include "%s"', async (host) => {
    expect(await statusAt(0, host)).toBe(400);
    expect(await statusAt(1, host)).toBe(400);
  });

  it.each(['/healthz', '/readyz'])('do not matter for %s', async (target) => {
    for (const { port } of running) {
      expect((await sendRaw(port, { target, headers: { host: '10.0.0.7' } })).status).toBe(200);
    }
  });
});

describe('SENTINEL_ALLOWED_ACCOUNTS', () => {
  it('admits callers of the TVM’s own account when it is not set', async () => {
    expect((await vendAs('tvm.example.com')).status).toBe(200);
  });

  it('refuses callers of the own account when it lists only others, and records that', async () => {
    const answer = await call(foreign, { query: 'profile=dev' });
    expect(answer.status).toBe(403);
    expect(answer.json['error']).toBe('AccessDenied');
    expect(foreign.audit.at(-1)).toMatchObject({
      event: 'identity_refused',
      error: 'AccessDenied',
      claimed_access_key_id: 'TVMDEMOALICE',
      http_request_id: answer.headers['x-request-id'],
    });
    expect((await call(foreign, { path: '/profiles' })).status).toBe(403);
  });

  it('is checked after authentication', async () => {
    const answer = await call(foreign, { query: 'profile=dev', host: '127.0.0.1' });
    const moved = await sendRaw(foreign.port, {
      target: '/?profile=dev',
      headers: { host: foreign.host },
    });
    expect(answer.json['error']).toBe('AccessDenied');
    expect(moved.json['error']).toBe('MissingAuthenticationToken');
  });
});
