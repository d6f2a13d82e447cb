import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPeople,
  firstOfEachPerson,
  isOnePerson,
  type Identity,
} from '../../../src/policy/approval/person.ts';

const NOBODY = createPeople([]);

function key(id: string, name: string): Identity {
  return { name: `key/${name}`, principal: `sentinel:key/${id}`, subject: `sentinel:key/${id}` };
}

function sso(account: string, session: string, home = true): Identity {
  const principal = `arn:aws:iam::${account}:role/AWSReservedSSO_Dev_0123456789abcdef`;
  return {
    name: `${home ? '' : `${account}:`}sso/${session}`,
    principal,
    subject: `${principal}/${session}`,
  };
}

function deploy(session: string): Identity {
  const principal = 'arn:aws:iam::000000000000:role/deploy';
  return { name: `role/deploy/${session}`, principal, subject: `${principal}/${session}` };
}

describe('isOnePerson', () => {
  it('joins two keys of one name', () => {
    expect(isOnePerson(NOBODY, key('A', 'alice'), key('B', 'alice'))).toBe(true);
    expect(isOnePerson(NOBODY, key('A', 'alice'), key('B', 'bob'))).toBe(false);
  });

  it('joins a person of Identity Center in two accounts', () => {
    expect(isOnePerson(NOBODY, sso('000000000000', 'ann'), sso('111122223333', 'ann', false))).toBe(
      true,
    );
    expect(isOnePerson(NOBODY, sso('000000000000', 'ann'), sso('000000000000', 'ben'))).toBe(false);
  });

  it('keeps kinds apart that share a bare name', () => {
    const user = {
      name: 'user/alice',
      principal: 'arn:aws:iam::000000000000:user/alice',
      subject: '',
    };
    expect(isOnePerson(NOBODY, key('A', 'alice'), { ...user, subject: user.principal })).toBe(
      false,
    );
    expect(isOnePerson(NOBODY, key('A', 'alice'), sso('000000000000', 'alice'))).toBe(false);
  });

  it('keeps apart two people behind one role', () => {
    expect(isOnePerson(NOBODY, deploy('ann'), deploy('ben'))).toBe(false);
  });

  it('joins what a set of people names, by name, principal, subject or key id', () => {
    const people = createPeople(
      [
        ['key/alice', 'sso/alice'],
        ['sentinel:key/B', 'user/ben'],
      ],
      new Map([['B', 'key/robert']]),
    );
    expect(isOnePerson(people, key('A', 'alice'), sso('111122223333', 'alice', false))).toBe(true);
    const ben = 'arn:aws:iam::000000000000:user/ben';
    expect(
      isOnePerson(people, key('B', 'robert'), { name: 'user/ben', principal: ben, subject: ben }),
    ).toBe(true);
    expect(isOnePerson(people, key('A', 'alice'), key('B', 'robert'))).toBe(false);
  });

  it('joins sets that share an identity', () => {
    const people = createPeople([
      ['key/a', 'key/b'],
      ['key/c', 'key/d'],
      ['key/b', 'key/c'],
    ]);
    expect(isOnePerson(people, key('1', 'a'), key('4', 'd'))).toBe(true);
  });

  it('is an equivalence, whatever the sets', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    fc.assert(
      fc.property(
        fc.array(fc.array(names, { maxLength: 3 }), { maxLength: 5 }),
        names,
        names,
        names,
        (sets, a, b, c) => {
          const people = createPeople(sets.map((set) => set.map((name) => `key/${name}`)));
          const [one, two, three] = [key(`1${a}`, a), key(`2${b}`, b), key(`3${c}`, c)];
          expect(isOnePerson(people, one, one)).toBe(true);
          expect(isOnePerson(people, one, two)).toBe(isOnePerson(people, two, one));
          if (isOnePerson(people, one, two) && isOnePerson(people, two, three)) {
            expect(isOnePerson(people, one, three)).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('firstOfEachPerson', () => {
  it('keeps the first identity of each person, in order', () => {
    const list = [
      key('A', 'alice'),
      key('B', 'bob'),
      key('C', 'alice'),
      sso('000000000000', 'alice'),
    ];
    expect(firstOfEachPerson(NOBODY, list)).toEqual([list[0], list[1], list[3]]);
  });
});

describe('namesOf', () => {
  it('has every name that counts for a person, the own one first', () => {
    const people = createPeople([
      ['sso/ann', 'key/alice', 'arn:aws:iam::000000000000:user/x', 'user/ann'],
    ]);
    expect(people.namesOf(sso('111122223333', 'ann', false))).toEqual([
      'sso/ann',
      'key/alice',
      'user/ann',
    ]);
    expect(people.namesOf(key('B', 'bob'))).toEqual(['key/bob']);
  });
});
