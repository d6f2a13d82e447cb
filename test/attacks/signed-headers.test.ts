import { describe, expect, it } from 'vitest';
import type { RunningTvm } from '../support/tvm.ts';
import {
  add,
  change,
  drop,
  fire,
  messageOf,
  postShot,
  refused,
  shot,
  useTvm,
  VENDED,
  type Shot,
} from './support.ts';

const INCOMPLETE = refused(400, 'IncompleteSignature');
const MISMATCH = refused(403, 'SignatureDoesNotMatch');

function repeated(tvm: RunningTvm, to: readonly string[]): Shot {
  return change(shot(tvm, { headers: { 'x-list': 'one,two' } }), 'x-list', () => to);
}

const world = useTvm();

describe('signed headers', () => {
  it('10 must include Host', async () => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { signedHeaders: 'x-amz-date;x-sentinel-nonce' }))).toEqual(
      MISMATCH,
    );
    expect(await messageOf(tvm, shot(tvm, { signedHeaders: 'x-amz-date;x-sentinel-nonce' }))).toBe(
      "'Host' must be a 'SignedHeader' in the AWS Authorization.",
    );
    expect(
      await fire(
        tvm,
        change(shot(tvm), 'host', () => 'localhost'),
      ),
    ).toEqual(MISMATCH);
  });

  it('11 must all be present as headers, not as query parameters', async () => {
    const { tvm } = world;
    const listed = { signedHeaders: 'host;x-absent;x-amz-date;x-sentinel-nonce' };
    expect(await fire(tvm, shot(tvm, listed))).toEqual(MISMATCH);
    expect(await messageOf(tvm, shot(tvm, listed))).toContain('"x-absent"');
    expect(await fire(tvm, shot(tvm, { ...listed, query: 'profile=dev&x-absent=' }))).toEqual(
      MISMATCH,
    );
    const dated = drop(shot(tvm), 'x-amz-date');
    expect(await fire(tvm, dated)).toEqual(MISMATCH);
  });

  it.each([
    'x-amz-security-token',
    'x-amz-target',
    'X-Amz-Anything',
    'x-sentinel-request-hash',
    'X-Sentinel-Profile',
  ])('12 must include %s when it is present', async (name) => {
    const { tvm } = world;
    expect(await fire(tvm, add(shot(tvm), name, 'x'))).toEqual(refused(403, 'AccessDenied'));
  });

  it('12 must include date and nonce; x-amz-content-sha256, which proves itself, may be unsigned', async () => {
    const { tvm } = world;
    const denied = refused(403, 'AccessDenied');
    expect(await fire(tvm, shot(tvm, { signedHeaders: 'host;x-sentinel-nonce' }))).toEqual(denied);
    expect(await fire(tvm, shot(tvm, { signedHeaders: 'host;x-amz-date' }))).toEqual(denied);
    const hash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    expect(await fire(tvm, add(shot(tvm), 'x-amz-content-sha256', hash))).toEqual(VENDED);
  });

  const LISTS: readonly (readonly [string, string])[] = [
    ['upper case', 'Host;x-amz-date;x-sentinel-nonce'],
    ['another order', 'x-amz-date;host;x-sentinel-nonce'],
    ['a repetition', 'host;host;x-amz-date;x-sentinel-nonce'],
    ['an empty item', 'host;;x-amz-date;x-sentinel-nonce'],
    ['an end in ";"', 'host;x-amz-date;x-sentinel-nonce;'],
    ['a beginning with ";"', ';host;x-amz-date;x-sentinel-nonce'],
    ['spaces', 'host; x-amz-date; x-sentinel-nonce'],
    ['commas', 'host,x-amz-date,x-sentinel-nonce'],
    ['nothing', ''],
    ['a colon', 'host:;x-amz-date;x-sentinel-nonce'],
  ];

  it.each(LISTS)('13 are refused when the list has %s', async (_, signedHeaders) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { signedHeaders }))).toEqual(INCOMPLETE);
  });

  it('14 verify a repeated header by its values joined in order', async () => {
    const { tvm } = world;
    expect(await fire(tvm, repeated(tvm, ['one,two']))).toEqual(VENDED);
    expect(await fire(tvm, repeated(tvm, ['one', 'two']))).toEqual(VENDED);
    expect(await fire(tvm, repeated(tvm, ['two', 'one']))).toEqual(MISMATCH);
    expect(await fire(tvm, repeated(tvm, ['one,two', 'one,two']))).toEqual(MISMATCH);
    expect(await fire(tvm, repeated(tvm, ['one,two', '']))).toEqual(MISMATCH);
    const typed = postShot(tvm, {
      headers: { 'content-type': 'application/json,application/json' },
    });
    expect(
      await fire(
        tvm,
        change(typed, 'content-type', (value) => value.split(',')),
      ),
    ).toEqual(refused(400, 'ValidationError'));
  });

  it.each(['x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256', 'x-sentinel-nonce'])(
    '14 are refused with a repeated %s',
    async (name) => {
      const { tvm } = world;
      const once = shot(tvm, {
        headers: name === 'x-amz-date' || name === 'x-sentinel-nonce' ? {} : { [name]: 'x' },
      });
      expect(
        await fire(
          tvm,
          change(once, name, (value) => [value, value]),
        ),
      ).toEqual(INCOMPLETE);
      expect(await fire(tvm, add(once, name.toUpperCase(), 'other'))).toEqual(INCOMPLETE);
    },
  );
});
