import type { AccessConditions, RuleEffect } from './documents/access-policy.ts';
import { hasWildcard, matchesPattern } from './arn-pattern.ts';
import { compileTimeWindow, type Moment, type TimeWindow } from './time-window.ts';

/** The facts about a caller that conditions can match. */
export type PolicyCaller = {
  /** What `users` matches; empty if the caller has no name, which no rule matches. */
  readonly name: string;
  /** `arn:P:iam::A:user/…`, `arn:P:iam::A:role/R`, or `sentinel:key/<id>`. */
  readonly principal: string;
  /** Twelve digits. */
  readonly account: string;
  /** IAM's unique id (AROA…, AIDA…), where the way of authenticating tells it. */
  readonly uniqueId: string | undefined;
};

/** What a policy decides on: who, what, and when (epoch milliseconds). */
export type PolicyRequest = {
  readonly profile: string;
  readonly caller: PolicyCaller;
  readonly now: number;
};

/** The name of a condition, as the documents write it. */
export type ConditionName = keyof AccessConditions;

/** One condition of a rule, compiled for evaluation. */
export type CompiledCondition = {
  readonly name: ConditionName;
  readonly holds: (request: PolicyRequest, moment: Moment) => boolean;
};

type Holds = CompiledCondition['holds'];

function includesUser(users: ReadonlySet<string>, name: string): boolean {
  return name !== '' && users.has(name);
}

function whenGiven<Value>(
  value: Value | undefined,
  compile: (value: Value) => Holds,
): Holds | undefined {
  return value === undefined ? undefined : compile(value);
}

function inSet(
  values: readonly string[],
  factOf: (request: PolicyRequest) => string | undefined,
): Holds {
  const known = new Set(values);
  function isInSet(request: PolicyRequest): boolean {
    const fact = factOf(request);
    return fact !== undefined && known.has(fact);
  }
  return isInSet;
}

function ofUsers(users: readonly string[]): Holds {
  const known = new Set(users);
  function isUser({ caller }: PolicyRequest): boolean {
    return includesUser(known, caller.name);
  }
  return isUser;
}

function ofPrincipals(patterns: readonly string[]): Holds {
  function isPrincipal({ caller }: PolicyRequest): boolean {
    return patterns.some((pattern) => matchesPattern(pattern, caller.principal));
  }
  return isPrincipal;
}

function inWindow(window: TimeWindow): Holds {
  const covers = compileTimeWindow(window);
  function isInWindow(_request: PolicyRequest, moment: Moment): boolean {
    return covers(moment);
  }
  return isInWindow;
}

function always(answer: boolean): Holds {
  function isAlways(): boolean {
    return answer;
  }
  return isAlways;
}

/** Compiles a rule's conditions, all of which must hold for the rule to match. */
export function compileConditions(
  given: AccessConditions,
  effect: RuleEffect,
): readonly CompiledCondition[] {
  // A record of all names, so that TypeScript rejects a condition that documents can have and
  // nothing compiles.
  const compiled: Readonly<Record<ConditionName, Holds | undefined>> = {
    profiles: whenGiven(given.profiles, (profiles) => inSet(profiles, ({ profile }) => profile)),
    users: whenGiven(given.users, ofUsers),
    accounts: whenGiven(given.accounts, (accounts) =>
      inSet(accounts, ({ caller }) => caller.account),
    ),
    principal_ids: whenGiven(given.principal_ids, (ids) =>
      inSet(ids, ({ caller }) => caller.uniqueId),
    ),
    principals: whenGiven(given.principals, ofPrincipals),
    time: whenGiven(given.time, inWindow),
    mode: whenGiven(given.mode, (modes) => always(modes.includes('server'))),
    // Nothing is known here about the caller's device: a deny must hold whatever the device is, and
    // no other effect can.
    device: whenGiven(given.device, () => always(effect === 'deny')),
  };
  return (Object.keys(compiled) as readonly ConditionName[]).flatMap((name) => {
    const holds = compiled[name];
    return holds === undefined ? [] : [{ name, holds }];
  });
}

/**
 * Compiles the test whether a rule lists a caller individually: in `users`, in `principal_ids`, or
 * in `principals` without a wildcard.
 */
export function compileNaming({
  users = [],
  principal_ids: ids = [],
  principals = [],
}: AccessConditions): (caller: PolicyCaller) => boolean {
  const knownUsers = new Set(users);
  const knownIds = new Set(ids);
  const literal = new Set(principals.filter((pattern) => !hasWildcard(pattern)));
  function namesCaller({ name, uniqueId, principal }: PolicyCaller): boolean {
    return (
      includesUser(knownUsers, name) ||
      (uniqueId !== undefined && knownIds.has(uniqueId)) ||
      literal.has(principal)
    );
  }
  return namesCaller;
}
