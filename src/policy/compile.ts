import { createHash } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { AccessPolicyDocument, AccessRule, RuleEffect } from './documents/access-policy.ts';
import {
  compileConditions,
  compileNaming,
  type CompiledCondition,
  type PolicyCaller,
} from './match.ts';

/** A rule, compiled for evaluation. */
export type CompiledRule = {
  readonly name: string;
  readonly effect: RuleEffect;
  /**
   * Sixteen hexadecimal digits of the SHA-256 of the rule's canonical JSON, by which a record names
   * exactly this rule.
   */
  readonly hash: string;
  readonly reason: string | undefined;
  /** The longest that credentials vended by this rule may live, in seconds. */
  readonly capSeconds: number | undefined;
  readonly conditions: readonly CompiledCondition[];
  /**
   * Whether the rule lists this caller individually, so that its name and reason may be shown to
   * them.
   */
  readonly names: (caller: PolicyCaller) => boolean;
};

/** An access policy, compiled for evaluation. */
export type CompiledPolicy = { readonly rules: readonly CompiledRule[] };

function compileRule(rule: AccessRule): CompiledRule {
  return {
    name: rule.name,
    effect: rule.effect,
    hash: createHash('sha256').update(canonicalJson(rule)).digest('hex').slice(0, 16),
    reason: rule.reason,
    capSeconds: rule.max_server_duration,
    conditions: compileConditions(rule.conditions, rule.effect),
    names: compileNaming(rule.conditions),
  };
}

/** Compiles a policy once, when it is loaded, so that a request costs look-ups only. */
export function compileAccessPolicy(document: AccessPolicyDocument): CompiledPolicy {
  return {
    rules: document.rules.map(compileRule),
  };
}
