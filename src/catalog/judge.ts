import { toKnownCandidates } from '../policy/approval/known-candidates.ts';
import type { ApprovalPolicyDocument } from '../policy/documents/approval-policy.ts';
import type { Client } from '../policy/documents/client.ts';
import type { PeopleDocument } from '../policy/documents/people.ts';
import { lintApprovals } from '../policy/lint-approvals.ts';
import { toKnownCallers, type KnownCallers, type NameSettings } from '../policy/known-callers.ts';
import { findEmptyDenials, lintNames, type RuleNames } from '../policy/lint-names.ts';
import type { LintFinding } from '../policy/lint.ts';
import { leaveRoomForRoles } from '../policy/documents/profile-tags.ts';
import type { Profile } from '../policy/documents/profile.ts';
import { toSentence } from '../policy/reading/problem.ts';
import { readTree } from '../policy/reading/yaml-tree.ts';
import type { ReadPolicy } from './read-document.ts';
import type { CatalogProfile, Finding, Rejection } from './snapshot.ts';

/** All documents that could be read, to compare them with each other. */
export type ReadDocuments = {
  readonly account: string;
  readonly root: string;
  readonly policies: ReadonlyMap<string, ReadPolicy>;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** The names in documents about all profiles, by the last part of their parameters' names. */
  readonly others: ReadonlyMap<string, readonly RuleNames[]>;
  /** Undefined where there is none, or a broken one. */
  readonly approvalPolicy: ApprovalPolicyDocument | undefined;
  readonly people: PeopleDocument | 'broken' | undefined;
  readonly clients: ReadonlyMap<string, Client>;
  /** Principals of the roles that profiles name. */
  readonly roles: readonly string[];
};

type Judged = {
  readonly profiles: ReadonlyMap<string, CatalogProfile>;
  readonly rejections: readonly Rejection[];
  readonly findings: readonly Finding[];
};

/** The result of comparing a policy, which holds until the policy or the known callers change. */
type Verdict = {
  readonly of: ReadPolicy;
  readonly known: KnownCallers;
  /** Denies of names that nobody can have, as sentences: they make the policy be refused. */
  readonly denials: readonly string[];
  readonly findings: readonly LintFinding[];
};

/** The findings about the approval policy, which hold until it, people or known callers change. */
type ApprovalVerdict = {
  readonly of: ApprovalPolicyDocument;
  readonly people: ReadDocuments['people'];
  readonly known: KnownCallers;
  readonly findings: readonly LintFinding[];
};

/** Findings of all documents: more than anybody reads, and a bound for the log and for memory. */
const MAX_FINDINGS = 1_000;

/**
 * Makes the function that compares documents with each other. It joins profiles with their
 * policies, refuses policies whose denies can match nobody, and finds valid names that match no
 * known caller. It remembers the verdict on every policy until the policy, the registered keys or
 * the roles of profiles change, which is seldom. It yields after each document, so that its caller
 * can let others use the event loop.
 */
export function createJudge(
  settings: NameSettings,
): (documents: ReadDocuments) => Generator<void, Judged> {
  let before = new Map<string, Verdict>();
  let approvals: ApprovalVerdict | undefined;
  let known:
    | { readonly clients: ReadDocuments['clients']; readonly callers: KnownCallers }
    | undefined;

  function callersOf({ account, clients, roles }: ReadDocuments): KnownCallers {
    const vended = new Set(roles);
    const isSame =
      known?.callers.ownAccount === account &&
      haveSameNames(known.clients, clients) &&
      isSameSet(known.callers.neverCallers, vended);
    if (known === undefined || !isSame) {
      known = { clients, callers: toKnownCallers(settings, account, clients, vended) };
    }
    return known.callers;
  }

  function* judgeApprovals(
    { approvalPolicy: of, people, clients }: ReadDocuments,
    callers: KnownCallers,
  ): Generator<void, readonly LintFinding[]> {
    if (of === undefined) return [];
    const last = approvals;
    if (last?.of === of && last.people === people && last.known === callers) return last.findings;
    const sets = people === 'broken' ? undefined : people;
    const findings = yield* lintApprovals(of, toKnownCandidates(callers, sets, clients));
    approvals = { of, people, known: callers, findings };
    return findings;
  }

  function* judge(documents: ReadDocuments): Generator<void, Judged> {
    const { root, policies, profiles, others } = documents;
    const callers = callersOf(documents);
    const verdicts = new Map<string, Verdict>();
    const joined = new Map<string, CatalogProfile>();
    const rejections: Rejection[] = [];
    const findings: Finding[] = [];
    function report(parameter: string, found: readonly LintFinding[]): void {
      for (const { kind, rule, message } of found.slice(0, MAX_FINDINGS - findings.length)) {
        findings.push({ parameter, kind, rule, message });
      }
    }
    // Policies: judge each anew only if it or the known callers changed.
    for (const [name, read] of policies) {
      const parameter = `${root}/policies/${name}`;
      const last = before.get(name);
      const verdict =
        last?.of === read && last.known === callers ? last : judgePolicy(name, read, callers);
      verdicts.set(name, verdict);
      report(parameter, verdict.findings);
      const profile = profiles.get(name);
      if (verdict.denials.length > 0) rejections.push({ parameter, problems: verdict.denials });
      else if (profile !== undefined) joined.set(name, { name, profile, policy: read.policy });
      yield;
    }
    // Documents about all profiles.
    for (const [name, names] of others)
      report(`${root}/${name}`, lintNames(names, callers, profiles, undefined));
    report(`${root}/approval-policy`, yield* judgeApprovals(documents, callers));
    // Profiles.
    for (const [name, { tags }] of profiles) {
      if (tags.length > 0 && !leaveRoomForRoles(name, tags))
        report(`${root}/profiles/${name}`, [NO_ROOM]);
      yield;
    }
    before = verdicts;
    return { profiles: joined, rejections, findings };
  }

  return judge;
}

const NO_ROOM: LintFinding = {
  kind: 'tags-may-not-fit',
  rule: '',
  message:
    "the tags leave too little room for the TVM's own, so STS may refuse callers with long names; write shorter tags",
};

function judgePolicy(name: string, read: ReadPolicy, known: KnownCallers): Verdict {
  const denials = findEmptyDenials(read.names, name, known);
  const tree = denials.length === 0 ? undefined : readTree(read.text);
  const lineOf = tree?.ok === true ? tree.value.lineOf : () => 1;
  return {
    of: read,
    known,
    denials: denials.map(({ path, message }) => toSentence(lineOf(path), path, message)),
    findings: [...read.findings, ...lintNames(read.names, known, new Map(), name)],
  };
}

/**
 * Whether two sets of registered keys have the same ids and names, which is all that names are
 * compared with.
 */
function haveSameNames(a: ReadDocuments['clients'], b: ReadDocuments['clients']): boolean {
  return a.size === b.size && [...a].every(([id, { name }]) => b.get(id)?.name === name);
}

function isSameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
