import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toLine } from '../../src/audit/line.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { inTrace } from '../../src/telemetry/trace.ts';

function refusal(text: string): AuditEntry {
  return {
    event: 'identity_refused',
    http_request_id: 'r',
    effect: 'deny',
    error: 'IncompleteSignature',
    reason: text,
    method: text,
    path: `/${text}`,
    claimed_access_key_id: text,
    source_ip: text,
    upstream_code: text,
  };
}

function read(entry: AuditEntry) {
  return JSON.parse(toLine(entry, 0).toString()) as Record<string, string>;
}

describe('toLine of a refusal', () => {
  it('cuts a path of 8 KB to 256 characters that end in an ellipsis', () => {
    const { path, reason } = read(refusal('x'.repeat(8_000)));
    expect(path).toBe(`/${'x'.repeat(254)}…`);
    expect(reason).toHaveLength(256);
  });

  it('keeps texts that are short enough as they are', () => {
    const text = 'ü'.repeat(255);
    expect(read(refusal(text))).toMatchObject({ path: `/${text}`, reason: text });
  });

  it('gives one line of JSON of less than 16 KiB without half characters, whatever strangers send', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '\u0000', '"', '\u2028', '😀', '\n'),
      maxLength: 2_000,
    });
    fc.assert(
      fc.property(text, (given) => {
        const line = toLine(refusal(given), 0);
        expect(line.length).toBeLessThan(16 * 1024);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        for (const value of Object.values(JSON.parse(line.toString()) as Record<string, string>)) {
          expect(value.length).toBeLessThanOrEqual(256);
          expect(value.isWellFormed()).toBe(true);
        }
      }),
    );
  });
});

describe('toLine', () => {
  it('keeps the longest value that a proven caller can revoke', () => {
    const value = 'v'.repeat(2_048);
    const entry: AuditEntry = {
      event: 'revocation',
      http_request_id: 'r',
      action: 'revoked',
      effect: 'allow',
      value,
      hard: [`x${value}`],
      user: 'olivia',
      principal: 'sentinel:key/O',
      subject: 'sentinel:key/O',
      account: '000000000000',
      via: 'key',
      access_key_id: 'O',
    };
    const written = read(entry) as unknown as { value: string; hard: readonly string[] };
    expect(written.value).toBe(value);
    expect(written.hard[0]).toBe(`x${'v'.repeat(2_046)}…`);
  });

  it('names the trace of the request, and no trace in a record of no request', () => {
    const lost: AuditEntry = { event: 'audit_lost', lines: 1, first: '', last: '' };
    inTrace({ http_request_id: 'mine', trace_id: 'abc' }, () => {
      expect(read(refusal(''))).toMatchObject({ trace_id: 'abc' });
      expect(read(lost)).not.toHaveProperty('trace_id');
      expect(read(lost)).not.toHaveProperty('http_request_id');
    });
  });
});
