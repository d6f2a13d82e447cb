import type { AccessPolicyDocument, AccessRule, RuleEffect } from './access-policy.ts';
import { quote } from './problem.ts';
import { callersOverlap, covers, isNeverMet, sameZone, windowsOverlap } from './overlap.ts';

/** What a valid policy may still say by mistake, by Sentinel's names. */
export type LintFinding = {
  readonly kind: 'allow-before-deny' | 'unreachable-rule' | 'overlapping-time-windows';
  /** The name of the rule to look at. */
  readonly rule: string;
  readonly message: string;
};

type Pair = { readonly earlier: AccessRule; readonly later: AccessRule };

/** Effects that let a request through without anybody's consent. */
const GIVING: ReadonlySet<RuleEffect> = new Set(['allow', 'require_server', 'require_server_session']);

const timesOverlap = ({ earlier, later }: Pair): boolean => {
  const [a, b] = [earlier.conditions.time, later.conditions.time];
  return a === undefined || b === undefined || !sameZone(a, b) || windowsOverlap(a, b);
};

const allowBeforeDeny = (pair: Pair): readonly LintFinding[] => {
  const { earlier, later } = pair;
  if (!GIVING.has(earlier.effect) || later.effect !== 'deny') return [];
  if (!callersOverlap(earlier.conditions, later.conditions) || !timesOverlap(pair)) return [];
  const message = `rule ${quote(earlier.name)} allows before ${quote(later.name)} can deny; put the deny first`;
  return [{ kind: 'allow-before-deny', rule: earlier.name, message }];
};

const unreachable = ({ earlier, later }: Pair): readonly LintFinding[] => {
  if (!covers(earlier.conditions, later.conditions)) return [];
  const message = `rule ${quote(later.name)} is never reached: ${quote(earlier.name)} matches whenever it would`;
  return [{ kind: 'unreachable-rule', rule: later.name, message }];
};

const overlappingWindows = ({ earlier, later }: Pair): readonly LintFinding[] => {
  const [a, b] = [earlier.conditions.time, later.conditions.time];
  if (earlier.effect === later.effect || a === undefined || b === undefined) return [];
  if (!sameZone(a, b) || !windowsOverlap(a, b) || !callersOverlap(earlier.conditions, later.conditions)) return [];
  const message = `rules ${quote(earlier.name)} and ${quote(later.name)} overlap in time with different effects`;
  return [{ kind: 'overlapping-time-windows', rule: later.name, message }];
};

const CHECKS = [allowBeforeDeny, unreachable, overlappingWindows] as const;

/**
 * Looks at every pair of rules for what is valid but hardly meant. Warnings: a policy with findings works as written. A
 * rule that can never match on this server neither shadows another nor is warned of.
 */
export const lint = ({ rules }: AccessPolicyDocument): readonly LintFinding[] => {
  const live = rules.filter((rule) => !isNeverMet(rule));
  const pairs = live.flatMap((earlier, index) => live.slice(index + 1).map((later) => ({ earlier, later })));
  return CHECKS.flatMap((check) => pairs.flatMap(check));
};
