import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readStsAnswer } from '../../src/identity/sts-answer.ts';
import type { StsReply } from '../../src/identity/sts-call.ts';

const IDENTITY = {
  Account: '000000000000',
  Arn: 'arn:aws:iam::000000000000:user/eng/dana',
  UserId: 'AIDAEXAMPLEEXAMPLE00',
};

function bodyOf(identity: object): string {
  return JSON.stringify({
    GetCallerIdentityResponse: {
      GetCallerIdentityResult: identity,
      ResponseMetadata: { RequestId: 'x' },
    },
  });
}

const GOOD: StsReply = {
  status: 200,
  contentType: 'application/json',
  contentEncoding: '',
  body: Buffer.from(bodyOf(IDENTITY)),
};

function read(change: Partial<StsReply> = {}, partition = 'aws') {
  return readStsAnswer({ ...GOOD, ...change }, partition);
}

/** `known`, or the kind of the refusal. */
function verdict(change: Partial<StsReply> = {}, partition = 'aws'): string {
  const answer = read(change, partition);
  return answer.ok ? 'known' : answer.refusal.kind;
}

function said(identity: object): Partial<StsReply> {
  return { body: Buffer.from(bodyOf(identity)) };
}

function error(status: number, code: unknown): Partial<StsReply> {
  return {
    status,
    body: Buffer.from(
      JSON.stringify({ Error: { Code: code, Message: 'words', Type: 'Sender' }, RequestId: 'x' }),
    ),
  };
}

const KNOWN = {
  ok: true,
  value: { arn: IDENTITY.Arn, account: IDENTITY.Account, userId: IDENTITY.UserId },
};

describe('readStsAnswer on an identity', () => {
  it('returns who signed', () => {
    expect(read()).toEqual(KNOWN);
    expect(read({ contentEncoding: 'identity' })).toEqual(KNOWN);
  });

  it.each([
    'application/json',
    'application/json;charset=utf-8',
    'APPLICATION/JSON',
    'application/x-amz-json-1.1',
    'application/json ',
  ])('accepts the content type %s', (contentType) => {
    expect(read({ contentType })).toEqual(KNOWN);
  });

  it.each([
    '',
    'text/html',
    'text/xml',
    'application/jsonp',
    'application/json-seq',
    'text/application/json',
    'application/xml, application/json',
    'x-application/json',
  ])('refuses the content type %j', (contentType) => {
    expect(verdict({ contentType })).toBe('unexpected');
  });

  it.each(['gzip', 'br', 'deflate', 'GZIP', 'identity, gzip', ' '])(
    'refuses the encoding %j',
    (contentEncoding) => {
      expect(verdict({ contentEncoding })).toBe('unexpected');
    },
  );

  it.each([0, 100, 199, 201, 204, 206, 300, 302, 304, 307, 399, 400, 403, 404, 500, 503, 599, 999])(
    'refuses status %i, even with an identity in the body',
    (status) => {
      expect(verdict({ status })).toBe('unexpected');
    },
  );

  it.each(['Account', 'Arn', 'UserId'] as const)(
    'refuses an identity whose %s is missing or not text',
    (field) => {
      const { [field]: _, ...without } = IDENTITY;
      for (const value of [
        undefined,
        null,
        0,
        1e11,
        true,
        '',
        [],
        {},
        [IDENTITY[field]],
        { S: IDENTITY[field] },
      ]) {
        expect(verdict(said({ ...without, [field]: value }))).toBe('unexpected');
      }
    },
  );

  it.each([
    ['another account', { Account: '111122223333' }],
    [
      'an account of eleven digits',
      { Account: '00000000000', Arn: 'arn:aws:iam::00000000000:user/dana' },
    ],
    ['an account of other digits', { Account: '٠٠٠٠٠٠٠٠٠٠٠٠' }],
    ['an account with a line break', { Account: '000000000000\n' }],
    ['AWS’s own account', { Account: 'aws', Arn: 'arn:aws:iam::aws:user/dana' }],
    ['a partition that does not exist', { Arn: 'arn:evil:iam::000000000000:user/dana' }],
    ['a long ARN', { Arn: `arn:aws:iam::000000000000:user/${'a'.repeat(2_048)}` }],
    ['an ARN without resource', { Arn: 'arn:aws:iam::000000000000:' }],
    ['an ARN after a blank', { Arn: ` ${IDENTITY.Arn}` }],
    ['a long user id', { UserId: 'A'.repeat(257) }],
    ['a user id with a line break', { UserId: 'AIDA\n' }],
  ])('refuses an identity with %s', (_, change) => {
    expect(verdict(said({ ...IDENTITY, ...change }))).toBe('unexpected');
  });

  it('refuses an ARN of another partition than the one that was asked', () => {
    for (const [partition, asked] of [
      ['aws-cn', 'aws'],
      ['aws', 'aws-cn'],
      ['aws-us-gov', 'aws'],
      ['aws-iso', 'aws'],
    ] as const) {
      const there = said({ ...IDENTITY, Arn: IDENTITY.Arn.replace(':aws:', `:${partition}:`) });
      expect([verdict(there, asked), verdict(there, partition)]).toEqual(['unexpected', 'known']);
    }
  });

  it('refuses a repeated key at any depth', () => {
    const text = bodyOf(IDENTITY);
    for (const twice of [
      text.replace('"Arn"', '"Arn":"arn:aws:iam::111122223333:root","Arn"'),
      text.replace('"Account"', String.raw`"\u0041ccount":"111122223333","Account"`),
      text.replace(
        '{"GetCallerIdentityResponse"',
        '{"GetCallerIdentityResponse":{},"GetCallerIdentityResponse"',
      ),
      text.replace('"RequestId"', '"RequestId":"y","RequestId"'),
    ]) {
      expect(verdict({ body: Buffer.from(twice) })).toBe('unexpected');
    }
  });

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '"x"',
    '<GetCallerIdentityResponse/>',
    '<!DOCTYPE x>',
    'undefined',
    `${bodyOf(IDENTITY)}x`,
    `[${bodyOf(IDENTITY)}]`,
  ])('refuses the body %j', (body) => {
    expect(verdict({ body: Buffer.from(body) })).toBe('unexpected');
  });
});

