import type { AccessPolicyDocument, AccessRule, RuleEffect } from './documents/access-policy.ts';
import { quote } from './reading/problem.ts';
import { callersOverlap, covers, isNeverMet, sameZone, windowsOverlap } from './overlap.ts';

/** A probable mistake in a valid document. The first three kinds have Sentinel's names. */
export type LintFinding = {
  readonly kind:
    | 'allow-before-deny'
    | 'unreachable-rule'
    | 'overlapping-time-windows'
    | 'unknown-caller'
    | 'unknown-profile'
    | 'unfillable-group'
    | 'lone-requester'
    | 'tags-may-not-fit';
  /** The name of the rule to look at; empty for the document as a whole. */
  readonly rule: string;
  readonly message: string;
};

type Pair = { readonly earlier: AccessRule; readonly later: AccessRule };

/** Effects that allow a request without anybody's approval. */
const GIVING: ReadonlySet<RuleEffect> = new Set([
  'allow',
  'require_server',
  'require_server_session',
]);

function timesOverlap({ earlier, later }: Pair): boolean {
  const [a, b] = [earlier.conditions.time, later.conditions.time];
  return a === undefined || b === undefined || !sameZone(a, b) || windowsOverlap(a, b);
}

function allowBeforeDeny(pair: Pair): readonly LintFinding[] {
  const { earlier, later } = pair;
  if (!GIVING.has(earlier.effect) || later.effect !== 'deny') return [];
  if (!callersOverlap(earlier.conditions, later.conditions) || !timesOverlap(pair)) return [];
  const message = `rule ${quote(earlier.name)} allows before ${quote(later.name)} can deny; put the deny first`;
  return [{ kind: 'allow-before-deny', rule: earlier.name, message }];
}

function unreachable({ earlier, later }: Pair): readonly LintFinding[] {
  if (!covers(earlier.conditions, later.conditions)) return [];
  const message = `rule ${quote(later.name)} is never reached: ${quote(earlier.name)} matches whenever it would`;
  return [{ kind: 'unreachable-rule', rule: later.name, message }];
}

function overlappingWindows({ earlier, later }: Pair): readonly LintFinding[] {
  const [a, b] = [earlier.conditions.time, later.conditions.time];
  if (earlier.effect === later.effect || a === undefined || b === undefined) return [];
  if (
    !sameZone(a, b) ||
    !windowsOverlap(a, b) ||
    !callersOverlap(earlier.conditions, later.conditions)
  )
    return [];
  const message = `rules ${quote(earlier.name)} and ${quote(later.name)} overlap in time with different effects`;
  return [{ kind: 'overlapping-time-windows', rule: later.name, message }];
}

const CHECKS = [allowBeforeDeny, unreachable, overlappingWindows] as const;

/** Finds a deny that no request to this server can match, so that it denies nobody. */
function emptyDenial(rule: AccessRule): readonly LintFinding[] {
  if (rule.effect !== 'deny' || !isNeverMet(rule)) return [];
  const message = `rule ${quote(rule.name)} denies nobody here: its mode does not list server, the mode of every request`;
  return [{ kind: 'unreachable-rule', rule: rule.name, message }];
}

/** Rules that are compared, each with every later one. A document in SSM cannot hold as many. */
const MAX_RULES = 200;

/**
 * Findings of one document that `lint` or `lintNames` reports. Whoever corrects them sees the next
 * ones.
 */
export const MAX_FINDINGS = 20;

/**
 * Compares every pair of rules and reports what is valid but probably a mistake. Findings are
 * warnings: the policy applies as written. A rule that can never match on this server hides no
 * other rule, and is reported only if it is a deny.
 */
export function lint({ rules }: AccessPolicyDocument): readonly LintFinding[] {
  const live = rules.slice(0, MAX_RULES).filter((rule) => !isNeverMet(rule));
  const found: LintFinding[] = rules
    .slice(0, MAX_RULES)
    .flatMap(emptyDenial)
    .slice(0, MAX_FINDINGS);
  if (found.length >= MAX_FINDINGS) return found;
  for (const check of CHECKS) {
    for (const [index, earlier] of live.entries()) {
      for (const later of live.slice(index + 1)) {
        found.push(...check({ earlier, later }));
        if (found.length >= MAX_FINDINGS) return found;
      }
    }
  }
  return found;
}
