import * as v from 'valibot';
import type { Result } from '../../lib/result.ts';
import { profileNames } from './conditions.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { count, duration, list, mapping, optionalVersion, text } from '../reading/schema.ts';
import { atLeastOneOf, crossCheck } from '../reading/cross-check.ts';

/**
 * The longest time that uses are counted over, in seconds: as long as they are on record, which is
 * 90 days.
 */
const MAX_WINDOW = 90 * 24 * 60 * 60;

/** The highest count there is: as many uses as are on record for one person or profile. */
const MAX_COUNT = 500;

const uses = v.pipe(count, v.maxValue(MAX_COUNT, `must be at most ${MAX_COUNT}`));
const window = duration(1, MAX_WINDOW);

const COUNTED = ['max_per_user', 'max_per_profile', 'escalation_threshold'] as const;

const rule = v.pipe(
  mapping({
    name: text,
    profiles: v.exactOptional(profileNames),
    cooldown: v.exactOptional(window),
    max_per_user: v.exactOptional(uses),
    max_per_profile: v.exactOptional(uses),
    quota_window: v.exactOptional(window),
    escalation_threshold: v.exactOptional(uses),
  }),
  crossCheck((read) =>
    read.quota_window !== undefined
      ? []
      : COUNTED.filter((key) => read[key] !== undefined).map((key) => ({
          key,
          message: 'needs quota_window, the time within which it counts',
        })),
  ),
  atLeastOneOf('cooldown', ...COUNTED),
  v.description('The counts need a quota_window.'),
);

/** The form of the document. */
export const ratePolicy = mapping(
  { version: optionalVersion, rules: list(rule) },
  { blanks: ['version'] },
);

/**
 * Sentinel's rate policy of break-glass access, for which Sentinel has no place in SSM: how often
 * it may be used. Durations are in seconds. A rule without profiles is for all of them.
 */
export type BreakGlassRatePolicyDocument = v.InferOutput<typeof ratePolicy>;

/** One rule of it. */
export type BreakGlassRateRule = BreakGlassRatePolicyDocument['rules'][number];

/** Reads a break-glass rate policy, YAML or JSON: the document, or every problem with its line. */
export function readBreakGlassRatePolicy(
  source: string,
): Result<BreakGlassRatePolicyDocument, readonly DocumentProblem[]> {
  return readDocument(source, ratePolicy);
}
