import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minify } from '../../../src/policy/documents/session-policy.ts';
import { readProfile, type Profile } from '../../../src/policy/documents/profile.ts';
import { toClientNetwork, type ClientNetwork } from '../../../src/actions/vend/client-network.ts';
import { toSessionPolicy, type Confinement } from '../../../src/actions/vend/confinement.ts';
import { NOON, profileOf } from '../support.ts';

const OWN = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' };
const ALLOW = { Effect: 'Allow', Action: '*', Resource: '*' };
const MANAGED = 'arn:aws:iam::aws:policy/ReadOnlyAccess';
const VPC = 'vpc-0123456789abcdef0';

const SHAPES = {
  neither: {},
  session_policy: { session_policy: { Version: '2012-10-17', Statement: [OWN] } },
  managed: { managed_policies: [MANAGED] },
  both: { session_policy: { Statement: OWN }, managed_policies: [MANAGED] },
} as const;

type Statement = Readonly<Record<string, unknown>>;

function statementsOf(policy: string | undefined): readonly Statement[] {
  const { Version, Statement, ...rest } = JSON.parse(policy ?? '') as Record<string, unknown>;
  expect([Version, rest]).toEqual(['2012-10-17', {}]);
  return Statement as readonly Statement[];
}

function networkOf(address: string): ClientNetwork {
  const network = toClientNetwork(address);
  if (network === undefined) throw new Error(`${address} is no address`);
  return network;
}

/** A confinement by what is given, and by nothing else. */
function confined(by: Partial<Confinement> = {}): Confinement {
  return { endsAt: undefined, network: undefined, isGranted: false, ...by };
}

describe('toSessionPolicy without an end or a network', () => {
  it.each(['neither', 'managed'] as const)('gives no policy for a profile with %s', (shape) => {
    expect(toSessionPolicy(profileOf(SHAPES[shape]), confined())).toBeUndefined();
  });

  it.each(['session_policy', 'both'] as const)(
    'gives the profile’s own policy for a profile with %s',
    (shape) => {
      expect(statementsOf(toSessionPolicy(profileOf(SHAPES[shape]), confined()))).toEqual([OWN]);
    },
  );
});

const KEPT: Readonly<Record<keyof typeof SHAPES, readonly Statement[]>> = {
  neither: [ALLOW],
  session_policy: [OWN],
  managed: [],
  both: [OWN],
};

