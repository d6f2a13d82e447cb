import { randomBytes } from 'node:crypto';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { amzDateOf, sign, type Signing } from '../support/sign.ts';

/** A running TVM with the demo documents in its AWS. */
export type Target = {
  /** The port of 127.0.0.1 on which it listens. */
  readonly port: number;
  /** The URL of its AWS. */
  readonly awsEndpoint: string;
  /**
   * Whether a proxy before it resolves request targets as browsers do. The Lambda Web Adapter does.
   */
  readonly resolvesTargets?: boolean;
  readonly close: () => Promise<void>;
};

const NAMES = [
  'AccessKeyId',
  'AccountId',
  'Expiration',
  'Profile',
  'RoleArn',
  'SecretAccessKey',
  'SessionId',
  'SessionToken',
  'SourceIdentity',
  'Token',
  'Version',
];

function nonce(): Record<string, string> {
  return { 'x-sentinel-nonce': randomBytes(16).toString('hex') };
}

/** Expects a refusal in the shape that all refusals have, and no credentials in it. */
function expectRefusal(answer: RawAnswer, status: number, error: string): void {
  expect([answer.status, answer.json['error']]).toEqual([status, error]);
  expect(answer.json['message']).toBeTypeOf('string');
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.headers['x-request-id']).toBeTypeOf('string');
  expect(answer.headers['x-amzn-errortype']).toBe(error);
  expect(answer.body).not.toContain('SecretAccessKey');
}

function fromNow(ms: number): string {
  return amzDateOf(Date.now() + ms);
}

/**
 * What every TVM must do, whatever it runs on and whatever its AWS is. The suite is a black-box
 * test: it knows the URL and the demo keys, uses none of the server's code, and has a signer of its
 * own.
 *
 * @param start makes the target, once before the tests; the suite closes it after them
 * @param lacking why the target cannot be made on this machine; then all tests are skipped
 */
