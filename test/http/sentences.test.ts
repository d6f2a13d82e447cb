import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { askedBy, type Asked } from '../../src/http/asked.ts';
import { toRefusalAnswer, type Refusal } from '../../src/http/refusals.ts';
import { COUNTED } from '../../src/telemetry/meter.ts';
import { callWith } from '../revocations/support.ts';
import { call, forward, get, startFake, type Call, type Fake } from './support.ts';

/** What refusals say: they fit the request, say what to do, and hold no invisible characters. */
let desk: Desk;
let tvm: RunningTvm;
let dynamodb: Fake;
/** The table that cannot be written at present. */
let down: string | undefined;
/** A TVM that cannot read its documents. */
let blind: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  dynamodb = await startFake((body, incoming) =>
    down !== undefined && body.includes(down) ? 'close' : forward(desk.port, body, incoming),
  );
  tvm = await startTvm(desk.url, {
    environment: { AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url, SENTINEL_SERVER_ID: 'tvm-of-the-test' },
  });
  const ssm = await startFake(() => 'close');
  blind = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_SSM: ssm.url } });
  await ssm.close();
});

afterAll(async () => {
  await blind.close();
  await tvm.close();
  await dynamodb.close();
  await desk.close();
});

const SEEN = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u;

function json(method: string, path: string, body: object): Call {
  return {
    method,
    path,
    as: 'olivia',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  };
}

const REASON = { reason: 'laptop stolen' };

describe('503 ServiceUnavailable', () => {
  it.each<[string, Call, RegExp]>([
    ['GET /', { query: 'profile=dev' }, /^Nothing was vended: /u],
    ['POST /', json('POST', '/', { profile: 'dev' }), /^Nothing was vended: /u],
    ['POST /keys', json('POST', '/keys', {}), /^No key was minted: /u],
    ['GET /whoami', { path: '/whoami' }, /^There is no answer: /u],
    ['GET /profiles', { path: '/profiles' }, /^There is no answer: /u],
    ['GET /sessions', { path: '/sessions' }, /^There is no answer: /u],
    ['GET /revocations', { path: '/revocations', as: 'olivia' }, /^There is no answer: /u],
    [
      'POST /revocations',
      json('POST', '/revocations', { kind: 'all', ...REASON }),
      /^Nothing was revoked: /u,
    ],
    [
      'POST …/revoke',
      json('POST', '/sessions/0123456789abcdef/revoke', REASON),
      /^Nothing was revoked: /u,
    ],
    [
      'DELETE',
      { method: 'DELETE', path: '/revocations/1', as: 'olivia' },
      /^Nothing was lifted: /u,
    ],
  ])('says what %s did not do', async (_, what, words) => {
    const answer = await call(blind, what);
    expect(answer.status, answer.body).toBe(503);
    expect(answer.json['message']).toMatch(words);
    expect(answer.json['message']).toMatch(/is not available just now; try again\.$/u);
    if (!words.source.includes('vended')) expect(answer.body).not.toMatch(/vended/u);
  });

  it.each([
    [
      'sentinel-revocations',
      /^It is not certain that it was revoked \(GET \/revocations tells\): /u,
    ],
    ['sentinel-guard', /^Nothing was revoked: /u],
  ])(
    'says what is certain of a revocation whose write to %s got no answer',
    async (table, words) => {
      down = table;
      try {
        const answer = await call(
          tvm,
          json('POST', '/revocations', { kind: 'user', value: 'mallory', ...REASON }),
        );
        expect(answer.status, answer.body).toBe(503);
        expect(answer.json['message']).toMatch(words);
      } finally {
        down = undefined;
      }
    },
  );

  it('says that nothing was vended to those who asked for credentials, and to nobody else', () => {
    const causes = COUNTED.unavailable.filter(
      (cause) => cause !== 'overloaded' && cause !== 'sts_throttled',
    );
    for (const cause of causes) {
      const refusal: Refusal = { kind: 'unavailable', cause };
      expect(toRefusalAnswer(refusal, 'credentials').message).toMatch(/^Nothing was vended: /u);
      for (const asked of ['key', 'revocation', 'lifting', 'question'] as const) {
        expect(toRefusalAnswer(refusal, asked).message).not.toContain('vended');
      }
    }
  });

  it('and the message of a bug name only what was asked for', () => {
    function told(refusal: Refusal, asked: Asked): string {
      return toRefusalAnswer(refusal, asked).message;
    }
    const bug: Refusal = { kind: 'internal' };
    expect(told(bug, 'credentials')).toContain('Nothing was vended.');
    expect(told(bug, 'key')).toContain('No key was minted.');
    expect(told(bug, 'revocation')).toContain('not certain');
    expect(told(bug, 'lifting')).toContain('not certain');
    expect(told(bug, 'question')).toContain('There is no answer.');
    expect(toRefusalAnswer(bug).message).not.toContain('vended');
  });

  it.each<[string, string, Asked]>([
    ['GET', '/', 'credentials'],
    ['POST', '/', 'credentials'],
    ['POST', '/keys', 'key'],
    ['POST', '/revocations', 'revocation'],
    ['POST', '/sessions/0123456789abcdef/revoke', 'revocation'],
    ['DELETE', '/revocations/7', 'lifting'],
    ['GET', '/revocations', 'question'],
    ['GET', '/whoami', 'question'],
    ['GET', '/readyz', 'question'],
  ])('takes %s %s for a request of this kind', (method, path, asked) => {
    expect(askedBy({ method, path })).toBe(asked);
  });
});

