import type { AccessConditions, RuleEffect } from './documents/access-policy.ts';
import { hasWildcard, matchesPattern } from './arn-pattern.ts';
import { compileTimeWindow, type Moment, type TimeWindow } from './time-window.ts';

/** Who asks, as far as a policy can tell callers apart. */
export type PolicyCaller = {
  /** What `users` matches; empty if the caller has no name of their own. */
  readonly name: string;
  /** `arn:P:iam::A:user/…`, `arn:P:iam::A:role/R`, or `sentinel:key/<id>`. */
  readonly principal: string;
  /** Twelve digits. */
  readonly account: string;
  /** IAM's unique id (AROA…, AIDA…), where the way of authenticating tells it. */
  readonly uniqueId?: string | undefined;
};

/** What a policy decides on: who, what, and when (epoch milliseconds). */
export type PolicyRequest = { readonly profile: string; readonly caller: PolicyCaller; readonly now: number };

/** The name of a condition, as the documents write it. */
export type ConditionName = keyof AccessConditions;

/** One condition of a rule, ready to be asked. */
export type CompiledCondition = {
  readonly name: ConditionName;
  readonly holds: (request: PolicyRequest, moment: Moment) => boolean;
};

type Holds = CompiledCondition['holds'];

function includesUser(users: ReadonlySet<string>, name: string): boolean {
  return name !== '' && users.has(name);
}

function whenGiven<Value>(value: Value | undefined, compile: (value: Value) => Holds): Holds | undefined {
  return value === undefined ? undefined : compile(value);
}

function inSet(values: readonly string[], factOf: (request: PolicyRequest) => string | undefined): Holds {
  const known = new Set(values);
  return (request) => {
    const fact = factOf(request);
    return fact !== undefined && known.has(fact);
  };
}

function ofUsers(users: readonly string[]): Holds {
  const known = new Set(users);
  return ({ caller }) => includesUser(known, caller.name);
}

function ofPrincipals(patterns: readonly string[]): Holds {
  return ({ caller }) => patterns.some((pattern) => matchesPattern(pattern, caller.principal));
}

function inWindow(window: TimeWindow): Holds {
  const covers = compileTimeWindow(window);
  return (_request, moment) => covers(moment);
}

function always(answer: boolean): Holds {
  return () => answer;
}

/** Compiles a rule's conditions, all of which must hold for the rule to match. */
export function compileConditions(given: AccessConditions, effect: RuleEffect): readonly CompiledCondition[] {
  // A record of all names, so that the compiler notices a condition that is read and then forgotten.
  const compiled: Readonly<Record<ConditionName, Holds | undefined>> = {
    profiles: whenGiven(given.profiles, (profiles) => inSet(profiles, ({ profile }) => profile)),
    users: whenGiven(given.users, ofUsers),
    accounts: whenGiven(given.accounts, (accounts) => inSet(accounts, ({ caller }) => caller.account)),
    principal_ids: whenGiven(given.principal_ids, (ids) => inSet(ids, ({ caller }) => caller.uniqueId)),
    principals: whenGiven(given.principals, ofPrincipals),
    time: whenGiven(given.time, inWindow),
    mode: whenGiven(given.mode, (modes) => always(modes.includes('server'))),
    // No posture of a device is known here: what takes away must not depend on it, and what gives cannot.
    device: whenGiven(given.device, () => always(effect === 'deny')),
  };
  return (Object.keys(compiled) as readonly ConditionName[]).flatMap((name) => {
    const holds = compiled[name];
    return holds === undefined ? [] : [{ name, holds }];
  });
}

/** Compiles the question whether a rule lists a caller outright: by name, by unique id, or by an ARN without wildcards. */
export function compileNaming({
  users = [],
  principal_ids: ids = [],
  principals = [],
}: AccessConditions): (caller: PolicyCaller) => boolean {
  const knownUsers = new Set(users);
  const knownIds = new Set(ids);
  const literal = new Set(principals.filter((pattern) => !hasWildcard(pattern)));
  return ({ name, uniqueId, principal }) =>
    includesUser(knownUsers, name) || (uniqueId !== undefined && knownIds.has(uniqueId)) || literal.has(principal);
}
