import { describe, expect, it } from 'vitest';
import { createServerDate } from '../../src/aws/server-date.ts';

const NOW = Date.parse('2026-03-10T12:00:00Z');

function dateOf(ms: number): string {
  return new Date(ms).toUTCString();
}

describe('createServerDate', () => {
  it('knows nothing before it has seen some answers', () => {
    const date = createServerDate(() => NOW);
    for (let n = 0; n < 4; n += 1) date.note(dateOf(NOW));
    expect(date.skew()).toBeUndefined();
    date.note(dateOf(NOW));
    expect(date.skew()).toBe(0);
  });

  it('says by how much the clock is ahead or behind', () => {
    for (const ahead of [600_000, -600_000]) {
      const date = createServerDate(() => NOW + ahead);
      for (let n = 0; n < 5; n += 1) date.note(dateOf(NOW));
      expect(date.skew()).toBe(ahead);
    }
  });

  it('passes over single answers that are old, and over what is no date', () => {
    const date = createServerDate(() => NOW);
    for (const given of ['yesterday', undefined, 7, '']) date.note(given);
    for (const age of [0, 60_000, 90_000, 1_000, 120_000]) date.note(dateOf(NOW - age));
    expect(date.skew()).toBe(0);
  });
});
