import { describe, expect, it } from 'vitest';
import { NAMED_KINDS, type NamedKind } from '../../src/lib/names.ts';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { problemsOf, valueOf } from './support.ts';

const RULE = { name: 'r', effect: 'allow', conditions: { users: ['alice'] } };
function policy(rule: object): string {
  return JSON.stringify({ version: '1', rules: [{ ...RULE, ...rule }] });
}
function given(conditions: object): string {
  return policy({ conditions });
}
function capOf(cap: string) {
  return valueOf(readAccessPolicy(policy({ max_server_duration: cap }))).rules[0]
    ?.max_server_duration;
}
function hours(start: unknown, end: unknown): string {
  return given({ time: { hours: { start, end } } });
}

describe('readAccessPolicy, of a policy with a mistake', () => {
  it.each([
    ['no rules', JSON.stringify({ version: '1', rules: [] }), 'rules: must not be an empty list'],
    ['no key for rules', JSON.stringify({ version: '1' }), 'rules: "rules" is missing'],
    ['no version', JSON.stringify({ rules: [RULE] }), 'version: "version" is missing'],
    ['another version', JSON.stringify({ version: '2', rules: [RULE] }), 'version: must be "1"'],
    ['true as version', JSON.stringify({ version: true, rules: [RULE] }), 'version: must be "1"'],
    ['a misspelt effect', policy({ effect: 'alow' }), 'did you mean "allow"?'],
    ['an effect in capitals', policy({ effect: 'Allow' }), 'effect: must be allow'],
    ['an empty name', policy({ name: '' }), 'name: must not be empty'],
    ['an empty cap', policy({ max_server_duration: '' }), 'max_server_duration: must not be empty'],
    [
      'a cap of null',
      policy({ max_server_duration: null }),
      'max_server_duration: must be text, but nothing',
    ],
    ['a cap below a minute', policy({ max_server_duration: '59s' }), 'must be at least 60s'],
    ['a cap that is a number', policy({ max_server_duration: 900 }), 'must be text'],
    ['a cap in words', policy({ max_server_duration: '15 min' }), 'is not a duration'],
    ['a negative cap', policy({ max_server_duration: '-15m' }), 'is not a duration'],
    ['no condition', given({}), 'to match every caller, write profiles: with this profile'],
    [
      'no condition in a last deny',
      policy({ effect: 'deny', conditions: {} }),
      'a request that no rule matches is denied',
    ],
    [
      'users that are empty text',
      given({ profiles: ['dev'], users: '' }),
      'users: must be a list, but nothing is written',
    ],
    [
      'users that are null',
      given({ profiles: ['dev'], users: null }),
      'users: must be a list, but nothing is written',
    ],
    [
      'a time that is null',
      given({ profiles: ['dev'], time: null }),
      'time: must be a mapping of keys to values, but',
    ],
    [
      'days that are null',
      given({ time: { days: null, hours: { start: '09:00', end: '10:00' } } }),
      'days: must be a list, but',
    ],
    [
      'users beside the conditions',
      policy({ users: ['alice'] }),
      'the key "users" belongs in the rule\'s conditions',
    ],
    ['users with a wildcard', given({ users: ['*'] }), 'users[0]: "*" has a wildcard'],
    ['a profile with a wildcard', given({ profiles: ['*'] }), 'profiles[0]: "*" has a wildcard'],
    ['a profile called ".."', given({ profiles: ['..'] }), 'profiles[0]: '],
    [
      'a role with a path',
      given({ principals: ['arn:aws:iam::111122223333:role/eng/deploy'] }),
      'write arn:aws:iam::111122223333:role/deploy',
    ],
    ['only a mode', given({ mode: ['server'] }), 'must have at least one of'],
    ['only a device', given({ device: { a: 1 } }), 'must have at least one of'],
    ['an empty list of users', given({ users: [] }), 'users: must not be an empty list'],
    ['an empty user name', given({ users: ['alice', ''] }), 'users[1]: must not be empty'],
    ['an empty device', given({ users: ['a'], device: {} }), 'device: must not be empty'],
    [
      'a device that is a list',
      given({ users: ['a'], device: ['x'] }),
      'device: must be a mapping',
    ],
    ['an unknown mode', given({ users: ['a'], mode: ['web'] }), 'mode[0]: must be server'],
    [
      'an empty list of modes',
      given({ users: ['a'], mode: [] }),
      'mode: must not be an empty list',
    ],
    ['an abbreviated day', given({ time: { days: ['mon'] } }), 'days[0]: must be sunday'],
    ['a day in capitals', given({ time: { days: ['Monday'] } }), 'days[0]: must be sunday'],
    ['an empty list of days', given({ time: { days: [] } }), 'days: must not be an empty list'],
    ['an empty window', given({ time: {} }), 'must have at least one of days or hours'],
    [
      'a window with a time zone only',
      given({ time: { timezone: 'UTC' } }),
      'must have at least one of days or hours',
    ],
    ['hours without end', given({ time: { hours: { start: '09:00' } } }), '"end" is missing'],
    ['an end of 24:00', hours('09:00', '24:00'), 'end: must be a time from 00:00 to 23:59'],
    ['an hour of one digit', hours('9:00', '17:00'), 'start: must be a time'],
    ['a time with seconds', hours('09:00:00', '17:00'), 'start: must be a time'],
    ['a time with minute 60', hours('09:60', '17:00'), 'start: must be a time'],
    ['a time with a trailing newline', hours('09:00\n', '17:00'), 'start: must be a time'],
    ['a time that is a number', hours(540, '17:00'), 'start: must be text'],
    ['equal start and end', hours('09:00', '09:00'), 'end: must differ from start'],
    ...[
      'Mars/Olympus',
      'Local',
      'local',
      '+05:00',
      '-0500',
      'GMT+5',
      ' UTC',
      'BST',
      'EST',
      'Etc/GMT+5',
      'Etc/Unknown',
      'Factory',
      'America/New York',
      'Z',
    ].map(
      (zone) =>
        [
          `zone ${JSON.stringify(zone)}`,
          given({ time: { days: ['monday'], timezone: zone } }),
          'time.timezone: ',
        ] as [string, string, string],
    ),
    [
      'an account that is a number',
      given({ accounts: [123456789012] }),
      'accounts[0]: must be an account id of twelve digits in quotes',
    ],
    [
      'an account of eleven digits',
      given({ accounts: ['12345678901'] }),
      'accounts[0]: must be an account id of twelve digits',
    ],
    [
      'an account with a wildcard',
      given({ accounts: ['12345678901*'] }),
      'accounts[0]: must be an account id',
    ],
    [
      'an account of digits that are not ASCII',
      given({ accounts: ['\u0661'.repeat(12)] }),
      'accounts[0]: must be an account id',
    ],
    [
      'a name as unique id',
      given({ principal_ids: ['alice'] }),
      'principal_ids[0]: must be the unique id',
    ],
    [
      'an access key id as unique id',
      given({ principal_ids: ['AKIAIOSFODNN7EXAMPLE'] }),
      'principal_ids[0]: must be the unique id',
    ],
    ['a star as principal', given({ principals: ['*'] }), 'principals[0]: "*" is neither an ARN'],
    ['an ARN of five parts', given({ principals: ['arn:aws:iam::role/x'] }), 'is neither an ARN'],
    [
      'an ARN without resource',
      given({ principals: ['arn:aws:iam::111122223333:'] }),
      'is neither an ARN',
    ],
    [
      'an ARN with a space',
      given({ principals: ['arn:aws:iam::111122223333:role/x '] }),
      'is neither an ARN',
    ],
    [
      'a session as principal',
      given({ principals: ['arn:aws:sts::111122223333:assumed-role/Dev/*'] }),
      'names a session',
    ],
    ['a key without id', given({ principals: ['sentinel:key/'] }), 'is neither an ARN'],
  ])('refuses a policy with %s', (_what, text, problem) => {
    expect(problemsOf(readAccessPolicy(text)).join('\n')).toContain(problem);
  });
});

