import { describe, expect, it } from 'vitest';
import { createDocumentCompiler } from '../../src/catalog/compile.ts';
import type { StoredDocument } from '../../src/catalog/read-document.ts';
import type { NameSettings } from '../../src/policy/known-callers.ts';
import { runWhole } from '../support/run-whole.ts';

const OWN = '000000000000';
const OTHER = '111122223333';

const SETTINGS: NameSettings = {
  bareNames: 'key',
  allowedAccounts: undefined,
  ssoAccounts: [],
  trustedSessionRoles: [],
};

function json(name: string, value: object, type = 'String'): StoredDocument {
  return {
    name,
    type,
    text: JSON.stringify(value, null, 1),
  };
}

function profileAt(name: string, more: object = {}): StoredDocument {
  return json(`/sentinel/profiles/${name}`, { role_arn: `arn:aws:iam::${OWN}:role/R`, ...more });
}

function policyAt(name: string, ...rules: readonly object[]): StoredDocument {
  return json(`/sentinel/policies/${name}`, {
    version: '1',
    rules: rules.map((rule, index) => ({ name: `r${index}`, effect: 'deny', ...rule })),
  });
}

function client(
  name: string,
  more: object = {},
  id = `TVM${name.replaceAll(/\W/gu, '_').toUpperCase()}`,
): StoredDocument {
  return json(
    `/secrets/clients/${id}`,
    { secret: 'k3Vq-81xTz_hunter2', name, ...more },
    'SecureString',
  );
}

function compiler(settings: Partial<NameSettings> = {}) {
  const compile = createDocumentCompiler({ ...SETTINGS, ...settings });
  return (documents: readonly StoredDocument[], secrets: readonly StoredDocument[] = []) =>
    runWhole(
      compile({
        root: '/sentinel',
        secretsRoot: '/secrets',
        documents,
        secrets,
        demoKeys: false,
        account: OWN,
      }),
    );
}

function denying(user: string, more: object = {}): readonly StoredDocument[] {
  return [
    profileAt('dev'),
    policyAt(
      'dev',
      { conditions: { users: [user], ...more } },
      { effect: 'allow', conditions: { profiles: ['dev'] } },
    ),
  ];
}

function problemsOf({ rejections }: ReturnType<ReturnType<typeof compiler>>): readonly string[] {
  return rejections.flatMap(({ problems }) => problems);
}

function kindsOf({ findings }: ReturnType<ReturnType<typeof compiler>>): readonly string[] {
  return findings.map(({ parameter, kind, rule }) => `${parameter.slice(10)} ${kind} ${rule}`);
}

function messagesOf({ findings }: ReturnType<ReturnType<typeof compiler>>): string {
  return findings.map(({ message }) => message).join('\n');
}

