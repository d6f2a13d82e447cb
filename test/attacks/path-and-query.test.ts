import { describe, expect, it } from 'vitest';
import { authenticateKey } from '../../src/identity/registered-key.ts';
import { readWireHead } from '../../src/sigv4/request.ts';
import { readClaim } from '../../src/sigv4/verify.ts';
import { sendRaw } from '../support/raw-http.ts';
import { ADMISSION, keyRing, registeredKey } from '../support/identity.ts';
import {
  add,
  change,
  drop,
  fire,
  postShot,
  refused,
  shot,
  useTvm,
  VENDED,
  type Shot,
} from './support.ts';

const INVALID = refused(400, 'ValidationError');
const MISMATCH = refused(403, 'SignatureDoesNotMatch');

const world = useTvm();

describe('the path', () => {
  it('19 is refused in a target of absolute form', async () => {
    const { tvm } = world;
    const targets = [
      `${tvm.url}/?profile=dev`,
      'http://evil.example/?profile=dev',
      'HTTP://evil.example/',
      'x:/',
      '*',
    ];
    for (const target of targets) expect(await fire(tvm, shot(tvm, { target }))).toEqual(INVALID);
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
  });

  it.each([
    '/./',
    '/../',
    '/a/..',
    '/a/../',
    '/.',
    '/..',
    '/%2e/',
    '/%2e%2e/',
    '/a/%2E%2e',
    '/.hidden',
    '/a/.b',
  ])('20 is refused with the dot segment in %s', async (path) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { path }))).toEqual(INVALID);
    expect(await fire(tvm, shot(tvm, { path: '/', target: `${path}?profile=dev` }))).toEqual(
      INVALID,
    );
  });

  it.each(['/%70rofiles', '/profile%73', '/%', '/%zz', '/%00', '/%2F', '/%5c', '/a%20b'])(
    '20 22 is refused with the escape in %s',
    async (path) => {
      const { tvm } = world;
      expect(await fire(tvm, shot(tvm, { path, query: '' }))).toEqual(INVALID);
      expect(await fire(tvm, shot(tvm, { path: '/profiles', query: '', target: path }))).toEqual(
        INVALID,
      );
    },
  );

  it.each([
    '//',
    '//profiles',
    '/profiles//',
    '/a//b',
    '/#',
    '/#?profile=dev',
    '/;a=b',
    '/a\\b',
    '/@',
    '/:',
    "/'",
    '/*',
  ])('21 is refused as %s', async (path) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { path }))).toEqual(INVALID);
    expect(
      await fire(
        tvm,
        shot(tvm, { path: '/', target: path.includes('?') ? path : `${path}?profile=dev` }),
      ),
    ).toEqual(INVALID);
  });

  it.each(['/creds', '/profiles/', '/PROFILES', '/healthz/', '/a.b/~c/_d-e', '/__proto__'])(
    '21 is answered 404 before authentication when it is unknown: %s',
    async (path) => {
      const { tvm } = world;
      expect(await fire(tvm, shot(tvm, { path }))).toEqual(refused(404, 'ValidationError'));
      expect(await fire(tvm, drop(shot(tvm, { path }), 'authorization'))).toEqual(
        refused(404, 'ValidationError'),
      );
    },
  );

  it('21 is refused with a fragment after the query', async () => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { target: '/?profile=dev#' }))).toEqual(INVALID);
    expect(await fire(tvm, shot(tvm, { target: '/?profile=dev#&profile=prod' }))).toEqual(INVALID);
  });
});

