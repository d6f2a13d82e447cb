import { describe, expect, it } from 'vitest';
import { parseAnswer } from '../support/raw-http.ts';
import {
  add,
  change,
  DEV_BODY,
  drop,
  fire,
  postShot,
  refused,
  shot,
  useTvm,
  VENDED,
  type Shot,
} from './support.ts';
import { holdsCredentials, statuses, talk, toBytes } from './talk.ts';

const INVALID = refused(400, 'ValidationError');

const world = useTvm();

function closing(from: Shot): Shot {
  return add(from, 'connection', 'close');
}

/**
 * Sends bytes until the connection ends; gives the answers, and whether a good request vends
 * afterwards.
 */
async function refusesBytes(bytes: string): Promise<unknown> {
  const text = await talk(world.tvm.port, bytes);
  const control = await fire(world.tvm, shot(world.tvm));
  const { error } = parseAnswer(text).json;
  return { statuses: statuses(text), error, credentials: holdsCredentials(text), control };
}

const REFUSED = { statuses: [400], error: 'ValidationError', credentials: false, control: VENDED };

describe('a request that two parsers could read differently', () => {
  it('16 vends while its bytes are unchanged', async () => {
    for (const from of [
      shot(world.tvm),
      postShot(world.tvm, { headers: { 'content-length': String(DEV_BODY.length) } }),
    ]) {
      expect(statuses(await talk(world.tvm.port, toBytes(closing(from))))).toEqual([200]);
    }
  });

  it('16 is refused with a folded header line', async () => {
    const folded = shot(world.tvm, { headers: { 'x-note': 'a b' } });
    expect(await refusesBytes(toBytes(closing(change(folded, 'x-note', () => 'a\r\n b'))))).toEqual(
      REFUSED,
    );
    expect(
      await refusesBytes(toBytes(closing(change(folded, 'x-note', () => 'a\r\n\tb')))),
    ).toEqual(REFUSED);
    const first = toBytes(closing(shot(world.tvm))).replace('\r\n', '\r\n x: y\r\n');
    expect(await refusesBytes(first)).toEqual(REFUSED);
  });

  const LENGTH = String(DEV_BODY.length);
  const CHUNKED = `${DEV_BODY.length.toString(16)}\r\n${DEV_BODY}\r\n0\r\n\r\n`;

  it.each([
    [
      'a length, then chunks',
      [
        ['content-length', LENGTH],
        ['transfer-encoding', 'chunked'],
      ],
    ],
    [
      'chunks, then a length',
      [
        ['transfer-encoding', 'chunked'],
        ['content-length', LENGTH],
      ],
    ],
    [
      'length 0 and chunks',
      [
        ['content-length', '0'],
        ['transfer-encoding', 'chunked'],
      ],
    ],
    [
      'two lengths',
      [
        ['content-length', LENGTH],
        ['content-length', '0'],
      ],
    ],
    [
      'two equal lengths',
      [
        ['content-length', LENGTH],
        ['content-length', LENGTH],
      ],
    ],
    ['a length with a sign', [['content-length', `+${LENGTH}`]]],
    ['a negative length', [['content-length', '-1']]],
    ['a length in hexadecimal', [['content-length', '0x11']]],
    ['a length with two values', [['content-length', `${LENGTH}, ${LENGTH}`]]],
    ['a length of 20 digits', [['content-length', '99999999999999999999999']]],
    ['chunked twice', [['transfer-encoding', 'chunked, chunked']]],
    ['chunked, then identity', [['transfer-encoding', 'chunked, identity']]],
    ['an unknown encoding', [['transfer-encoding', 'xchunked']]],
  ] as const)('16 is refused with %s', async (_, framing) => {
    for (const body of [DEV_BODY, CHUNKED]) {
      const { headers, ...rest } = closing(postShot(world.tvm));
      const framed = { ...rest, headers: [...headers, ...framing], body };
      expect(await refusesBytes(toBytes(framed))).toEqual(REFUSED);
    }
  });

  it.each([
    ['a space before the colon', (bytes: string) => bytes.replace('x-amz-date:', 'x-amz-date :')],
    ['no colon', (bytes: string) => bytes.replace('x-amz-date: ', 'x-amz-date')],
    ['an empty name', (bytes: string) => bytes.replace('x-amz-date:', ':')],
    ['a name with a space', (bytes: string) => bytes.replace('x-amz-date:', 'x-amz date:')],
    ['NUL in a value', (bytes: string) => bytes.replace('x-amz-date: ', 'x-amz-date: \0')],
    ['a bare CR in a value', (bytes: string) => bytes.replace('x-amz-date: ', 'x-amz-date: \rx: ')],
    ['bare LF as the end of lines', (bytes: string) => bytes.replaceAll('\r\n', '\n')],
    ['one bare LF', (bytes: string) => bytes.replace('\r\nx-amz-date', '\nx-amz-date')],
    ['NUL in the target', (bytes: string) => bytes.replace('/?', '/\0?')],
    ['a tab in the request line', (bytes: string) => bytes.replace(' /', '\t/')],
    ['HTTP/1.10', (bytes: string) => bytes.replace('HTTP/1.1', 'HTTP/1.10')],
    ['http/1.1', (bytes: string) => bytes.replace('HTTP/1.1', 'http/1.1')],
    ['an unknown method', (bytes: string) => bytes.replace('GET', 'VEND')],
    ['a method in lower case', (bytes: string) => bytes.replace('GET', 'get')],
  ] as const)('16 is refused with %s', async (_, to) => {
    const bytes = toBytes(closing(shot(world.tvm)));
    expect(to(bytes)).not.toBe(bytes);
    expect(await refusesBytes(to(bytes))).toEqual(REFUSED);
  });

  it("16 has one meaning only where Node's parser forgives its form", async () => {
    const { tvm } = world;
    const forgiven: readonly ((bytes: string) => string)[] = [
      (bytes) => bytes.replace(' /', '  /'),
      (bytes) => bytes.replace('profile=dev', 'profile=dev '),
      (bytes) => bytes.replace('HTTP/1.1', 'HTTP/2.0'),
      (bytes) => `\r\n${bytes}`,
    ];
    for (const to of forgiven) {
      expect([[200], [400]]).toContainEqual(
        statuses(await talk(tvm.port, to(toBytes(closing(shot(tvm)))))),
      );
      const signed = shot(tvm, { query: 'profile=prod' });
      const other = { ...signed, target: '/?profile=dev' };
      expect([[403], [400]]).toContainEqual(
        statuses(await talk(tvm.port, to(toBytes(closing(other))))),
      );
    }
  });
});

