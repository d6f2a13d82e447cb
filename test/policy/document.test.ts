import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { readTree } from '../../src/policy/reading/yaml-tree.ts';
import { problemsOf, valueOf } from './support.ts';

const GOOD =
  'version: "1"\nrules:\n  - name: r\n    effect: allow\n    conditions:\n      users: [alice]\n';

function nested(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

function block(levels: number): string {
  return Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:`).join('\n');
}

type Case = readonly [what: string, text: string, problem: string];

const SYNTAX: readonly Case[] = [
  ['nothing', '', '1 : the document is empty'],
  ['a comment only', '# nothing\n', '1 : the document is empty'],
  ['null', 'null', '1 : the document is empty'],
  ['a list', '- a\n', '1 : the document must be a mapping'],
  ['a word', 'allow', '1 : the document must be a mapping'],
  ['a second document', `${GOOD}---\n${GOOD}`, '7 : there is a second document'],
  ['a second, empty document', `${GOOD}---\n`, '7 : there is a second document'],
  ['an unclosed quote', `${GOOD}x: "abc\n`, 'cannot be read'],
  ['an unclosed brace', '{"version": "1"', 'cannot be read'],
  ['a tab that indents YAML', 'version: "1"\nrules:\n\t- name: r\n', '3 : cannot be read'],
  ['an alias', `${GOOD}x: *a\n`, '7 : an alias is not allowed'],
  ['an anchor', GOOD.replace('[alice]', '&a [alice]'), '6 : an anchor is not allowed'],
  ['an anchor on a key', '&a version: "1"\n', '1 : an anchor is not allowed'],
  ['a tag', GOOD.replace('effect: allow', 'effect: !!str allow'), '4 : a tag is not allowed'],
  [
    'a tag of its own',
    GOOD.replace('effect: allow', 'effect: !mine allow'),
    '4 : a tag is not allowed',
  ],
  ['a verbatim tag', 'version: !<tag:yaml.org,2002:str> 1', '1 : a tag is not allowed'],
  ['a tag without a name', 'version: ! 1', '1 : a tag is not allowed'],
  ['a directive', `%YAML 1.1\n---\n${GOOD}`, '1 : a YAML directive is not allowed'],
  ['an unknown directive', `%FOO\n---\n${GOOD}`, '1 : a YAML directive is not allowed'],
  ['a control character', GOOD.replace('alice', 'al\u0000ice'), '6 : a control character'],
  ["the lexer's own mark", GOOD.replace('alice', '\u001f*a'), '6 : a control character'],
  ['more than 64 KiB', `${GOOD}#${' '.repeat(65_536)}`, '1 : the document is larger than 64 KiB'],
  [
    'more than 64 KiB of bytes',
    `${GOOD}#${'\u20ac'.repeat(30_000)}`,
    '1 : the document is larger than 64 KiB',
  ],
];

const KEYS: readonly Case[] = [
  [
    'a duplicate key',
    `${GOOD}version: "1"\n`,
    '7 : the key "version" appears twice, first on line 1',
  ],
  [
    'a duplicate key in JSON',
    '{"version": "1",\n"version": "1"}',
    '2 : the key "version" appears twice',
  ],
  [
    'the same key in two spellings',
    'version: "1"\n"version": "1"\n',
    '2 : the key "version" appears twice',
  ],
  ['a merge key', `${GOOD}<<: {version: "1"}\n`, '7 : the key "<<" is not allowed'],
  [
    'a merge key below',
    GOOD.replace('users:', '<<: {profiles: [a]}\n      users:'),
    '6 rules[0].conditions: the key "<<"',
  ],
  ['a number as key', `${GOOD}1: 2\n`, '7 : has a key that is not text'],
  ['null as key', `${GOOD}null: 2\n`, '7 : has a key that is not text'],
  ['no key', `${GOOD}: 2\n`, '7 : has a key that is not text'],
  ['a list as key', `${GOOD}? [a]\n: 2\n`, '7 : has a key that is not text'],
  ...['__proto__', 'constructor', 'prototype'].map((key): Case => [
    key,
    `${GOOD}${key}: 2\n`,
    `7 : the key "${key}" is not allowed`,
  ]),
  ...['toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', '__defineGetter__'].map(
    (key): Case => [key, `${GOOD}${key}: 2\n`, `7 ${key}: unknown key "${key}"`],
  ),
  [
    'toString in the conditions',
    GOOD.replace('users:', 'toString: [a]\n      users:'),
    '6 rules[0].conditions.toString: unknown key',
  ],
  [
    'a proto among the conditions',
    GOOD.replace('users:', '__proto__: {}\n      users:'),
    '6 rules[0].conditions: the key "__proto__"',
  ],
  [
    'a misspelt key',
    GOOD.replace('users:', 'user:'),
    '6 rules[0].conditions.user: unknown key "user"; did you mean "users"?',
  ],
  ['an empty key', `${GOOD}"": 1\n`, '7 [""]: unknown key ""'],
];

const VALUES: readonly Case[] = [
  [
    'a hexadecimal number',
    GOOD.replace('"1"', '0x1'),
    '1 version: is a number in an unusual notation',
  ],
  [
    'a padded number',
    GOOD.replace('[alice]', '[007]'),
    '6 rules[0].conditions.users[0]: is a number in an unusual',
  ],
  [
    'a number beyond 2^53',
    GOOD.replace('[alice]', '[12345678901234567890]'),
    '6 rules[0].conditions.users[0]: is a number',
  ],
  [
    'infinity',
    GOOD.replace('[alice]', '[.inf]'),
    '6 rules[0].conditions.users[0]: is a number in an unusual',
  ],
  [
    'a number for text',
    GOOD.replace('[alice]', '[7]'),
    '6 rules[0].conditions.users[0]: must be text; put it in quotes',
  ],
  [
    'a boolean for text',
    GOOD.replace('[alice]', '[true]'),
    '6 rules[0].conditions.users[0]: must be text; put it in quotes',
  ],
  [
    'nothing for text',
    GOOD.replace('[alice]', '[~]'),
    '6 rules[0].conditions.users[0]: must be text, but nothing',
  ],
  [
    'nothing for a list',
    GOOD.replace('[alice]', ''),
    '6 rules[0].conditions.users: must be a list',
  ],
  [
    'text for a list',
    GOOD.replace('[alice]', 'alice'),
    '6 rules[0].conditions.users: must be a list',
  ],
  [
    'a list for a mapping',
    GOOD.replace('users: [alice]', '- users'),
    '5 rules[0].conditions: must be a mapping',
  ],
  ['a mapping for a list', 'version: "1"\nrules: {name: r}\n', '2 rules: must be a list'],
  [
    'an item on its own line',
    GOOD.replace('[alice]', '\n        - alice\n        - 3'),
    '8 rules[0].conditions.users[1]: must be text',
  ],
];

describe('readDocument, by the schema of an access policy', () => {
  it.each([...SYNTAX, ...KEYS, ...VALUES])('refuses %s', (_what, text, problem) => {
    expect(problemsOf(readAccessPolicy(text)).join('\n')).toContain(problem);
  });

  it('reports all problems in the order of their lines', () => {
    const text = 'version: "2"\nrules:\n  - effect: alow\n    efect: deny\n    conditions: {}\n';
    expect(problemsOf(readAccessPolicy(text)).map((each) => each.split(': ')[0])).toEqual([
      '1 version',
      '3 rules[0].name',
      '3 rules[0].effect',
      '4 rules[0].efect',
      '5 rules[0].conditions',
    ]);
  });

  it('reads the same from other notations of a document', () => {
    const plain = valueOf(readAccessPolicy(GOOD));
    const json = JSON.stringify({
      version: '1',
      rules: [{ name: 'r', effect: 'allow', conditions: { users: ['alice'] } }],
    });
    for (const text of [
      `\uFEFF${GOOD}`,
      `---\n${GOOD}...\n`,
      GOOD.replace('"1"', '1'),
      GOOD.replaceAll('\n', '\r\n'),
      json,
    ]) {
      expect(valueOf(readAccessPolicy(text))).toEqual(plain);
    }
  });

  it('reads special characters of YAML as text within text', () => {
    for (const name of ['"*a"', "'&a'", '"!a"', 'a*b', 'a!b', 'a&b', '"<<"', '"%a"']) {
      const reason = valueOf(readAccessPolicy(`${GOOD}    reason: ${name}\n`)).rules[0]?.reason;
      expect(reason).toEqual(name.replaceAll(/^["']|["']$/gu, ''));
    }
  });
});

describe('readDocument and readTree, of any text', () => {
  it('read 32 levels and refuse 33', () => {
    expect(readTree(nested(32)).ok).toBe(true);
    expect(problemsOf(readTree(nested(33)))).toEqual([
      '1 : the document is nested deeper than 32 levels',
    ]);
    expect(valueOf(readTree(block(32))).problems).toEqual([]);
    expect(valueOf(readTree(`${block(33)} 1`)).problems).toHaveLength(1);
  });

  it.each(['[', '{a: ', '- ', '? ', '{? ', '[[', '{"a":[', 'a: ', '- - ? '])(
    'refuse 64 KiB of %j',
    (piece) => {
      const text = piece.repeat(Math.floor(65_536 / piece.length));
      expect(problemsOf(readAccessPolicy(text)).length).toBeGreaterThan(0);
    },
  );

  it('report a hundred problems of ten thousand keys that are unknown or appear twice', () => {
    const text = Array.from({ length: 10_000 }, (_, index) => `k${index % 5_000}: 1`)
      .join('\n')
      .slice(0, 65_000);
    expect(problemsOf(readAccessPolicy(text))).toHaveLength(100);
  });

  it('give messages of one line with at most 300 characters', () => {
    const pieces = [
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      ',',
      '!',
      '&',
      '*',
      '|',
      '>',
      '%',
      '#',
      '?',
      '\t',
      'rules:',
      'x'.repeat(400),
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string())), (parts) => {
        const read = readAccessPolicy(parts.join(''));
        expect(read.ok).toBe(false);
        if (read.ok) return;
        for (const { line, path, message } of read.refusal) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(message.length).toBeLessThanOrEqual(300);
          expect(`${path}${message}`).not.toMatch(/[\r\n]/u);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('read JSON of any indentation as JSON.parse does', () => {
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.string(),
          fc.maxSafeInteger(),
          fc.boolean(),
          fc.constant(null),
        ),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(
          fc
            .string()
            .filter((key) => !['<<', '__proto__', 'constructor', 'prototype'].includes(key)),
          tie('value'),
          { maxKeys: 4 },
        ),
      ),
    }));
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, '\t', '  ', 1), (data, indent) => {
        const tree = valueOf(readTree(JSON.stringify({ data }, null, indent)));
        expect(tree.problems).toEqual([]);
        expect(JSON.parse(JSON.stringify(tree.value))).toEqual(
          JSON.parse(JSON.stringify({ data })),
        );
      }),
      { numRuns: 500 },
    );
  });
});
