import { describe, expect, it } from 'vitest';
import {
  attributes,
  flagAt,
  isoTime,
  numberAt,
  numbersAt,
  textAt,
  timeAt,
  toTtl,
} from '../../src/aws/attributes.ts';

const NOON = Date.parse('2026-01-05T12:00:00.250Z');

describe('attributes', () => {
  it('gives each value the type that DynamoDB has for it', () => {
    expect(
      attributes({ text: 'a', number: -1.5, flag: false, numbers: new Map([['__proto__', 2]]) }),
    ).toEqual({
      text: { S: 'a' },
      number: { N: '-1.5' },
      flag: { BOOL: false },
      numbers: { M: Object.fromEntries([['__proto__', { N: '2' }]]) },
    });
  });

  it('keeps empty texts and zeros, and leaves out what is undefined', () => {
    expect(attributes({ text: '', number: 0, absent: undefined })).toEqual({
      text: { S: '' },
      number: { N: '0' },
    });
  });
});

describe('textAt, numberAt, flagAt, numbersAt and timeAt', () => {
  const item = attributes({
    text: 'a',
    number: 0,
    flag: true,
    numbers: new Map([['x', 1]]),
    time: isoTime(NOON),
  });

  it('read back what was written', () => {
    expect(textAt(item, 'text')).toBe('a');
    expect(numberAt(item, 'number')).toBe(0);
    expect(flagAt(item, 'flag')).toBe(true);
    expect([...numbersAt(item, 'numbers')]).toEqual([['x', 1]]);
    expect(timeAt(item, 'time')).toBe(NOON);
  });

  it('give undefined, or nothing, for an attribute that is not there or holds another type', () => {
    for (const name of ['absent', 'numbers']) {
      for (const read of [textAt, numberAt, flagAt, timeAt])
        expect(read(item, name)).toBeUndefined();
    }
    expect([textAt(item, 'number'), numberAt(item, 'text'), flagAt(item, 'text')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(timeAt(item, 'text')).toBeUndefined();
    expect(numbersAt(item, 'text').size).toBe(0);
  });

  it('give the same for an item that is not there', () => {
    for (const read of [textAt, numberAt, flagAt, timeAt])
      expect(read(undefined, 'text')).toBeUndefined();
    expect(numbersAt(undefined, 'numbers').size).toBe(0);
  });
});

describe('toTtl', () => {
  it('rounds up to whole seconds, so that nothing is deleted early', () => {
    expect(toTtl(NOON)).toBe(Math.floor(NOON / 1_000) + 1);
    expect(toTtl(5_000)).toBe(5);
  });
});
