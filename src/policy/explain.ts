import type { RuleEffect } from './documents/access-policy.ts';
import type { CompiledPolicy } from './compile.ts';
import type { ConditionName, PolicyRequest } from './match.ts';
import { momentAt } from './time-window.ts';

/** What became of one rule in one request. */
export type RuleTrace = {
  readonly rule: string;
  /** Counted from 0. */
  readonly ruleIndex: number;
  /** What the rule says, as the document has it. */
  readonly effect: RuleEffect;
  /** Whether all its conditions hold; the rule decides if it is also the first such, hence reached. */
  readonly matched: boolean;
  /** The conditions that do not hold; empty if the rule matched. */
  readonly failed: readonly ConditionName[];
  /** Whether no earlier rule decided. */
  readonly reached: boolean;
};

/** What `evaluate` does with the same arguments, rule by rule. The one rule both matched and reached is the decision. */
export function explain(policy: CompiledPolicy | undefined, request: PolicyRequest): readonly RuleTrace[] {
  const moment = momentAt(request.now);
  let reached = true;
  return (policy?.rules ?? []).map((rule, ruleIndex) => {
    const failed = rule.conditions.filter(({ holds }) => !holds(request, moment)).map(({ name }) => name);
    const matched = failed.length === 0;
    const trace = { rule: rule.name, ruleIndex, effect: rule.effect, matched, failed, reached };
    reached &&= !matched;
    return trace;
  });
}
