/**
 * What STS requires of a string: its length in characters, and the pattern that all of it must
 * match.
 */
export type Constraint = { readonly min: number; readonly max?: number; readonly pattern: string };

const NAME = String.raw`[\w+=,.@-]*`;
const ARN = String.raw`[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]+`;

/**
 * The constraints of AssumeRole, as in the service's own model; a test compares them with the model
 * in botocore.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export const CONSTRAINTS = {
  roleArn: { min: 20, max: 2_048, pattern: ARN },
  roleSessionName: { min: 2, max: 64, pattern: NAME },
  sourceIdentity: { min: 2, max: 64, pattern: NAME },
  externalId: { min: 2, max: 1_224, pattern: String.raw`[\w+=,.@:\/-]*` },
  policy: { min: 1, pattern: String.raw`[\u0009\u000A\u000D\u0020-\u00FF]+` },
  policyArn: { min: 20, max: 2_048, pattern: ARN },
  tagKey: { min: 1, max: 128, pattern: String.raw`[\p{L}\p{Z}\p{N}_.:/=+\-@]+` },
  tagValue: { min: 0, max: 256, pattern: String.raw`[\p{L}\p{Z}\p{N}_.:/=+\-@]*` },
} as const satisfies Record<string, Constraint>;

/** Seconds that a request may ask for; the role and role chaining may allow less. */
export const DURATION = { min: 900, max: 43_200, default: 3_600, chained: 3_600 } as const;

/** Characters of the inline policy and the ARNs of managed policies together. */
export const MAX_POLICY_CHARACTERS = 2_048;

/** Members of the lists of managed policies and of tags. */
export const MAX_POLICY_ARNS = 10;
export const MAX_TAGS = 50;

/** The sentence for a violated constraint, in the words of AWS's request validation. */
function failure(value: string | null, at: string, constraint: string): string {
  return `${value === null ? 'Value null' : `Value '${value}'`} at '${at}' failed to satisfy constraint: ${constraint}`;
}

/** All constraints that a string violates; an absent one violates one only if it is required. */
export function violations(
  value: string | undefined,
  at: string,
  { min, max, pattern }: Constraint,
  required = false,
): readonly string[] {
  if (value === undefined) return required ? [failure(null, at, 'Member must not be null')] : [];
  const found: string[] = [];
  if (value.length < min)
    found.push(failure(value, at, `Member must have length greater than or equal to ${min}`));
  if (max !== undefined && value.length > max) {
    found.push(failure(value, at, `Member must have length less than or equal to ${max}`));
  }
  if (!new RegExp(`^(?:${pattern})$`, 'u').test(value)) {
    found.push(failure(value, at, `Member must satisfy regular expression pattern: ${pattern}`));
  }
  return found;
}

/** The same for a list with too many members. */
export function tooMany(values: readonly unknown[], at: string, max: number): readonly string[] {
  return values.length > max
    ? [
        failure(
          `[${values.length} members]`,
          at,
          `Member must have length less than or equal to ${max}`,
        ),
      ]
    : [];
}

/** The same for DurationSeconds. */
export function durationViolations(seconds: number): readonly string[] {
  const at = 'durationSeconds';
  if (seconds < DURATION.min) {
    return [
      failure(`${seconds}`, at, `Member must have value greater than or equal to ${DURATION.min}`),
    ];
  }
  return seconds > DURATION.max
    ? [failure(`${seconds}`, at, `Member must have value less than or equal to ${DURATION.max}`)]
    : [];
}
