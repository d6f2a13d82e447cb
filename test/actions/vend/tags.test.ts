import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toSessionTags } from '../../../src/actions/vend/stamp.ts';
import { lacksBoto } from '../../local/support.ts';
import { callerOf, planOf, profileOf, requestOf } from '../support.ts';

const KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

function stamp(name: string, principal: string, profile: string) {
  return {
    sessionId: '0123456789abcdef',
    requestId: 'fedcba9876543210',
    caller: callerOf(name, principal),
    profile,
  };
}

describe('toSessionTags', () => {
  it('gives the five tags, then the profile’s own in order', () => {
    const tags = toSessionTags(stamp('alice', 'sentinel:key/TVMALICE', 'team/dev'), [
      ['project', 'x'],
      ['env', ''],
    ]);
    expect(tags).toEqual([
      { Key: 'SentinelSessionID', Value: '0123456789abcdef' },
      { Key: 'SentinelUser', Value: 'alice' },
      { Key: 'SentinelPrincipal', Value: 'sentinel:key/TVMALICE' },
      { Key: 'SentinelProfile', Value: 'team/dev' },
      { Key: 'SentinelRequestID', Value: 'fedcba9876543210' },
      { Key: 'project', Value: 'x' },
      { Key: 'env', Value: '' },
    ]);
  });

  it('gives what STS takes for any caller and profile', () => {
    const any = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.string({
        unit: fc.constantFrom('𝒳', 'a', '😀', '*', ' '),
        minLength: 100,
        maxLength: 300,
      }),
    );
    fc.assert(
      fc.property(any, any, any, (name, principal, profile) => {
        for (const { Key = '', Value = '' } of toSessionTags(stamp(name, principal, profile), [])) {
          expect(Key).toMatch(KEY);
          expect(Value).toMatch(VALUE);
        }
      }),
    );
  });

  it('gives two long principals different tags', () => {
    function long(end: string): string {
      return `arn:aws:iam::111122223333:role/${'p'.repeat(300)}/${end}`;
    }
    const [one, other] = ['a', 'b'].map(
      (end) => toSessionTags(stamp('role/R', long(end), 'dev'), [])[2],
    );
    expect(one?.Value).toHaveLength(256);
    expect(one?.Value).not.toBe(other?.Value);
  });
});

const MODEL = `
import json, botocore.session
model = botocore.session.get_session().get_service_model("sts").operation_model("AssumeRole").input_shape.members
def facts(shape):
    out = {"type": shape.type_name, **{k: v for k, v in shape.metadata.items() if k in ("min", "max", "pattern")}}
    if shape.type_name == "list": out["member"] = facts(shape.member)
    if shape.type_name == "structure": out["members"] = {k: facts(v) for k, v in shape.members.items()}
    return out
print(json.dumps({name: facts(shape) for name, shape in model.items()}))
`;

type Shape = {
  readonly type: string;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly member?: Shape;
  readonly members?: Readonly<Record<string, Shape>>;
};

/**
 * Where a value breaks the model. AWS writes code points beyond the BMP in another way than
 * JavaScript.
 */
function breaches(value: unknown, shape: Shape | undefined, at: string): readonly string[] {
  if (shape === undefined) return [`${at} is not in the model`];
  const { min = 0, max = Number.POSITIVE_INFINITY } = shape;
  function inRange(size: number): readonly string[] {
    return size < min || size > max ? [`${at}: ${size}`] : [];
  }
  if (typeof value === 'number') return inRange(value);
  if (typeof value === 'string') {
    const pattern = shape.pattern?.replace(
      String.raw`\u10000-\u10FFFF`,
      String.raw`\u{10000}-\u{10FFFF}`,
    );
    const fits = pattern === undefined || new RegExp(`^(?:${pattern})$`, 'u').test(value);
    return [...inRange(value.length), ...(fits ? [] : [`${at}: ${value}`])];
  }
  if (Array.isArray(value)) {
    return [
      ...inRange(value.length),
      ...value.flatMap((item, index) => breaches(item, shape.member, `${at}[${index}]`)),
    ];
  }
  return Object.entries(value as object).flatMap(([key, item]) =>
    breaches(item, shape.members?.[key], `${at}.${key}`),
  );
}

/** The environment without the AWS settings of the tests, which boto would read. */
const PLAIN = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/' };

const noBoto = lacksBoto();

describe.skipIf(noBoto !== undefined)('the input of AssumeRole', () => {
  function model(): Shape {
    return {
      type: 'structure',
      members: JSON.parse(
        execFileSync('python3', ['-c', MODEL], { encoding: 'utf8', env: PLAIN }),
      ) as Record<string, Shape>,
    };
  }

  it('fits AWS’s own model of the call, at its extremes too', () => {
    const shape = model();
    const profiles = [
      profileOf(),
      profileOf({
        bind_source_ip: true,
        max_duration: '1m',
        external_id: 'x=1',
        tags: { team: 'a b', Project: '' },
      }),
      profileOf({
        managed_policies: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
        max_duration: '1h',
      }),
      profileOf({
        tags: Object.fromEntries(Array.from({ length: 45 }, (_, n) => [`k${n}`, 'v'.repeat(4)])),
      }),
      profileOf({ tags: { k: 'v'.repeat(256) } }),
    ];
    const names = [
      'a',
      'alice',
      'role/deploy',
      `111122223333:${'x'.repeat(64)}`,
      'ä',
      'x'.repeat(300),
    ];
    const found = profiles.flatMap((profile) =>
      names.flatMap((name) => {
        const longest = 'p'.repeat(256);
        const grant = {
          requiresSession: false,
          approval: undefined,
          capSeconds: undefined,
          profile: { name: longest, profile, policy: { rules: [] } },
        };
        const request = requestOf({
          caller: callerOf(name),
          profile: longest,
          duration: 3600,
          address: '2001:db8::1',
        });
        const plan = planOf(request, grant);
        if (!plan.ok) throw new Error(JSON.stringify(plan.refusal));
        return breaches(plan.value.input, shape, 'AssumeRole');
      }),
    );
    expect(found).toEqual([]);
  });
});
