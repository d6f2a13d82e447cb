import { parseArn } from '../../lib/arn.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { AwsError } from './responses.ts';
import { isPolicyDocument } from './session-policy.ts';
import {
  CONSTRAINTS,
  DURATION,
  durationViolations,
  MAX_POLICY_ARNS,
  MAX_POLICY_CHARACTERS,
  MAX_TAGS,
  tooMany,
  violations,
} from './sts-constraints.ts';

/** The parameters of AssumeRole, with all limits and patterns checked. */
export type AssumeRoleRequest = {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly seconds: number;
  readonly sourceIdentity: string | undefined;
  readonly externalId: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly transitiveTagKeys: readonly string[];
  /** The inline session policy. */
  readonly policy: string | undefined;
  /** ARNs of managed policies that narrow the session as well. */
  readonly managedPolicies: readonly string[];
  /** How much of the packed size policies and tags use, in per cent; undefined without any. */
  readonly packedPolicySize: number | undefined;
};

type Form = ReadonlyMap<string, string>;

function error(code: string, message: string): AwsError {
  return { code, status: 400, message };
}

/**
 * The members of a list in the query protocol, `Prefix.member.N` or `Prefix.member.N.Field`, in the
 * order of N.
 */
function members(form: Form, prefix: string): readonly ReadonlyMap<string, string>[] {
  const byIndex = new Map<number, Map<string, string>>();
  for (const [key, value] of form) {
    const match = key.startsWith(`${prefix}.member.`)
      ? /^(\d{1,4})(?:\.([A-Za-z]+))?$/u.exec(key.slice(prefix.length + 8))
      : null;
    if (match === null) continue;
    const index = Number(match[1]);
    const fields = byIndex.get(index) ?? new Map<string, string>();
    byIndex.set(index, fields.set(match[2] ?? '', value));
  }
  return [...byIndex].toSorted(([a], [b]) => a - b).map(([, fields]) => fields);
}

type Raw = {
  readonly form: Form;
  readonly tags: readonly (readonly [key: string | undefined, value: string | undefined])[];
  readonly transitive: readonly string[];
  readonly policyArns: readonly (string | undefined)[];
  readonly seconds: number;
};

function readRaw(form: Form): Raw {
  return {
    form,
    tags: members(form, 'Tags').map((fields) => [fields.get('Key'), fields.get('Value')]),
    transitive: members(form, 'TransitiveTagKeys').map((fields) => fields.get('') ?? ''),
    policyArns: members(form, 'PolicyArns').map((fields) => fields.get('arn')),
    seconds: Number(form.get('DurationSeconds') ?? DURATION.default),
  };
}

/** All violated constraints together, as AWS reports them, with the paths of its messages. */
function allViolations({ form, tags, transitive, policyArns, seconds }: Raw): readonly string[] {
  return [
    ...violations(form.get('RoleArn'), 'roleArn', CONSTRAINTS.roleArn, true),
    ...violations(
      form.get('RoleSessionName'),
      'roleSessionName',
      CONSTRAINTS.roleSessionName,
      true,
    ),
    ...violations(form.get('SourceIdentity'), 'sourceIdentity', CONSTRAINTS.sourceIdentity),
    ...violations(form.get('ExternalId'), 'externalId', CONSTRAINTS.externalId),
    ...violations(form.get('Policy'), 'policy', CONSTRAINTS.policy),
    ...durationViolations(seconds),
    ...tooMany(tags, 'tags', MAX_TAGS),
    ...tags.flatMap(([key, value], index) => [
      ...violations(key, `tags.${index + 1}.member.key`, CONSTRAINTS.tagKey, true),
      ...violations(value, `tags.${index + 1}.member.value`, CONSTRAINTS.tagValue, true),
    ]),
    ...tooMany(transitive, 'transitiveTagKeys', MAX_TAGS),
    ...transitive.flatMap((key) => violations(key, 'transitiveTagKeys', CONSTRAINTS.tagKey)),
    ...tooMany(policyArns, 'policyArns', MAX_POLICY_ARNS),
    ...policyArns.flatMap((arn, index) =>
      violations(arn, `policyArns.${index + 1}.member.arn`, CONSTRAINTS.policyArn),
    ),
  ];
}