describe('readStsAnswer on an error', () => {
  it.each([400, 403, 404, 499])('refuses status %i with the code of STS', (status) => {
    expect(read(error(status, 'SignatureDoesNotMatch'))).toEqual({
      ok: false,
      refusal: { kind: 'refused', code: 'SignatureDoesNotMatch' },
    });
  });

  it.each([
    'Throttling',
    'ThrottlingException',
    'ThrottledException',
    'RequestLimitExceeded',
    'RequestThrottled',
    'RequestThrottledException',
    'PriorRequestNotComplete',
    'BandwidthLimitExceeded',
    'SlowDown',
    'TooManyRequestsException',
  ])('reads %s as throttling', (code) => {
    expect([400, 403, 429].map((status) => verdict(error(status, code)))).toEqual([
      'throttled',
      'throttled',
      'throttled',
    ]);
    expect(verdict(error(500, code))).toBe('unexpected');
    expect(verdict(error(200, code))).toBe('unexpected');
  });

  it.each([
    'RequestTimeout',
    'RequestTimeoutException',
    'RequestAbortedException',
    'InternalFailure',
    'ServiceUnavailable',
  ])('reads %s as a fault of the service, which says nothing about the signature', (code) => {
    expect([400, 403, 408].map((status) => verdict(error(status, code)))).toEqual(
      Array(3).fill('unexpected'),
    );
  });

  it('reads 429 as throttling, whatever its body', () => {
    for (const change of [
      {},
      { contentType: 'text/html' },
      { contentEncoding: 'gzip' },
      { body: Buffer.from('x') },
    ]) {
      expect(verdict({ ...change, status: 429 })).toBe('throttled');
    }
  });

  it.each([
    undefined,
    null,
    '',
    1,
    {},
    ['AccessDenied'],
    'a b',
    'a\r\nb',
    'ä',
    'a'.repeat(65),
    '<script>',
    '{}',
  ])('does not accept the code %j', (code) => {
    expect(verdict(error(403, code))).toBe('unexpected');
  });

  it.each([
    '{"Code":"AccessDenied"}',
    '{"error":{"code":"AccessDenied"}}',
    '{"Error":"AccessDenied"}',
    '{"Error":[]}',
    '{"Error":{"Code":"A","Code":"B"}}',
    '[]',
    '',
  ])('does not accept the error %j', (body) => {
    expect(verdict({ status: 403, body: Buffer.from(body) })).toBe('unexpected');
  });
});

describe('readStsAnswer on anything', () => {
  it('gives no identity, and repeats nothing of the content', () => {
    const reply = fc.record({
      status: fc.oneof(fc.constantFrom(200, 400, 403, 429, 500), fc.integer()),
      contentType: fc.oneof(fc.constant('application/json'), fc.string()),
      contentEncoding: fc.oneof(fc.constant(''), fc.string()),
      body: fc.oneof(
        fc.uint8Array(),
        fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
        fc
          .dictionary(fc.constantFrom('Account', 'Arn', 'UserId', 'X'), fc.jsonValue())
          .map((value) => Buffer.from(bodyOf(value))),
      ),
    });
    const property = fc.property(reply, (given) => {
      const answer = readStsAnswer(given, 'aws');
      expect(answer.ok).toBe(false);
      if (answer.ok || answer.refusal.kind !== 'unexpected') return;
      expect(answer.refusal.why).toMatch(/^(?:it|its) [A-Za-z ]+(?: -?\d+)?$/u);
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('refuses JSON of any depth without an error', () => {
    for (const depth of [100, 1_000, 4_096]) {
      for (const body of [
        '['.repeat(depth) + ']'.repeat(depth),
        '{"a":'.repeat(depth),
        '{"":'.repeat(depth) + '1' + '}'.repeat(depth),
      ]) {
        expect(verdict({ body: Buffer.from(body.slice(0, 8_192)) })).toBe('unexpected');
      }
    }
  });
});
