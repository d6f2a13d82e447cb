import { describe, expect, it } from 'vitest';
import { compileTicketPattern, MAX_TICKET } from '../../../src/policy/documents/ticket-pattern.ts';

function matches(pattern: string, ticket: string): boolean {
  const compiled = compileTicketPattern(pattern);
  if (!compiled.ok) throw new Error(compiled.refusal);
  return compiled.value.test(ticket);
}

describe('compileTicketPattern', () => {
  it.each([
    ['INC-\\d+', 'INC-42', true],
    ['INC-\\d+', 'xINC-42', false],
    ['INC-\\d+', 'INC-42x', false],
    ['INC-\\d+', 'INC-42\n', false],
    ['^CHG\\d{7}$', 'CHG0012345', true],
    ['^CHG\\d{7}$', 'CHG001234', false],
    ['[A-Z]{2,10}-[0-9]+', 'PAY-7', true],
    ['[A-Z]{2,10}-[0-9]+', 'pay-7', false],
    ['ops.ticket', 'opsxticket', true],
    ['ops\\.ticket', 'opsxticket', false],
  ])('%s takes %j: %s', (pattern, ticket, expected) => {
    expect(matches(pattern, ticket)).toBe(expected);
  });

  it.each([
    '(a+)+',
    'a|b',
    '(?:x)',
    'a+b+c+',
    '\\1',
    '[',
    'a{2}{3}*',
    '*',
    '',
    'é',
    '\\p{L}',
    'a**',
  ])('refuses %j, which could cost more than length² or is no pattern', (pattern) => {
    expect(compileTicketPattern(pattern).ok).toBe(false);
  });

  it('says what a pattern may be', () => {
    const refused = compileTicketPattern('(a+)+');
    expect(refused.ok ? '' : refused.refusal).toContain('letters, digits');
  });

  it('matches the worst ticket in bounded steps', () => {
    // Two quantifiers of variable length over the longest ticket that there can be, with nothing
    // that matches at its end.
    expect(matches('[ab]*[ab]*c', 'ab'.repeat(MAX_TICKET / 2))).toBe(false);
  });
});