describe('the refusal of an unknown access key', () => {
  async function told(accessKeyId: string, to: RunningTvm = tvm): Promise<string> {
    const answer = await callWith(
      to,
      { accessKeyId, secret: 'whatever-it-is' },
      { path: '/whoami' },
    );
    expect([answer.status, answer.json['error']], answer.body).toEqual([
      403,
      'InvalidClientTokenId',
    ]);
    return String(answer.json['message']);
  }

  it.each(['AKIAIOSFODNN7EXAMPLE', 'ASIAIOSFODNN7EXAMPLE', 'AKIADEMODANA0000'])(
    'names the login for a key of AWS (%s)',
    async (id) => {
      expect(await told(id)).toContain('run "sentinel-tvm login"');
    },
  );

  it('does not name the login for a key of AWS when it is switched off', async () => {
    const without = await startTvm(desk.url);
    const message = await told('AKIAIOSFODNN7EXAMPLE', without);
    await without.close();
    expect(message).not.toContain('sentinel-tvm login');
    expect(message).toContain('switched off here');
  });

  it('names the login for a session token of AWS', async () => {
    const headers = { 'x-amz-security-token': 'FwoGZXIvYXdzEXAMPLE' };
    const answer = await call(tvm, { path: '/whoami', headers });
    expect(answer.json['error']).toBe('InvalidClientTokenId');
    const signed = await sendRaw(tvm.port, asAws(headers));
    expect(signed.json).toMatchObject({
      error: 'InvalidClientTokenId',
      message: expect.stringContaining('sentinel-tvm login'),
    });
  });

  it('names the token header for a key that looks minted', async () => {
    expect(await told('TVMKAAAAAAAAAAAAAAAA')).toContain('x-amz-security-token');
  });

  it.each([
    'TVMDEMONOBODY',
    'AKIA',
    'akiaiosfodnn7example',
    'AKIA_IOSFODNN7_EXAMPLE',
    'XAKIAIOSFODNN7EXAMPLE',
  ])('names the operator for a key of no known form (%s)', async (id) => {
    expect(await told(id)).toMatch(/ask your TVM operator for a key\.$/u);
  });

  it('is the same for an unknown, a disabled and an expired key', async () => {
    function put(id: string, more: object) {
      const text = JSON.stringify({ secret: 'whatever-it-is', name: 'x', ...more });
      return desk.put(`/sentinel-secrets/clients/${id}`, text, 'SecureString');
    }
    await put('AKIADISABLEDDISABLED', { disabled: true });
    await put('AKIAENDEDENDEDENDED0', { expires_at: '2020-01-01T00:00:00Z' });
    const fresh = await startTvm(desk.url, {
      environment: { SENTINEL_SERVER_ID: 'tvm-of-the-test' },
    });
    const ids = ['AKIADISABLEDDISABLED', 'AKIAENDEDENDEDENDED0', 'AKIAUNKNOWNUNKNOWN00'];
    const messages = await Promise.all(ids.map((id) => told(id, fresh)));
    await fresh.close();
    expect(new Set(messages).size).toBe(1);
  });
});

/** A request that claims to be signed with temporary credentials of AWS. */
function asAws(headers: Readonly<Record<string, string>>) {
  const accessKeyId = 'ASIAIOSFODNN7EXAMPLE';
  const signed = sign({
    host: tvm.host,
    path: '/whoami',
    headers,
    accessKeyId,
    secret: 'known-to-aws-alone',
  });
  return { target: '/whoami', headers: signed.headers };
}

