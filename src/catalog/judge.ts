import type { Client } from '../policy/documents/client.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import { toKnownCallers, type KnownCallers, type NameSettings } from '../policy/known-callers.ts';
import { findEmptyDenials, lintNames, type RuleNames } from '../policy/lint-names.ts';
import type { LintFinding } from '../policy/lint.ts';
import { leaveRoomForRoles } from '../policy/documents/profile-tags.ts';
import type { Profile } from '../policy/documents/profile.ts';
import { toSentence } from '../policy/reading/problem.ts';
import { readTree } from '../policy/reading/yaml-tree.ts';
import type { CatalogProfile, Finding, Rejection } from './snapshot.ts';

/** An access policy as it was read, with what the documents around it are compared with. */
export type ReadPolicy = {
  readonly policy: CompiledPolicy;
  readonly names: readonly RuleNames[];
  /** What its text alone leaves to be said. */
  readonly findings: readonly LintFinding[];
  /** The document, for the lines of what is wrong with it. */
  readonly text: string;
};

/** All documents that were read, before they are compared with each other. */
export type ReadDocuments = {
  readonly account: string;
  readonly root: string;
  readonly policies: ReadonlyMap<string, ReadPolicy>;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** Whom the documents that are about all profiles name, by the last part of their parameters' names. */
  readonly others: ReadonlyMap<string, readonly RuleNames[]>;
  readonly clients: ReadonlyMap<string, Client>;
  /** Principals of the roles that profiles name. */
  readonly roles: readonly string[];
};

type Judged = {
  readonly profiles: ReadonlyMap<string, CatalogProfile>;
  readonly rejections: readonly Rejection[];
  readonly findings: readonly Finding[];
};

/** What was said of one policy last time; said again unless it or the known callers changed. */
type Verdict = {
  readonly of: ReadPolicy;
  readonly known: KnownCallers;
  readonly denials: readonly string[];
  readonly findings: readonly LintFinding[];
};

/** More than anybody reads; bounds the log and what an instance keeps of them. */
const MAX_FINDINGS = 1_000;

/**
 * Makes the function that compares documents with each other: it joins profiles with their policies, refuses those whose
 * denials would refuse nobody, and says what is sound but matches nobody known. Remembers its verdicts: they depend on the
 * policy, on the registered keys and on the roles of profiles, which seldom change. Yields after each document, so that
 * whoever runs it can let others have the event loop between them.
 */
export function createJudge(settings: NameSettings): (documents: ReadDocuments) => Generator<void, Judged> {
  let before = new Map<string, Verdict>();
  let known: { readonly clients: ReadDocuments['clients']; readonly callers: KnownCallers } | undefined;

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

  return function* judge(documents) {
    const { root, policies, profiles, others } = documents;
    const callers = callersOf(documents);
    const verdicts = new Map<string, Verdict>();
    const joined = new Map<string, CatalogProfile>();
    const rejections: Rejection[] = [];
    const findings: Finding[] = [];
    function tell(parameter: string, found: readonly LintFinding[]): void {
      for (const { kind, rule, message } of found.slice(0, MAX_FINDINGS - findings.length)) {
        findings.push({ parameter, kind, rule, message });
      }
    }
    for (const [name, read] of policies) {
      const parameter = `${root}/policies/${name}`;
      const last = before.get(name);
      const verdict = last?.of === read && last.known === callers ? last : judgePolicy(name, read, callers);
      verdicts.set(name, verdict);
      tell(parameter, verdict.findings);
      const profile = profiles.get(name);
      if (verdict.denials.length > 0) rejections.push({ parameter, problems: verdict.denials });
      else if (profile !== undefined) joined.set(name, { name, profile, policy: read.policy });
      yield;
    }
    for (const [name, names] of others) tell(`${root}/${name}`, lintNames(names, callers, profiles));
    for (const [name, { tags }] of profiles) {
      if (tags.length > 0 && !leaveRoomForRoles(name, tags)) tell(`${root}/profiles/${name}`, [NO_ROOM]);
      yield;
    }
    before = verdicts;
    return { profiles: joined, rejections, findings };
  };
}

const NO_ROOM: LintFinding = {
  kind: 'tags-may-not-fit',
  rule: '',
  message:
    "the tags leave too little room for the TVM's own: STS may refuse callers with long names; write shorter ones",
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

/** A client that did not change is the same object, for documents are read once. */
function haveSameNames(a: ReadDocuments['clients'], b: ReadDocuments['clients']): boolean {
  return a.size === b.size && [...a].every(([id, { name }]) => b.get(id)?.name === name);
}

function isSameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
