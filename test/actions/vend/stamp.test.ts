import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newHexId } from '../../../src/lib/ids.ts';
import { toRoleSessionName, toSourceIdentity } from '../../../src/actions/vend/stamp.ts';
import { callerOf } from '../support.ts';

const STS_NAME = /^[\w+=,.@-]{2,64}$/u;

const principal = fc.string({ minLength: 1, maxLength: 200 });
const anyName = fc.oneof(
  fc.string({ minLength: 1, maxLength: 90 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 90 }),
  fc.string({
    unit: fc.constantFrom('a', '/', ':', '.', '_', '=', '@', 'ä', '😀'),
    minLength: 1,
    maxLength: 90,
  }),
  fc.constantFrom(
    'role/deploy',
    '111122223333:alice',
    '111122223333:role/R',
    'aws:alice',
    'a',
    '=',
    '.',
    ' ',
  ),
);

function suffixOf(of: string): string {
  return `.${createHash('sha256').update(of).digest('hex').slice(0, 10)}`;
}

describe('toSourceIdentity', () => {
  it('gives what STS takes for any name, with kind, id and user', () => {
    fc.assert(
      fc.property(anyName, principal, fc.constantFrom('d', 'a', 'b'), (name, who, kind) => {
        const id = newHexId();
        const stamp = toSourceIdentity(kind, id, callerOf(name, who));
        expect(stamp).toMatch(STS_NAME);
        expect(stamp.startsWith('aws:')).toBe(false);
        const [prefix, readKind, readId, ...user] = stamp.split('=');
        expect([prefix, readKind, readId]).toEqual(['sentinel', kind, id]);
        expect(user.join('=').length).toBeGreaterThan(0);
      }),
    );
  });

  it('keeps a plain name as it is, even with "="', () => {
    for (const name of ['alice', 'a', 'a=b=c', 'alice+dev@example.com', 'x'.repeat(36)]) {
      const stamp = toSourceIdentity('d', '0123456789abcdef', callerOf(name));
      expect(stamp).toBe(`sentinel=d=0123456789abcdef=${name}`);
    }
  });

  it('marks a name that was changed or cut with the principal’s digest', () => {
    for (const name of ['role/deploy', 'alice b', 'x'.repeat(37), '111122223333:alice']) {
      const stamp = toSourceIdentity('a', '0123456789abcdef', callerOf(name, 'who'));
      expect(stamp.endsWith(suffixOf('who'))).toBe(true);
    }
  });
});

describe('toRoleSessionName', () => {
  it('gives what STS takes for any name', () => {
    fc.assert(
      fc.property(anyName, principal, (name, who) => {
        const stamp = toRoleSessionName(callerOf(name, who));
        expect(stamp).toMatch(STS_NAME);
        expect(stamp.startsWith('aws:')).toBe(false);
      }),
    );
  });

  it.each(['a', '=', '.', '_', '0'])('makes the one character "%s" long enough for STS', (name) => {
    expect(toRoleSessionName(callerOf(name, 'who'))).toBe(`${name}${suffixOf('who')}`);
  });

  it('keeps a name of 64 characters and cuts one of 65', () => {
    expect(toRoleSessionName(callerOf('x'.repeat(64)))).toBe('x'.repeat(64));
    expect(toRoleSessionName(callerOf('x'.repeat(65), 'who'))).toBe(
      `${'x'.repeat(53)}${suffixOf('who')}`,
    );
  });
});

function stampsOf(name: string, who: string) {
  const caller = callerOf(name, who);
  return [toRoleSessionName(caller), toSourceIdentity('d', '0123456789abcdef', caller)];
}

describe('the stamps of two principals with different names', () => {
  it.each([
    ['role/deploy', 'role:deploy'],
    ['role/deploy', 'role_deploy'],
    ['alice b', 'alice_b'],
    ['alice.b', 'aliceb'],
    ['111122223333:alice', '111122223333_alice'],
    [`${'x'.repeat(70)}1`, `${'x'.repeat(70)}2`],
    [
      'very.long.e-mail.address.of.somebody.a@example.com',
      'very.long.e-mail.address.of.somebody.b@example.com',
    ],
    ['ä', 'ö'],
    ['a/b', 'a//b'],
  ])('differ for "%s" and "%s"', (one, other) => {
    const first = stampsOf(one, `arn:${one}`);
    const second = stampsOf(other, `arn:${other}`);
    for (const [index, stamp] of first.entries()) expect(stamp).not.toBe(second[index]);
  });

  it('differ, whatever the names', () => {
    fc.assert(
      fc.property(anyName, anyName, (one, other) => {
        fc.pre(one !== other);
        const first = stampsOf(one, `arn:${one}`);
        const second = stampsOf(other, `arn:${other}`);
        expect(first.filter((stamp, index) => stamp === second[index])).toEqual([]);
      }),
    );
  });

  it('differ even if one is named like the other’s stamp', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const [sessionName = '', sourceIdentity = ''] = stampsOf(name, 'one');
        fc.pre(sessionName !== name);
        expect(stampsOf(sessionName, 'two')[0]).not.toBe(sessionName);
        const user = sourceIdentity.split('=').slice(3).join('=');
        fc.pre(user !== name);
        expect(stampsOf(user, 'two')[1]).not.toBe(sourceIdentity);
      }),
    );
  });
});
