import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import type { Result } from '../../lib/result.ts';
import { perOwner, profileNames, timeWindow, userNames } from './conditions.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { atLeastOneOf, duration, list, mapping, optionalVersion, text } from '../reading/schema.ts';

/**
 * Bounds of a duration that can be requested and approved, in seconds. The upper one is Sentinel's.
 */
const MIN_SECONDS = 60;
const MAX_SECONDS = 8 * 60 * 60;

function autoApprove(bareNames: NamedKind) {
  return v.pipe(
    mapping({
      users: v.exactOptional(userNames(bareNames)),
      time: v.exactOptional(timeWindow),
      max_duration: v.exactOptional(duration(MIN_SECONDS, MAX_SECONDS)),
    }),
    atLeastOneOf('users', 'time', 'max_duration'),
  );
}

function rule(bareNames: NamedKind) {
  return mapping(
    {
      name: text,
      profiles: v.exactOptional(profileNames),
      approvers: userNames(bareNames),
      auto_approve: v.exactOptional(autoApprove(bareNames)),
    },
    { blanks: ['auto_approve'] },
  );
}

/** The form of the document. */
export const approvalPolicy = perOwner((bareNames) =>
  mapping({ version: optionalVersion, rules: list(rule(bareNames)) }, { blanks: ['version'] }),
);

/**
 * Sentinel's approval policy: who may approve what. Durations are in seconds. A rule without
 * profiles is for all of them.
 */
export type ApprovalPolicyDocument = v.InferOutput<ReturnType<typeof approvalPolicy>>;

/** Reads an approval policy in YAML or JSON. Gives the document, or every problem with its line. */
export function readApprovalPolicy(
  source: string,
  bareNames: NamedKind = 'key',
): Result<ApprovalPolicyDocument, readonly DocumentProblem[]> {
  return readDocument(source, approvalPolicy(bareNames));
}
