import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { DANA, says, useForwarded } from '../support/fake-sts.ts';
import {
  encodeToken,
  forwarded,
  forwardedFields,
  WHOAMI,
  withToken,
  type TokenFields,
} from '../support/forwarded.ts';
import { sendRaw } from '../support/raw-http.ts';
import { outcomeOf, refused } from './support.ts';

/**
 * Tokens that are not good. The fake STS confirms every caller, so that an identity or a call would
 * show. Where the signature is what is wrong, the TVM asks the embedded STS.
 */
const world = useForwarded();

const RUNS = { numRuns: 200, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false };

async function expectLocalRefusal(token: string): Promise<void> {
  const { tvm, sts } = world;
  sts.behave = says(DANA);
  const { status, credentials } = outcomeOf(await sendRaw(tvm.port, withToken(tvm, token, WHOAMI)));
  expect([status >= 400 && status < 500, credentials, sts.seen.length]).toEqual([true, false, 0]);
}

const STRANGE = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    'us-east-1',
    '20260102T030405Z',
    'a'.repeat(64),
    'host;x-amz-date',
    '__proto__',
    '\r\nhost: x',
  ),
);

const NAMES = [
  'v',
  'region',
  'amzDate',
  'credential',
  'signedHeaders',
  'signature',
  'securityToken',
  'nonce',
] as const;

it('46 refuses any bytes without asking STS', async () => {
  const property = fc.asyncProperty(fc.uint8Array({ maxLength: 3_100 }), (bytes) =>
    expectLocalRefusal(Buffer.from(bytes).toString('base64url')),
  );
  await fc.assert(property, RUNS);
});

it('46 refuses any printable text in place of the token', async () => {
  const printable = fc
    .string({ unit: 'binary-ascii', maxLength: 300 })
    .map((text) => text.replaceAll(/[^ -~]/gu, '.'));
  await fc.assert(fc.asyncProperty(printable, expectLocalRefusal), RUNS);
});

it('46 refuses any JSON in place of the token', async () => {
  const property = fc.asyncProperty(fc.jsonValue(), (json) =>
    expectLocalRefusal(encodeToken(json)),
  );
  await fc.assert(property, RUNS);
});

it('46 refuses any values in the fields of a token', async () => {
  const some = fc.record(Object.fromEntries(NAMES.map((name) => [name, STRANGE])), {
    requiredKeys: [],
  });
  // These are never a whole token of the right form: STRANGE has no credential with a scope.
  const property = fc.asyncProperty(some, (fields) =>
    expectLocalRefusal(encodeToken({ v: 1, ...fields })),
  );
  await fc.assert(property, RUNS);
});

it('46 refuses a good token with a field added, removed or replaced', async () => {
  const changes = fc.oneof(
    fc
      .tuple(fc.string({ minLength: 1 }), STRANGE)
      .filter(([name]) => !(NAMES as readonly string[]).includes(name)),
    fc.tuple(
      fc.constantFrom(...NAMES.filter((name) => name !== 'securityToken')),
      fc.constant(undefined),
    ),
    fc.tuple(
      fc.constantFrom(...NAMES),
      fc.oneof(fc.integer({ min: 2 }), fc.object(), fc.array(STRANGE), fc.constant(null)),
    ),
  );
  const property = fc.asyncProperty(changes, ([name, value]) => {
    const fields = new Map<string, unknown>(Object.entries(forwardedFields(WHOAMI)));
    fields.set(name, value);
    // The JSON is written by hand so that `__proto__` is a name like any other.
    const json = [...fields]
      .filter(([, held]) => held !== undefined)
      .map(([key, held]) => `${JSON.stringify(key)}:${JSON.stringify(held)}`);
    return expectLocalRefusal(encodeToken(`{${json.join(',')}}`));
  });
  await fc.assert(property, RUNS);
});

function flip(text: string, where: number, by: number): string {
  const at = Math.floor(where * text.length);
  return text.slice(0, at) + String.fromCodePoint(text.charCodeAt(at) ^ by) + text.slice(at + 1);
}

it('refuses a good token with one bit of its JSON changed', async () => {
  const { tvm } = world;
  const where = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const property = fc.asyncProperty(
    where,
    fc.constantFrom(1, 2, 4, 8, 16, 32, 64),
    async (place, bit) => {
      const altered = forwarded(tvm, {}, (fields: TokenFields) =>
        flip(JSON.stringify(fields), place, bit),
      );
      const { status, error } = outcomeOf(await sendRaw(tvm.port, altered));
      expect([400, 403], String(error)).toContain(status);
    },
  );
  await fc.assert(property, RUNS);
});

it('refuses a good token with one letter of its text changed', async () => {
  const { tvm } = world;
  const where = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const letter = fc.constantFrom(...'AQgwz09-_=+/. ,;~'.split(''));
  const property = fc.asyncProperty(where, letter, async (place, to) => {
    const token = encodeToken(forwardedFields(WHOAMI));
    const at = Math.floor(place * token.length);
    if (token[at] === to) return;
    const { status } = outcomeOf(
      await sendRaw(
        tvm.port,
        withToken(tvm, token.slice(0, at) + to + token.slice(at + 1), WHOAMI),
      ),
    );
    expect([400, 403]).toContain(status);
  });
  await fc.assert(property, RUNS);
});

it('refuses a body that nests thousands of levels deep', async () => {
  const { tvm } = world;
  for (const depth of [500, 5_000, 16_000]) {
    const body = '['.repeat(depth) + ']'.repeat(depth);
    const deep = forwarded(tvm, { method: 'POST', path: '/', body });
    expect(outcomeOf(await sendRaw(tvm.port, deep))).toEqual(refused(400, 'ValidationError'));
  }
});
