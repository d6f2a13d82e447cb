import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readClientDocument } from '../../src/policy/documents/client.ts';
import { isWeakSecret } from '../../src/policy/documents/weak-secret.ts';
import { problemsOf, valueOf } from './support.ts';

const SECRET = 'k3Vq-81xTz_hunter2';
const GOOD = { secret: SECRET, name: 'alice' };
function json(change: object): string {
  return JSON.stringify({ ...GOOD, ...change }, null, 2);
}

describe('readClientDocument', () => {
  it('reads a registered key', () => {
    expect(valueOf(readClientDocument(json({})))).toEqual({
      secret: SECRET,
      name: 'alice',
      disabled: false,
    });
    const full = `secret: ${SECRET}\nname: a.b@example.com\nexpires_at: 2026-01-02T03:04:05Z\ndisabled: true\n`;
    expect(valueOf(readClientDocument(full))).toEqual({
      secret: SECRET,
      name: 'a.b@example.com',
      expiresAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
      disabled: true,
    });
  });

  it.each([
    ['no secret', '{"name": "alice"}', '1 secret: '],
    ['a short secret', json({ secret: SECRET.slice(0, 15) }), '2 secret: '],
    ['a long secret', json({ secret: SECRET.repeat(60) }), '2 secret: '],
    ['a secret with a space', json({ secret: `${SECRET} ${SECRET}` }), '2 secret: '],
    ['a secret with a newline', json({ secret: `${SECRET}\n` }), '2 secret: '],
    ['a secret beyond ASCII', json({ secret: `${SECRET}\u00e4` }), '2 secret: '],
    ['a secret that is a number', json({ secret: 12_345_678_901 }), '2 secret: '],
    ['no name', `{"secret": "${SECRET}"}`, '1 name: '],
    ['an empty name', json({ name: '' }), '3 name: '],
    ['the name of a role', json({ name: 'role/Admin' }), '3 name: '],
    ['a name of another account', json({ name: '111122223333:alice' }), '3 name: '],
    ['a name with a space', json({ name: 'alice ' }), '3 name: '],
    ['a long name', json({ name: 'a'.repeat(65) }), '3 name: '],
    ['a date', json({ expires_at: '2026-01-02' }), '4 expires_at: '],
    ['an offset', json({ expires_at: '2026-01-02T03:04:05+01:00' }), '4 expires_at: '],
    ['31 February', json({ expires_at: '2026-02-31T00:00:00Z' }), '4 expires_at: '],
    ['24:00', json({ expires_at: '2026-02-01T24:00:00Z' }), '4 expires_at: '],
    ['milliseconds', json({ expires_at: '2026-01-02T03:04:05.000Z' }), '4 expires_at: '],
    ['a year of five digits', json({ expires_at: '+12026-01-02T03:04:05Z' }), '4 expires_at: '],
    ['yes for disabled', json({ disabled: 'yes' }), '4 disabled: '],
    ['null for disabled', json({ disabled: null }), '4 disabled: '],
    [
      'an unknown key',
      json({ expires: '2026-01-02T03:04:05Z' }),
      '4 : must be one YAML or JSON mapping',
    ],
    ['a list', '- a', '1 : must be one YAML or JSON mapping'],
  ])('refuses %s', (_what, text, problem) => {
    expect(problemsOf(readClientDocument(text)).join('\n')).toContain(problem);
  });
});

describe('a weak secret', () => {
  it.each([
    'password',
    'passwordpassword',
    'Passw0rd!Passw0rd!',
    'password12345678',
    'aaaaaaaaaaaaaaaaaaaa',
    'abcdefghijklmnop',
    '1234567890123456',
    'qwertyuiopasdfgh',
    'correcthorsebatterystaple',
    'alice-alice-2026-alice',
    'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    'my-secret-key-for-aws',
    'k3Vq81xTk3Vq81xTk3Vq81xT',
    'change-me-please!!',
  ])('is refused: %s', (secret) => {
    const problems = problemsOf(readClientDocument(JSON.stringify({ secret, name: 'alice' })));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^1 secret: must be 16 to 1024 .*openssl rand/u);
    expect(problems.join('')).not.toContain(secret);
  });

  it('is never a random one, in any encoding', () => {
    const bytes = fc
      .uint8Array({ minLength: 16, maxLength: 32 })
      .filter((drawn) => new Set(drawn).size > 12);
    fc.assert(
      fc.property(bytes, fc.constantFrom('hex', 'base64', 'base64url'), (drawn, encoding) => {
        const secret = Buffer.from(drawn).toString(encoding);
        return isWeakSecret(secret, 'alice') ? secret.length < 16 : true;
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });
});

describe('problems of a registered key', () => {
  // A sequence of letters that no fixed sentence contains, so that a leak is found.
  const CANARY = 'QZJXVKWQ';

  it.each([
    `secret: "${CANARY}`,
    `secret: ${CANARY}: x`,
    `secret: *${CANARY}`,
    `secret: !${CANARY} x`,
    `&${CANARY} secret: x`,
    `%${CANARY}\n---\nsecret: x`,
    CANARY,
    `secret:${CANARY}`,
    `${CANARY}: 1\n${CANARY}: 2`,
    `{secret: a, ${CANARY}}`,
    `{secret: "${CANARY}" ${CANARY}, name: b}`,
    `secret: {${CANARY}: ${CANARY}}`,
    `secret: [${CANARY}]`,
    `secret: ${CANARY} ${CANARY}\nname: ${CANARY}/x\nexpires_at: ${CANARY}\ndisabled: ${CANARY}`,
    `secret: |\n  ${CANARY}\n ${CANARY}`,
    `"secret.${CANARY}": 1`,
    `secret: '${CANARY}'${CANARY}`,
    `{"secret": "\\x${CANARY}"}`,
  ])('tell nothing of the content of %j', (text) => {
    expect(problemsOf(readClientDocument(text)).join('\n')).not.toContain(CANARY);
  });

  it('tell nothing of a secret anywhere in any text', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'secret: ',
        'name: ',
        '\n',
        ' ',
        '"',
        "'",
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '!',
        '&',
        '*',
        '|',
        '%',
        CANARY,
        CANARY,
      ),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece), (parts) => {
        const read = readClientDocument(parts.join(''));
        expect(read.ok ? '' : JSON.stringify(read.refusal)).not.toContain(CANARY);
      }),
      { numRuns: 1_000 },
    );
  });

  it('are fixed sentences at known keys for any text', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((value) => `{"secret": ${value}, "name": ${value}}`),
        ),
        (text) => {
          const read = readClientDocument(text);
          if (!read.ok)
            for (const { path, message } of read.refusal) seen.add(`${path}: ${message}`);
        },
      ),
      { numRuns: 500 },
    );
    expect(seen.size).toBeLessThanOrEqual(5);
  });
});
