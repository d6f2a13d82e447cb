import { describe, expect, it } from 'vitest';
import { credentialsEndOf } from '../../src/actions/credentials-end.ts';

const HOUR = 3_600_000;

describe('credentialsEndOf', () => {
  it.each([
    ['the end of what was ended', { endedAt: 0, end: HOUR - 1 }, 0, HOUR - 1],
    ['the longest vend behind its ending', { endedAt: 0, end: 8 * HOUR }, 0, HOUR],
    ['the same later', { endedAt: 0, end: 8 * HOUR }, HOUR - 1, HOUR],
    ['nothing once that has passed', { endedAt: 0, end: 8 * HOUR }, HOUR, undefined],
    ['nothing where it was over anyway', { endedAt: 5, end: 5 }, 5, undefined],
  ])('is %s', (_, ended, now, expected) => {
    expect(credentialsEndOf({ ...ended, isHard: false }, now)).toBe(expected);
    expect(credentialsEndOf({ ...ended, isHard: true }, now)).toBeUndefined();
  });
});