describe('readAccessPolicy', () => {
  it.each([
    ['a zone', given({ time: { days: ['monday'], timezone: 'Europe/Berlin' } })],
    ['an old name of a zone', given({ time: { days: ['monday'], timezone: 'US/Pacific' } })],
    ['UTC', given({ time: { days: ['monday'], timezone: 'UTC' } })],
    ['an overnight window', hours('22:00', '06:00')],
    [
      'a device of any content',
      given({ users: ['a'], device: { require_mdm: true, deep: { list: [1, null] } } }),
    ],
    ['a principal for any account', given({ principals: ['arn:aws:iam::*:role/Deploy-?'] })],
    ['a registered key', given({ principals: ['sentinel:key/AKIA*'] })],
    ['a role id', given({ principal_ids: ['AROAEXAMPLEID0000001'] })],
    ['an account with a leading zero', given({ accounts: ['000000000000'] })],
    ['UTC by its name in the area Etc', given({ time: { days: ['monday'], timezone: 'Etc/UTC' } })],
    ['session_table', policy({ effect: 'require_server_session', session_table: 'sessions' })],
  ])('reads a policy with %s as written', (_what, text) => {
    expect(valueOf(readAccessPolicy(text))).toEqual(JSON.parse(text));
  });

  it.each(['', null])(
    'takes %j for absent where it restricts nothing, as templates leave it',
    (blank) => {
      const conditions = { time: { days: ['monday'], timezone: blank } };
      const read = valueOf(
        readAccessPolicy(policy({ conditions, reason: blank, session_table: blank })),
      );
      expect(read.rules).toEqual([{ ...RULE, conditions: { time: { days: ['monday'] } } }]);
    },
  );

  it('accepts names by the kind of caller that bare names mean', () => {
    function users(bareNames: NamedKind, name: string) {
      return readAccessPolicy(given({ users: [name] }), bareNames).ok;
    }
    function of(name: string) {
      return NAMED_KINDS.filter((kind) => users(kind, name));
    }
    expect([of('alice'), of('key/alice'), of('user/alice'), of('sso/alice')]).toEqual([
      ['key', 'user', 'sso'],
      ['user', 'sso'],
      ['key', 'sso'],
      ['key', 'user'],
    ]);
  });

  it('reads caps as whole seconds, rounded down', () => {
    expect(['1m', '1h30m', '60.9s', '0.5h'].map(capOf)).toEqual([60, 5_400, 60, 1_800]);
  });

  it('reads times without quotes as text, as YAML 1.2 does', () => {
    const text =
      'version: 1\nrules:\n- {name: r, effect: allow, conditions: {time: {hours: {start: 09:00, end: 10:30}}}}\n';
    expect(valueOf(readAccessPolicy(text)).rules[0]?.conditions.time).toEqual({
      hours: { start: '09:00', end: '10:30' },
    });
  });
});
