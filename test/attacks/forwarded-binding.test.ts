import { describe, expect, it } from 'vitest';
import { DANA, says, useForwarded } from '../support/fake-sts.ts';
import {
  bindingOf,
  CONSTANTS,
  DEV,
  encodeToken,
  forwarded,
  forwardedFields,
  GET_CALLER_IDENTITY,
  SERVER_ID,
  WHOAMI,
  withToken,
  type Outer,
} from '../support/forwarded.ts';
import { fire, refused, type Outcome, type Shot } from './support.ts';

const INCOMPLETE = refused(400, 'IncompleteSignature');
const DENIED = refused(403, 'AccessDenied');
const KNOWN: Outcome = { status: 200, error: undefined, credentials: false };

const world = useForwarded();

async function fireLocally(what: Shot): Promise<Outcome> {
  world.sts.clear();
  world.sts.behave = says(DANA);
  const outcome = await fire(world.tvm, what);
  expect(world.sts.seen).toEqual([]);
  return outcome;
}

const ALL = Object.keys({
  ...CONSTANTS,
  host: '',
  'x-amz-date': '',
  'x-sentinel-nonce': '',
  'x-sentinel-request-hash': '',
  'x-sentinel-server-id': '',
}).toSorted();

function without(name: string): string {
  return ALL.filter((other) => other !== name).join(';');
}

describe('the signed headers of a token', () => {
  it.each(['x-sentinel-server-id', 'x-sentinel-nonce', 'x-sentinel-request-hash'])(
    '49 refuses a token that does not sign %s',
    async (name) => {
      expect(await fireLocally(forwarded(world.tvm, { signedHeaders: without(name) }))).toEqual(
        DENIED,
      );
      const twice = [...ALL, name].toSorted().join(';');
      expect(await fireLocally(forwarded(world.tvm, { signedHeaders: twice }))).toEqual(DENIED);
      const capital = ALL.join(';').replace(name, name.toUpperCase());
      expect(
        await fireLocally(
          forwarded(world.tvm, {}, (fields) => ({ ...fields, signedHeaders: capital })),
        ),
      ).toEqual(DENIED);
    },
  );

  it.each(['host', 'x-amz-date'])('52 refuses a token that does not sign %s', async (name) => {
    expect(await fireLocally(forwarded(world.tvm, { signedHeaders: without(name) }))).toEqual(
      INCOMPLETE,
    );
  });

  it('52 refuses a token whose security token is unsigned, or signed but absent', async () => {
    const signedHeaders = ALL.join(';');
    const securityToken = 'IQoJb3JpZ2luX2VjEXAMPLE';
    expect(await fireLocally(forwarded(world.tvm, { securityToken, signedHeaders }))).toEqual(
      INCOMPLETE,
    );
    const dropped = forwarded(world.tvm, { securityToken }, (fields) => ({
      ...fields,
      securityToken: undefined,
    }));
    expect(await fireLocally(dropped)).toEqual(INCOMPLETE);
  });

  it.each([
    'x-forwarded-for',
    'user-agent',
    'x-amz-target',
    'content-md5',
    'x-amz-user-agent',
    'authorization',
    'x-sentinel-x',
  ])('52 refuses a token that also signs %s', async (name) => {
    expect(
      await fireLocally(forwarded(world.tvm, { extra: { ...CONSTANTS, [name]: 'x' } })),
    ).toEqual(INCOMPLETE);
  });

  it('52 refuses names that are out of order or empty', async () => {
    const { tvm } = world;
    for (const signedHeaders of [
      ALL.toReversed().join(';'),
      `${ALL.join(';')};`,
      `;${ALL.join(';')}`,
      ALL.join(';;'),
    ]) {
      expect(await fireLocally(forwarded(tvm, { signedHeaders })), signedHeaders).toEqual(
        INCOMPLETE,
      );
    }
  });
});

