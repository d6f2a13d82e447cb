import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAccountId, parseArn, parseRoleArn } from '../../src/lib/arn.ts';
import { formatInstant, systemClock } from '../../src/lib/clock.ts';
import { newHexId, newRequestId } from '../../src/lib/ids.ts';
import { nearest } from '../../src/lib/nearest.ts';
import { singleFlight } from '../../src/lib/single-flight.ts';

describe('parseArn', () => {
  it.each([
    ['arn:aws:iam::111122223333:role/R', 'aws', 'iam', '', '111122223333', 'role/R'],
    ['arn:aws-cn:s3:::bucket/key', 'aws-cn', 's3', '', '', 'bucket/key'],
    [
      'arn:aws-us-gov:sns:us-gov-west-1:111122223333:t',
      'aws-us-gov',
      'sns',
      'us-gov-west-1',
      '111122223333',
      't',
    ],
    ['arn:aws-eusc:iam::aws:policy/P', 'aws-eusc', 'iam', '', 'aws', 'policy/P'],
    [
      'arn:aws:logs:eu-central-1:111122223333:a:b:c',
      'aws',
      'logs',
      'eu-central-1',
      '111122223333',
      'a:b:c',
    ],
  ])('reads %s', (text, ...[partition, service, region, account, resource]) => {
    expect(parseArn(text)).toEqual({
      ok: true,
      value: { partition, service, region, account, resource },
    });
  });

  it.each([
    '',
    'arn',
    'arn:aws:iam::111122223333',
    'arn:aws:iam::111122223333:',
    'arn:azure:iam::111122223333:role/R',
    'arn:aws:iam::11112222333:role/R',
    'arn:aws:iam::1111222233334:role/R',
    'arn:aws:IAM::111122223333:role/R',
    'ARN:aws:iam::111122223333:role/R',
    ' arn:aws:iam::111122223333:role/R',
    'arn:aws:iam::111122223333:role/R\n',
    'arn:aws:iam::*:role/R',
  ])('refuses "%s"', (text) => {
    expect(parseArn(text).ok).toBe(false);
  });
});

describe('parseRoleArn', () => {
  it.each([
    ['arn:aws:iam::111122223333:role/R', 'R'],
    ['arn:aws:iam::111122223333:role/a/b/My-Role_1+=,.@', 'My-Role_1+=,.@'],
    [`arn:aws:iam::111122223333:role/${'x'.repeat(64)}`, 'x'.repeat(64)],
  ])('reads the name of %s', (text, roleName) => {
    const read = parseRoleArn(text);
    expect(read.ok && read.value.roleName).toBe(roleName);
  });

  it.each([
    'arn:aws:iam::111122223333:user/R',
    'arn:aws:sts::111122223333:assumed-role/R/s',
    'arn:aws:iam::aws:role/R',
    'arn:aws:iam:us-east-1:111122223333:role/R',
    'arn:aws:iam::111122223333:role/',
    'arn:aws:iam::111122223333:role/a/',
    'arn:aws:iam::111122223333:role//R',
    'arn:aws:iam::111122223333:role/R*',
    'arn:aws:iam::111122223333:role/ä',
    `arn:aws:iam::111122223333:role/${'x'.repeat(65)}`,
    `arn:aws:iam::111122223333:role/${'p'.repeat(511)}/R`,
  ])('refuses %s', (text) => {
    expect(parseRoleArn(text).ok).toBe(false);
  });

  it.each(['111122223333', '000000000000'])('%s is an account id', (text) => {
    expect(isAccountId(text)).toBe(true);
  });

  it.each(['', '11112222333', '1111222233334', '11112222333a', ' 111122223333', '١١١١٢٢٢٢٣٣٣٣'])(
    '"%s" is none',
    (text) => {
      expect(isAccountId(text)).toBe(false);
    },
  );
});