describe('headers that no signer sends', () => {
  it.each(['\u00E9', '\u00FF', '\u0080', '\u007F', '\u0001', '\u001B'])(
    '17 are refused with the character %j in a value',
    async (text) => {
      const { tvm } = world;
      expect(await fire(tvm, shot(tvm, { headers: { 'x-note': `a${text}b` } }))).toEqual(INVALID);
      expect(await fire(tvm, add(shot(tvm), 'user-agent', `a${text}b`))).toEqual(INVALID);
      expect(
        await fire(
          tvm,
          change(shot(tvm), 'authorization', (value) => `${value}${text}`),
        ),
      ).toEqual(INVALID);
    },
  );

  it('17 are refused with signed UTF-8 in a value', async () => {
    const { tvm } = world;
    const bytes = Buffer.from('\u{1F511}').toString('latin1');
    expect(await fire(tvm, shot(tvm, { headers: { 'x-note': bytes } }))).toEqual(INVALID);
    expect(
      await fire(tvm, shot(tvm, { headers: { 'x-note': '~ !"#$%&\'()*+,-./:;<=>?@[]^_`{|}' } })),
    ).toEqual(VENDED);
  });

  it('18 are refused with two Host headers, or with none', async () => {
    const { tvm } = world;
    expect(
      await fire(
        tvm,
        change(shot(tvm), 'host', (value) => [value, value]),
      ),
    ).toEqual(INVALID);
    expect(
      await fire(
        tvm,
        change(shot(tvm), 'host', (value) => [value, 'evil.example']),
      ),
    ).toEqual(INVALID);
    expect(
      await fire(
        tvm,
        change(shot(tvm), 'host', (value) => ['evil.example', value]),
      ),
    ).toEqual(INVALID);
    expect(await fire(tvm, add(shot(tvm), 'Host', 'evil.example'))).toEqual(INVALID);
    expect(await fire(tvm, drop(shot(tvm), 'host'))).toEqual(INVALID);
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
  });
});
