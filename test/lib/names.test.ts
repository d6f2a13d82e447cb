import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isBareName,
  isSamePerson,
  NAMED_KINDS,
  splitAccount,
  toName,
  toShownName,
  toStoredName,
} from '../../src/lib/names.ts';

const OWNERS = fc.constantFrom(...NAMED_KINDS);
const BARE = fc.stringMatching(/^[\w+=,.@-]{1,64}$/u);
const ACCOUNT = fc.constantFrom(undefined, '111122223333', '444455556666');
const CALLER = fc.record({ kind: OWNERS, bare: BARE, account: ACCOUNT });

describe('toName', () => {
  it('gives no two callers of different kinds, accounts or bare names the same name', () => {
    fc.assert(
      fc.property(CALLER, CALLER, OWNERS, (a, b, owner) => {
        const [one, other] = [a, b].map(({ kind, bare, account }) =>
          toName(kind, bare, owner, account),
        );
        const isSame = a.kind === b.kind && a.bare === b.bare && a.account === b.account;
        expect(one === other).toBe(isSame);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['key', 'key', undefined, 'alice'],
    ['user', 'key', undefined, 'user/alice'],
    ['sso', 'key', undefined, 'sso/alice'],
    ['user', 'user', undefined, 'alice'],
    ['key', 'user', undefined, 'key/alice'],
    ['user', 'key', '111122223333', '111122223333:user/alice'],
    ['user', 'user', '111122223333', '111122223333:alice'],
  ] as const)(
    'calls a %s, where %ss own bare names, in account %s: %s',
    (kind, owner, account, name) => {
      expect(toName(kind, 'alice', owner, account)).toBe(name);
    },
  );
});

describe('toStoredName', () => {
  it('includes the kind, whichever kind owns bare names, and toShownName gives the name back', () => {
    fc.assert(
      fc.property(CALLER, OWNERS, ({ kind, bare, account }, owner) => {
        const name = toName(kind, bare, owner, account);
        const stored = toStoredName(name, owner);
        expect(splitAccount(stored)[1]).toBe(`${kind}/${bare}`);
        expect(toShownName(stored, owner)).toBe(name);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each(['role/R', 'role/R/S', '111122223333:role/R', 'key/alice', 'a:b', ''])(
    'leaves %j as it is',
    (name) => {
      expect(toStoredName(name, 'key')).toBe(name);
    },
  );
});

describe('isBareName', () => {
  it.each(['alice', 'a b', 'alice@corp.example', '+=,.@-_'])('accepts %j', (text) => {
    expect(isBareName(text)).toBe(true);
  });

  it.each([
    '',
    ' alice',
    'alice ',
    'a/b',
    'a:b',
    'a*',
    '\u0430lice',
    'ali\u200bce',
    'a\nb',
    'alice\n',
  ])('refuses %j', (text) => {
    expect(isBareName(text)).toBe(false);
  });
});

describe('isSamePerson', () => {
  it('is true for one person of Identity Center in two accounts, and for no two others', () => {
    expect(isSamePerson('sso/alice', '111122223333:sso/alice')).toBe(true);
    expect(isSamePerson('key/alice', 'key/alice')).toBe(true);
    expect(isSamePerson('user/alice', '111122223333:user/alice')).toBe(false);
    expect(isSamePerson('key/alice', 'sso/alice')).toBe(false);
    expect(isSamePerson('sso/alice', 'sso/bob')).toBe(false);
  });
});
