import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import type { Result } from '../../lib/result.ts';
import { perOwner, profileNames, timeWindow, userNames } from './conditions.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { duration, flag, list, mapping, optionalVersion, text, word } from '../reading/schema.ts';

/** Bounds of the duration of one emergency access, in seconds. The upper one is Sentinel's. */
const MIN_SECONDS = 60;
const MAX_SECONDS = 4 * 60 * 60;

/** The reasons for break-glass access, as Sentinel names them. */
const REASON_CODES = ['incident', 'maintenance', 'security', 'recovery', 'other'] as const;

/** Keys of the rate policy, which is a document of its own. */
const RATE_KEYS = ['cooldown', 'max_per_user', 'max_per_profile', 'quota_window', 'escalation_threshold'] as const;
const MOVED = Object.fromEntries(RATE_KEYS.map((key) => [key, 'the document break-glass-rate-policy']));

const mfa = mapping({ required: flag, methods: v.exactOptional(list(word(['totp', 'sms']))) });

function rule(bareNames: NamedKind) {
  return mapping(
    {
      name: text,
      profiles: v.exactOptional(profileNames),
      users: userNames(bareNames),
      allowed_reason_codes: v.exactOptional(list(word(REASON_CODES))),
      time: v.exactOptional(timeWindow),
      max_duration: v.exactOptional(duration(MIN_SECONDS, MAX_SECONDS)),
      mfa: v.exactOptional(mfa),
    },
    { moved: MOVED },
  );
}

/** The form of the document. */
export const breakGlassPolicy = perOwner((bareNames) =>
  mapping({ version: optionalVersion, rules: list(rule(bareNames)) }, { blanks: ['version'] }),
);

/**
 * Sentinel's break-glass policy: who may use emergency access. Durations are in seconds. A rule
 * without profiles is for all of them.
 */
export type BreakGlassPolicyDocument = v.InferOutput<ReturnType<typeof breakGlassPolicy>>;

/**
 * Reads a break-glass policy in YAML or JSON. Gives the document, or every problem with its line.
 */
export function readBreakGlassPolicy(
  source: string,
  bareNames: NamedKind = 'key',
): Result<BreakGlassPolicyDocument, readonly DocumentProblem[]> {
  return readDocument(source, breakGlassPolicy(bareNames));
}
