import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BINDING_HEADERS,
  FORWARDED_LIMIT,
  FORWARDED_SCHEME,
  FORWARDED_VERSION,
  requestHash,
  STS_BODY,
  STS_CONSTANT_HEADERS,
} from '../../src/sigv4/forwarded.ts';
import { PARTITION_NAMES } from '../../src/lib/partitions.ts';
import { readForwardedToken } from '../../src/sigv4/forwarded-token.ts';
import { stsHost, stsHosts } from '../../src/sigv4/sts-hosts.ts';
import { lacksBoto, python } from '../local/support.ts';
import {
  bindingOf,
  CONSTANTS,
  encodeToken,
  forwardedFields,
  GET_CALLER_IDENTITY,
  type Forwarding,
} from '../support/forwarded.ts';
import { amzDateOf } from '../support/sign.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const WINDOW = 300_000;
const EXPECTED = { hosts: stsHosts('us-east-1', []), now: NOW, window: WINDOW };

function fieldsAt(what: Forwarding = {}) {
  return forwardedFields({ amzDate: amzDateOf(NOW), ...what });
}

function read(json: unknown, expected = EXPECTED) {
  return readForwardedToken(encodeToken(json), expected);
}

/** The name of the refusal; `ok` if there is none. */
function verdict(json: unknown, expected = EXPECTED): string {
  const claim = read(json, expected);
  return claim.ok ? 'ok' : claim.refusal.error;
}

describe('forwarded STS', () => {
  it('has the constants of the independent client', () => {
    expect(STS_BODY).toBe(GET_CALLER_IDENTITY);
    expect(STS_CONSTANT_HEADERS).toEqual(CONSTANTS);
    expect([FORWARDED_SCHEME, FORWARDED_VERSION, FORWARDED_LIMIT]).toEqual([
      'Sentinel-STS',
      1,
      4_096,
    ]);
    expect(Object.values(BINDING_HEADERS)).toEqual([
      'x-sentinel-server-id',
      'x-sentinel-nonce',
      'x-sentinel-request-hash',
    ]);
  });

  it('binds a signature to method, path, query and body, without ambiguity', () => {
    const piece = fc.string({
      unit: fc.constantFrom('a', 'G', '/', '?', '=', '&', '.'),
      maxLength: 6,
    });
    const outer = fc.record({ method: piece, path: piece, query: piece, body: piece });
    const property = fc.property(outer, outer, (one, other) => {
      const [here, there] = [one, other].map(({ query: rawQuery, ...rest }) =>
        requestHash({ ...rest, rawQuery }),
      );
      expect(here).toBe(bindingOf(one));
      expect(here === there).toBe(JSON.stringify(one) === JSON.stringify(other));
    });
    fc.assert(property, { numRuns: 500 });
    expect(requestHash({ method: 'POST', path: '/', rawQuery: '', body: Buffer.from('{}') })).toBe(
      bindingOf({ method: 'POST', body: '{}' }),
    );
  });
});

describe('readForwardedToken', () => {
  it('returns all fields of the token, and the host of its region', () => {
    const fields = fieldsAt({ region: 'eu-west-1', securityToken: 'IQoJ/x==' });
    const { v: _, signedHeaders, ...rest } = fields;
    expect(read(fields)).toEqual({
      ok: true,
      value: {
        ...rest,
        signedHeaders: signedHeaders.split(';'),
        accessKeyId: 'AKIADEMODANA0000',
        host: 'sts.eu-west-1.amazonaws.com',
        signedAt: NOW,
      },
    });
  });

  it.each([
    [-WINDOW, 'ok'],
    [-WINDOW - 1_000, 'SignatureDoesNotMatch'],
    [WINDOW, 'ok'],
    [WINDOW + 1_000, 'SignatureDoesNotMatch'],
  ])('judges a token that was signed %i ms from now: %s', (offset, expected) => {
    expect(verdict(fieldsAt({ amzDate: amzDateOf(NOW + offset) }))).toBe(expected);
  });

  it('requires the day of the date in the scope, also at midnight', () => {
    const midnight = Date.UTC(2026, 0, 2);
    const expected = { ...EXPECTED, now: midnight };
    expect(verdict(forwardedFields({ amzDate: amzDateOf(midnight - 1_000) }), expected)).toBe('ok');
    const lie = forwardedFields({ amzDate: amzDateOf(midnight - 1_000), scopeDate: '20260102' });
    expect(verdict(lie, expected)).toBe('SignatureDoesNotMatch');
  });

  it('accepts fields in any order, with white space between them', () => {
    const fields = fieldsAt();
    const turned = Object.fromEntries(Object.entries(fields).toReversed());
    expect(read(turned)).toEqual(read(fields));
    expect(read(JSON.stringify(fields, null, 2))).toEqual(read(fields));
  });

  it.each(['a'.repeat(22), 'a'.repeat(128), 'AZaz09+/=._~-AZaz09+/='])(
    'accepts the nonce %s',
    (nonce) => {
      expect(verdict(fieldsAt({ nonce }))).toBe('ok');
    },
  );

  it('names what is wrong without repeating the content', () => {
    const secret = 'THIS-IS-SECRET';
    const fields = fieldsAt();
    const wrong = [
      { ...fields, nonce: ` ${secret}` },
      { ...fields, signature: secret },
      { ...fields, [secret]: 'x' },
      { ...fields, securityToken: `${secret} ` },
      { ...fields, credential: `${secret}/` },
      { ...fields, amzDate: secret },
      { ...fields, signedHeaders: `${fields.signedHeaders};${secret}` },
      { ...fields, v: secret },
      secret,
      { ...fields, region: secret },
    ];
    for (const json of wrong) {
      const claim = read(json);
      expect(claim.ok).toBe(false);
      expect(JSON.stringify(claim)).not.toContain(secret);
    }
  });

  it('refuses anything else without an error, and a second encoding of the same bytes', () => {
    const property = fc.property(fc.string({ maxLength: 200 }), fc.jsonValue(), (text, json) => {
      expect(readForwardedToken(text, EXPECTED).ok).toBe(false);
      expect(read(json).ok).toBe(false);
    });
    fc.assert(property, { numRuns: 500 });
    const good = encodeToken(fieldsAt());
    for (const twin of [
      `${good}=`,
      ` ${good}`,
      `${good}\n`,
      Buffer.from(good, 'base64url').toString('base64'),
    ]) {
      if (twin !== good) expect(readForwardedToken(twin, EXPECTED).ok).toBe(false);
    }
  });

  it('refuses long tokens quickly', () => {
    for (const text of [
      'A'.repeat(4_096),
      '='.repeat(4_096),
      encodeToken('['.repeat(3_000)),
      encodeToken(`{${'"a":1,'.repeat(500)}`),
    ]) {
      expect(readForwardedToken(text, EXPECTED).ok).toBe(false);
    }
    expect(readForwardedToken('A'.repeat(10_000_000), EXPECTED).ok).toBe(false);
    const many = Array.from({ length: 200 }, (_, index) => `a${index}`).join(';');
    expect(verdict({ ...fieldsAt(), signedHeaders: many.slice(0, 512) })).toBe('AccessDenied');
  });
});