describe.each(Object.keys(SHAPES) as (keyof typeof SHAPES)[])(
  'toSessionPolicy for a profile with %s',
  (shape) => {
    function sent(by: Partial<Confinement>, more: object = {}): readonly Statement[] {
      return statementsOf(toSessionPolicy(profileOf({ ...SHAPES[shape], ...more }), confined(by)));
    }

    it('adds exactly two Denies for an early end', () => {
      expect(sent({ endsAt: NOON })).toEqual([
        ...KEPT[shape],
        {
          Effect: 'Deny',
          Action: '*',
          Resource: '*',
          Condition: { DateGreaterThan: { 'aws:CurrentTime': '2026-01-05T12:00:00Z' } },
        },
        { Effect: 'Deny', Action: 'sts:AssumeRole', Resource: '*' },
      ]);
    });

    it.each([
      ['203.0.113.7', '203.0.113.7/32'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:db8::1', '2001:db8:0:0::/64'],
    ])('denies every address but the public %s, except to AWS’s own services', (address, cidr) => {
      expect(sent({ network: networkOf(address) })).toEqual([
        ...KEPT[shape],
        {
          Effect: 'Deny',
          Action: '*',
          Resource: '*',
          Condition: {
            NotIpAddress: { 'aws:SourceIp': cidr },
            BoolIfExists: { 'aws:ViaAWSService': false },
          },
        },
      ]);
    });

    it.each([
      ['10.1.2.3', '10.1.2.3/32'],
      ['fd00:1:2:3::9', 'fd00:1:2:3::/64'],
    ])('denies every address but the private %s, and every other VPC', (address, cidr) => {
      const [one, two, ...none] = sent({ network: networkOf(address) }, { source_vpc: VPC }).slice(
        KEPT[shape].length,
      );
      expect(one).toMatchObject({
        Effect: 'Deny',
        Condition: { NotIpAddress: { 'aws:VpcSourceIp': cidr } },
      });
      expect(two).toMatchObject({
        Effect: 'Deny',
        Condition: { StringNotEquals: { 'aws:SourceVpc': VPC } },
      });
      expect(none).toEqual([]);
    });

    it('adds nothing but Denies', () => {
      const added = sent(
        { endsAt: NOON, network: networkOf('10.1.2.3') },
        { source_vpc: VPC },
      ).slice(KEPT[shape].length);
      expect(new Set(added.map(({ Effect }) => Effect))).toEqual(new Set(['Deny']));
    });
  },
);

/** The longest end and network that there can be. */
const WORST = {
  isGranted: true,
  endsAt: Date.parse('9999-12-31T23:59:59Z'),
  network: networkOf('fdff:ffff:ffff:ffff::1'),
};

/** The length of the profile's own policy, or of the empty one around our Denies. */
function ownOf(profile: Profile): number {
  return minify(profile.sessionPolicy ?? { statements: [], id: undefined }).length;
}

describe('the size of what toSessionPolicy adds', () => {
  it.each(['session_policy', 'managed', 'both'] as const)(
    'is at most 500 characters, with %s',
    (shape) => {
      const profile = profileOf({ ...SHAPES[shape], source_vpc: VPC });
      const policy = toSessionPolicy(profile, WORST) ?? '';
      expect(policy.length - ownOf(profile)).toBeLessThanOrEqual(500);
    },
  );

  it('keeps the largest profile that is allowed within STS’s 2,048', () => {
    function policyOf(room: number) {
      return {
        session_policy: { Statement: [{ ...OWN, Resource: `arn:aws:s3:::${'b'.repeat(room)}` }] },
        source_vpc: VPC,
      };
    }
    const fixed = ownOf(profileOf(policyOf(0)));
    const profile = profileOf(policyOf(1_548 - fixed));
    expect(ownOf(profile)).toBe(1_548);
    expect(() => profileOf(policyOf(1_549 - fixed))).toThrow('1549');
    expect((toSessionPolicy(profile, WORST) ?? '').length).toBeLessThanOrEqual(2_048);
  });

  it('keeps the longest managed policies that are allowed within STS’s 2,048', () => {
    function managed(last: number): string[] {
      return [
        ...Array.from({ length: 9 }, (_, n) => `${n}${'x'.repeat(100)}`),
        'y'.repeat(last),
      ].map((name) => `arn:aws:iam::111122223333:policy/${name}`);
    }
    const lengths = Array.from({ length: 128 }, (_, n) => n + 1).toReversed();
    function room(last: number): boolean {
      const document = {
        role_arn: 'arn:aws:iam::111122223333:role/R',
        managed_policies: managed(last),
      };
      return readProfile(JSON.stringify(document)).ok;
    }
    const longest = lengths.find(room) ?? 0;
    expect(room(longest + 1), 'the limit is reached').toBe(false);
    const profile = profileOf({ managed_policies: managed(longest), source_vpc: VPC });
    const arns = profile.managedPolicies.reduce((sum, arn) => sum + arn.length, 0);
    expect(arns + (toSessionPolicy(profile, WORST) ?? '').length).toBeLessThanOrEqual(2_048);
  });

  it('has no unnecessary white space', () => {
    const spaced = {
      session_policy: '{ "Statement" : [ { "Effect":"Allow", "Action":"*" , "Resource": "*" } ] }',
    };
    const policy = toSessionPolicy(profileOf(spaced), confined({ endsAt: NOON })) ?? '';
    expect(policy).toBe(JSON.stringify(JSON.parse(policy)));
    expect(policy).not.toMatch(/\s/u);
  });
});

describe('toClientNetwork', () => {
  it.each([
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.1.1',
    '::1',
    'fc00::1',
    'fdff::1',
    'fe80::1',
  ])('says that %s is private', (address) => {
    expect(toClientNetwork(address)).toMatchObject({ isPrivate: true });
  });

  it.each([
    '9.255.255.255',
    '11.0.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '100.63.0.1',
    '100.128.0.1',
    '2001:db8::1',
    'fbff::1',
    'ff02::1',
  ])('says that %s is not private', (address) => {
    expect(toClientNetwork(address)).toMatchObject({ isPrivate: false });
  });

  it.each([
    undefined,
    '',
    'host',
    '1.2.3',
    '1.2.3.4/8',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    '[::1]',
    '1.2.3.4 ',
  ])('gives undefined for %s, which is no address', (address) => {
    expect(toClientNetwork(address)).toBeUndefined();
  });

  it('keeps the first 64 bits of any IPv6 address, however it is written', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const full = groups.map((one) => one.toString(16)).join(':');
        const short = new URL(`http://[${full}]/`).hostname.slice(1, -1);
        const expected = `${groups
          .slice(0, 4)
          .map((one) => one.toString(16))
          .join(':')}::/64`;
        expect(toClientNetwork(full)?.cidr).toBe(expected);
        expect(toClientNetwork(short)?.cidr).toBe(expected);
      }),
    );
  });
});
