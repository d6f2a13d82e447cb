import type { RuleEffect } from './documents/access-policy.ts';
import type { CompiledPolicy, CompiledRule } from './compile.ts';
import type { ConditionName, PolicyRequest } from './match.ts';
import { momentAt } from './time-window.ts';

/** What a policy can decide here. */
export type DecisionEffect = 'allow' | 'deny' | 'require_approval' | 'require_server_session';

/** A policy's answer to one request. */
export type Decision = {
  readonly effect: DecisionEffect;
  /** The name of the rule that decided; undefined when no rule matched. */
  readonly rule: string | undefined;
  /** The effect as the rule's document writes it; undefined when no rule matched. */
  readonly ruleEffect: RuleEffect | undefined;
  /** Counted from 0; −1 when no rule matched, which denies. */
  readonly ruleIndex: number;
  /** Names exactly this rule, see `CompiledRule`; undefined when no rule matched. */
  readonly ruleHash: string | undefined;
  /** The rule's reason, if its document gives one. */
  readonly reason: string | undefined;
  /** The longest that the credentials may live by this rule, in seconds. A cap, never a default. */
  readonly capSeconds: number | undefined;
  /**
   * Whether the rule lists this caller individually; only then may they see its name and reason.
   */
  readonly namesCaller: boolean;
};

/** What `evaluate` found out about one rule. */
export type RuleCheck = {
  readonly rule: CompiledRule;
  /** Counted from 0. */
  readonly ruleIndex: number;
  /** Whether every condition of the rule holds. */
  readonly matched: boolean;
  /** Whether no earlier rule matched. */
  readonly reached: boolean;
  /** The conditions that do not hold. */
  readonly failed: () => readonly ConditionName[];
};

const DEFAULT_DENY: Decision = {
  effect: 'deny',
  rule: undefined,
  ruleEffect: undefined,
  ruleIndex: -1,
  ruleHash: undefined,
  reason: undefined,
  capSeconds: undefined,
  namesCaller: false,
};

/**
 * Every request to this server comes through a server, which is all that `require_server` asks for.
 */
function effectHere(effect: RuleEffect): DecisionEffect {
  return effect === 'require_server' ? 'allow' : effect;
}

function decideBy(rule: CompiledRule, ruleIndex: number, request: PolicyRequest): Decision {
  return {
    effect: effectHere(rule.effect),
    rule: rule.name,
    ruleEffect: rule.effect,
    ruleIndex,
    ruleHash: rule.hash,
    reason: rule.reason,
    capSeconds: rule.capSeconds,
    namesCaller: rule.names(request.caller),
  };
}

/**
 * Decides by the first rule whose conditions all hold. Denies if there is no such rule, or no
 * policy. Pure: the time is in the request. Throws a RangeError only if that time is not an
 * instant.
 *
 * @param observe is told of every rule in turn, also of those after the deciding one. Without an
 *   observer the walk stops at the rule that decides.
 */
export function evaluate(
  policy: CompiledPolicy | undefined,
  request: PolicyRequest,
  observe?: (check: RuleCheck) => void,
): Decision {
  const moment = momentAt(request.now);
  let decision: Decision | undefined;
  for (const [ruleIndex, rule] of (policy?.rules ?? []).entries()) {
    const matched = rule.conditions.every(({ holds }) => holds(request, moment));
    observe?.({
      rule,
      ruleIndex,
      matched,
      reached: decision === undefined,
      failed: () =>
        rule.conditions.filter(({ holds }) => !holds(request, moment)).map(({ name }) => name),
    });
    if (matched) decision ??= decideBy(rule, ruleIndex, request);
    if (decision !== undefined && observe === undefined) break;
  }
  return decision ?? DEFAULT_DENY;
}
