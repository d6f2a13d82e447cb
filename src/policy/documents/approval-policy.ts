import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import { ok, type Result } from '../../lib/result.ts';
import { hasWildcard } from '../arn-pattern.ts';
import { checkPrincipalPattern } from '../principals.ts';
import { checkUserName } from '../user-names.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import {
  count,
  described,
  duration,
  flag,
  list,
  mapping,
  optionalVersion,
  parsed,
  text,
  word,
  type Schema,
} from '../reading/schema.ts';
import { atLeastOneOf, crossCheck, type CrossFinding } from '../reading/cross-check.ts';
import { perOwner, principals, profileNames, timeWindow, userNames } from './conditions.ts';
import { compileTicketPattern } from './ticket-pattern.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Bounds of what can be asked for and so approved, in seconds; the upper one is Sentinel's. */
const MIN_SECONDS = MINUTE;
export const MAX_WINDOW_SECONDS = 8 * HOUR;

/** How long a request may wait for its approvers, in seconds. */
const REQUEST_TTL = { shortest: 15 * MINUTE, longest: 7 * 24 * HOUR } as const;

/** A number of persons. */
const MOST_APPROVALS = 20;

/** Names, and patterns of principals, in one list. */
export function approversFrom(bareNames: NamedKind): Schema<readonly string[]> {
  return list(
    described(
      parsed((input) =>
        /^(?:arn:|sentinel:)/u.test(input)
          ? checkPrincipalPattern(input)
          : checkUserName(input, { bareNames }),
      ),
      'The whole name of a caller, or the ARN of a principal in which * and ? stand for characters other than : and /.',
    ),
  );
}

function autoApprove(bareNames: NamedKind) {
  return v.pipe(
    mapping({
      users: v.exactOptional(userNames(bareNames)),
      time: v.exactOptional(timeWindow),
      max_duration: v.exactOptional(duration(MIN_SECONDS, MAX_WINDOW_SECONDS)),
    }),
    atLeastOneOf('users', 'time', 'max_duration'),
  );
}

const approvals = v.pipe(count, v.maxValue(MOST_APPROVALS, `must be at most ${MOST_APPROVALS}`));

/** A pattern may match many roles at once, so that it stands for no person. */
function checkBots(group: {
  readonly from: readonly string[];
  readonly bot?: boolean | undefined;
}): readonly CrossFinding[] {
  const pattern = group.bot === true ? undefined : group.from.find((entry) => hasWildcard(entry));
  return pattern === undefined
    ? []
    : [
        {
          key: 'from',
          message: `has the pattern "${pattern}", which only a group with "bot: true" may have`,
        },
      ];
}

function group(bareNames: NamedKind) {
  return v.pipe(
    mapping({
      group: text,
      from: approversFrom(bareNames),
      approvals: v.exactOptional(approvals, 1),
      bot: v.exactOptional(flag),
    }),
    crossCheck((read) => checkBots(read)),
  );
}

function requesters(bareNames: NamedKind) {
  return v.pipe(
    mapping({
      users: v.exactOptional(userNames(bareNames)),
      principals: v.exactOptional(principals),
    }),
    atLeastOneOf('users', 'principals'),
  );
}

const ticket = mapping({
  required: v.exactOptional(flag),
  pattern: v.exactOptional(
    parsed((input) => {
      const compiled = compileTicketPattern(input);
      return compiled.ok ? ok(input) : compiled;
    }),
  ),
});

function escalate(bareNames: NamedKind) {
  return mapping({
    after: duration(MINUTE, REQUEST_TTL.longest),
    from: approversFrom(bareNames),
    group: v.exactOptional(text),
  });
}

const extend = mapping({
  times: v.pipe(count, v.maxValue(8, 'must be at most 8')),
  max: v.exactOptional(duration(MIN_SECONDS, MAX_WINDOW_SECONDS)),
});

type GroupsRead = {
  readonly approvers?: readonly string[] | undefined;
  readonly approver_principals?: readonly string[] | undefined;
  readonly require?: readonly { readonly group: string }[] | undefined;
  readonly escalate?: { readonly group?: string | undefined } | undefined;
};

/** What a rule says of its groups must fit together. */
function checkGroups(rule: GroupsRead): readonly CrossFinding[] {
  const names = rule.require?.map((one) => one.group);
  const findings: CrossFinding[] = [];
  if (names !== undefined && new Set(names).size < names.length) {
    findings.push({ key: 'require', message: 'has two groups of one name' });
  }
  if (
    names !== undefined &&
    (rule.approvers !== undefined || rule.approver_principals !== undefined)
  ) {
    findings.push({
      key: 'require',
      message: 'stands beside approvers; name them in the "from" of a group',
    });
  }
  const wanted = rule.escalate?.group;
  if (wanted !== undefined && names?.includes(wanted) !== true) {
    findings.push({
      key: 'escalate',
      message: `adds to the group "${wanted}", which the rule does not have`,
    });
  }
  if (
    rule.escalate !== undefined &&
    wanted === undefined &&
    names !== undefined &&
    names.length > 1
  ) {
    findings.push({ key: 'escalate', message: 'must name the group that it adds to' });
  }
  const pattern = rule.approver_principals?.find((entry) => hasWildcard(entry));
  if (pattern !== undefined) {
    findings.push({
      key: 'approver_principals',
      message: `has the pattern "${pattern}", which only a group with "bot: true" may have`,
    });
  }
  return findings;
}

function rule(bareNames: NamedKind) {
  return v.pipe(
    mapping(
      {
        name: text,
        profiles: v.exactOptional(profileNames),
        requesters: v.exactOptional(requesters(bareNames)),
        approvers: v.exactOptional(userNames(bareNames)),
        approver_principals: v.exactOptional(principals),
        require: v.exactOptional(list(group(bareNames))),
        bots_suffice: v.exactOptional(flag),
        denials: v.exactOptional(approvals),
        auto_approve: v.exactOptional(autoApprove(bareNames)),
        ticket: v.exactOptional(ticket),
        comment: v.exactOptional(word(['required', 'optional'])),
        justification: v.exactOptional(word(['required', 'optional'])),
        request_ttl: v.exactOptional(duration(REQUEST_TTL.shortest, REQUEST_TTL.longest)),
        max_duration: v.exactOptional(duration(MIN_SECONDS, MAX_WINDOW_SECONDS)),
        start: v.exactOptional(word(['approval', 'first_use'])),
        extend: v.exactOptional(extend),
        escalate: v.exactOptional(escalate(bareNames)),
        approve_time: v.exactOptional(timeWindow),
      },
      { blanks: ['auto_approve'] },
    ),
    atLeastOneOf('approvers', 'approver_principals', 'require'),
    crossCheck((read) => checkGroups(read)),
  );
}

/** The form of the document. */
export const approvalPolicy = perOwner((bareNames) =>
  mapping({ version: optionalVersion, rules: list(rule(bareNames)) }, { blanks: ['version'] }),
);

/**
 * Who may approve what: Sentinel's approval policy with keys of ours. Durations in seconds; a rule
 * without profiles is for all of them.
 */
export type ApprovalPolicyDocument = v.InferOutput<ReturnType<typeof approvalPolicy>>;

/** One rule of it. */
export type ApprovalRule = ApprovalPolicyDocument['rules'][number];

/** Reads an approval policy, YAML or JSON: the document, or every problem with its line. */
export function readApprovalPolicy(
  source: string,
  bareNames: NamedKind = 'key',
): Result<ApprovalPolicyDocument, readonly DocumentProblem[]> {
  return readDocument(source, approvalPolicy(bareNames));
}
