import { matchesPattern } from '../arn-pattern.ts';
import type { ApprovalPolicyDocument, ApprovalRule } from '../documents/approval-policy.ts';
import { compileTicketPattern, MAX_TICKET } from '../documents/ticket-pattern.ts';
import { compileTimeWindow, momentAt } from '../time-window.ts';
import { assignVotes, type Group, type Vote } from './quorum.ts';

/** A caller as rules of approval name them. */
export type Named = {
  /** The name as documents write it. */
  readonly name: string;
  readonly principal: string;
};

/** Somebody who may approve: a person, or a workload, which only a group marked for bots takes. */
export type Approver = Named & { readonly isBot: boolean };

/** A group of a rule, with those who may approve in it at a moment. */
export type ApprovalGroup = Group & {
  /** Names and patterns of principals. */
  readonly from: readonly string[];
  readonly bot: boolean;
};

/** The name of the one group of a rule that lists approvers without `require`. */
const APPROVERS = 'approvers';

const SECOND = 1_000;

/** Whether a list of names and of patterns of principals holds somebody. */
export function isListed(from: readonly string[], { name, principal }: Named): boolean {
  return from.some((entry) =>
    /^(?:arn:|sentinel:)/u.test(entry)
      ? matchesPattern(entry, principal)
      : entry === name && name !== '',
  );
}

/**
 * The first rule that is for this profile and this requester; undefined if none is: then nobody can
 * approve it.
 */
export function findApprovalRule(
  policy: ApprovalPolicyDocument | undefined,
  requester: Named,
  profile: string,
): ApprovalRule | undefined {
  return policy?.rules.find(({ profiles, requesters }) => {
    if (profiles !== undefined && !profiles.includes(profile)) return false;
    if (requesters === undefined) return true;
    const { users, principals } = requesters;
    const isUser = users === undefined || users.includes(requester.name);
    const isPrincipal =
      principals === undefined ||
      principals.some((pattern) => matchesPattern(pattern, requester.principal));
    return isUser && isPrincipal;
  });
}

/**
 * The groups of a rule, each of which must approve.
 *
 * @param waited milliseconds since the request was made: escalation adds approvers, and changes no
 *   number
 */
export function groupsOf(rule: ApprovalRule, waited: number): readonly ApprovalGroup[] {
  const groups: readonly ApprovalGroup[] = rule.require?.map(({ group, from, approvals, bot }) => ({
    name: group,
    need: approvals,
    from,
    bot: bot === true,
  })) ?? [
    {
      name: APPROVERS,
      need: 1,
      from: [...(rule.approvers ?? []), ...(rule.approver_principals ?? [])],
      bot: false,
    },
  ];
  const { escalate } = rule;
  if (escalate === undefined || waited < escalate.after * SECOND) return groups;
  const adds = escalate.group ?? groups[0]?.name;
  return groups.map((group) => {
    if (group.name !== adds) return group;
    const { name, need, from, bot } = group;
    return { name, need, from: [...from, ...escalate.from], bot };
  });
}

/** The groups in which somebody may approve; none if they are no approver. */
export function groupsFor(
  groups: readonly ApprovalGroup[],
  approver: Approver,
): ReadonlySet<string> {
  const may = groups.filter(
    ({ from, bot }) => (bot || !approver.isBot) && isListed(from, approver),
  );
  return new Set(may.map(({ name }) => name));
}

/** How far the groups of a rule are. */
export type Tally<Of> = {
  readonly isMet: boolean;
  /** Those whose approval counts. */
  readonly counted: readonly Of[];
  readonly needs: readonly (Pick<ApprovalGroup, 'from'> & {
    readonly group: string;
    readonly have: number;
    readonly need: number;
  })[];
};

/**
 * Counts approvals. Bots alone never suffice, unless the rule says so.
 *
 * @param votes one of each person or bot
 */
export function tallyVotes<Of>(
  rule: ApprovalRule,
  groups: readonly ApprovalGroup[],
  votes: readonly (Vote<Of> & { readonly isBot: boolean })[],
): Tally<Of> {
  const { counted, isMet } = assignVotes(groups, votes);
  const all = [...counted.values()].flat();
  const byPerson = votes.some(({ of, isBot }) => !isBot && all.includes(of));
  return {
    isMet: isMet && (byPerson || rule.bots_suffice === true),
    counted: all,
    needs: groups.map(({ name, need, from }) => ({
      group: name,
      have: counted.get(name)?.length ?? 0,
      need,
      from,
    })),
  };
}

/** Whether it may be approved at this moment, epoch milliseconds. */
export function isApproveTime({ approve_time: window }: ApprovalRule, now: number): boolean {
  return window === undefined || compileTimeWindow(window)(momentAt(now));
}

/** What is wrong with a ticket by a rule; undefined if nothing is. */
export type TicketProblem = 'missing' | 'malformed' | undefined;

/** Checks the ticket of a request. */
export function checkTicket({ ticket }: ApprovalRule, given: string | undefined): TicketProblem {
  if (given === undefined) return ticket?.required === true ? 'missing' : undefined;
  if (given.length > MAX_TICKET) return 'malformed';
  const pattern = ticket?.pattern === undefined ? undefined : compileTicketPattern(ticket.pattern);
  return pattern?.ok === true && !pattern.value.test(given) ? 'malformed' : undefined;
}

/**
 * What of a request decides whether a rule approves it by itself; times in seconds and epoch
 * milliseconds.
 */
export type AutoRequest = {
  readonly requester: Named;
  readonly seconds: number;
  readonly ticket: string | undefined;
  readonly extends: string | undefined;
  readonly now: number;
};

/**
 * Whether a rule approves a request by itself: all that `auto_approve` says must hold, and it must
 * name users. It counts for nothing where groups are required, without a valid ticket that is
 * required, where the start is the first use, and for extensions.
 */
export function isAutoApproved(rule: ApprovalRule, request: AutoRequest): boolean {
  const auto = rule.auto_approve;
  if (auto?.users === undefined || rule.require !== undefined || rule.start === 'first_use')
    return false;
  if (request.extends !== undefined || checkTicket(rule, request.ticket) !== undefined)
    return false;
  return (
    auto.users.includes(request.requester.name) &&
    (auto.max_duration === undefined || request.seconds <= auto.max_duration) &&
    (auto.time === undefined || compileTimeWindow(auto.time)(momentAt(request.now)))
  );
}
