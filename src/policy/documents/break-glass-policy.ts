import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import type { Result } from '../../lib/result.ts';
import { hasWildcard } from '../arn-pattern.ts';
import { approversFrom } from './approval-policy.ts';
import { perOwner, profileNames, timeWindow, userNames } from './conditions.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { duration, flag, list, mapping, optionalVersion, text, word } from '../reading/schema.ts';
import { crossCheck, type CrossFinding } from '../reading/cross-check.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Bounds of one emergency, in seconds; the upper one is Sentinel's. */
const MIN_EVENT_SECONDS = MINUTE;
export const MAX_EVENT_SECONDS = 4 * HOUR;

/** The longest time that a review may take, in seconds: 30 days. */
const MAX_REVIEW_SECONDS = 30 * 24 * HOUR;

/** Why somebody breaks the glass, in Sentinel's words. */
const REASON_CODES = ['incident', 'maintenance', 'security', 'recovery', 'other'] as const;

/** One of Sentinel's reason codes. */
export type ReasonCode = (typeof REASON_CODES)[number];

/** Keys of the rate policy, which is a document of its own. */
const RATE_KEYS = [
  'cooldown',
  'max_per_user',
  'max_per_profile',
  'quota_window',
  'escalation_threshold',
] as const;
const MOVED = Object.fromEntries(
  RATE_KEYS.map((key) => [key, 'the document break-glass-rate-policy']),
);

const mfa = mapping({ required: flag, methods: v.exactOptional(list(word(['totp', 'sms']))) });

function review(bareNames: NamedKind) {
  return mapping({
    by: approversFrom(bareNames),
    within: duration(MINUTE, MAX_REVIEW_SECONDS),
    overdue_blocks: v.exactOptional(flag),
  });
}

function secondPerson(bareNames: NamedKind) {
  return mapping({
    from: approversFrom(bareNames),
    within: duration(MIN_EVENT_SECONDS, MAX_EVENT_SECONDS),
  });
}

type OthersRead = {
  readonly users: readonly string[];
  readonly review?: { readonly by: readonly string[] } | undefined;
  readonly second_person?: { readonly from: readonly string[] } | undefined;
};

/** Those who confirm and review are persons, and somebody else than whoever broke the glass. */
function checkOthers({
  users,
  review: reviewed,
  second_person: second,
}: OthersRead): readonly CrossFinding[] {
  const lists = [
    { key: 'review', verb: 'review', of: reviewed?.by ?? [] },
    { key: 'second_person', verb: 'confirm', of: second?.from ?? [] },
  ];
  const [only, ...more] = new Set(users);
  return lists.flatMap(({ key, verb, of }): readonly CrossFinding[] => {
    const pattern = of.find((entry) => hasWildcard(entry));
    if (pattern !== undefined) {
      return [
        {
          key,
          message: `has the pattern "${pattern}", which stands for no person; name them whole`,
        },
      ];
    }
    const isNobody = more.length === 0 && of.length > 0 && of.every((entry) => entry === only);
    return isNobody
      ? [{ key, message: `names only "${only}", who cannot ${verb} their own use` }]
      : [];
  });
}

function rule(bareNames: NamedKind) {
  return v.pipe(
    mapping(
      {
        name: text,
        profiles: v.exactOptional(profileNames),
        users: userNames(bareNames),
        allowed_reason_codes: v.exactOptional(list(word(REASON_CODES))),
        time: v.exactOptional(timeWindow),
        max_duration: v.exactOptional(duration(MIN_EVENT_SECONDS, MAX_EVENT_SECONDS)),
        mfa: v.exactOptional(mfa),
        review: v.exactOptional(review(bareNames)),
        second_person: v.exactOptional(secondPerson(bareNames)),
      },
      { moved: MOVED },
    ),
    crossCheck((read) => checkOthers(read)),
  );
}

/** The form of the document. */
export const breakGlassPolicy = perOwner((bareNames) =>
  mapping({ version: optionalVersion, rules: list(rule(bareNames)) }, { blanks: ['version'] }),
);

/**
 * Who may break the glass: Sentinel's policy with keys of ours. Durations in seconds; a rule
 * without profiles is for all of them.
 */
export type BreakGlassPolicyDocument = v.InferOutput<ReturnType<typeof breakGlassPolicy>>;

/** One rule of it. */
export type BreakGlassRule = BreakGlassPolicyDocument['rules'][number];

/** Reads a break-glass policy, YAML or JSON: the document, or every problem with its line. */
export function readBreakGlassPolicy(
  source: string,
  bareNames: NamedKind = 'key',
): Result<BreakGlassPolicyDocument, readonly DocumentProblem[]> {
  return readDocument(source, breakGlassPolicy(bareNames));
}
