import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toAwsCaller, type Admission, type AwsIdentity } from '../../src/identity/aws-identity.ts';
import type { CallerIdentity } from '../../src/identity/caller.ts';
import { ADMISSION, ownIdentity } from '../support/identity.ts';

/** Laws that hold for every identity that AWS can name, and for any other text in its place. */
const OWN = '000000000000';
const ACCOUNTS = [OWN, '111122223333', '444455556666'] as const;

const OPEN: Admission = { ...ADMISSION, allowedAccounts: ACCOUNTS };
const SELF = ownIdentity(OWN);

const WORD = 'abAB01_+=,.@-'.split('');

function word(minLength: number, maxLength = 64) {
  return fc.oneof(
    fc.string({ unit: fc.constantFrom(...WORD), minLength, maxLength }),
    fc.constantFrom(
      'admin',
      'alice',
      'role',
      'a@b',
      'AWSReservedSSO_Admin_0123456789abcdef',
      '111122223333',
      'user',
    ),
  );
}

const path = fc.constantFrom('', 'eng/', 'role/', 'a:b/', '111122223333:/', 'x/y/');

type User = {
  readonly kind: 'user';
  readonly account: string;
  readonly path: string;
  readonly user: string;
};
type Session = {
  readonly kind: 'role';
  readonly account: string;
  readonly role: string;
  readonly session: string;
};

const users: fc.Arbitrary<User> = fc.record({
  kind: fc.constant('user'),
  account: fc.constantFrom(...ACCOUNTS),
  path,
  user: word(1),
});
const sessions: fc.Arbitrary<Session> = fc.record({
  kind: fc.constant('role'),
  account: fc.constantFrom(...ACCOUNTS),
  role: word(1),
  session: word(2),
});

function identityOf(who: User | Session): AwsIdentity {
  return who.kind === 'user'
    ? {
        arn: `arn:aws:iam::${who.account}:user/${who.path}${who.user}`,
        account: who.account,
        userId: 'AIDAEXAMPLEEXAMPLE00',
      }
    : {
        arn: `arn:aws:sts::${who.account}:assumed-role/${who.role}/${who.session}`,
        account: who.account,
        userId: `AROAEXAMPLEEXAMPLE00:${who.session}`,
      };
}

/** The caller; throws if there is none. */
function callerOf(who: User | Session, admission = OPEN): CallerIdentity {
  const caller = toAwsCaller(identityOf(who), admission, SELF);
  if (!caller.ok) throw new Error(`${JSON.stringify(who)}: ${caller.refusal.message}`);
  return caller.value;
}

/** What a name may stand for: an IAM user without its path, or a role. */
function essence(who: User | Session): string {
  return JSON.stringify(
    who.kind === 'user' ? ['user', who.account, who.user] : ['role', who.account, who.role],
  );
}

const anyone = fc.oneof(users, sessions);

