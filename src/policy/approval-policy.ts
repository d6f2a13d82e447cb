import * as v from 'valibot';
import type { Result } from '../lib/result.ts';
import { names, timeWindow } from './conditions.ts';
import { readDocument } from './document.ts';
import type { DocumentProblem } from './problem.ts';
import { atLeastOneOf, duration, list, mapping, text, version } from './schema.ts';

/** Bounds of what can be asked for and so approved, in seconds; the upper one is Sentinel's. */
const MIN_SECONDS = 60;
const MAX_SECONDS = 8 * 60 * 60;

const autoApprove = v.pipe(
  mapping({
    users: v.exactOptional(names),
    time: v.exactOptional(timeWindow),
    max_duration: v.exactOptional(duration(MIN_SECONDS, MAX_SECONDS)),
  }),
  atLeastOneOf('users', 'time', 'max_duration'),
);

const rule = mapping({
  name: text,
  profiles: v.exactOptional(names),
  approvers: names,
  auto_approve: v.exactOptional(autoApprove),
});

const approvalPolicy = mapping({ version, rules: list(rule) });

/** Who may approve what: Sentinel's approval policy. Durations in seconds; a rule without profiles is for all of them. */
export type ApprovalPolicyDocument = v.InferOutput<typeof approvalPolicy>;

/** Reads an approval policy, YAML or JSON: the document, or every problem with its line. */
export const readApprovalPolicy = (source: string): Result<ApprovalPolicyDocument, readonly DocumentProblem[]> =>
  readDocument(source, approvalPolicy);
