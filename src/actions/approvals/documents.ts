import { isTagOf, keyIdOf, secretTag } from '../../approvals/party.ts';
import { toShown } from '../../approvals/digest.ts';
import type { AccessRequest, Party, Wish } from '../../approvals/request.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Caller } from '../../identity/caller.ts';
import { toShownName, toStoredName, type NamedKind } from '../../lib/names.ts';
import { createPeople, type People } from '../../policy/approval/person.ts';
import { findApprovalRule, groupsOf, type Approver } from '../../policy/approval/rule.ts';
import type { ApprovalRule } from '../../policy/documents/approval-policy.ts';
import { evaluate, type Decision } from '../../policy/evaluate.ts';
import type { RevocationSubject } from '../../revocations/revocation.ts';
import type { CountingFacts } from './tally.ts';

/** What approvals are decided by: the documents of one snapshot, as this TVM names callers. */
export type Documents = {
  /** Who is one person; undefined while the document of people is broken: then nothing is approved, and no grant vends. */
  readonly people: People | undefined;
  /** A caller as a row holds it. With `like`, the tag of their secret is the one of that party, if the secret is the same. */
  readonly toParty: (caller: Caller, now: number, like?: Party) => Party;
  /** A party as revocations tell callers apart. */
  readonly toSubject: (party: Party) => RevocationSubject;
  /** A caller or a party as rules of approval name them. */
  readonly toApprover: (party: Party) => Approver;
  /** A party as rules name them now; undefined for one who is nobody any more, as a key that was disabled. */
  readonly approverNow: (party: Party, now: number) => Approver | undefined;
  /** The rule that a request of this party for a profile falls under. */
  readonly ruleFor: (requester: Party, profile: string) => ApprovalRule | undefined;
  /** What reviews of a request are counted by at a moment; undefined where no rule is for it, or people are unknown. */
  readonly countingFor: (request: AccessRequest, now: number) => CountingFacts | undefined;
  /** What policy says to this party about a profile at a moment. */
  readonly decisionFor: (requester: Party, profile: string, now: number) => Decision;
  /** What an approval would allow at a moment; undefined where the profile is gone. */
  readonly shownFor: (id: string, wish: Wish, now: number) => string | undefined;
};

/** Reads a snapshot for approvals; each snapshot once. */
export function createDocumentsOf(bareNames: NamedKind): (snapshot: Snapshot) => Documents {
  const known = new WeakMap<Snapshot, Documents>();
  return function documentsOf(snapshot) {
    const documents = known.get(snapshot) ?? read(snapshot, bareNames);
    known.set(snapshot, documents);
    return documents;
  };
}

function read(snapshot: Snapshot, bareNames: NamedKind): Documents {
  const { clients, sealingKeys, profiles, approvalPolicy } = snapshot;
  const people = toPeople(snapshot, bareNames);

  function toParty(caller: Caller, now: number, like?: Party): Party {
    const { subject, principal, storedName: name, account } = caller;
    const id = keyIdOf({ principal });
    const secret = id === undefined ? undefined : clients.get(id)?.secret;
    const tag = id === undefined || secret === undefined ? undefined : tagOf(id, secret, like, now);
    return { subject, principal, name, account, uniqueId: tag ?? caller.uniqueId };
  }

  /** Sealing keys rotate, and tags with them: of the same secret the older tag is kept. */
  function tagOf(id: string, secret: string, like: Party | undefined, now: number): string | undefined {
    const older = like?.uniqueId;
    if (older !== undefined && isTagOf(older, id, secret, sealingKeys)) return older;
    return secretTag(id, secret, sealingKeys, now);
  }

  function named({ name, principal }: Party) {
    return { name: toShownName(name, bareNames), principal };
  }

  function toSubject(party: Party): RevocationSubject {
    const { name: storedName, principal, subject } = party;
    return { name: toShownName(storedName, bareNames), storedName, principal, subject };
  }

  function toApprover(party: Party): Approver {
    return { ...named(party), isBot: isBot(party) };
  }

  function ruleFor(requester: Party, profile: string): ApprovalRule | undefined {
    return findApprovalRule(approvalPolicy, named(requester), profile);
  }

  /** A registered key that is disabled, gone, or has another secret approves nothing any more, and neither did it. */
  function approverNow(party: Party, now: number): Approver | undefined {
    const id = keyIdOf(party);
    if (id === undefined) return toApprover(party);
    const key = clients.get(id);
    const isGood = key !== undefined && !key.disabled && (key.expiresAtMs ?? now + 1) > now;
    const isSame = isGood && party.uniqueId !== undefined && isTagOf(party.uniqueId, id, key.secret, sealingKeys);
    return isSame ? toApprover(party) : undefined;
  }

  function countingFor(request: AccessRequest, now: number): CountingFacts | undefined {
    const rule = ruleFor(request.requester, request.profile);
    if (rule === undefined || people === undefined) return undefined;
    const groups = groupsOf(rule, now - request.createdAt);
    return { rule, groups, people, approverNow: ({ reviewer }) => approverNow(reviewer, now) };
  }

  function decisionFor(requester: Party, profile: string, now: number): Decision {
    const { account } = requester;
    const uniqueId = keyIdOf(requester) === undefined ? requester.uniqueId : undefined;
    const caller = { ...named(requester), account, uniqueId };
    return evaluate(profiles.get(profile)?.policy, { profile, caller, now });
  }

  function shownFor(id: string, wish: Wish, now: number): string | undefined {
    const profile = profiles.get(wish.profile)?.profile;
    if (profile === undefined) return undefined;
    const { description: _, ...allowed } = profile;
    const { capSeconds } = decisionFor(wish.requester, wish.profile, now);
    return toShown({ id, wish, profile: allowed, capSeconds });
  }

  return { people, toParty, toSubject, toApprover, approverNow, ruleFor, countingFor, decisionFor, shownFor };
}

function toPeople({ clients, people }: Snapshot, bareNames: NamedKind): People | undefined {
  if (people === 'broken') return undefined;
  const keyNames = new Map([...clients].map(([id, { name }]) => [id, `key/${name}`]));
  const sets = (people?.rules ?? []).map(({ is }) =>
    is.map((entry) => (/^(?:arn:|sentinel:)/u.test(entry) ? entry : toStoredName(entry, bareNames))),
  );
  return createPeople(sets, keyNames);
}

/** A role that has nobody in particular behind it: its sessions' names are not trusted, so it is its own subject. */
function isBot({ principal, subject }: Party): boolean {
  return principal === subject && /^arn:[a-z-]+:iam::\d{12}:role\//u.test(principal);
}