describe('createJudge: a deny of a bare name that no caller has', () => {
  it('is a load error of that profile, with its line and a suggestion', () => {
    const compiled = compiler()(
      [...denying('olivia'), profileAt('prod'), ...denying('alice').slice(0, 0)],
      [client('alice')],
    );
    expect([...compiled.profiles.keys()]).toEqual([]);
    expect(compiled.rejections).toEqual([
      {
        parameter: '/sentinel/policies/dev',
        problems: [
          'line 9, rules[0].conditions.users[0]: "olivia" is the name of no registered key, so it denies nobody; ' +
            'write user/olivia for an IAM user, sso/olivia for a person of Identity Center',
        ],
      },
    ]);
  });

  it('does not affect other profiles', () => {
    const other = [
      profileAt('prod'),
      policyAt('prod', { effect: 'allow', conditions: { profiles: ['prod'] } }),
    ];
    expect([...compiler()([...denying('olivia'), ...other]).profiles.keys()]).toEqual(['prod']);
  });

  it('is accepted as soon as a key has that name, and refused again when none has, without a change of the policy', () => {
    const compile = compiler();
    const documents = denying('olivia');
    function names(...secrets: readonly StoredDocument[]) {
      return [...compile(documents, secrets).profiles.keys()];
    }
    expect(names()).toEqual([]);
    expect(names(client('olivia'))).toEqual(['dev']);
    expect(names(client('olivia'))).toEqual(['dev']);
    expect(names(client('otto', {}, 'TVMOLIVIA'))).toEqual([]);
    expect(names(client('olivia', {}, 'TVMOLIVIA'))).toEqual(['dev']);
    expect(names({ ...client('olivia'), text: 'broken' })).toEqual([]);
  });

  it.each([{ disabled: true }, { expires_at: '2020-01-01T00:00:00Z' }])(
    'is accepted when a key with %j has the name',
    (more) => {
      expect(problemsOf(compiler()(denying('olivia'), [client('olivia', more)]))).toEqual([]);
    },
  );

  it.each([
    ['the user of that name', 'user/olivia', {}],
    ['a role', 'role/olivia', {}],
    ['a user of another account', `${OTHER}:user/olivia`, {}],
    ['a rule for another profile', 'olivia', { profiles: ['prod'] }],
    ['a rule that is not for servers', 'olivia', { mode: ['cli'] }],
  ])('is accepted for %s', (_what, user, more) => {
    const compiled = compiler()(denying(user, more));
    expect(problemsOf(compiled)).toEqual([]);
    expect([...compiled.profiles.keys()]).toEqual(['dev']);
  });

  it.each(['allow', 'require_approval', 'require_server_session'])(
    'is accepted in a rule with the effect %s',
    (effect) => {
      const compiled = compiler()([
        profileAt('dev'),
        policyAt('dev', { effect, conditions: { users: ['olivia'] } }),
      ]);
      expect([...compiled.profiles.keys()]).toEqual(['dev']);
      expect(kindsOf(compiled)).toEqual(['policies/dev unknown-caller r0']);
    },
  );

  it.each(['user', 'sso'] as const)(
    'is accepted where bare names mean a %s, because those are not all known',
    (bareNames) => {
      const compiled = compiler({ bareNames, ssoAccounts: [OWN] })(denying('olivia'), [
        client('alice'),
      ]);
      expect([problemsOf(compiled), kindsOf(compiled)]).toEqual([[], []]);
      const mistaken = compiler({ bareNames, ssoAccounts: [OWN] })(denying('alice'), [
        client('alice'),
      ]);
      expect(messagesOf(mistaken)).toContain('which is key/alice here');
    },
  );

  it('is reported with the name that Sentinel shortens to it', () => {
    const [problem] = problemsOf(
      compiler()(denying('mallorycorpexample'), [client('mallory@corp.example')]),
    );
    expect(problem).toContain('Sentinel shortens mallory@corp.example to it');
  });

  it.each(['allow', 'deny'])(
    'that begins with the TVM’s own account is reported in a rule with the effect %s',
    (effect) => {
      const compiled = compiler({ allowedAccounts: [OWN, OTHER] })([
        profileAt('dev'),
        policyAt('dev', { effect, conditions: { users: [`${OWN}:user/bob`] } }),
      ]);
      const told = effect === 'deny' ? problemsOf(compiled).join('') : messagesOf(compiled);
      expect(told).toContain(
        "begins with the TVM's own account, whose callers' names have none; write user/bob",
      );
      expect(compiled.profiles.size).toBe(effect === 'deny' ? 0 : 1);
    },
  );

  it('is reported at most twenty times', () => {
    const users = Array.from({ length: 300 }, (_, n) => `u${n}`);
    expect(
      problemsOf(compiler()([profileAt('dev'), policyAt('dev', { conditions: { users } })])),
    ).toHaveLength(20);
  });
});

