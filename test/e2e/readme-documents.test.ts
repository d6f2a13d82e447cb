import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { readApprovalPolicy } from '../../src/policy/documents/approval-policy.ts';
import { readPeople } from '../../src/policy/documents/people.ts';
import { readProfile } from '../../src/policy/documents/profile.ts';
import { ROOT } from '../support/processes.ts';

const README = readFileSync(resolve(ROOT, 'README.md'), 'utf8');

type Schema = {
  readonly properties: { readonly rules: { readonly items: { readonly properties: object } } };
};

/** The document of README.md whose first line, a comment, begins with this name. */
function documentAt(name: string): string {
  const [, text] = new RegExp(`\`\`\`yaml\n(# ${name}:[\\s\\S]*?)\`\`\``, 'u').exec(README) ?? [];
  return text ?? `README.md has no ${name}`;
}

describe('the documents that README.md prints', () => {
  it.each([
    ['/sentinel/policies/dev', readAccessPolicy],
    ['/sentinel/profiles/dev', readProfile],
    ['/sentinel/approval-policy', readApprovalPolicy],
    ['/sentinel/people', readPeople],
  ] as const)('%s is valid', (name, read) => {
    expect(read(documentAt(name))).toMatchObject({ ok: true });
  });

  it('name every key of the rules of approval and of people', () => {
    const section = README.slice(README.indexOf('## Approvals'), README.indexOf('## Events'));
    for (const name of ['approval-policy', 'people']) {
      const schema = JSON.parse(
        readFileSync(resolve(ROOT, `src/policy/schemas/${name}.json`), 'utf8'),
      ) as Schema;
      const keys = Object.keys(schema.properties.rules.items.properties);
      expect(keys.length).toBeGreaterThan(1);
      for (const key of keys) expect(section).toMatch(new RegExp(`\\b${key}\\b`, 'u'));
    }
  });
});
