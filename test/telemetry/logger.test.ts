import { describe, expect, it } from 'vitest';
import { createLogger, describeError } from '../../src/telemetry/logger.ts';

/** What the log shows of an error, and what it must not show. */
describe('describeError', () => {
  it('gives the name, the code and the status of AWS', () => {
    const error = Object.assign(new Error('Rate exceeded'), {
      name: 'Throttling',
      code: 'X',
      $metadata: { httpStatusCode: 400 },
    });
    expect(describeError(error)).toEqual({
      name: 'Throttling',
      message: 'Rate exceeded',
      code: 'X',
      status: 400,
    });
  });

  it('gives the first line of the message only, because AWS prints session tokens in later ones', () => {
    const message =
      "The request signature we calculated does not match.\n\nThe Canonical String should have been\n'POST\n/\n\nx-amz-security-token:SECRET-TOKEN'";
    expect(JSON.stringify(describeError(new Error(message)))).not.toContain('SECRET-TOKEN');
  });

  it('cuts a long message, and gives nothing else of the object', () => {
    const error = Object.assign(new Error('x'.repeat(10_000)), {
      $response: { headers: { token: 'SECRET-TOKEN' } },
    });
    const text = JSON.stringify(describeError(error));
    expect(text.length).toBeLessThan(700);
    expect(text).not.toContain('SECRET-TOKEN');
  });

  it('accepts anything that was thrown', () => {
    expect(describeError('a string with SECRET-TOKEN')).toEqual({ name: 'string' });
    expect(describeError(undefined)).toEqual({ name: 'undefined' });
  });
});

describe('createLogger', () => {
  it('writes lines of JSON with invisible characters escaped and values unchanged', () => {
    const lines: string[] = [];
    const logger = createLogger('info', { write: (line) => void lines.push(line) });
    const hidden = 'a\u001b[31m\u009b31m\u202eb\u200b\u2028\u2029\u061c\ufeffc\nd';
    logger.warn({ error: describeError(new Error(hidden)), hidden }, hidden);
    expect(lines).toHaveLength(1);
    const [line = ''] = lines;
    expect(line).toMatch(/^[\u0020-\u007e]+\n$/u);
    expect(JSON.parse(line)).toMatchObject({ hidden, msg: hidden });
  });

  it('writes the level as a number, or as text if configured', () => {
    const levels = (['number', 'text'] as const).map((style) => {
      const lines: string[] = [];
      createLogger('info', { write: (line) => void lines.push(line) }, style).warn('x');
      return (JSON.parse(lines[0] ?? '{}') as { level: unknown }).level;
    });
    expect(levels).toEqual([40, 'warn']);
  });
});