describe('formatInstant', () => {
  it('cuts off the fraction of a second, and never rounds up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
        const text = formatInstant(ms);
        expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u);
        expect(ms - Date.parse(text)).toBe(ms % 1000);
      }),
    );
  });

  it('takes systemClock’s time, which is the machine’s', () => {
    const before = Date.now();
    const now = systemClock();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });
});

describe('newHexId and newRequestId', () => {
  it('give ids of their documented form that do not repeat', () => {
    const ids = Array.from({ length: 1000 }, newHexId);
    expect(ids.every((id) => /^[0-9a-f]{16}$/u.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect(newRequestId()).toMatch(/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/u);
  });
});

describe('nearest', () => {
  const known = ['users', 'profiles', 'principals', 'time'];

  it.each([
    ['user', 'users'],
    ['profile', 'profiles'],
    ['principls', 'principals'],
    ['tiem', 'time'],
    ['users', 'users'],
  ])('finds for "%s" the name "%s"', (name, meant) => {
    expect(nearest(name, known)).toBe(meant);
  });

  it('finds nothing when no known name is near', () => {
    expect(nearest('xxxxxxxxxxxx', known)).toBeUndefined();
    expect(nearest('user', [])).toBeUndefined();
    expect(nearest('u'.repeat(100_000), known)).toBeUndefined();
  });

  it.each([
    ['xyz', known],
    ['type', known],
    ['tame x', known],
    ['rules', known],
    ['names', known],
    ['ACCOUNT_ID', ['HOSTS', 'ROOT', 'GUARD_TABLE', 'ALLOWED_ACCOUNTS']],
    ['FOO', ['ROOT', 'FRONT', 'HOSTS']],
    ['deny', ['allow', 'list']],
    ['logs', ['login', 'list']],
    ['ab', ['cd', 'abcd']],
  ])('makes no guess at "%s", which is far from all of %j', (name, names) => {
    expect(nearest(name, names)).toBeUndefined();
  });

  it.each([
    ['USERS', 'users'],
    ['Time', 'time'],
    ['prinicpals', 'principals'],
    ['profil', 'profiles'],
  ])(
    'finds for "%s" the name "%s" in any case, with neighbours swapped, or two letters short',
    (name, meant) => {
      expect(nearest(name, known)).toBe(meant);
    },
  );

  it('never finds a name that differs in more than a third of the letters', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), maxLength: 12 });
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 5 }), (name, names) => {
        const meant = nearest(name, names);
        if (meant === undefined) return;
        let left = meant;
        for (const letter of Array.from(name)) left = left.replace(letter, '');
        const shared = meant.length - left.length;
        expect(Math.max(name.length, meant.length) - shared).toBeLessThanOrEqual(
          Math.max(name.length, 3) / 3,
        );
      }),
    );
  });

  it('finds every known name one edit away', () => {
    const edit = fc.tuple(fc.constantFrom(...known), fc.nat(), fc.constantFrom('x', ''));
    fc.assert(
      fc.property(edit, ([name, at, put]) => {
        const place = at % name.length;
        expect(nearest(name.slice(0, place) + put + name.slice(place + 1), known)).toBe(name);
      }),
    );
  });
});

describe('singleFlight', () => {
  it('lets calls share the run under way, and starts another after its end', async () => {
    let runs = 0;
    const release: (() => void)[] = [];
    const fly = singleFlight(async () => {
      runs += 1;
      const run = runs;
      await new Promise<void>((resolve) => release.push(resolve));
      return run;
    });
    const first = [fly(), fly(), fly()];
    expect(runs).toBe(1);
    release.shift()?.();
    expect(await Promise.all(first)).toEqual([1, 1, 1]);
    const second = fly();
    release.shift()?.();
    expect(await second).toBe(2);
  });

  it('rejects for all who share a run that fails, and remembers no failure', async () => {
    let broken = true;
    const fly = singleFlight(() =>
      broken ? Promise.reject(new Error('down')) : Promise.resolve('up'),
    );
    const results = await Promise.allSettled([fly(), fly()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    broken = false;
    expect(await fly()).toBe('up');
  });
});