export function describeConformance(
  name: string,
  start: () => Promise<Target>,
  lacking?: string,
): void {
  describe.skipIf(lacking !== undefined)(`conformance: ${name}`, () => {
    let target: Target;
    beforeAll(async () => {
      target = await start();
    }, 300_000);
    afterAll(async () => {
      await target.close();
    }, 60_000);

    type Ask = Partial<Signing> & {
      readonly target?: string;
      readonly extra?: Readonly<Record<string, string>>;
    };
    function ask({ target: line, extra, ...signing }: Ask): Promise<RawAnswer> {
      const signed = sign({
        host: `127.0.0.1:${target.port}`,
        ...signing,
        headers: { ...nonce(), ...signing.headers },
      });
      const path = signing.path ?? '/';
      return sendRaw(target.port, {
        method: signing.method ?? 'GET',
        target: line ?? (signing.query ? `${path}?${signing.query}` : path),
        headers: { ...signed.headers, ...extra },
        ...(signing.body === undefined ? {} : { body: signing.body }),
      });
    }
    const carol = { accessKeyId: 'TVMDEMOCAROL', secret: 'demo-carol-not-a-secret' };
    function post(
      body: string,
      headers: Readonly<Record<string, string>> = {},
    ): Promise<RawAnswer> {
      return ask({
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
      });
    }

    describe('GET /healthz and GET /readyz', () => {
      it('answer 200 without naming any document', async () => {
        const [health, ready] = await Promise.all(
          ['/healthz', '/readyz'].map((path) =>
            sendRaw(target.port, { target: path, headers: { host: 'x' } }),
          ),
        );
        expect(health).toMatchObject({ status: 200, json: { status: 'ok' } });
        expect(ready).toMatchObject({
          status: 200,
          json: { status: 'ready', catalog: { profiles: 3, rejected: 0 }, draining: false },
        });
      });
    });

    describe('keys of POST /keys', () => {
      function mint(as: object = {}) {
        return ask({
          method: 'POST',
          path: '/keys',
          body: '{}',
          ...as,
          headers: { 'content-type': 'application/json' },
        });
      }
      function signedWith({ json }: RawAnswer): Ask {
        return {
          accessKeyId: String(json['AccessKeyId']),
          secret: String(json['SecretAccessKey']),
          headers: { 'x-amz-security-token': String(json['SessionToken']) },
        };
      }

      it('vend as the key that minted them, and cannot mint', async () => {
        const key = signedWith(await mint());
        const vended = await ask({ ...key, query: 'profile=dev' });
        expect([vended.status, vended.json['Profile']]).toEqual([200, 'dev']);
        const who = await ask({ ...key, path: '/whoami' });
        expect(who.json).toMatchObject({
          name: 'alice',
          via: 'minted-key',
          source_access_key_id: 'TVMDEMOALICE',
        });
        const headers = { ...key.headers, 'content-type': 'application/json' };
        expectRefusal(
          await ask({ ...key, method: 'POST', path: '/keys', body: '{}', headers }),
          403,
          'AccessDenied',
        );
      });

      it('are refused with another secret, another token or no token', async () => {
        const [key, other] = [signedWith(await mint()), signedWith(await mint())];
        function vend(change: Ask): Promise<RawAnswer> {
          return ask({ ...key, query: 'profile=dev', ...change });
        }
        expectRefusal(await vend({ secret: 'another' }), 403, 'SignatureDoesNotMatch');
        expectRefusal(await vend({ headers: other.headers ?? {} }), 403, 'InvalidClientTokenId');
        expectRefusal(await vend({ headers: {} }), 403, 'InvalidClientTokenId');
      });
    });

    describe('GET / and POST /', () => {
      it.each([
        ['GET', () => ask({ query: 'profile=dev' })],
        ['POST', () => post('{"profile":"dev"}')],
      ])('give alice credentials for dev by %s', async (_, request) => {
        const before = Date.now();
        const answer = await request();
        expect(answer.status).toBe(200);
        expect(Object.keys(answer.json).toSorted()).toEqual(NAMES);
        expect(answer.headers['cache-control']).toBe('no-store');
        expect(answer.json).toMatchObject({
          Version: 1,
          Profile: 'dev',
          Token: answer.json['SessionToken'],
        });
        expect(answer.json['SourceIdentity']).toMatch(/^sentinel=d=[0-9a-f]{16}=alice$/u);
        expect(answer.json['Expiration']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u);
        const life = Date.parse(String(answer.json['Expiration'])) - before;
        expect(life).toBeGreaterThan(890_000);
        expect(life).toBeLessThan(960_000);
      });

      it('give credentials of the protected role', async () => {
        const { json } = await ask({ query: 'profile=dev' });
        const sts = new STSClient({
          endpoint: target.awsEndpoint,
          region: 'us-east-1',
          credentials: {
            accessKeyId: String(json['AccessKeyId']),
            secretAccessKey: String(json['SecretAccessKey']),
            sessionToken: String(json['SessionToken']),
          },
        });
        const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
        expect(Arn).toBe(
          `arn:aws:sts::${String(json['AccountId'])}:assumed-role/SentinelProtected-dev/alice`,
        );
      });

      it('give credentials that live as long as asked for, at most an hour', async () => {
        const { json } = await ask({ query: 'duration=3600&profile=dev' });
        const life = Date.parse(String(json['Expiration'])) - Date.now();
        expect(life).toBeGreaterThan(3_500_000);
        expect(life).toBeLessThanOrEqual(3_605_000);
      });

      it('give different credentials to each of many concurrent requests', async () => {
        const answers: RawAnswer[] = [];
        for (let wave = 0; wave < 5; wave += 1) {
          answers.push(
            ...(await Promise.all(Array.from({ length: 20 }, () => ask({ query: 'profile=dev' })))),
          );
        }
        expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
        for (const field of ['AccessKeyId', 'SourceIdentity']) {
          expect(new Set(answers.map(({ json }) => json[field])).size).toBe(answers.length);
        }
        // One caller on one profile has one session.
        expect(new Set(answers.map(({ json }) => json['SessionId'])).size).toBe(1);
      });
    });

    describe('policies of the demo documents', () => {
      it('deny carol, whom no rule names', async () => {
        const answer = await ask({ query: 'profile=dev', ...carol });
        expectRefusal(answer, 403, 'PolicyDenied');
        expect(answer.json['message']).toBe(
          'no rule lets carol use profile dev; GET /profiles lists yours',
        );
      });

      it('deny a profile that does not exist with the same answer', async () => {
        const [there, nowhere] = [
          await ask({ query: 'profile=dev', ...carol }),
          await ask({ query: 'profile=xyz', ...carol }),
        ];
        expect(nowhere.body).toBe(there.body.replaceAll('dev', 'xyz'));
        expect(nowhere.status).toBe(there.status);
      });

      it('deny vault to alice with the reason of the rule that names her', async () => {
        const answer = await ask({ query: 'profile=vault' });
        expectRefusal(answer, 403, 'PolicyDenied');
        expect(answer.json['reason']).toBeTypeOf('string');
        expect(answer.json['message']).toContain(String(answer.json['reason']));
      });

      it('vend nothing where an approval is needed', async () => {
        expectRefusal(await ask({ query: 'profile=prod' }), 403, 'PolicyRequiresApproval');
      });

      it('decide which profiles GET /profiles lists', async () => {
        const [hers, carols] = [
          await ask({ path: '/profiles' }),
          await ask({ path: '/profiles', ...carol }),
        ];
        expect(hers.json['profiles']).toMatchObject([
          { name: 'dev', access: 'allow' },
          { name: 'prod', access: 'approval' },
        ]);
        expect(carols.json['profiles']).toEqual([]);
      });
    });

    describe('authentication', () => {
      it.each<readonly [what: string, request: Ask, status: number, error: string]>([
        ['another secret', { secret: 'not-hers' }, 403, 'SignatureDoesNotMatch'],
        ['an unknown key', { accessKeyId: 'TVMNOBODY' }, 403, 'InvalidClientTokenId'],
        ['a changed query', { target: '/?profile=prod' }, 403, 'SignatureDoesNotMatch'],
        ['a changed path', { target: '/profiles?profile=dev' }, 403, 'SignatureDoesNotMatch'],
        ['an unsigned x-amz header', { extra: { 'x-amz-meta': '1' } }, 403, 'AccessDenied'],
        [
          'a foreign security token',
          { headers: { 'x-amz-security-token': 'x' } },
          403,
          'InvalidClientTokenId',
        ],
        ['another region', { region: 'eu-west-1' }, 403, 'SignatureDoesNotMatch'],
        ['another service', { service: 'sts' }, 403, 'SignatureDoesNotMatch'],
        ['a date six minutes ago', { amzDate: fromNow(-360_000) }, 403, 'SignatureDoesNotMatch'],
        ['a date six minutes ahead', { amzDate: fromNow(360_000) }, 403, 'SignatureDoesNotMatch'],
        ['month 13', { amzDate: '20261331T000000Z' }, 400, 'IncompleteSignature'],
        [
          'a basic Authorization',
          { extra: { authorization: 'Basic YTpi' } },
          400,
          'IncompleteSignature',
        ],
      ])('refuses %s', async (_, request, status, error) => {
        expectRefusal(await ask({ query: 'profile=dev', ...request }), status, error);
      });

      it('refuses an unsigned request', async () => {
        const answer = await sendRaw(target.port, {
          target: '/?profile=dev',
          headers: { host: 'x' },
        });
        expectRefusal(answer, 403, 'MissingAuthenticationToken');
      });

      it('lets each signed request through once', async () => {
        const signed = sign({
          host: `127.0.0.1:${target.port}`,
          query: 'profile=dev',
          headers: nonce(),
        });
        function send() {
          return sendRaw(target.port, { target: '/?profile=dev', headers: signed.headers });
        }
        const statuses = (await Promise.all([send(), send(), send()])).map(({ status }) => status);
        expect(statuses.filter((status) => status === 200)).toHaveLength(1);
        expect(statuses.filter((status) => status === 403)).toHaveLength(2);
        expectRefusal(await send(), 403, 'RequestReplayed');
      });
    });

    describe('validation', () => {
      it.each<readonly [what: string, request: () => Promise<RawAnswer>, status: number]>([
        ['an unknown parameter', () => ask({ query: 'admin=1&profile=dev' }), 400],
        ['a repeated parameter', () => ask({ query: 'profile=dev&profile=dev' }), 400],
        ['no profile', () => ask({}), 400],
        ['a duration too short', () => ask({ query: 'duration=899&profile=dev' }), 400],
        ['a duration too long', () => ask({ query: 'duration=3601&profile=dev' }), 400],
        ['a field of the wrong type', () => post('{"profile":"dev","duration":"900"}'), 400],
        [
          'an unknown field',
          () => post('{"profile":"dev","role_arn":"arn:aws:iam::1:role/x"}'),
          400,
        ],
        ['a body that is not JSON', () => post('profile=dev'), 400],
        ['an empty body', () => post(''), 400],
        [
          'another content type',
          () => post('{"profile":"dev"}', { 'content-type': 'text/plain' }),
          400,
        ],
        ['a body over 64 KiB', () => post(`{"profile":"${'x'.repeat(70_000)}"}`), 413],
        ['a path that does not exist', () => ask({ path: '/nowhere' }), 404],
        [
          'a method that does not exist',
          () => ask({ method: 'DELETE', query: 'profile=dev' }),
          405,
        ],
      ])('refuses %s', async (_, request, status) => {
        expectRefusal(await request(), status, 'ValidationError');
      });

      it.each(['http://127.0.0.1/?profile=dev', '//?profile=dev'])(
        'refuses the request target %s',
        async (line) => {
          const refused = await ask({ query: 'profile=dev', target: line });
          // The front of Lambda answers by itself when the adapter can make no request of the
          // target.
          if (target.resolvesTargets === true && refused.status === 502)
            expect(refused.json).toEqual({});
          else expectRefusal(refused, 400, 'ValidationError');
        },
      );

      it.each(['/x/../?profile=dev', '/%2e?profile=dev'])(
        'never vends for the request target %s signed as another',
        async (line) => {
          // Where a proxy resolves it first, the TVM sees the target that was signed.
          const resolved = await ask({ query: 'profile=dev', target: line });
          if (target.resolvesTargets === true) expect(resolved.status).toBe(200);
          else expectRefusal(resolved, 400, 'ValidationError');
          // The signature over the unresolved path verifies nowhere.
          const [path = ''] = line.split('?');
          const standing = await ask({ path, query: 'profile=dev', target: line });
          expect(standing.status).toBe(target.resolvesTargets === true ? 403 : 400);
          expect(standing.body).not.toContain('SecretAccessKey');
        },
      );

      it('never vends on HEAD', async () => {
        const answer = await ask({ method: 'HEAD', query: 'profile=dev' });
        expect([answer.status, answer.body]).toEqual([405, '']);
      });
    });
  });
}
