import { describe, expect, it } from 'vitest';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { explain } from '../../src/policy/explain.ts';
import { lint } from '../../src/policy/lint.ts';
import { policyFrom, request, valueOf } from './support.ts';

function rules(...lines: readonly string[]): string {
  return `version: 1\nrules:\n${lines.map((line, index) => `  - {name: r${index}, ${line}}\n`).join('')}`;
}
function findings(...lines: readonly string[]): readonly string[] {
  return lint(valueOf(readAccessPolicy(rules(...lines)))).map(({ kind, rule }) => `${kind} ${rule}`);
}

const DAY = 'time: {hours: {start: 09:00, end: 17:00}}';
const NIGHT = 'time: {hours: {start: 16:00, end: 08:00}}';
const EARLY = 'time: {hours: {start: 06:00, end: 09:00}}';
const BERLIN = 'time: {hours: {start: 09:00, end: 17:00}, timezone: Europe/Berlin}';

describe('lint warns of what is valid but hardly meant', () => {
  it('finds a deny that no request to a server can meet, and no other rule for Sentinel’s clients', () => {
    function document(effect: string) {
      return `effect: ${effect}, conditions: {users: [a], mode: [cli]}`;
    }
    expect(findings(document('deny'))).toEqual(['unreachable-rule r0']);
    expect(findings(document('allow'))).toEqual([]);
    expect(findings('effect: deny, conditions: {users: [a], mode: [cli, server]}')).toEqual([]);
  });

  it.each<[what: string, lines: readonly string[], expected: readonly string[]]>([
    [
      'an allow before a deny',
      ['effect: allow, conditions: {users: [a, b]}', 'effect: deny, conditions: {users: [b, c], profiles: [p]}'],
      ['allow-before-deny r0'],
    ],
    [
      'require_server is an allow here',
      ['effect: require_server, conditions: {profiles: [p, q]}', 'effect: deny, conditions: {users: [a]}'],
      ['allow-before-deny r0'],
    ],
    [
      'a deny before an allow',
      ['effect: deny, conditions: {users: [b]}', 'effect: allow, conditions: {users: [a, b]}'],
      [],
    ],
    [
      'an allow and a deny of others',
      ['effect: allow, conditions: {users: [a]}', 'effect: deny, conditions: {users: [b]}'],
      [],
    ],
    [
      'an allow and a deny elsewhere',
      ['effect: allow, conditions: {profiles: [a]}', 'effect: deny, conditions: {profiles: [b]}'],
      [],
    ],
    [
      'an allow and a deny at other times',
      [`effect: allow, conditions: {${DAY}}`, `effect: deny, conditions: {${EARLY}}`],
      [],
    ],
    [
      'a principal within a pattern',
      [
        'effect: allow, conditions: {principals: ["arn:aws:iam::*:role/*"]}',
        'effect: deny, conditions: {principals: ["arn:aws:iam::111122223333:role/x"]}',
      ],
      ['allow-before-deny r0'],
    ],
    [
      'a principal outside a pattern',
      [
        'effect: allow, conditions: {principals: ["arn:aws:iam::*:user/*"]}',
        'effect: deny, conditions: {principals: ["arn:aws:iam::111122223333:role/x"]}',
      ],
      [],
    ],
    [
      'the same rule twice',
      ['effect: allow, conditions: {users: [a]}', 'effect: allow, conditions: {users: [a]}'],
      ['unreachable-rule r1'],
    ],
    [
      'a rule within a wider one',
      [
        'effect: allow, conditions: {users: [a, b]}',
        'effect: require_approval, conditions: {users: [b], profiles: [p]}',
      ],
      ['unreachable-rule r1'],
    ],
    [
      'a rule wider than the one before',
      ['effect: allow, conditions: {users: [a], profiles: [p]}', 'effect: allow, conditions: {users: [a]}'],
      [],
    ],
    [
      'lists that only overlap',
      ['effect: allow, conditions: {users: [a, b]}', 'effect: allow, conditions: {users: [b, c]}'],
      [],
    ],
    [
      'what only other clients match',
      ['effect: allow, conditions: {users: [a], mode: [cli]}', 'effect: deny, conditions: {users: [a]}'],
      [],
    ],
    [
      'what only a device matches',
      ['effect: allow, conditions: {users: [a], device: {x: 1}}', 'effect: allow, conditions: {users: [a]}'],
      [],
    ],
    [
      'a deny for any device',
      ['effect: deny, conditions: {users: [a], device: {x: 1}}', 'effect: allow, conditions: {users: [a]}'],
      ['unreachable-rule r1'],
    ],
    [
      'windows that overlap over night',
      [`effect: require_approval, conditions: {${DAY}}`, `effect: allow, conditions: {${NIGHT}}`],
      ['overlapping-time-windows r1'],
    ],
    [
      'windows that overlap, of one effect',
      [`effect: allow, conditions: {${DAY}}`, `effect: allow, conditions: {${NIGHT}}`],
      [],
    ],
    [
      'windows that touch',
      [`effect: require_approval, conditions: {${DAY}}`, `effect: allow, conditions: {${EARLY}}`],
      [],
    ],
    [
      'windows of two zones',
      [`effect: require_approval, conditions: {${DAY}}`, `effect: allow, conditions: {${BERLIN}}`],
      [],
    ],
    [
      'windows of other people',
      [
        `effect: require_approval, conditions: {users: [a], ${DAY}}`,
        `effect: allow, conditions: {users: [b], ${NIGHT}}`,
      ],
      [],
    ],
    [
      'Saturday night and Sunday morning',
      [
        'effect: require_approval, conditions: {time: {days: [saturday], hours: {start: 22:00, end: 06:00}}}',
        'effect: allow, conditions: {time: {days: [sunday], hours: {start: 05:00, end: 07:00}}}',
      ],
      ['overlapping-time-windows r1'],
    ],
  ])('%s', (_what, lines, expected) => {
    expect(findings(...lines)).toEqual(expected);
  });
});

describe('explain says why', () => {
  it('rule by rule', () => {
    const policy = policyFrom(
      rules(
        'effect: deny, conditions: {users: [bob], profiles: [dev, prod]}',
        'effect: allow, conditions: {users: [alice], mode: [cli], device: {x: 1}}',
        'effect: require_server, conditions: {users: [alice]}',
        'effect: deny, conditions: {profiles: [dev]}',
      ),
    );
    expect(explain(policy, request())).toEqual([
      { rule: 'r0', ruleIndex: 0, effect: 'deny', matched: false, failed: ['users'], reached: true },
      { rule: 'r1', ruleIndex: 1, effect: 'allow', matched: false, failed: ['mode', 'device'], reached: true },
      { rule: 'r2', ruleIndex: 2, effect: 'require_server', matched: true, failed: [], reached: true },
      { rule: 'r3', ruleIndex: 3, effect: 'deny', matched: false, failed: ['profiles'], reached: false },
    ]);
    expect(explain(undefined, request())).toEqual([]);
  });
});
