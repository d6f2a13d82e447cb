import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PARTITION_NAMES } from '../../src/lib/partitions.ts';
import { matchesPattern } from '../../src/policy/arn-pattern.ts';
import {
  checkAccount,
  checkPrincipal,
  checkPrincipalPattern,
} from '../../src/policy/principals.ts';

const IAM = 'arn:aws:iam::111122223333:';

/** Principals of callers, as `identity/` makes them. */
const word = fc.stringMatching(/^[a-z@.-]{1,6}$/u);
const part = fc.constantFrom('aws', 'aws-cn', 'aws-us-gov');
const account = fc.constantFrom('111122223333', '000000000000');
const callers = fc.oneof(
  fc.tuple(part, account, word).map(([p, a, r]) => `arn:${p}:iam::${a}:role/${r}`),
  fc
    .tuple(part, account, fc.array(word, { minLength: 1, maxLength: 3 }))
    .map(([p, a, path]) => `arn:${p}:iam::${a}:user/${path.join('/')}`),
  word.map((id) => `sentinel:key/${id.replaceAll(/\W/gu, '_')}`),
);

/** Patterns from a text: some characters become wildcards, some are dropped. */
function patternOf(text: string): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom(...Array.from(text, () => 'keep'), '*', '?', 'drop'), {
      minLength: text.length,
      maxLength: text.length,
    })
    .map((acts) =>
      Array.from(
        text,
        (character, at) => ({ '*': '*', '?': '?', drop: '' })[acts[at] ?? ''] ?? character,
      ).join(''),
    );
}

/** A principal that an accepted pattern matches, made by replacing its wildcards. */
function witnessOf(pattern: string): string {
  if (pattern.startsWith('sentinel:')) {
    const id = pattern.slice('sentinel:key/'.length).replaceAll('?', 'a').replaceAll('*', '');
    return `sentinel:key/${id === '' ? 'a' : id}`;
  }
  const [, partition = '', , , account12 = '', ...rest] = pattern.split(':');
  const known = PARTITION_NAMES.find((one) => matchesPattern(partition, one)) ?? '';
  const missing = 12 - account12.replaceAll('*', '').length;
  const filled = account12
    .replaceAll('?', '0')
    .replace('*', '0'.repeat(missing))
    .replaceAll('*', '');
  const [type = '', ...segments] = rest.join(':').split('/');
  const kind = matchesPattern(type, 'user') ? 'user' : 'role';
  function fill(segment: string) {
    return /^\*+$/u.test(segment) ? 'a' : segment.replaceAll('?', 'a').replaceAll('*', '');
  }
  return `arn:${known}:iam::${filled}:${[kind, ...segments.map(fill)].join('/')}`;
}

const PRINCIPAL =
  /^(?:sentinel:key\/\w{1,128}|arn:[a-z-]+:iam::\d{12}:(?:role\/[\w+=,.@-]{1,64}|user\/(?:[\u0021-\u007e]{1,510}\/)?[\w+=,.@-]{1,64}))$/u;