describe('createJudge: a valid name that matches no known caller', () => {
  function policy(conditions: object, effect = 'deny'): readonly StoredDocument[] {
    return [profileAt('dev'), policyAt('dev', { effect, conditions })];
  }

  it.each<[string, object, Partial<NameSettings>, string]>([
    [
      'an account that is not allowed',
      { accounts: [OTHER] },
      {},
      'whose callers SENTINEL_ALLOWED_ACCOUNTS does not let in',
    ],
    [
      'a role of an account that is not allowed',
      { principals: [`arn:aws:iam::${OTHER}:role/x`] },
      {},
      'is of account 111122223333',
    ],
    [
      'a pattern of accounts that are not allowed',
      { principals: ['arn:aws:iam::1*:role/x'] },
      {},
      'is of account 1*',
    ],
    [
      'a name of an account that is not allowed',
      { users: [`${OTHER}:role/x`] },
      {},
      'is of account 111122223333',
    ],
    [
      'the TVM’s own account, if it is not allowed',
      { users: ['user/x'] },
      { allowedAccounts: [OTHER] },
      `of account ${OWN}`,
    ],
    [
      'a key that is not registered',
      { principals: ['sentinel:key/NONE'] },
      {},
      'matches no registered key',
    ],
    [
      'a pattern that matches no registered key',
      { principals: ['sentinel:key/NONE*'] },
      {},
      'matches no registered key',
    ],
    [
      'a role that is vended',
      { principals: [`arn:aws:iam::${OWN}:role/R`] },
      {},
      'is a role that the TVM vends',
    ],
    [
      'a role that is vended, by its name',
      { users: ['role/R'] },
      {},
      'whose sessions are never callers',
    ],
    [
      'a session of a role that is vended',
      { users: ['role/R/ann'] },
      {},
      'whose sessions are never callers',
    ],
    [
      'a person of Identity Center where it is not set up',
      { users: ['sso/ann'] },
      {},
      'SENTINEL_SSO_ACCOUNTS',
    ],
    [
      'a person of Identity Center that is set up for another account',
      { users: ['sso/ann'] },
      { ssoAccounts: [OTHER] },
      'SENTINEL_SSO_ACCOUNTS',
    ],
    [
      'a path that looks like a session',
      { users: ['role/eng/deploy'] },
      {},
      'if eng is a path, write role/deploy',
    ],
    [
      'a role whose session names are trusted',
      { users: ['role/desk'] },
      { trustedSessionRoles: [{ arn: `arn:aws:iam::${OWN}:role/x/desk`, kind: 'role' }] },
      'its sessions are role/desk/<session>',
    ],
    [
      'a name that Sentinel shortened',
      { users: ['user/mallorycorpexample'] },
      {},
      'looks like a name that Sentinel shortened',
    ],
    [
      'a name of the length to which Sentinel cuts',
      { users: ['user/abcdefghijklmnopqrst'] },
      {},
      'looks like a name that Sentinel shortened',
    ],
    [
      'a deny of other profiles only',
      { profiles: ['prod'] },
      {},
      'it denies only profiles other than "dev"',
    ],
  ])('is reported: %s', (_what, conditions, settings, message) => {
    const compiled = compiler(settings)(policy(conditions), [client('alice')]);
    expect(problemsOf(compiled)).toEqual([]);
    expect(messagesOf(compiled)).toContain(message);
    expect(compiled.findings).toHaveLength(1);
    expect([...compiled.profiles.keys()]).toEqual(['dev']);
  });

  it.each<[string, object, Partial<NameSettings>]>([
    ['a key', { users: ['alice'] }, {}],
    ['its principal', { principals: ['sentinel:key/TVMALICE'] }, {}],
    ['every key', { principals: ['sentinel:key/*'] }, {}],
    ['an IAM user', { users: ['user/dana'] }, {}],
    ['roles of any account', { principals: ['arn:aws:iam::*:role/*'] }, {}],
    ['an account that is allowed', { accounts: [OTHER] }, { allowedAccounts: [OWN, OTHER] }],
    [
      'a person of Identity Center in the own account',
      { users: ['sso/ann'] },
      { ssoAccounts: [OWN] },
    ],
    [
      'a person of Identity Center in another account',
      { users: [`${OTHER}:sso/ann`] },
      { ssoAccounts: [OTHER], allowedAccounts: [OWN, OTHER] },
    ],
    [
      'a person of Identity Center by a trusted role',
      { users: ['sso/ann'] },
      { trustedSessionRoles: [{ arn: `arn:aws:iam::${OWN}:role/desk`, kind: 'sso' }] },
    ],
    [
      'a session of a role whose session names are trusted',
      { users: ['role/desk/ann'] },
      { trustedSessionRoles: [{ arn: `arn:aws:iam::${OWN}:role/desk`, kind: 'role' }] },
    ],
    ['its own profile', { profiles: ['dev', 'prod'] }, {}],
  ])('is not reported when it could match: %s', (_what, conditions, settings) => {
    expect(compiler(settings)(policy(conditions), [client('alice')]).findings).toEqual([]);
  });

  it('is reported in every kind of document', () => {
    function rules(rule: object): object {
      return { version: '1', rules: [{ name: 'r', ...rule }] };
    }
    const compiled = compiler()(
      [
        profileAt('dev'),
        policyAt('dev', { effect: 'allow', conditions: { users: ['ghost'] } }),
        json(
          '/sentinel/operators',
          rules({ users: ['ghost'], actions: ['list'], profiles: ['dev', 'prdo'] }),
        ),
        json(
          '/sentinel/approval-policy',
          rules({ approvers: ['ghost'], auto_approve: { users: ['phantom'] } }),
        ),
        json('/sentinel/break-glass-policy', rules({ users: ['ghost'], profiles: ['dev'] })),
        json('/sentinel/break-glass-rate-policy', rules({ profiles: ['prdo'], cooldown: '1h' })),
      ],
      [client('alice')],
    );
    expect(kindsOf(compiled)).toEqual([
      'policies/dev unknown-caller r0',
      'operators unknown-caller r',
      'operators unknown-profile r',
      'approval-policy unknown-caller r',
      'approval-policy unknown-caller r',
      'break-glass-policy unknown-caller r',
      'break-glass-rate-policy unknown-profile r',
      'approval-policy unfillable-group r',
    ]);
  });

  it('is reported beside findings about the order of rules', () => {
    const rule = { effect: 'allow', conditions: { profiles: ['dev'] } };
    const compiled = compiler()([profileAt('dev'), policyAt('dev', rule, rule)]);
    expect(kindsOf(compiled)).toEqual(['policies/dev unreachable-rule r1']);
  });

  it('is reported beside tags that leave no room for long names', () => {
    const tags = { a: 'x'.repeat(200) };
    const open = policyAt('dev', { effect: 'allow', conditions: { profiles: ['dev'] } });
    expect(kindsOf(compiler()([profileAt('dev', { tags }), open]))).toEqual([
      'profiles/dev tags-may-not-fit ',
    ]);
    expect(kindsOf(compiler()([profileAt('dev', { tags: { a: 'b' } }), open]))).toEqual([]);
  });

  it('is reported at most twenty times in one document, and a thousand times in all', () => {
    const ghosts = Array.from({ length: 300 }, (_, n) => `u${n}`);
    const rule = { effect: 'allow', conditions: { users: ghosts } };
    const one = compiler()([profileAt('dev'), policyAt('dev', rule)]);
    expect(one.findings).toHaveLength(20);
    const many = Array.from({ length: 60 }, (_, n) => [
      profileAt(`p${n}`),
      policyAt(`p${n}`, rule),
    ]).flat();
    const all = compiler()(many);
    expect(all.findings).toHaveLength(1_000);
    expect(all.profiles.size).toBe(60);
  });

  it('is reported again when the known callers change, and the same when nothing does', () => {
    const compile = compiler();
    const documents = policy({ users: ['alice'] }, 'allow');
    const first = compile(documents).findings;
    expect(first).toHaveLength(1);
    expect(compile(documents).findings).toEqual(first);
    expect(compile(documents, [client('alice')]).findings).toEqual([]);
    expect(compile(documents).findings).toEqual(first);
  });
});