describe('stsHosts', () => {
  it('has the hosts of its own partition only', () => {
    expect(stsHosts('eu-central-1', []).byRegion.get('us-east-1')).toBe(
      'sts.us-east-1.amazonaws.com',
    );
    expect(stsHosts('eu-central-1', []).byRegion.has('cn-north-1')).toBe(false);
    expect([...stsHosts('cn-north-1', []).byRegion]).toEqual([
      ['cn-north-1', 'sts.cn-north-1.amazonaws.com.cn'],
      ['cn-northwest-1', 'sts.cn-northwest-1.amazonaws.com.cn'],
    ]);
    expect(stsHosts('us-gov-east-1', []).byRegion.get('us-gov-west-1')).toBe(
      'sts.us-gov-west-1.amazonaws.com',
    );
  });

  it.each([
    ['eusc-de-east-1', 'aws-eusc', 'sts.eusc-de-east-1.amazonaws.eu'],
    ['us-iso-east-1', 'aws-iso', 'sts.us-iso-east-1.c2s.ic.gov'],
    ['us-iso-west-1', 'aws-iso', 'sts.us-iso-west-1.c2s.ic.gov'],
    ['us-isob-east-1', 'aws-iso-b', 'sts.us-isob-east-1.sc2s.sgov.gov'],
    ['eu-isoe-west-1', 'aws-iso-e', 'sts.eu-isoe-west-1.cloud.adc-e.uk'],
    ['us-isof-south-1', 'aws-iso-f', 'sts.us-isof-south-1.csp.hci.ic.gov'],
  ])('for %s has the partition %s, and no host of commercial AWS', (home, partition, host) => {
    const hosts = stsHosts(home, ['us-east-1', 'eu-central-1']);
    expect([hosts.partition, hosts.byRegion.get(home)]).toEqual([partition, host]);
    expect([...hosts.byRegion.values()].filter((one) => one.endsWith('.amazonaws.com'))).toEqual(
      [],
    );
    expect(stsHosts('us-east-1', [home]).byRegion.has(home)).toBe(false);
  });

  it('accepts newer regions of its own partition', () => {
    const { byRegion } = stsHosts('us-east-1', ['eu-north-9', 'cn-north-9', 'us-gov-north-1']);
    expect(byRegion.get('eu-north-9')).toBe('sts.eu-north-9.amazonaws.com');
    expect([byRegion.has('cn-north-9'), byRegion.has('us-gov-north-1')]).toEqual([false, false]);
    expect(stsHosts('eu-north-9', []).byRegion.get('eu-north-9')).toBe(
      'sts.eu-north-9.amazonaws.com',
    );
  });

  it('does not find the properties that objects inherit', () => {
    const { byRegion } = stsHosts('us-east-1', []);
    for (const name of ['__proto__', 'constructor', 'toString', '', 'US-EAST-1', 'us-east-1 '])
      expect(byRegion.has(name)).toBe(false);
  });

  it.skipIf(lacksBoto())('has every region of botocore with the same host', async () => {
    const program = `
import json, botocore.session
session = botocore.session.get_session()
resolver = session.get_component("endpoint_resolver")
out = {}
for partition in session.get_available_partitions():
    regions = session.get_available_regions("sts", partition_name=partition)
    out[partition] = {r: session.create_client("sts", region_name=r, aws_access_key_id="x", aws_secret_access_key="x").meta.endpoint_url for r in regions}
print(json.dumps(out))
`;
    const known = (await python(program)) as Readonly<
      Record<string, Readonly<Record<string, string>>>
    >;
    expect(PARTITION_NAMES).toEqual(expect.arrayContaining(Object.keys(known)));
    for (const [partition, theirs] of Object.entries(known)) {
      const [home = ''] = Object.keys(theirs);
      const { byRegion, partition: ours } = stsHosts(home, []);
      expect(ours, home).toBe(partition);
      for (const [region, url] of Object.entries(theirs)) {
        expect(byRegion.get(region), region).toBe(stsHost(region));
        // For a few old regions botocore still defaults to the global endpoint.
        if (url !== 'https://sts.amazonaws.com')
          expect(url).toBe(`https://${byRegion.get(region)}`);
      }
    }
  });
});