describe('toAwsCaller', () => {
  it('58 gives different names to different kinds of caller and to different accounts', () => {
    const property = fc.property(anyone, anyone, (one, other) => {
      expect(callerOf(one).name === callerOf(other).name).toBe(essence(one) === essence(other));
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('58 gives them different names also when all their parts are the same word', () => {
    const property = fc.property(
      word(2),
      path,
      fc.constantFrom(...ACCOUNTS),
      fc.constantFrom(...ACCOUNTS),
      (name, path, here, there) => {
        const everyone: readonly (User | Session)[] = [here, there].flatMap((account) => [
          { kind: 'user', account, path, user: name } as const,
          { kind: 'role', account, role: name, session: name } as const,
        ]);
        const names = new Set(everyone.map((who) => callerOf(who).name));
        expect(names.size).toBe(new Set(everyone.map(essence)).size);
      },
    );
    fc.assert(property, { numRuns: 1_000 });
  });

  it('58 keeps name and principal of a role that is not trusted whatever the session is called', () => {
    const property = fc.property(sessions, word(2), (one, session) => {
      const { name, storedName, principal, subject, uniqueId } = callerOf(one);
      expect(subject).toBe(principal);
      expect(callerOf({ ...one, session })).toEqual({
        account: one.account,
        name,
        storedName,
        principal,
        subject,
        uniqueId,
        sessionName: session,
      });
      expect(name).toBe(`${one.account === OWN ? '' : `${one.account}:`}role/${one.role}`);
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it('58 gives a trusted session a name that no other account and no role has', () => {
    const property = fc.property(sessions, anyone, (trusted, other) => {
      const arn = `arn:aws:iam::${trusted.account}:role/path/${trusted.role}`;
      const trustedSessionRoles = [{ arn, kind: 'role' as const }];
      const admission = { ...OPEN, trustedSessionRoles };
      const { name, subject } = callerOf(trusted, admission);
      const local = `role/${trusted.role}/${trusted.session}`;
      expect(name).toBe(trusted.account === OWN ? local : `${trusted.account}:${local}`);
      const them = callerOf(other, admission);
      expect(them.name === name).toBe(them.subject === subject);
      if (them.name !== name) return;
      expect(other).toMatchObject({
        kind: 'role',
        account: trusted.account,
        session: trusted.session,
      });
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('58 trusts no role whose partition, account, kind or spelling differs', () => {
    const who: Session = { kind: 'role', account: OWN, role: 'ci', session: 'admin' };
    const wrong = [
      'arn:aws-cn:iam::000000000000:role/ci',
      'arn:aws:iam::111122223333:role/ci',
      'arn:aws:iam::000000000000:role/Ci',
    ];
    const not = [
      'arn:aws:iam::000000000000:user/ci',
      'arn:aws:sts::000000000000:assumed-role/ci/admin',
      'ci',
      '*',
      'arn:aws:iam::000000000000:role/*',
    ];
    expect(
      callerOf(who, {
        ...OPEN,
        trustedSessionRoles: [...wrong, ...not].map((arn) => ({ arn, kind: 'role' as const })),
      }).name,
    ).toBe('role/ci');
  });

  it('65 gives a principal of the same account that holds no session name', () => {
    const property = fc.property(anyone, (who) => {
      const { principal, account } = callerOf(who);
      expect(account).toBe(who.account);
      const expected = who.kind === 'user' ? `user/${who.path}${who.user}` : `role/${who.role}`;
      expect(principal).toBe(`arn:aws:iam::${who.account}:${expected}`);
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});

describe('toAwsCaller with any text', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      '',
      'arn',
      ':',
      '/',
      'arn:aws:iam::000000000000:user/x',
      '000000000000',
      'aws',
      'assumed-role/r/s1',
    ),
  );
  const arn = fc.oneof(
    text,
    fc.tuple(text, text, text, text, text, text).map((parts) => parts.join(':')),
    fc
      .tuple(fc.constantFrom('iam', 'sts'), fc.constantFrom('', 'us-east-1'), text)
      .map(([service, region, resource]) => `arn:aws:${service}:${region}:${OWN}:${resource}`),
  );

  it('62 never throws, and admits no account that is not allowed', () => {
    const accounts = fc.oneof(text, fc.constantFrom(...ACCOUNTS));
    const property = fc.property(arn, accounts, text, (arn, account, userId) => {
      const closed: Admission = { ...OPEN, allowedAccounts: undefined };
      const caller = toAwsCaller({ arn, account, userId }, closed, SELF);
      if (!caller.ok) {
        expect(caller.refusal.error).toBe('AccessDenied');
        return;
      }
      expect(caller.value.account).toBe(OWN);
      expect(account).toBe(OWN);
      expect(caller.value.name).toMatch(/^(?:role|user)\/[\w+=,.@-]{1,64}$/u);
      expect(caller.value.principal).toMatch(
        /^arn:[a-z-]+:iam::000000000000:(?:user|role)\/[!-~]+$/u,
      );
    });
    fc.assert(property, { numRuns: 3_000 });
  });

  it('62 admits nobody of an account that is not listed', () => {
    const property = fc.property(anyone, (who) => {
      expect(toAwsCaller(identityOf(who), { ...OPEN, allowedAccounts: [] }, SELF).ok).toBe(false);
      const other = ACCOUNTS.filter((account) => account !== who.account);
      expect(toAwsCaller(identityOf(who), { ...OPEN, allowedAccounts: other }, SELF).ok).toBe(
        false,
      );
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('64 takes a unique id only in the form that IAM gives', () => {
    const who = identityOf({ kind: 'user', account: OWN, path: '', user: 'dana' });
    for (const userId of [
      '',
      'AIDA',
      'aidaexampleexample00',
      'AIDAEXAMPLE EXAMPLE',
      'AIDAEXAMPLEEXAMPLE00:x',
      '*'.repeat(20),
    ]) {
      const caller = toAwsCaller({ ...who, userId }, OPEN, SELF);
      expect(caller.ok && caller.value.uniqueId).toBeUndefined();
    }
    const caller = toAwsCaller(who, OPEN, SELF);
    expect(caller.ok && caller.value.uniqueId).toBe('AIDAEXAMPLEEXAMPLE00');
  });

  it('60 takes time in proportion to the length of the ARN', () => {
    for (const filler of ['/', 'a/', '!', 'AWSReservedSSO_', '_0123456789abcdef', ':']) {
      const resource = filler.repeat(100_000 / filler.length);
      for (const arn of [
        `arn:aws:iam::${OWN}:user/${resource}`,
        `arn:aws:sts::${OWN}:assumed-role/${resource}/x1`,
      ]) {
        expect(
          toAwsCaller({ arn, account: OWN, userId: 'AROAEXAMPLEEXAMPLE00:x1' }, OPEN, SELF).ok,
        ).toBe(false);
      }
    }
  });
});
