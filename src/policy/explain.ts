import type { RuleEffect } from './documents/access-policy.ts';
import type { CompiledPolicy } from './compile.ts';
import { evaluate } from './evaluate.ts';
import type { ConditionName, PolicyRequest } from './match.ts';

/** What became of one rule in one request. */
export type RuleTrace = {
  readonly rule: string;
  /** Counted from 0. */
  readonly ruleIndex: number;
  /** The effect as the document writes it. */
  readonly effect: RuleEffect;
  /** Whether all conditions of the rule hold. The rule decides if it is also reached. */
  readonly matched: boolean;
  /** The conditions that do not hold; empty if the rule matched. */
  readonly failed: readonly ConditionName[];
  /** Whether no earlier rule decided. */
  readonly reached: boolean;
};

/**
 * Observes `evaluate` decide on the same arguments, and gives a trace of every rule. The rule that
 * is both matched and reached is the one that decided.
 */
export function explain(
  policy: CompiledPolicy | undefined,
  request: PolicyRequest,
): readonly RuleTrace[] {
  const traces: RuleTrace[] = [];
  evaluate(policy, request, ({ rule, ruleIndex, matched, reached, failed }) => {
    traces.push({
      rule: rule.name,
      ruleIndex,
      effect: rule.effect,
      matched,
      failed: failed(),
      reached,
    });
  });
  return traces;
}
