import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createDocumentCompiler, type DocumentTrees } from '../../src/catalog/compile.ts';
import type { StoredDocument } from '../../src/catalog/read-document.ts';
import { runWhole } from '../support/run-whole.ts';

const PROFILE = '{"role_arn":"arn:aws:iam::111122223333:role/R"}';
const POLICY =
  'version: "1"\nrules:\n  - name: r\n    effect: allow\n    conditions:\n      users: [alice]\n';
const CLIENT = '{"secret":"a-secret-of-alice","name":"alice"}';

function stored(name: string, text: string, type = 'String'): StoredDocument {
  return { name, type, text };
}
function secret(id: string, text = CLIENT, type = 'SecureString') {
  return stored(`/secrets/clients/${id}`, text, type);
}

function both(name: string): readonly StoredDocument[] {
  return [
    stored(`/sentinel/policies/${name}`, POLICY),
    stored(`/sentinel/profiles/${name}`, PROFILE),
  ];
}

function trees(
  documents: readonly StoredDocument[],
  secrets: readonly StoredDocument[] = [],
  demoKeys = false,
): DocumentTrees {
  return {
    root: '/sentinel',
    secretsRoot: '/secrets',
    account: '000000000000',
    documents,
    secrets,
    demoKeys,
  };
}

/** One compiler for several calls, which remembers what it read, as the catalog's does. */
function compiler() {
  const run = createDocumentCompiler();
  return (given: DocumentTrees) => runWhole(run(given));
}

function compile(...given: Parameters<typeof trees>) {
  return runWhole(createDocumentCompiler()(trees(...given)));
}

function names({ profiles }: ReturnType<typeof compile>): readonly string[] {
  return [...profiles.keys()].toSorted();
}

describe('createDocumentCompiler: profiles', () => {
  it('can be vended with both documents, at any depth, under their own names only', () => {
    const compiled = compile([...both('dev'), ...both('team/prod')]);
    expect(names(compiled)).toEqual(['dev', 'team/prod']);
    expect(compiled.rejections).toEqual([]);
    expect(compiled.profiles.get('dev')?.name).toBe('dev');
  });

  it('cannot be vended with one document, which is not reported', () => {
    expect(compile([stored('/sentinel/policies/dev', POLICY)])).toMatchObject({ rejections: [] });
    expect(names(compile([stored('/sentinel/profiles/dev', PROFILE)]))).toEqual([]);
  });

  it.each(['policies', 'profiles'])(
    'are left out alone when their document under %s is broken',
    (kind) => {
      const compiled = compile([
        ...both('dev'),
        ...both('prod').filter(({ name }) => !name.includes(kind)),
        stored(`/sentinel/${kind}/prod`, 'nonsense: [1'),
      ]);
      expect(names(compiled)).toEqual(['dev']);
      expect(compiled.rejections.map(({ parameter }) => parameter)).toEqual([
        `/sentinel/${kind}/prod`,
      ]);
    },
  );

  it('are reported with the line of the problem when a document is broken', () => {
    const text = POLICY.replace('allow', 'alow');
    const [rejection] = compile([stored('/sentinel/policies/dev', text)]).rejections;
    expect(rejection?.problems).toHaveLength(1);
    expect(rejection?.problems[0]).toMatch(/^line 4, rules\[0\]\.effect: .*did you mean "allow"/u);
  });

  it.each(['', 'a//b', 'a b', '../x', 'a:b', 'x'.repeat(257)])('cannot be named "%s"', (name) => {
    const compiled = compile([...both('dev'), ...both(name)]);
    expect(names(compiled)).toEqual(['dev']);
    expect(compiled.rejections).toHaveLength(2);
  });

  it.each(['__proto__', 'constructor', 'toString'])('can be named %s', (name) => {
    expect(names(compile([...both(name)]))).toEqual([name]);
  });

  it('are refused as SecureString, which would not be decrypted', () => {
    const compiled = compile(both('dev').map((one) => ({ ...one, type: 'SecureString' })));
    expect(names(compiled)).toEqual([]);
    expect(compiled.rejections).toHaveLength(2);
  });
});

