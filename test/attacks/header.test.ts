import { describe, expect, it } from 'vitest';
import { drop, fire, refused, shot, useTvm, VENDED, withAuthorization } from './support.ts';

const INCOMPLETE = refused(400, 'IncompleteSignature');
const MISMATCH = refused(403, 'SignatureDoesNotMatch');

function shuffled(value: string): string {
  return value.replace(/(Credential=\S*), (SignedHeaders=\S*), (Signature=\S*)/u, '$3,$1,$2');
}

function lastDigit(value: string): string {
  return `${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}`;
}

const world = useTvm();

describe('the Authorization header', () => {
  it('01 is required', async () => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
    expect(await fire(tvm, drop(shot(tvm), 'authorization'))).toEqual(
      refused(403, 'MissingAuthenticationToken'),
    );
    expect(
      await fire(tvm, { method: 'GET', target: '/?profile=dev', headers: [['host', tvm.host]] }),
    ).toEqual(refused(403, 'MissingAuthenticationToken'));
    expect(
      await fire(
        tvm,
        withAuthorization(shot(tvm), () => ''),
      ),
    ).toEqual(INCOMPLETE);
  });

  it.each([
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    'x-amz-signature=00',
    '%58-Amz-Algorithm=AWS4-HMAC-SHA256',
  ])('02 is refused together with %s in the query', async (parameter) => {
    const { tvm } = world;
    expect(await fire(tvm, shot(tvm, { query: `${parameter}&profile=dev` }))).toEqual(MISMATCH);
  });

  it('04 is refused when it is there twice', async () => {
    const { tvm } = world;
    function twice(to: (value: string) => readonly string[]) {
      return fire(tvm, withAuthorization(shot(tvm), to));
    }
    expect(await twice((value) => [value, value])).toEqual(INCOMPLETE);
    expect(await twice((value) => [value, 'Bearer x'])).toEqual(INCOMPLETE);
    expect(await twice((value) => ['Bearer x', value])).toEqual(INCOMPLETE);
    expect(await twice((value) => ['', value])).toEqual(INCOMPLETE);
    expect(await twice((value) => [`${value}, ${value}`])).toEqual(INCOMPLETE);
  });

  const COMPONENTS: readonly (readonly [string, (value: string) => string])[] = [
    ['Signature twice', (value) => `${value}, Signature=${'0'.repeat(64)}`],
    [
      'Credential twice',
      (value) => value.replace('SignedHeaders=', 'Credential=a, SignedHeaders='),
    ],
    ['no Credential', (value) => value.replace(/Credential=[^,]*, /u, '')],
    ['no SignedHeaders', (value) => value.replace(/SignedHeaders=[^,]*, /u, '')],
    ['no Signature', (value) => value.replace(/, Signature=.*/u, '')],
    ['an unknown component', (value) => `${value}, Expires=1`],
    ['a component in lower case', (value) => value.replace('Signature=', 'signature=')],
    ['an empty component', (value) => `${value},`],
    ['a component without a value', (value) => value.replace('Signature=', 'Signature')],
    ['no component at all', () => 'AWS4-HMAC-SHA256 '],
    ['a space before "="', (value) => value.replace('Signature=', 'Signature =')],
  ];

  it.each(COMPONENTS)('05 is refused with %s', async (_, to) => {
    const { tvm } = world;
    expect(await fire(tvm, withAuthorization(shot(tvm), to))).toEqual(INCOMPLETE);
  });

  it('05 is accepted with its components in another order and without spaces', async () => {
    const { tvm } = world;
    expect(await fire(tvm, withAuthorization(shot(tvm), shuffled))).toEqual(VENDED);
  });

  it.each(['Mon, 01 ', 'Mon, 01 Jan 2026 00:00:00 GMT', '2026010', '202601011', '2026010a'])(
    '06 is refused with "%s" in place of the scope\'s date',
    async (day) => {
      const { tvm } = world;
      expect(
        await fire(
          tvm,
          withAuthorization(shot(tvm), (value) => value.replace(/\/\d{8}\//u, `/${day}/`)),
        ),
      ).toEqual(INCOMPLETE);
    },
  );

  it.each([
    'aws4-hmac-sha256',
    'AWS4-HMAC-SHA512',
    'AWS4-HMAC-SHA1',
    'AWS4-ECDSA-P256-SHA256',
    'AWS',
    'Bearer',
    'Basic',
  ])('07 is refused with the algorithm %s', async (algorithm) => {
    const { tvm } = world;
    function to(value: string): string {
      return value.replace('AWS4-HMAC-SHA256', algorithm);
    }
    expect(await fire(tvm, withAuthorization(shot(tvm), to))).toEqual(INCOMPLETE);
  });

  it.each([
    ['four parts', (id: string) => id.replace('/aws4_request', '')],
    ['six parts', (id: string) => `${id}/more`],
    ['a thousand parts', (id: string) => `${id}${'/x'.repeat(1_000)}`],
    ['an empty id', (id: string) => id.replace('TVMDEMOALICE', '')],
    ['an id of 129 characters', (id: string) => id.replace('TVMDEMOALICE', 'A'.repeat(129))],
    ['a path in the id', (id: string) => id.replace('TVMDEMOALICE', '..')],
    ['an empty region', (id: string) => id.replace('us-east-1', '')],
  ] as const)('08 is refused when the credential has %s', async (_, to) => {
    const { tvm } = world;
    const shoot = withAuthorization(shot(tvm), (value) => value.replace(/TVMDEMOALICE[^,]*/u, to));
    expect(await fire(tvm, shoot)).toEqual(INCOMPLETE);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'tvmdemoalice'])(
    '08 is refused for the unknown access key id %s',
    async (accessKeyId) => {
      const { tvm } = world;
      expect(await fire(tvm, shot(tvm, { accessKeyId }))).toEqual(
        refused(403, 'InvalidClientTokenId'),
      );
      expect(await fire(tvm, shot(tvm, { accessKeyId, secret: 'undefined' }))).toEqual(
        refused(403, 'InvalidClientTokenId'),
      );
    },
  );

  it.each([
    ['upper case', (signature: string) => signature.toUpperCase()],
    ['63 characters', (signature: string) => signature.slice(1)],
    ['65 characters', (signature: string) => `${signature}0`],
    ['other characters', (signature: string) => `${signature.slice(1)}g`],
    ['no characters', () => ''],
    ['a prefix', (signature: string) => `0x${signature.slice(2)}`],
    ['quotes', (signature: string) => `"${signature}"`],
  ] as const)('09 is refused when the signature has %s', async (_, to) => {
    const { tvm } = world;
    const shoot = withAuthorization(shot(tvm), (value) => value.replace(/[0-9a-f]{64}$/u, to));
    expect(await fire(tvm, shoot)).toEqual(INCOMPLETE);
  });

  it('09 is refused when the signature has the right form and is wrong', async () => {
    const { tvm } = world;
    expect(await fire(tvm, withAuthorization(shot(tvm), lastDigit))).toEqual(MISMATCH);
    expect(await fire(tvm, shot(tvm, { secret: 'demo-bob-not-a-secret' }))).toEqual(MISMATCH);
    expect(await fire(tvm, shot(tvm, { secret: '' }))).toEqual(MISMATCH);
  });
});
