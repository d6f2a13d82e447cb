import * as v from 'valibot';
import type { Result } from '../lib/result.ts';
import { names, timeWindow } from './conditions.ts';
import { readDocument } from './document.ts';
import type { DocumentProblem } from './problem.ts';
import { count, crossCheck, duration, flag, list, mapping, text, version, word } from './schema.ts';

/** Bounds of one emergency, in seconds; the upper one is Sentinel's. */
const MIN_SECONDS = 60;
const MAX_SECONDS = 4 * 60 * 60;

/** Why somebody breaks the glass, in Sentinel's words. */
const REASON_CODES = ['incident', 'maintenance', 'security', 'recovery', 'other'] as const;

const QUOTAS = ['max_per_user', 'max_per_profile', 'escalation_threshold'] as const;

const rule = v.pipe(
  mapping({
    name: text,
    profiles: v.exactOptional(names),
    users: names,
    allowed_reason_codes: v.exactOptional(list(word(REASON_CODES))),
    time: v.exactOptional(timeWindow),
    max_duration: v.exactOptional(duration(MIN_SECONDS, MAX_SECONDS)),
    mfa: v.exactOptional(mapping({ required: flag, methods: v.exactOptional(list(word(['totp', 'sms']))) })),
    cooldown: v.exactOptional(duration(1)),
    max_per_user: v.exactOptional(count),
    max_per_profile: v.exactOptional(count),
    quota_window: v.exactOptional(duration(1)),
    escalation_threshold: v.exactOptional(count),
  }),
  crossCheck((read) =>
    read.quota_window !== undefined
      ? []
      : QUOTAS.filter((key) => read[key] !== undefined).map((key) => ({
          key,
          message: 'counts within quota_window, which is missing',
        })),
  ),
);

const breakGlassPolicy = mapping({ version, rules: list(rule) });

/**
 * Who may break the glass, and how often: Sentinel's break-glass policy with its rate policy's fields in the same rules.
 * Durations in seconds; a rule without profiles is for all of them.
 */
export type BreakGlassPolicyDocument = v.InferOutput<typeof breakGlassPolicy>;

/** Reads a break-glass policy, YAML or JSON: the document, or every problem with its line. */
export const readBreakGlassPolicy = (source: string): Result<BreakGlassPolicyDocument, readonly DocumentProblem[]> =>
  readDocument(source, breakGlassPolicy);
