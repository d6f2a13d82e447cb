import { describe, expect, it } from 'vitest';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { explain } from '../../src/policy/explain.ts';
import { lint } from '../../src/policy/lint.ts';
import { policyFrom, request, valueOf } from './support.ts';

function rules(...lines: readonly string[]): string {
  return `version: 1\nrules:\n${lines.map((line, index) => `  - {name: r${index}, ${line}}\n`).join('')}`;
}
function findings(...lines: readonly string[]): readonly string[] {
  return lint(valueOf(readAccessPolicy(rules(...lines)))).map(
    ({ kind, rule }) => `${kind} ${rule}`,
  );
}

const DAY = 'time: {hours: {start: 09:00, end: 17:00}}';
const NIGHT = 'time: {hours: {start: 16:00, end: 08:00}}';
const EARLY = 'time: {hours: {start: 06:00, end: 09:00}}';
const BERLIN = 'time: {hours: {start: 09:00, end: 17:00}, timezone: Europe/Berlin}';

describe('lint', () => {
  it('warns of a deny that no request to a server can match, and of no other rule for Sentinel’s clients', () => {
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
      [
        'effect: allow, conditions: {users: [a, b]}',
        'effect: deny, conditions: {users: [b, c], profiles: [p]}',
      ],
      ['allow-before-deny r0'],
    ],
    [
      'require_server before a deny, which allows here',
      [
        'effect: require_server, conditions: {profiles: [p, q]}',
        'effect: deny, conditions: {users: [a]}',
      ],
      ['allow-before-deny r0'],
    ],
    [
      'a deny before an allow',
      ['effect: deny, conditions: {users: [b]}', 'effect: allow, conditions: {users: [a, b]}'],
      [],
    ],
    [
      'an allow and a deny of other users',
      ['effect: allow, conditions: {users: [a]}', 'effect: deny, conditions: {users: [b]}'],
      [],
    ],
    [
      'an allow and a deny for other profiles',
      ['effect: allow, conditions: {profiles: [a]}', 'effect: deny, conditions: {profiles: [b]}'],
      [],
    ],
    [
      'an allow and a deny at other times',
      [`effect: allow, conditions: {${DAY}}`, `effect: deny, conditions: {${EARLY}}`],
      [],
    ],
    [
      'a deny of a principal that an allowed pattern matches',
      [
        'effect: allow, conditions: {principals: ["arn:aws:iam::*:role/*"]}',
        'effect: deny, conditions: {principals: ["arn:aws:iam::111122223333:role/x"]}',
      ],
      ['allow-before-deny r0'],
    ],
    [
      'a deny of a principal that an allowed pattern does not match',
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
      [
        'effect: allow, conditions: {users: [a], profiles: [p]}',
        'effect: allow, conditions: {users: [a]}',
      ],
      [],
    ],
    [
      'lists that only overlap',
      ['effect: allow, conditions: {users: [a, b]}', 'effect: allow, conditions: {users: [b, c]}'],
      [],
    ],
    [
      'an allow that only other clients match, before a deny',
      [
        'effect: allow, conditions: {users: [a], mode: [cli]}',
        'effect: deny, conditions: {users: [a]}',
      ],
      [],
    ],
    [
      'an allow that only a device matches, before the same without it',
      [
        'effect: allow, conditions: {users: [a], device: {x: 1}}',
        'effect: allow, conditions: {users: [a]}',
      ],
      [],
    ],
    [
      'a deny for any device before an allow of the same user',
      [
        'effect: deny, conditions: {users: [a], device: {x: 1}}',
        'effect: allow, conditions: {users: [a]}',
      ],
      ['unreachable-rule r1'],
    ],
    [
      'windows with different effects that overlap at night',
      [`effect: require_approval, conditions: {${DAY}}`, `effect: allow, conditions: {${NIGHT}}`],
      ['overlapping-time-windows r1'],
    ],
    [
      'windows with the same effect that overlap',
      [`effect: allow, conditions: {${DAY}}`, `effect: allow, conditions: {${NIGHT}}`],
      [],
    ],
    [
      'windows that touch but do not overlap',
      [`effect: require_approval, conditions: {${DAY}}`, `effect: allow, conditions: {${EARLY}}`],
      [],
    ],
    [
      'windows of two time zones',
      [`effect: require_approval, conditions: {${DAY}}`, `effect: allow, conditions: {${BERLIN}}`],
      [],
    ],
    [
      'windows of different users',
      [
        `effect: require_approval, conditions: {users: [a], ${DAY}}`,
        `effect: allow, conditions: {users: [b], ${NIGHT}}`,
      ],
      [],
    ],
    [
      'a window of Saturday night and one of Sunday morning',
      [
        'effect: require_approval, conditions: {time: {days: [saturday], hours: {start: 22:00, end: 06:00}}}',
        'effect: allow, conditions: {time: {days: [sunday], hours: {start: 05:00, end: 07:00}}}',
      ],
      ['overlapping-time-windows r1'],
    ],
  ])('judges %s', (_what, lines, expected) => {
    expect(findings(...lines)).toEqual(expected);
  });
});

describe('explain', () => {
  it('gives for every rule whether it matched, which conditions failed, and whether it was reached', () => {
    const policy = policyFrom(
      rules(
        'effect: deny, conditions: {users: [bob], profiles: [dev, prod]}',
        'effect: allow, conditions: {users: [alice], mode: [cli], device: {x: 1}}',
        'effect: require_server, conditions: {users: [alice]}',
        'effect: deny, conditions: {profiles: [dev]}',
      ),
    );
    expect(explain(policy, request())).toEqual([
      {
        rule: 'r0',
        ruleIndex: 0,
        effect: 'deny',
        matched: false,
        failed: ['users'],
        reached: true,
      },
      {
        rule: 'r1',
        ruleIndex: 1,
        effect: 'allow',
        matched: false,
        failed: ['mode', 'device'],
        reached: true,
      },
      {
        rule: 'r2',
        ruleIndex: 2,
        effect: 'require_server',
        matched: true,
        failed: [],
        reached: true,
      },
      {
        rule: 'r3',
        ruleIndex: 3,
        effect: 'deny',
        matched: false,
        failed: ['profiles'],
        reached: false,
      },
    ]);
    expect(explain(undefined, request())).toEqual([]);
  });
});
