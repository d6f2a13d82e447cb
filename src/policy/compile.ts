import type { AccessPolicyDocument, AccessRule, RuleEffect } from './documents/access-policy.ts';
import { compileConditions, compileNaming, type CompiledCondition, type PolicyCaller } from './match.ts';

/** A rule, ready to be asked. */
export type CompiledRule = {
  readonly name: string;
  readonly effect: RuleEffect;
  readonly reason?: string;
  /** The longest that credentials vended by this rule may live, in seconds. */
  readonly capSeconds?: number;
  readonly conditions: readonly CompiledCondition[];
  /** Whether the rule lists this caller outright, so that its name and reason may be shown to them. */
  readonly names: (caller: PolicyCaller) => boolean;
};

/** An access policy, ready to be asked. */
export type CompiledPolicy = { readonly rules: readonly CompiledRule[] };

function compileRule(rule: AccessRule): CompiledRule {
  return {
    name: rule.name,
    effect: rule.effect,
    ...(rule.reason === undefined ? {} : { reason: rule.reason }),
    ...(rule.max_server_duration === undefined ? {} : { capSeconds: rule.max_server_duration }),
    conditions: compileConditions(rule.conditions, rule.effect),
    names: compileNaming(rule.conditions),
  };
}

/** Compiles a policy once, at load, so that a request pays for look-ups only. */
export function compileAccessPolicy(document: AccessPolicyDocument): CompiledPolicy {
  return {
    rules: document.rules.map(compileRule),
  };
}
