import { describe, expect, it } from 'vitest';
import { createDocumentCompiler } from '../../src/catalog/compile.ts';
import type { StoredDocument } from '../../src/catalog/read-document.ts';
import { runWhole } from '../support/run-whole.ts';

const compile = createDocumentCompiler();

/** Compiles an approval policy of these rules, with keys of these names and a set of people. */
function compiled(
  rules: readonly object[],
  keys: readonly string[] = ['ann', 'ben'],
  people: readonly string[] | string = [],
) {
  const sets = people.length === 0 ? [] : [{ name: 'one', is: people }];
  const documents: readonly StoredDocument[] = [
    {
      name: '/sentinel/approval-policy',
      type: 'String',
      text: JSON.stringify({ version: '1', rules }, null, 1),
    },
    {
      name: '/sentinel/people',
      type: 'String',
      text: typeof people === 'string' ? people : JSON.stringify({ version: '1', rules: sets }),
    },
  ];
  return runWhole(
    compile({
      root: '/sentinel',
      secretsRoot: '/secrets',
      documents,
      secrets: keys.map((name) => ({
        name: `/secrets/clients/TVM${name.toUpperCase()}`,
        type: 'SecureString',
        text: JSON.stringify({ secret: 'k3Vq-81xTz_hunter2', name }),
      })),
      demoKeys: false,
      account: '000000000000',
    }),
  );
}

function kindsOf({ findings }: ReturnType<typeof compiled>): readonly string[] {
  return findings.map(({ parameter, kind, rule }) => `${parameter} ${kind} ${rule}`);
}

const PAIR = { name: 'pair', require: [{ group: 'team', from: ['ann', 'ben'], approvals: 2 }] };
const ASKED = { requesters: { users: ['cid'] } };

describe('the approval policy in the catalog', () => {
  it('is refused with the line of a rule that nobody can fill', () => {
    const short = { name: 'short', require: [{ group: 'team', from: ['ann'], approvals: 2 }] };
    const { approvalPolicy, rejections } = compiled([{ ...PAIR, profiles: ['dev'] }, short]);
    expect(approvalPolicy).toBeUndefined();
    expect(rejections).toEqual([
      {
        parameter: '/sentinel/approval-policy',
        problems: [
          'line 20, rules[1]: nobody could be approved: group team wants 2, and can have 1 at most: ' +
            'each person counts once, in one group, and never for what they asked for themselves',
        ],
      },
    ]);
  });

  it('is refused with the line of a rule that no request can reach', () => {
    const first = { name: 'first', approvers: ['ann'], profiles: ['dev'] };
    const { approvalPolicy, rejections } = compiled([first, { ...first, name: 'second' }]);
    expect(approvalPolicy).toBeUndefined();
    expect(rejections[0]?.problems).toEqual([
      'line 13, rules[1]: is never reached: "first" takes every request that it would',
    ]);
  });

  it('applies, with a finding, where the known callers cannot fill a group', () => {
    const whole = compiled([{ ...PAIR, ...ASKED }], ['ann', 'ben', 'cid']);
    expect([whole.rejections, kindsOf(whole)]).toEqual([[], []]);
    // One of them has no key any more; then they are one person; then neither is so.
    const without = compiled([{ ...PAIR, ...ASKED }], ['ann', 'cid']);
    expect(without.approvalPolicy).toBeDefined();
    expect(kindsOf(without)).toEqual([
      '/sentinel/approval-policy unknown-caller pair',
      '/sentinel/approval-policy unfillable-group pair',
    ]);
    const same = compiled([{ ...PAIR, ...ASKED }], ['ann', 'ben', 'cid'], ['ann', 'ben']);
    expect(kindsOf(same)).toEqual(['/sentinel/approval-policy unfillable-group pair']);
    expect(same.findings[0]?.message).toBe(
      'rule "pair": by the callers that are known nobody could be approved: group team wants 2, ' +
        'and can have 1 at most: each person counts once, in one group, and never for what they ' +
        'asked for themselves',
    );
    expect(kindsOf(compiled([{ ...PAIR, ...ASKED }], ['ann', 'ben', 'cid']))).toEqual([]);
  });

  it('has a finding where nobody could approve the request of one of its approvers', () => {
    const lone = compiled([{ name: 'lone', approvers: ['ann'] }]);
    expect(kindsOf(lone)).toEqual(['/sentinel/approval-policy lone-requester lone']);
    expect(lone.findings[0]?.message).toBe(
      'rule "lone": nobody could approve what "ann" asks for, since nobody approves their own ' +
        'request; name more approvers, or in "requesters" those whom the rule is for',
    );
    expect(lone.approvalPolicy).toBeDefined();
    expect(kindsOf(compiled([{ name: 'two', approvers: ['ann', 'ben'] }]))).toEqual([]);
  });

  it('is compared also while the document of people is broken', () => {
    const broken = compiled([PAIR], ['ann', 'ben'], 'broken');
    expect(broken.people).toBe('broken');
    expect(kindsOf(broken)).toEqual(['/sentinel/approval-policy lone-requester pair']);
  });

  it('has twenty findings at most', () => {
    const rules = Array.from({ length: 30 }, (_, n) => ({
      name: `r${n}`,
      profiles: [`p${n}`],
      approvers: ['ann'],
    }));
    const found = compiled(rules).findings.filter(({ kind }) => kind === 'lone-requester');
    expect(found).toHaveLength(20);
  });
});