describe('the refusal of a malformed query', () => {
  async function ask(query: string, path = '/', as: Call['as'] = 'olivia'): Promise<RawAnswer> {
    return call(tvm, { path, query, ...(as === undefined ? {} : { as }) });
  }

  it.each([
    ['profile%00admin=x', String.raw`"profile\u0000admin"`],
    ['profile=dev%00', '"profile"'],
    ['profile=%00', '"profile"'],
    ['pro%0Afile=dev', String.raw`"pro\u000afile"`],
    ['pro%C2%9Bfile=dev', String.raw`"pro\u009bfile"`],
    ['pro%E2%80%AEfile=dev', String.raw`"pro\u202efile"`],
    ['pro%E2%80%8Bfile=dev', String.raw`"pro\u200bfile"`],
    ['pro%EF%BB%BFfile=dev', String.raw`"pro\ufefffile"`],
    ['pro%1B%5B31mfile=dev', String.raw`"pro\u001b[31mfile"`],
    ['profile=de%zz', '"profile"'],
    ['profile=dev%', '"profile"'],
    ['profile=%ff', '"profile"'],
    ['pro%ffile=dev', '"pro%ffile"'],
    ['profile=dev&profile=dev', '"profile"'],
    ['profile=dev%0A', '"profile"'],
    ['profile=dev%26', '"profile"'],
    ['profile=dev%20', '"profile"'],
    ['profile=', '"profile"'],
    ['Profile=dev', '"Profile"'],
    ['profile[]=dev', '"profile[]"'],
    ['profile=dev&duration=15m', '"duration"'],
    ['profile=dev&session_label=%E2%80%AE', '"session_label"'],
  ])('names the parameter in %s', async (query, named) => {
    const answer = await ask(query);
    expect([answer.status, answer.json['error']], answer.body).toEqual([400, 'ValidationError']);
    expect(answer.json['message']).toContain(named);
    expect(answer.json['message']).toMatch(SEEN);
    expect(answer.body.trimEnd()).toMatch(SEEN);
  });

  it.each([
    'profile=dev&',
    '&profile=dev',
    'profile=dev&=',
    'profile=dev&=x',
    'profile=dev&&',
    '&',
    '=',
  ])('says how to write "&" and "=" for %s', async (query) => {
    const answer = await ask(query);
    expect([answer.status, answer.json['error']], answer.body).toEqual([400, 'ValidationError']);
    expect(answer.json['message']).toContain('%26');
  });

  it.each(['/profiles', '/sessions', '/revocations', '/whoami'])(
    'is the same at %s',
    async (path) => {
      for (const query of ['a%E2%80%AEb=1', 'next%00token=1', '&']) {
        const answer = await ask(query, path);
        expect([answer.status, answer.json['error']], answer.body).toEqual([
          400,
          'ValidationError',
        ]);
        expect(answer.body.trimEnd()).toMatch(SEEN);
        expect(String(answer.json['message'])).toMatch(SEEN);
      }
    },
  );

  it('is cut when it is long', async () => {
    const answer = await ask(`${'x'.repeat(4_000)}=1`);
    expect(String(answer.json['message']).length).toBeLessThan(250);
  });
});

describe('invisible characters', () => {
  const HIDDEN = 'team\u202e\u200b\u009b31m\u2028x';

  it('are escaped in answers, the audit log and the log', async () => {
    const lines: string[] = [];
    const other = await startTvm(desk.url, {
      writeAudit: (bytes, done) => {
        lines.push(Buffer.from(bytes).toString());
        done(null, bytes.length);
      },
    });
    const body = { kind: 'user', value: 'x', reason: `why ${HIDDEN}`, [HIDDEN]: 1 };
    const refused = await call(other, json('POST', '/revocations', body));
    expect([refused.status, refused.json['error']]).toEqual([400, 'ValidationError']);
    expect(refused.body.trimEnd()).toMatch(SEEN);
    const { [HIDDEN]: _, ...good } = body;
    const revoked = await call(other, json('POST', '/revocations', good));
    expect(revoked.status, revoked.body).toBe(201);
    expect(revoked.json['reason']).toBe(`why ${HIDDEN}`);
    expect(revoked.body.trimEnd()).toMatch(SEEN);
    await call(other, {
      method: 'DELETE',
      path: `/revocations/${String(revoked.json['id'])}`,
      as: 'olivia',
    });
    await other.close();
    const written = lines.join('').split('\n');
    expect(written.filter((line) => !SEEN.test(line))).toEqual([]);
    const reasons = written.flatMap((line) =>
      line === '' ? [] : [JSON.parse(line) as Record<string, unknown>],
    );
    expect(reasons.map((record) => record['revocation_reason'])).toContain(`why ${HIDDEN}`);
    expect(
      other
        .log()
        .split('\n')
        .filter((line) => !SEEN.test(line)),
    ).toEqual([]);
  });

  it('do not affect a later vend', async () => {
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
  });
});