/**
 * Rules that the service's model cannot express: reserved prefixes, keys that differ only in case,
 * forms of ARNs.
 */
function checkMeaning({ form, tags, transitive, policyArns }: Raw): AwsError | undefined {
  const role = form.get('RoleArn') ?? '';
  if (!parseArn(role).ok) return error('ValidationError', `${role} is invalid`);
  if (/^aws:/iu.test(form.get('SourceIdentity') ?? '')) {
    return error(
      'ValidationError',
      'The SourceIdentity must not begin with aws:, which is reserved.',
    );
  }
  const keys = tags.map(([key = '']) => key.toLowerCase());
  if (keys.some((key) => key.startsWith('aws:'))) {
    return error(
      'InvalidParameterValue',
      'Tag keys beginning with aws: are reserved for system use.',
    );
  }
  if (new Set(keys).size < keys.length) {
    const message = 'Duplicate tag keys found. Please note that Tag keys are case insensitive.';
    return error('InvalidParameterValue', message);
  }
  if (transitive.some((key) => !keys.includes(key.toLowerCase()))) {
    const message = 'The specified transitive tag key must be included in the requested tags.';
    return error('InvalidParameterValue', message);
  }
  const badArn = policyArns.find(
    (arn) => !/^arn:[\w-]+:iam::(?:\d{12}|aws):policy\/.+$/u.test(arn ?? ''),
  );
  return badArn === undefined ? undefined : error('ValidationError', `ARN ${badArn} is not valid.`);
}

/**
 * The packed size in per cent of 2,048 characters, by a measure of our own, because AWS's packing
 * is not published.
 */
function packedSize({ form, tags, policyArns }: Raw): Result<number | undefined, AwsError> {
  const policy = form.get('Policy');
  if (policy !== undefined && !isPolicyDocument(policy)) {
    return refuse(error('MalformedPolicyDocument', 'The policy is not in the valid JSON format.'));
  }
  const plain = (policy ?? '').length + policyArns.reduce((sum, arn = '') => sum + arn.length, 0);
  if (plain > MAX_POLICY_CHARACTERS) {
    const percent = Math.ceil((plain * 100) / MAX_POLICY_CHARACTERS);
    const message = `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`;
    return refuse(error('PackedPolicyTooLarge', message));
  }
  if (policy === undefined && policyArns.length === 0 && tags.length === 0) return ok(undefined);
  const tagged = tags.reduce((sum, [key = '', value = '']) => sum + key.length + value.length, 0);
  // Tags pack well. At a tenth of their length, fifty of the longest just fit without a policy.
  return ok(Math.min(100, Math.ceil(((plain + tagged / 10) * 100) / MAX_POLICY_CHARACTERS)));
}

/**
 * Reads AssumeRole's parameters from a decoded form. Refuses with AWS's code, status 400 and, where
 * they are known, AWS's words. Unknown parameters are ignored, as STS ignores them.
 */
export function readAssumeRole(form: Form): Result<AssumeRoleRequest, AwsError> {
  if (!/^-?\d{1,9}$/u.test(form.get('DurationSeconds') ?? '0')) {
    return refuse(error('MalformedInput', 'DurationSeconds must be an integer.'));
  }
  const raw = readRaw(form);
  const violated = allViolations(raw);
  if (violated.length > 0) {
    const count = `${violated.length} validation error${violated.length === 1 ? '' : 's'} detected`;
    return refuse(error('ValidationError', `${count}: ${violated.slice(0, 20).join('; ')}`));
  }
  const meaningless = checkMeaning(raw);
  if (meaningless !== undefined) return refuse(meaningless);
  const packed = packedSize(raw);
  if (!packed.ok) return packed;
  return ok({
    roleArn: form.get('RoleArn') ?? '',
    sessionName: form.get('RoleSessionName') ?? '',
    seconds: raw.seconds,
    tags: new Map(raw.tags.map(([key = '', value = '']) => [key, value])),
    transitiveTagKeys: raw.transitive,
    sourceIdentity: form.get('SourceIdentity'),
    externalId: form.get('ExternalId'),
    managedPolicies: raw.policyArns.flatMap((arn) => (arn === undefined ? [] : [arn])),
    policy: form.get('Policy'),
    packedPolicySize: packed.value,
  });
}
