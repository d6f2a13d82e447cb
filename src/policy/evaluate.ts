import type { RuleEffect } from './documents/access-policy.ts';
import type { CompiledPolicy, CompiledRule } from './compile.ts';
import type { PolicyRequest } from './match.ts';
import { momentAt, type Moment } from './time-window.ts';

/** What a policy can decide here. */
export type DecisionEffect = 'allow' | 'deny' | 'require_approval' | 'require_server_session';

/** A policy's answer to one request. */
export type Decision = {
  readonly effect: DecisionEffect;
  /** The rule that decided, and what it says in the document's words; absent when no rule matched. */
  readonly rule?: string;
  readonly ruleEffect?: RuleEffect;
  /** Counted from 0; −1 when no rule matched, which denies. */
  readonly ruleIndex: number;
  readonly reason?: string;
  /** The longest that the credentials may live by this rule, in seconds. A cap, never a default. */
  readonly capSeconds?: number;
  /** Whether the rule lists this caller outright; only then may its name and reason be shown to them. */
  readonly namesCaller: boolean;
};

const DEFAULT_DENY: Decision = { effect: 'deny', ruleIndex: -1, namesCaller: false };

/** Every request to this server comes through a server, which is all that `require_server` asks for. */
function effectHere(effect: RuleEffect): DecisionEffect {
  return effect === 'require_server' ? 'allow' : effect;
}

function holds({ conditions }: CompiledRule, request: PolicyRequest, moment: Moment): boolean {
  return conditions.every((condition) => condition.holds(request, moment));
}

/**
 * Decides by the first rule of which every condition holds; without one, and without a policy, the answer is deny. Pure:
 * the time is in the request. Throws a RangeError only if that is no instant.
 */
export function evaluate(policy: CompiledPolicy | undefined, request: PolicyRequest): Decision {
  const moment = momentAt(request.now);
  const rules = policy?.rules ?? [];
  const ruleIndex = rules.findIndex((rule) => holds(rule, request, moment));
  const rule = rules[ruleIndex];
  if (rule === undefined) return DEFAULT_DENY;
  return {
    effect: effectHere(rule.effect),
    rule: rule.name,
    ruleEffect: rule.effect,
    ruleIndex,
    ...(rule.reason === undefined ? {} : { reason: rule.reason }),
    ...(rule.capSeconds === undefined ? {} : { capSeconds: rule.capSeconds }),
    namesCaller: rule.names(request.caller),
  };
}