describe('the query', () => {
  it('23 is sorted by key, not by the whole text of a parameter', async () => {
    const now = Date.now();
    function verify(signedQuery: string, sentQuery: string): unknown {
      const from = shot({ host: 'tvm.example' }, { query: signedQuery });
      const head = readWireHead('GET', `/?${sentQuery}`, from.headers.flat());
      if (!head.ok) return head.refusal.error;
      const claim = readClaim(head.value, {
        region: 'us-east-1',
        service: 'execute-api',
        now,
        window: 300_000,
      });
      if (!claim.ok) return claim.refusal.error;
      const ring = keyRing('000000000000', () => registeredKey());
      const judgement = { now, window: 300_000, admission: ADMISSION };
      const known = authenticateKey(
        claim.value,
        { ...head.value, body: new Uint8Array() },
        ring,
        judgement,
      );
      return known.ok ? known.value.caller.name : known.refusal.error;
    }
    expect(verify('id=2&id-type=1', 'id-type=1&id=2')).toBe('alice');
    expect(verify('id=2&id-type=1', 'id=2&id-type=1')).toBe('alice');
    expect(verify('id-type=1&id=2', 'id=2&id-type=1')).toBe('SignatureDoesNotMatch');
  });

  it('23 verifies when it is sent unsorted and signed sorted or as sent', async () => {
    const { tvm } = world;
    const sent = '/?profile=dev&duration=900&device_id=x';
    expect(
      await fire(tvm, shot(tvm, { query: 'device_id=x&duration=900&profile=dev', target: sent })),
    ).toEqual(VENDED);
    expect(await fire(tvm, shot(tvm, { query: sent.slice(2) }))).toEqual(VENDED);
    expect(
      await fire(tvm, shot(tvm, { query: 'duration=900&profile=dev&device_id=x', target: sent })),
    ).toEqual(MISMATCH);
  });

  it.each([
    'profile=dev&profile=dev',
    'profile=dev&profile=prod',
    'profile=dev&%70rofile=dev',
    'profile=dev&profil%65',
    '&',
    'profile=dev&a&a',
  ])('24 is refused with the duplicate key in %s', async (query) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { query }))).toEqual(INVALID);
    expect(await fire(tvm, shot(tvm, { query: 'profile=dev', target: `/?${query}` }))).toEqual(
      INVALID,
    );
  });

  it('24 is refused by the unknown key, whose case counts, and __proto__ is one', async () => {
    const { tvm } = world;
    for (const key of ['Profile', '__proto__', 'constructor', '%70rofil%45', '']) {
      const answer = await sendRaw(tvm.port, shot(tvm, { query: `profile=dev&${key}=prod` }));
      expect(answer.json).toMatchObject({
        error: 'ValidationError',
        field: decodeURIComponent(key),
      });
    }
  });

  it.each(['%', '%z', '%zz', '%ff', '%c0%80', '%ed%a0%80', '%00', '%2', 'a%', '%u0041'])(
    '25 is refused with the escape %s',
    async (escape) => {
      const { tvm } = world;
      for (const query of [`device_id=${escape}&profile=dev`, `${escape}=1&profile=dev`]) {
        expect(await fire(tvm, shot(tvm, { query }))).toEqual(INVALID);
      }
    },
  );

  it('25 is refused with bytes that a target may not hold', async () => {
    const { tvm } = world;
    for (const text of ['\u00E9', '\u007F', '\u0001']) {
      const answer = await sendRaw(tvm.port, shot(tvm, { query: `device_id=${text}&profile=dev` }));
      expect([answer.status, answer.json['error']]).toEqual([400, 'ValidationError']);
    }
  });

  it('25 is refused with 65 parameters, and with more than 8 KiB', async () => {
    const { tvm } = world;
    const query = Array.from({ length: 65 }, (_, index) => `p${index}=`).join('&');
    expect(await fire(tvm, shot(tvm, { query }))).toEqual(INVALID);
    expect(
      await fire(tvm, shot(tvm, { query: `profile=dev&device_id=${'x'.repeat(9_000)}` })),
    ).toEqual(INVALID);
  });

  it('26 never changes its meaning by "+", "%20" and "%2B" swapped after signing', async () => {
    const { tvm } = world;
    function swapped(signed: string, sent: string) {
      return fire(
        tvm,
        shot(tvm, {
          query: `device_id=${signed}&profile=dev`,
          target: `/?device_id=${sent}&profile=dev`,
        }),
      );
    }
    // Both mean a space.
    expect(await swapped('a%20b', 'a%20b')).toEqual(VENDED);
    expect(await swapped('a%20b', 'a+b')).toEqual(VENDED);
    expect(await swapped('a+b', 'a+b')).toEqual(VENDED);
    // A plus sign, and signed as one.
    expect(await swapped('a%2Bb', 'a%2Bb')).toEqual(VENDED);
    expect(await swapped('a%2Bb', 'a%2bb')).toEqual(VENDED);
    // One signed, the other sent.
    expect(await swapped('a%2Bb', 'a+b')).toEqual(MISMATCH);
    expect(await swapped('a%2Bb', 'a%20b')).toEqual(MISMATCH);
    expect(await swapped('a%20b', 'a%2Bb')).toEqual(MISMATCH);
    expect(await swapped('a+b', 'a%2Bb')).toEqual(MISMATCH);
    expect(await swapped('a+b', 'a%20b')).toEqual(MISMATCH);
  });
});

describe('a request changed after signing', () => {
  const CHANGES: readonly (readonly [string, (from: Shot) => Shot])[] = [
    ['the method', (from) => ({ ...from, method: 'POST' })],
    [
      'the method, with an override header',
      (from) => add({ ...from, method: 'POST' }, 'x-http-method-override', 'GET'),
    ],
    ['a value in the query', (from) => ({ ...from, target: '/?profile=prod' })],
    ['a further parameter', (from) => ({ ...from, target: '/?profile=dev&duration=3600' })],
    ['the query, removed', (from) => ({ ...from, target: '/' })],
    ['the path', (from) => ({ ...from, target: '/profiles?profile=dev' })],
    ['an added body', (from) => ({ ...from, body: '{"profile":"prod"}' })],
    [
      'a signed header',
      (from) =>
        change(from, 'x-sentinel-nonce', (value) => value.toUpperCase().replace(/^\d*$/u, 'A')),
    ],
    [
      'the date by a second',
      (from) =>
        change(
          from,
          'x-amz-date',
          (value) => `${value.slice(0, -2)}${value.at(-2) === '0' ? '1' : '0'}Z`,
        ),
    ],
  ];

  it.each(CHANGES)('27 is refused when the change is %s', async (_, to) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
    expect(await fire(tvm, to(shot(tvm)))).toEqual(MISMATCH);
  });

  it('27 is refused with another body or content type', async () => {
    const { tvm } = world;
    expect(await fire(tvm, postShot(tvm))).toEqual(VENDED);
    expect(await fire(tvm, { ...postShot(tvm), body: '{"profile":"vault"}' })).toEqual(MISMATCH);
    expect(await fire(tvm, { ...postShot(tvm), body: '{"profile":"dev"} ' })).toEqual(MISMATCH);
    expect(await fire(tvm, { ...postShot(tvm), body: '' })).toEqual(MISMATCH);
    expect(
      await fire(
        tvm,
        change(postShot(tvm), 'content-type', () => 'text/plain'),
      ),
    ).toEqual(MISMATCH);
  });

  it('27 never vends on HEAD, and is not affected by method overrides', async () => {
    const { tvm } = world;
    const head = await sendRaw(tvm.port, shot(tvm, { method: 'HEAD' }));
    expect([head.status, head.headers['allow'], head.body]).toEqual([405, 'GET, POST', '']);
    for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      expect(await fire(tvm, add(shot(tvm), name, 'DELETE'))).toEqual(VENDED);
    }
  });
});
