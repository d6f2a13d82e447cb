import { describe, expect, it } from 'vitest';
import { demoDocuments } from '../../src/local/demo.ts';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { readApprovalPolicy } from '../../src/policy/documents/approval-policy.ts';
import { readBreakGlassPolicy } from '../../src/policy/documents/break-glass-policy.ts';
import { readClientDocument } from '../../src/policy/documents/client.ts';
import { readOperators } from '../../src/policy/documents/operators.ts';
import { readProfile } from '../../src/policy/documents/profile.ts';

const documents = demoDocuments({ account: '123456789012', root: '/r', secretsRoot: '/s' });

const readers: readonly (readonly [RegExp, (source: string) => { readonly ok: boolean }])[] = [
  [/^\/r\/policies\//u, readAccessPolicy],
  [/^\/r\/profiles\//u, readProfile],
  [/^\/r\/approval-policy$/u, readApprovalPolicy],
  [/^\/r\/break-glass-policy$/u, readBreakGlassPolicy],
  [/^\/r\/operators$/u, readOperators],
  [/^\/s\/clients\//u, readClientDocument],
];

describe('the demo documents', () => {
  it.each(documents)('$name is valid', ({ name, value }) => {
    const reader = readers.find(([pattern]) => pattern.test(name))?.[1];
    expect(reader?.(value)).toMatchObject({ ok: true });
  });

  it('let bob and olivia approve alice’s requests for prod, and never alice', () => {
    const read = readApprovalPolicy(
      documents.find(({ name }) => name === '/r/approval-policy')?.value ?? '',
    );
    const rules = read.ok ? read.value.rules : [];
    expect(rules.map(({ profiles, approvers }) => [profiles, approvers])).toEqual([
      [['prod'], ['bob', 'olivia']],
    ]);
  });

  it('have secrets only under the root for secrets, as SecureStrings', () => {
    for (const { name, type } of documents)
      expect(type).toBe(name.startsWith('/s/') ? 'SecureString' : 'String');
  });

  it('contain the account that they are made for', () => {
    const dev = documents.find(({ name }) => name === '/r/profiles/dev');
    expect(dev?.value).toContain('arn:aws:iam::123456789012:role/SentinelProtected-dev');
  });
});