describe('checkPrincipalPattern', () => {
  it('accepts every pattern that matches a caller', () => {
    const cases = callers.chain((caller) => fc.tuple(fc.constant(caller), patternOf(caller)));
    fc.assert(
      fc.property(cases, callers, ([caller, pattern], other) => {
        const matches = [caller, other].some((one) => matchesPattern(pattern, one));
        // A pattern must begin like an ARN, even if a star could match that beginning.
        const isArn = /^(?:arn:|sentinel:key\/)/u.test(pattern);
        return !matches || !isArn || checkPrincipalPattern(pattern).ok;
      }),
      { numRuns: 20_000 },
    );
  });

  it('accepts only patterns that match a possible caller', () => {
    const cases = callers.chain(patternOf);
    fc.assert(
      fc.property(cases, (pattern) => {
        if (!checkPrincipalPattern(pattern).ok) return;
        const witness = witnessOf(pattern);
        expect([pattern, witness]).toEqual([pattern, expect.stringMatching(PRINCIPAL)]);
        expect([pattern, witness, matchesPattern(pattern, witness)]).toEqual([
          pattern,
          witness,
          true,
        ]);
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    `${IAM}role/deploy`,
    `${IAM}role/*`,
    `${IAM}user/eng/dana`,
    `${IAM}user/*/dana`,
    `${IAM}user/a:b/dana`,
    `${IAM}*/deploy`,
    'arn:aws:iam::*:role/Deploy-?',
    'arn:*:iam::1111*:user/*',
    'arn:aws-us-gov:iam::111122223333:role/x',
    'arn:aws:i*:*:111122223333:role/x',
    'sentinel:key/AKIA*',
  ])('accepts %s', (pattern) => {
    expect(checkPrincipalPattern(pattern)).toEqual({ ok: true, value: pattern });
  });

  it.each([
    ['a role with a path', `${IAM}role/eng/deploy`, `write ${IAM}role/deploy`],
    ['a pattern with a path of roles', `${IAM}role/eng/deploy-*`, `write ${IAM}role/deploy-*`],
    [
      'all roles of a path, without suggesting all roles',
      `${IAM}role/eng/*`,
      `list each role, like ${IAM}role/Name`,
    ],
    ['root', `${IAM}root`, "is the account's root user, which cannot be a caller"],
    ['a group', `${IAM}group/eng`, 'is not an IAM user or role'],
    ['a policy', `${IAM}policy/x`, 'is not an IAM user or role'],
    ['a bucket', 'arn:aws:s3:::bucket', 'is of the service "s3"'],
    [
      'a session',
      'arn:aws:sts::111122223333:assumed-role/deploy/ann',
      `name its role, like ${IAM}role/deploy`,
    ],
    [
      'a session of any role',
      'arn:aws:sts::111122223333:assumed-role/*',
      `name its role, like ${IAM}role/*`,
    ],
    [
      'a federated user',
      'arn:aws:sts::111122223333:federated-user/x',
      'only IAM users and roles are',
    ],
    ['eleven digits', 'arn:aws:iam::11112222333:role/x', 'an account id is twelve digits'],
    [
      'thirteen digits beside a star',
      'arn:aws:iam::1111222233334*:role/x',
      'which no account id of twelve digits matches',
    ],
    ['no account', 'arn:aws:iam:::role/x', 'an account id is twelve digits'],
    ['AWS’s own', 'arn:aws:iam::aws:role/x', 'an account id is twelve digits'],
    ['aws-gov', 'arn:aws-gov:iam::111122223333:role/x', 'write aws-us-gov'],
    ['an unknown partition', 'arn:evil:iam::111122223333:role/x', 'which does not exist'],
    ['a region', 'arn:aws:iam:eu-west-1:111122223333:role/x', 'write iam::'],
    ['a star for type and name', `${IAM}*`, '"*" does not cross "/"'],
    ['a type without a name', `${IAM}role`, 'it has no name'],
    ['an empty name', `${IAM}role/`, 'does not end in a valid name'],
    ['a long name', `${IAM}role/${'x'.repeat(65)}`, 'does not end in a valid name'],
    ['a name with a colon', `${IAM}user/a/b:c`, 'does not end in a valid name'],
    ['an empty path', `${IAM}user//dana`, `write ${IAM}user/dana`],
    [
      'a role of Identity Center in full',
      `${IAM}role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_0123456789abcdef`,
      `write ${IAM}role/AWSReservedSSO_A_0123456789abcdef`,
    ],
    ['a key id with a dash', 'sentinel:key/a-b', 'access key id is 1 to 128'],
    ['a key without id', 'sentinel:key/', 'is neither an ARN nor sentinel:key/<id>'],
    ['a name', 'alice', 'is neither an ARN'],
    ['a star', '*', 'is neither an ARN'],
    ['capitals', `${IAM.toUpperCase()}role/x`, 'is neither an ARN'],
    ['a zero-width space', `${IAM}role/x\u200b`, 'is neither an ARN'],
    ['a text longer than an ARN can be', `${IAM}user/${'x/'.repeat(1_024)}y`, 'is neither an ARN'],
  ])('refuses %s', (_what, pattern, problem) => {
    expect(checkPrincipalPattern(pattern)).toEqual({
      ok: false,
      refusal: expect.stringContaining(problem),
    });
  });
});

describe('checkPrincipal', () => {
  it.each(['*', `${IAM}user/*`, `${IAM}role/d?ploy`, 'sentinel:key/*'])(
    'refuses the pattern %s',
    (text) => {
      expect(checkPrincipal(text)).toEqual({
        ok: false,
        refusal: expect.stringContaining('has a wildcard'),
      });
    },
  );

  it('accepts every principal of a caller', () => {
    fc.assert(fc.property(callers, (caller) => checkPrincipal(caller).ok));
  });
});

describe('checkAccount', () => {
  it('accepts twelve digits, and says how many others have', () => {
    expect(checkAccount('000000000000').ok).toBe(true);
    expect(checkAccount('11112222333')).toEqual({
      ok: false,
      refusal: expect.stringContaining('but has 11'),
    });
    for (const text of ['', '1111222233334', '11112222333a', ' 111122223333', '111122223333\n']) {
      expect([text, checkAccount(text).ok]).toEqual([text, false]);
    }
  });
});
