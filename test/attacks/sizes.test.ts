import { expect, it } from 'vitest';
import { parseAuthorization } from '../../src/sigv4/authorization.ts';
import {
  add,
  fire,
  refused,
  shot,
  useTvm,
  VENDED,
  withAuthorization,
  type Shot,
} from './support.ts';

const INCOMPLETE = refused(400, 'IncompleteSignature');
const TOO_LARGE = refused(431, 'ValidationError');

const world = useTvm();

/** The shot with more headers of one kilobyte each. */
function padded(from: Shot, kilobytes: number): Shot {
  return {
    ...from,
    headers: [
      ...from.headers,
      ...Array.from(
        { length: kilobytes },
        (_, index) => [`x-pad-${index}`, 'x'.repeat(1_010)] as const,
      ),
    ],
  };
}

function numbered(from: Shot, count: number): Shot {
  return {
    ...from,
    headers: [
      ...Array.from({ length: count }, (_, index) => [`h${index}`, ''] as const),
      ...from.headers,
    ],
  };
}

function more(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`h${index}`, 'x']));
}

it('43 answers 431 to an Authorization header of 20 KB', async () => {
  const { tvm } = world;
  expect(
    await fire(
      tvm,
      withAuthorization(shot(tvm), (value) => value + ' '.repeat(10)),
    ),
  ).toEqual(VENDED);
  expect(
    await fire(
      tvm,
      withAuthorization(shot(tvm), (value) => value + 'x'.repeat(20_000)),
    ),
  ).toEqual(TOO_LARGE);
  expect(
    await fire(
      tvm,
      withAuthorization(shot(tvm), (value) => value + ','.repeat(20_000)),
    ),
  ).toEqual(TOO_LARGE);
  expect(
    await fire(
      tvm,
      withAuthorization(shot(tvm), (value) => value + ','.repeat(15_000)),
    ),
  ).toEqual(INCOMPLETE);
});

it('43 refuses a thousand names in SignedHeaders', async () => {
  const { tvm } = world;
  const names = Array.from(
    { length: 1_000 },
    (_, index) => `h${String(index).padStart(4, '0')}`,
  ).join(';');
  const signedHeaders = `${names};host;x-amz-date;x-sentinel-nonce`;
  expect(await fire(tvm, shot(tvm, { signedHeaders }))).toEqual(INCOMPLETE);
  expect(await fire(tvm, shot(tvm, { signedHeaders: 'host;'.repeat(2_000) }))).toEqual(INCOMPLETE);
  expect(await fire(tvm, shot(tvm, { signedHeaders: ';'.repeat(15_000) }))).toEqual(INCOMPLETE);
});

it('43 takes 64 signed headers, and refuses 65', async () => {
  const { tvm } = world;
  // Host, X-Amz-Date and the nonce make three more.
  expect(await fire(tvm, shot(tvm, { headers: more(61) }))).toEqual(VENDED);
  expect(await fire(tvm, shot(tvm, { headers: more(62) }))).toEqual(INCOMPLETE);
});

it.each([
  ['1,000 names', Array.from({ length: 1_000 }, (_, index) => `h${index}`).join(';')],
  ['100,000 ";"', ';'.repeat(100_000)],
  ['100,000 commas', ','.repeat(100_000)],
  ['100,000 slashes', '/'.repeat(100_000)],
  ['100,000 spaces', ' '.repeat(100_000)],
  ['100,000 equals signs', '='.repeat(100_000)],
])('43 refuses %s in less than 5 ms', (_, text) => {
  const scope = 'Credential=A/20260102/us-east-1/execute-api/aws4_request';
  const values = [
    `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=${text}, Signature=${'0'.repeat(64)}`,
    `AWS4-HMAC-SHA256 Credential=${text}, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    `AWS4-HMAC-SHA256 ${text}`,
    `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=${text}`,
  ];
  for (const value of values) {
    const times = Array.from({ length: 5 }, () => {
      const begun = performance.now();
      expect(parseAuthorization(value)).toMatchObject({
        ok: false,
        refusal: { error: 'IncompleteSignature' },
      });
      return performance.now() - begun;
    });
    expect(Math.min(...times)).toBeLessThan(5);
  }
});

it('43 answers 431 to headers of more than 64 KiB together', async () => {
  const { tvm } = world;
  expect(await fire(tvm, padded(shot(tvm), 60))).toEqual(VENDED);
  expect(await fire(tvm, padded(shot(tvm), 66))).toEqual(TOO_LARGE);
  expect(await fire(tvm, padded(shot(tvm), 150))).toEqual(TOO_LARGE);
  expect(await fire(tvm, add(shot(tvm), 'x-long', 'x'.repeat(70_000)))).toEqual(TOO_LARGE);
  expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
});

it('43 answers 431 to a request line of more than 64 KiB', async () => {
  const { tvm } = world;
  expect(
    await fire(tvm, shot(tvm, { target: `/?profile=dev&device_id=${'x'.repeat(70_000)}` })),
  ).toEqual(TOO_LARGE);
  expect(
    await fire(tvm, shot(tvm, { target: `/?profile=dev&device_id=${'x'.repeat(9_000)}` })),
  ).toEqual(refused(400, 'ValidationError'));
});

it('43 answers 431 to more than 200 headers', async () => {
  const { tvm } = world;
  // The signer adds four headers, and these tests add "connection: close".
  expect(await fire(tvm, numbered(shot(tvm), 195))).toEqual(VENDED);
  expect(await fire(tvm, numbered(shot(tvm), 196))).toEqual(TOO_LARGE);
  expect(await fire(tvm, numbered(shot(tvm), 1_000))).toEqual(TOO_LARGE);
});

it('43 sees headers beyond the number that Node keeps by default', async () => {
  const { tvm } = world;
  const denied = refused(403, 'AccessDenied');
  expect(await fire(tvm, add(numbered(shot(tvm), 100), 'x-amz-meta', 'x'))).toEqual(denied);
  for (const count of [995, 1_000, 1_995, 2_000, 2_500]) {
    expect(await fire(tvm, add(numbered(shot(tvm), count), 'x-amz-meta', 'x'))).toEqual(TOO_LARGE);
  }
});