describe('createDocumentCompiler: other documents', () => {
  it.each(['approval-policy', 'break-glass-policy', 'operators'])(
    'reports a broken %s, which affects no profile',
    (name) => {
      const compiled = compile([
        ...both('dev'),
        stored(`/sentinel/${name}`, 'version: "1"\nrules: []\n'),
      ]);
      expect(names(compiled)).toEqual(['dev']);
      expect(compiled.rejections.map(({ parameter }) => parameter)).toEqual([`/sentinel/${name}`]);
      expect(compiled.rejections[0]?.problems[0]).toMatch(/^line 2/u);
    },
  );

  it('ignores documents of unknown names', () => {
    const compiled = compile([
      stored('/sentinel/notes', '{{{'),
      stored('/sentinel/signatures/dev', 'x'),
    ]);
    expect(compiled).toMatchObject({ rejections: [] });
    expect(names(compiled)).toEqual([]);
  });

  it.each(['clients/AKIAX', 'keys/1', 'webhook'])(
    'refuses a secret at %s by its name, without quoting it',
    (path) => {
      const compiled = compile([stored(`/sentinel/${path}`, CLIENT, 'SecureString')]);
      expect(compiled.clients.size).toBe(0);
      expect(compiled.rejections[0]?.parameter).toBe(`/sentinel/${path}`);
      expect(JSON.stringify(compiled.rejections)).not.toContain('a-secret-of-alice');
    },
  );
});

describe('createDocumentCompiler: registered keys', () => {
  it('are found by their access key ids', () => {
    const { clients, rejections } = compile([], [secret('TVMALICE')]);
    expect(rejections).toEqual([]);
    expect(clients.get('TVMALICE')).toEqual({
      secret: 'a-secret-of-alice',
      name: 'alice',
      disabled: false,
    });
  });

  it.each([
    ['stored as String', secret('TVMALICE', CLIENT, 'String')],
    ['stored as StringList', secret('TVMALICE', CLIENT, 'StringList')],
    ['with an id that no header can hold', secret('a/b')],
    ['without an id', secret('')],
    ['with an id that is too long', secret('A'.repeat(129))],
    [
      'with an unknown key',
      secret('TVMALICE', '{"secret":"a-secret-of-alice","name":"alice","admin":true}'),
    ],
    ['without a name', secret('TVMALICE', '{"secret":"a-secret-of-alice"}')],
    ['that are broken documents', secret('TVMALICE', 'a-secret-of-alice: [')],
    ['that are the secret alone', secret('TVMALICE', 'a-secret-of-alice')],
    [
      'with the name of a role',
      secret('TVMALICE', '{"secret":"a-secret-of-alice","name":"role/admin"}'),
    ],
  ])('are refused %s, without quoting the secret', (_, document) => {
    const { clients, rejections } = compile([], [document]);
    expect(clients.size).toBe(0);
    expect(rejections.map(({ parameter }) => parameter)).toEqual([document.name]);
    expect(JSON.stringify(rejections)).not.toContain('a-secret-of-alice');
  });

  it.each(['TVMDEMOALICE', 'AKIADEMODANA0000', 'tvmdemoalice', 'AkiaDemoX'])(
    'of the demo (%s) are refused unless demo keys are accepted',
    (id) => {
      expect(compile([], [secret(id)], false).clients.size).toBe(0);
      expect(compile([], [secret(id)], false).rejections).toHaveLength(1);
      expect(compile([], [secret(id)], true).clients.size).toBe(1);
    },
  );

  it('with a secret of the demo are refused unless demo keys are accepted', () => {
    const text = '{"secret":"demo-alice-not-a-secret","name":"alice"}';
    expect(compile([], [secret('TVMALICE', text)], true).clients.size).toBe(1);
    const { clients, rejections } = compile([], [secret('TVMALICE', text)], false);
    expect([clients.size, rejections.length]).toEqual([0, 1]);
    expect(JSON.stringify(rejections)).not.toContain('demo-alice');
  });

  it('with a weak secret are refused also where demo keys are accepted', () => {
    const text = '{"secret":"password","name":"alice"}';
    for (const demo of [true, false]) {
      const { clients, rejections } = compile([], [secret('TVMALICE', text)], demo);
      expect([clients.size, rejections.length]).toEqual([0, 1]);
      expect(JSON.stringify(rejections)).not.toContain('password');
    }
  });
});

