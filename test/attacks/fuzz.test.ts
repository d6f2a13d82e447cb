import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAnswer } from '../support/raw-http.ts';
import { DEV_BODY, newNonce, postShot, shot, useTvm, type Shot } from './support.ts';
import { holdsCredentials, statuses, talk, toBytes } from './talk.ts';

const world = useTvm();

/**
 * Two good requests that sign every header but Authorization, Content-Length and Connection among
 * them. They are made anew for each run, so that no refusal is that of a replay of the run before.
 */
const ORIGINALS: readonly (() => Shot)[] = [
  () =>
    shot(world.tvm, {
      query: `device_id=a%2Fb&profile=dev&session_label=${newNonce()}`,
      headers: { connection: 'close', 'x-note': 'a b' },
    }),
  () =>
    postShot(world.tvm, {
      headers: { connection: 'close', 'content-length': String(DEV_BODY.length) },
    }),
];

type Mutation = {
  readonly original: number;
  /** The place, as a fraction of the whole length. */
  readonly where: number;
  readonly kind: 'replace' | 'insert' | 'delete' | 'flip';
  readonly byte: number;
};

const INTERESTING = [...Buffer.from('\0\t\n\r "#%&+,./:;=?@ABZaz019_\u007F\u0080\u00FF', 'latin1')];

const mutations: fc.Arbitrary<Mutation> = fc.record({
  original: fc.nat(ORIGINALS.length - 1),
  where: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  kind: fc.constantFrom('replace', 'insert', 'delete', 'flip'),
  byte: fc.oneof(fc.constantFrom(...INTERESTING), fc.nat(255)),
});

function mutate(bytes: string, { where, kind, byte }: Mutation): string {
  const at = Math.floor(where * bytes.length);
  const character = String.fromCharCode(byte);
  switch (kind) {
    case 'replace':
      return bytes.slice(0, at) + character + bytes.slice(at + 1);
    case 'insert':
      return bytes.slice(0, at) + character + bytes.slice(at);
    case 'delete':
      return bytes.slice(0, at) + bytes.slice(at + 1);
    case 'flip':
      return (
        bytes.slice(0, at) + String.fromCharCode(bytes.charCodeAt(at) ^ 0x20) + bytes.slice(at + 1)
      );
  }
}

function fold(value: string): string {
  return value.replaceAll(/^[\t ]+|[\t ]+$/gu, '').replaceAll(/[\t ]+/gu, ' ');
}

/**
 * What a request means by the rules of HTTP and SigV4: case of header names and of escapes does not
 * matter, white space is folded, the components of Authorization are compared one by one, and the
 * version and what follows are left out.
 */
function meaning(bytes: string): string {
  const end = bytes.indexOf('\r\n\r\n');
  const [first = '', ...lines] = bytes
    .slice(0, end)
    .replace(/^[\r\n]+/u, '')
    .split('\r\n');
  const [, method = '', target = ''] = /^([A-Z]+) +(\S+) +HTTP\/\d\.\d$/u.exec(first) ?? [];
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = fold(line.slice(colon + 1));
    return `${name}:${name === 'authorization' ? value.split(',').map(fold).join() : value}`;
  });
  const length = Number(
    headers.find((header) => header.startsWith('content-length:'))?.slice(15) ?? 0,
  );
  const body = bytes.slice(end + 4, end + 4 + length);
  const escapes = target.replaceAll(/%[0-9a-f]{2}/giu, (escape) => escape.toUpperCase());
  return JSON.stringify([method, escapes, headers, body]);
}

describe('a good request with one byte changed', () => {
  it('vends while it is unchanged', async () => {
    for (const original of ORIGINALS) {
      expect(statuses(await talk(world.tvm.port, toBytes(original())))).toEqual([200]);
    }
  });

  it('never gets a 5xx, never hangs, and never vends unless it means the same', async () => {
    const property = fc.asyncProperty(mutations, async (mutation) => {
      const original = toBytes((ORIGINALS[mutation.original] as () => Shot)());
      const mutated = mutate(original, mutation);
      const text = await talk(world.tvm.port, mutated, { patience: 150 });
      const [status] = statuses(text);
      expect(statuses(text).filter((each) => each >= 500)).toEqual([]);
      if (meaning(mutated) === meaning(original)) return;
      expect(holdsCredentials(text)).toBe(false);
      expect(status === undefined || (status >= 400 && status < 500)).toBe(true);
      expect(parseAnswer(text).json['error']).not.toBe('RequestReplayed');
    });
    await fc.assert(property, {
      numRuns: 300,
      interruptAfterTimeLimit: 20_000,
      markInterruptAsFailure: false,
    });
  });
});
