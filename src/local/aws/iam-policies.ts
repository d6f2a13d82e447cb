import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { InlinePolicies } from './permissions.ts';
import { readRolePolicy, type Policy } from './policy-evaluation.ts';
import type { AwsError } from './responses.ts';

/**
 * All inline policies of a role together:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
const MAX_POLICY_CHARACTERS = 10_240;

type Stored = { readonly text: string; readonly policy: Policy };

/** A change that takes effect at a time; without a policy it removes one. */
type Change = { readonly name: string; readonly policy: Policy | undefined; readonly from: number };

type RoleState = {
  /** The written policies by name, which IAM's reads return at once. */
  readonly written: Map<string, Stored>;
  /** The policies that are in effect. */
  readonly inEffect: Map<string, Policy>;
  /** Changes that are not in effect yet, in order. */
  pending: readonly Change[];
};

/**
 * The inline policies of roles: readable at once, in effect after a delay, because IAM is
 * eventually consistent.
 */
export type RolePolicies = InlinePolicies & {
  readonly put: (role: string, name: string, text: string) => Result<undefined, AwsError>;
  /** The document as it was written; undefined if there is none. */
  readonly get: (role: string, name: string) => string | undefined;
  readonly remove: (role: string, name: string) => void;
  /** The names of a role's policies, sorted. */
  readonly list: (role: string) => readonly string[];
};

function sizeOf(text: string): number {
  return text.replace(/\s/gu, '').length;
}

/** Starts without policies; `delay` in milliseconds. */
export function createRolePolicies({
  clock,
  delay,
}: {
  readonly clock: Clock;
  readonly delay: number;
}): RolePolicies {
  const states = new Map<string, RoleState>();

  function stateOf(role: string): RoleState {
    const state = states.get(role) ?? { written: new Map(), inEffect: new Map(), pending: [] };
    states.set(role, state);
    return state;
  }

  function settle(state: RoleState): void {
    const now = clock();
    for (const { name, policy } of state.pending.filter(({ from }) => from <= now)) {
      if (policy === undefined) state.inEffect.delete(name);
      else state.inEffect.set(name, policy);
    }
    state.pending = state.pending.filter(({ from }) => from > now);
  }

  function change(state: RoleState, name: string, policy: Policy | undefined): void {
    state.pending = [...state.pending, { name, policy, from: clock() + delay }];
  }

  function of(role: string) {
    const state = states.get(role);
    if (state === undefined) return [];
    settle(state);
    return [...state.inEffect.values()];
  }

  function put(role: string, name: string, text: string): Result<undefined, AwsError> {
    const policy = readRolePolicy(text);
    if (typeof policy === 'string') {
      return refuse({ code: 'MalformedPolicyDocument', status: 400, message: policy });
    }
    const state = stateOf(role);
    const others = [...state.written].filter(([other]) => other !== name);
    const size = others.reduce((sum, [, other]) => sum + sizeOf(other.text), sizeOf(text));
    if (size > MAX_POLICY_CHARACTERS) {
      const message = `Maximum policy size of ${MAX_POLICY_CHARACTERS} bytes exceeded for role ${role}`;
      return refuse({ code: 'LimitExceeded', status: 409, message });
    }
    state.written.set(name, { text, policy });
    change(state, name, policy);
    return ok(undefined);
  }

  function get(role: string, name: string): string | undefined {
    return states.get(role)?.written.get(name)?.text;
  }

  function remove(role: string, name: string): void {
    const state = stateOf(role);
    if (state.written.delete(name)) change(state, name, undefined);
  }

  function list(role: string): readonly string[] {
    return [...(states.get(role)?.written.keys() ?? [])].toSorted();
  }

  return { of, put, get, remove, list };
}