describe('createDocumentCompiler: remembered documents', () => {
  function policyOf(effect: string) {
    return stored('/sentinel/policies/dev', POLICY.replace('allow', effect));
  }
  const profile = stored('/sentinel/profiles/dev', PROFILE);

  it('drops a document when it breaks, and takes it back when it is corrected', () => {
    const again = compiler();
    expect(names(again(trees([policyOf('allow'), profile])))).toEqual(['dev']);
    const broken = again(trees([policyOf('alow'), profile]));
    expect(names(broken)).toEqual([]);
    expect(again(trees([policyOf('alow'), profile])).rejections).toEqual(broken.rejections);
    expect(names(again(trees([policyOf('allow'), profile])))).toEqual(['dev']);
  });

  it('follows every change of a text, of a type, and of the documents that exist', () => {
    const again = compiler();
    const effects = ['allow', 'deny', 'require_approval', 'allow'].map(
      (effect) =>
        again(trees([policyOf(effect), profile], [secret('TVMALICE')])).profiles.get('dev')?.policy
          .rules[0]?.effect,
    );
    expect(effects).toEqual(['allow', 'deny', 'require_approval', 'allow']);
    expect(names(again(trees([{ ...policyOf('allow'), type: 'SecureString' }, profile])))).toEqual(
      [],
    );
    expect(names(again(trees([profile])))).toEqual([]);
    expect(names(again(trees([policyOf('allow'), profile])))).toEqual(['dev']);
  });

  it('forgets a deleted key, and reads a changed one again', () => {
    const again = compiler();
    expect(again(trees([], [secret('K')])).clients.size).toBe(1);
    const disabled = CLIENT.replace('}', ',"disabled":true}');
    expect(again(trees([], [secret('K', disabled)])).clients.get('K')?.disabled).toBe(true);
    expect(again(trees([], [])).clients.size).toBe(0);
  });
});

describe('createDocumentCompiler: sealing keys', () => {
  const KEY = JSON.stringify({
    key: Buffer.from('0123456789abcdefghijklmnopqrstuv').toString('base64'),
  });
  function sealing(id: string, text = KEY, type = 'SecureString') {
    return stored(`/secrets/keys/${id}`, text, type);
  }

  it('are found by their ids, several at once', () => {
    const { sealingKeys, rejections } = compile([], [sealing('2026-01'), sealing('b_2')]);
    expect([...sealingKeys.keys()]).toEqual(['2026-01', 'b_2']);
    expect(sealingKeys.get('b_2')).toMatchObject({ id: 'b_2', activeFrom: 0 });
    expect(rejections).toEqual([]);
  });

  it.each([
    ['of a wrong type', sealing('a', KEY, 'String')],
    ['with an id that tokens cannot hold', sealing('a.b')],
    ['below another level', sealing('a/b')],
    ['that are broken', sealing('a', '{}')],
  ])('%s are left out and reported without their content', (_, document) => {
    const { sealingKeys, rejections } = compile([], [document, sealing('good')]);
    expect([...sealingKeys.keys()]).toEqual(['good']);
    expect(rejections.map(({ parameter }) => parameter)).toEqual([document.name]);
    expect(JSON.stringify(rejections)).not.toContain('MDEyMzQ1');
  });

  it('under the first root are refused, because others can read it', () => {
    const { sealingKeys, rejections } = compile([stored('/sentinel/keys/a', KEY, 'SecureString')]);
    expect([sealingKeys.size, rejections.length]).toEqual([0, 1]);
  });
});

describe('createDocumentCompiler: the document webhook', () => {
  const KEY = randomBytes(32).toString('base64');
  const TEXT = JSON.stringify({ keys: [KEY], url: 'https://hooks.example.com/the-secret-path' });
  function webhook(text = TEXT, type = 'SecureString') {
    return stored('/secrets/webhook', text, type);
  }

  it('gives the keys of events and their URL', () => {
    const { webhook: read, rejections } = compile([], [webhook()]);
    expect(read?.keys).toHaveLength(1);
    expect(read?.url).toBe('https://hooks.example.com/the-secret-path');
    expect(rejections).toEqual([]);
  });

  it('is undefined without one, and for one below another level', () => {
    expect(compile([], []).webhook).toBeUndefined();
    expect(
      compile([], [stored('/secrets/webhook/a', TEXT, 'SecureString')]).webhook,
    ).toBeUndefined();
  });

  it.each([
    ['of a wrong type', webhook(TEXT, 'String')],
    ['that is broken', webhook('{"keys":["the-secret"]}')],
    [
      'with loopback in AWS',
      webhook(JSON.stringify({ keys: [KEY], url: 'http://127.0.0.1/the-secret-path' })),
    ],
  ])('%s is left out and reported without its content', (_, document) => {
    const { webhook: read, rejections } = compile([], [document]);
    expect(read).toBeUndefined();
    expect(rejections.map(({ parameter }) => parameter)).toEqual(['/secrets/webhook']);
    expect(JSON.stringify(rejections)).not.toContain('the-secret');
  });

  it('may name loopback where the AWS in use is local', () => {
    const document = webhook(JSON.stringify({ keys: [KEY], url: 'http://127.0.0.1/x' }));
    expect(compile([], [document], true).webhook?.url).toBe('http://127.0.0.1/x');
  });
});
