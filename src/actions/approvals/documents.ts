import { isTagOf, keyIdOf, secretTag } from '../../approvals/party.ts';
import { toShown } from '../../approvals/digest.ts';
import type { AccessRequest, Party, Review, Wish } from '../../approvals/request.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Caller } from '../../identity/caller.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { toPeople } from '../../policy/approval/known-candidates.ts';
import type { People } from '../../policy/approval/person.ts';
import { findApprovalRule, groupsOf, type Approver } from '../../policy/approval/rule.ts';
import type { ApprovalRule } from '../../policy/documents/approval-policy.ts';
import { evaluate, type Decision } from '../../policy/evaluate.ts';
import type { RevocationSubject } from '../../revocations/revocation.ts';
import type { CountingFacts } from './tally.ts';

/** What approvals are decided by: the documents of one snapshot, as this TVM names callers. */
export type Documents = {
  /**
   * Who is one person; undefined while the document of people is broken: then nothing is approved,
   * and no grant vends.
   */
  readonly people: People | undefined;
  /**
   * A caller as a row holds it. With `like`, the tag of their secret is the one of that party, if
   * the secret is the same.
   */
  readonly toParty: (caller: Caller, now: number, like?: Party) => Party;
  /** A party as revocations tell callers apart. */
  readonly toSubject: (party: Party) => RevocationSubject;
  /**
   * Whether a party still is what it was: a registered key has the same name and secret, and is not
   * disabled or over.
   */
  readonly isStill: (party: Party, now: number) => boolean;
  /** A caller or a party as rules of approval name them. */
  readonly toApprover: (party: Party) => Approver;
  /** The rule that a request of this party for a profile falls under. */
  readonly ruleFor: (requester: Party, profile: string) => ApprovalRule | undefined;
  /**
   * What reviews of a request are counted by at a moment; undefined where no rule is for it, or
   * people are unknown.
   */
  readonly countingFor: (request: AccessRequest, now: number) => CountingFacts | undefined;
  /** What policy says to this party about a profile at a moment. */
  readonly decisionFor: (requester: Party, profile: string, now: number) => Decision;
  /** What an approval would allow at a moment; undefined where the profile is gone. */
  readonly shownFor: (id: string, wish: Wish, now: number) => string | undefined;
  /** Whether a profile has hard revocation, which ends issued credentials. */
  readonly hasHardRevoke: (profile: string) => boolean;
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
  const people =
    snapshot.people === 'broken' ? undefined : toPeople(snapshot.people, clients, bareNames);

  function toParty(caller: Caller, now: number, like?: Party): Party {
    const { subject, principal, storedName: name, account } = caller;
    const id = keyIdOf({ principal });
    const secret = id === undefined ? undefined : clients.get(id)?.secret;
    const tag = id === undefined || secret === undefined ? undefined : tagOf(id, secret, like, now);
    return { subject, principal, name, account, uniqueId: tag ?? caller.uniqueId };
  }

  /** Sealing keys rotate, and tags with them: of the same secret the older tag is kept. */
  function tagOf(
    id: string,
    secret: string,
    like: Party | undefined,
    now: number,
  ): string | undefined {
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

  function isStill(party: Party, now: number): boolean {
    const id = keyIdOf(party);
    if (id === undefined) return true;
    const key = clients.get(id);
    if (key === undefined || key.disabled || (key.expiresAtMs ?? now + 1) <= now) return false;
    const isSame =
      party.uniqueId !== undefined && isTagOf(party.uniqueId, id, key.secret, sealingKeys);
    return isSame && party.name === `key/${key.name}`;
  }

  /**
   * Who is not what they were when they approved approves nothing any more, and neither did they.
   */
  function approverNow({ reviewer }: Review, now: number): Approver | undefined {
    return isStill(reviewer, now) ? toApprover(reviewer) : undefined;
  }

  function countingFor(request: AccessRequest, now: number): CountingFacts | undefined {
    const rule = ruleFor(request.requester, request.profile);
    if (rule === undefined || people === undefined) return undefined;
    const groups = groupsOf(rule, now - request.createdAt);
    return { rule, groups, people, approverNow: (review) => approverNow(review, now) };
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

  function hasHardRevoke(profile: string): boolean {
    return profiles.get(profile)?.profile.hardRevoke === true;
  }

  return {
    people,
    toParty,
    toSubject,
    isStill,
    toApprover,
    ruleFor,
    countingFor,
    decisionFor,
    shownFor,
    hasHardRevoke,
  };
}

/**
 * A role that has nobody in particular behind it: its sessions' names are not trusted, so it is its
 * own subject.
 */
function isBot({ principal, subject }: Party): boolean {
  return principal === subject && /^arn:[a-z-]+:iam::\d{12}:role\//u.test(principal);
}
