import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toAwsCaller, type Admission } from '../../src/identity/aws-identity.ts';
import { NAMED_KINDS, toName, type NamedKind } from '../../src/lib/names.ts';
import { checkUserName, parseUserName } from '../../src/policy/user-names.ts';
import { valueOf } from './support.ts';

const OWN = '000000000000';
const OTHER = '111122223333';

const SSO_ROLE = 'AWSReservedSSO_Admin_0123456789abcdef';

const owners = fc.constantFrom(...NAMED_KINDS);
const name = fc.stringMatching(/^[\w+=,.@-]{2,64}$/u);

function admission(bareNames: NamedKind): Admission {
  return {
    allowedAccounts: [OWN, OTHER],
    ssoAccounts: [OTHER],
    ssoRoles: [],
    trustedSessionRoles: [{ arn: `arn:aws:iam::${OWN}:role/trusted`, kind: 'role' }],
    bareNames,
  };
}

const identities = fc
  .tuple(
    fc.constantFrom(OWN, OTHER),
    name,
    name,
    fc.constantFrom('user', 'path', 'role', 'trusted', 'sso'),
  )
  .map(([account, first, session, what]) => {
    const role = new Map(Object.entries({ role: first, trusted: 'trusted', sso: SSO_ROLE })).get(
      what,
    );
    if (role === undefined) {
      return {
        account,
        arn: `arn:aws:iam::${account}:user/${what === 'path' ? 'eng/' : ''}${first}`,
        userId: 'AIDA0000000000000000',
      };
    }
    const arn = `arn:aws:sts::${account}:assumed-role/${role}/${session}`;
    return { account, arn, userId: `AROA0000000000000000:${session}` };
  });

describe('checkUserName', () => {
  it('accepts the name of every caller that AWS can identify, whatever bare names mean', () => {
    fc.assert(
      fc.property(identities, owners, (identity, bareNames) => {
        const caller = valueOf(
          toAwsCaller(identity, admission(bareNames), { account: OWN, neverCallers: new Set() }),
        );
        expect(checkUserName(caller.name, { bareNames })).toEqual({ ok: true, value: caller.name });
      }),
    );
  });

  it('splits a name into parts that make up the same name', () => {
    const pieces = fc.array(
      fc.constantFrom(
        'alice',
        'x',
        'key/',
        'user/',
        'sso/',
        'role/',
        '/',
        `${OTHER}:`,
        ':',
        ' ',
        '@',
      ),
      {
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(pieces, owners, (parts, bareNames) => {
        const text = parts.join('');
        const parsed = parseUserName(text, { bareNames });
        if (!parsed.ok) return;
        const { account, kind, bare, session } = parsed.value;
        const at = account === undefined ? '' : `${account}:`;
        const role = `${at}role/${bare}${session === undefined ? '' : `/${session}`}`;
        expect(kind === 'role' ? role : toName(kind, bare, bareNames, account)).toBe(text);
      }),
      { numRuns: 5_000 },
    );
  });

  it('suggests only names that it accepts', () => {
    const texts = fc.oneof(
      fc
        .constantFrom(
          'alice',
          'key/bob',
          'user/a/b',
          'role/a/b/c',
          'sso/x/yo',
          `${OTHER}:bob`,
          `${OTHER}:key/b`,
        )
        .chain((text) =>
          fc.constantFrom(text, `${text} `, `\u200b${text}`, text.replace('a', '\u0430')),
        ),
      identities.map(({ arn }) => arn),
    );
    fc.assert(
      fc.property(texts, owners, (text, bareNames) => {
        const checked = checkUserName(text, { bareNames });
        const hint = checked.ok
          ? undefined
          : /; write (.+?)(?:, or .*|; .*|)$/u.exec(checked.refusal)?.[1];
        if (hint === undefined) return;
        // A text with several mistakes gets one suggestion at a time.
        const again = checkUserName(hint, { bareNames });
        expect([text, hint, again.ok || again.refusal.includes('; write ')]).toEqual([
          text,
          hint,
          true,
        ]);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each<[NamedKind, string, string]>([
    ['key', 'ali*', 'has a wildcard'],
    ['key', '*', 'has a wildcard'],
    ['key', 'alice\u200b', 'U+200B'],
    ['key', '\ufeffalice', 'write alice'],
    ['key', 'alice ', 'has a space'],
    ['key', ' alice', 'write alice'],
    ['key', 'alice\n', 'U+000A'],
    [
      'key',
      '\u0430lice',
      'the character U+0430, but names are letters, digits and _+=,.@- of ASCII; write alice',
    ],
    ['key', '\uff41lice', 'write alice'],
    ['key', 'm\u00fcller', 'U+00FC'],
    ['key', 'a b', 'has a space'],
    [
      'key',
      `arn:aws:iam::${OTHER}:user/eng/bob`,
      `write user/bob, or ${OTHER}:user/bob if that is not`,
    ],
    ['user', `arn:aws:iam::${OTHER}:user/eng/bob`, `write bob, or ${OTHER}:bob if`],
    ['key', `arn:aws:iam::${OTHER}:role/eng/deploy`, 'write role/deploy, or'],
    ['key', `arn:aws:sts::${OTHER}:assumed-role/deploy/ann`, 'write role/deploy, or'],
    ['key', 'arn:aws:s3:::bucket', 'put it under principals'],
    ['key', 'sentinel:key/AKIA', 'is a principal'],
    ['key', 'key/alice', 'write alice'],
    ['user', 'user/alice', 'write alice'],
    ['sso', `${OTHER}:sso/alice`, `write ${OTHER}:alice`],
    ['key', 'user/eng/bob', 'write user/bob'],
    ['key', 'role/a/b/deploy', 'write role/deploy'],
    ['key', 'assumed-role/deploy/ann', 'write role/deploy'],
    ['key', 'usr/bob', 'did you mean user/bob?'],
    ['key', 'group/eng', 'begins with no known kind of caller'],
    ['key', 'User/bob', 'did you mean user/bob?'],
    ['key', `${OTHER}:bob`, `write bob, or ${OTHER}:user/bob`],
    ['user', `${OTHER}:key/bob`, 'write key/bob, or'],
    ['key', '11112222333:user/bob', 'has an account of 11 digits'],
    ['key', 'a:user/bob', 'has a colon'],
    ['key', `${OTHER}:user/a:b`, 'has a colon'],
    ['key', `${OTHER}:`, 'is not a valid name'],
    ['key', '', 'is not a valid name'],
    ['key', 'x'.repeat(65), 'the name of a registered key is 1 to 64'],
    ['user', 'x'.repeat(65), 'the name of an IAM user is 1 to 64'],
    ['sso', 'x', 'the name of an Identity Center session is 2 to 64'],
    ['key', 'role/', 'the name of a role is 1 to 64'],
    ['key', 'role/deploy/x', "the name of a role's session is 2 to 64"],
    ['key', 'a;b', 'is not a valid name'],
  ])('refuses, where bare names mean a %s, %j', (bareNames, text, problem) => {
    expect(checkUserName(text, { bareNames })).toEqual({
      ok: false,
      refusal: expect.stringContaining(problem),
    });
  });

  it('quotes no invisible character in a refusal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const checked = checkUserName(text, { bareNames: 'key' });
        expect(checked.ok ? '' : checked.refusal).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 2_000 },
    );
  });
});
