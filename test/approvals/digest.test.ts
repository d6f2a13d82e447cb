import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differencesOf, toDigest, toShown, type Shown } from '../../src/approvals/digest.ts';
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import { ALICE } from './support.ts';

const SHOWN: Shown = {
  id: '0123456789abcdef',
  wish: {
    requester: ALICE,
    profile: 'prod',
    seconds: 3_600,
    justification: 'deploy',
    ticket: undefined,
    start: 'approval',
    extends: undefined,
    chain: undefined,
  },
  profile: { role_arn: 'arn:aws:iam::000000000000:role/P', max_duration: 3_600 },
  capSeconds: undefined,
};

describe('canonicalJson', () => {
  it('writes equal values alike, whatever the order of their keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const shuffled: unknown = JSON.parse(JSON.stringify(value), (_, inner: unknown) =>
          typeof inner === 'object' && inner !== null && !Array.isArray(inner)
            ? Object.fromEntries(Object.entries(inner).toReversed())
            : inner,
        );
        expect(canonicalJson(shuffled)).toBe(canonicalJson(JSON.parse(JSON.stringify(value))));
      }),
    );
  });

  it('writes what JSON.parse reads back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(canonicalJson(plain))).toEqual(plain);
      }),
    );
  });

  it('leaves members out that are undefined', () => {
    expect(canonicalJson({ b: 1, a: undefined })).toBe('{"b":1}');
  });
});

describe('toDigest', () => {
  it('changes with everything that is shown', () => {
    const before = toDigest(toShown(SHOWN));
    const changes: readonly Shown[] = [
      { ...SHOWN, id: 'ffffffffffffffff' },
      { ...SHOWN, capSeconds: 900 },
      { ...SHOWN, profile: { ...SHOWN.profile, role_arn: 'arn:aws:iam::000000000000:role/Q' } },
      { ...SHOWN, profile: { ...SHOWN.profile, tags: { team: 'x' } } },
      { ...SHOWN, wish: { ...SHOWN.wish, profile: 'dev' } },
      { ...SHOWN, wish: { ...SHOWN.wish, seconds: 3_601 } },
      { ...SHOWN, wish: { ...SHOWN.wish, justification: 'deploy.' } },
      { ...SHOWN, wish: { ...SHOWN.wish, ticket: 'INC-1' } },
      { ...SHOWN, wish: { ...SHOWN.wish, start: 'first_use' } },
      { ...SHOWN, wish: { ...SHOWN.wish, extends: '0000000000000000' } },
      { ...SHOWN, wish: { ...SHOWN.wish, requester: { ...ALICE, subject: 'sentinel:key/OTHER' } } },
      { ...SHOWN, wish: { ...SHOWN.wish, requester: { ...ALICE, uniqueId: 'AROA' } } },
    ];
    const digests = new Set([before, ...changes.map((change) => toDigest(toShown(change)))]);
    expect(digests.size).toBe(changes.length + 1);
    expect(before).toMatch(/^[0-9a-f]{64}$/u);
  });
});

describe('differencesOf', () => {
  it('names what changed, within the profile too', () => {
    const now = toShown({
      ...SHOWN,
      capSeconds: 900,
      profile: { role_arn: 'x', max_duration: 3_600 },
    });
    expect(differencesOf(toShown(SHOWN), now)).toEqual(['cap_seconds', 'profile.role_arn']);
    expect(differencesOf(toShown(SHOWN), toShown(SHOWN))).toEqual([]);
  });
});