describe('the server and the request that a token was signed for', () => {
  it.each(['another.example', `${SERVER_ID}.`, SERVER_ID.toUpperCase(), '', ` ${SERVER_ID} x`])(
    '49 asks STS about its own server id where %j was signed, and STS refuses',
    async (serverId) => {
      expect(await fire(world.tvm, forwarded(world.tvm, { serverId }))).toEqual(DENIED);
      expect(world.sts.seen.map(({ headers }) => headers['x-sentinel-server-id'])).toEqual([
        SERVER_ID,
      ]);
    },
  );

  it('49 refuses a token for another server that somebody relays', async () => {
    const other = await world.start({ environment: { SENTINEL_SERVER_ID: 'other.example' } });
    const relayed = forwarded(other);
    expect(await fire(other, relayed)).toEqual(DENIED);
    expect(await fire(world.tvm, relayed)).toEqual(KNOWN);
  });

  it.each<readonly [string, Outer, Outer]>([
    ['path', { path: '/whoami' }, { path: '/profiles' }],
    ['path after the slash', { path: '/' }, { path: '/whoami' }],
    ['query', { query: 'profile=dev' }, { query: 'profile=prod' }],
    ['spelling of the query', { query: 'profile=dev' }, { query: 'profile=d%65v' }],
    [
      'order of the query',
      { query: 'profile=dev&device_id=a' },
      { query: 'device_id=a&profile=dev' },
    ],
    ['query, removed', { query: 'profile=dev' }, { query: '' }],
    [
      'body',
      { method: 'POST', body: '{"profile":"prod"}' },
      { method: 'POST', body: '{"profile":"dev"}' },
    ],
    [
      'white space in the body',
      { method: 'POST', body: '{"profile":"dev"}' },
      { method: 'POST', body: '{"profile": "dev"}' },
    ],
    [
      'method',
      { method: 'GET', body: '{"profile":"dev"}' },
      { method: 'POST', body: '{"profile":"dev"}' },
    ],
    ['method and body', { query: 'profile=dev' }, { method: 'POST', body: '{"profile":"dev"}' }],
  ])('50 refuses a request with another %s than the one signed', async (_, signed, sent) => {
    const { tvm, sts } = world;
    const fields = forwardedFields(signed);
    expect(await fire(tvm, withToken(tvm, encodeToken(fields), sent))).toEqual(DENIED);
    expect(sts.seen.map(({ headers }) => headers['x-sentinel-request-hash'])).toEqual([
      bindingOf(sent),
    ]);
  });

  it('50 refuses a binding whose parts were shifted into one another', async () => {
    const { tvm } = world;
    for (const requestHash of [
      bindingOf({ path: '/\nprofile=dev' }),
      bindingOf({ method: 'GET\n/' }),
      '',
      '0'.repeat(64),
    ]) {
      expect(await fire(tvm, forwarded(tvm, { ...DEV, requestHash }))).toEqual(DENIED);
    }
  });
});

describe('the request to STS', () => {
  function names(extra: object): Promise<readonly string[]> {
    return fire(world.tvm, forwarded(world.tvm, { extra: { ...extra } })).then((outcome) => {
      expect(outcome).toEqual(KNOWN);
      const [{ rawHeaders }] = world.sts.seen.splice(0) as [(typeof world.sts.seen)[number]];
      return rawHeaders
        .filter((_, index) => index % 2 === 0)
        .map((name) => name.toLowerCase())
        .toSorted();
    });
  }

  it('44 consists of constants and the fields of the token only', async () => {
    const { tvm, sts } = world;
    const fields = forwardedFields(WHOAMI);
    const sent = withToken(tvm, encodeToken(fields), WHOAMI);
    const noisy = [
      ...sent.headers,
      ['accept', 'text/xml'],
      ['user-agent', 'evil'],
      ['cookie', 'a=b'],
    ] as const;
    expect(
      await fire(tvm, {
        ...sent,
        headers: [...noisy, ['x-forwarded-host', 'evil.example']],
      }),
    ).toEqual(KNOWN);
    const [seen] = sts.seen;
    expect([seen?.method, seen?.path, seen?.body]).toEqual(['POST', '/', GET_CALLER_IDENTITY]);
    expect(seen?.headers).toEqual({
      ...CONSTANTS,
      host: 'sts.us-east-1.amazonaws.com',
      connection: 'keep-alive',
      'x-amz-date': fields.amzDate,
      'x-sentinel-server-id': SERVER_ID,
      'x-sentinel-nonce': fields.nonce,
      'x-sentinel-request-hash': bindingOf(WHOAMI),
      authorization: `AWS4-HMAC-SHA256 Credential=${fields.credential}, SignedHeaders=${fields.signedHeaders}, Signature=${fields.signature}`,
    });
    expect(seen?.rawHeaders.length).toBe(2 * Object.keys(seen?.headers ?? {}).length);
  });

  it('44 has the payload hash only if that was signed, and the other headers always', async () => {
    const always = [
      ...ALL.filter((name) => name !== 'x-amz-content-sha256'),
      'authorization',
      'connection',
    ].toSorted();
    expect(await names({})).toEqual(always);
    expect(await names(CONSTANTS)).toEqual([...always, 'x-amz-content-sha256'].toSorted());
  });
});
