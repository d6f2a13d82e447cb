import type { AccessRequest, Party, Review } from '../../approvals/request.ts';
import { firstOfEachPerson, isOnePerson, type People } from '../../policy/approval/person.ts';
import {
  groupsFor,
  tallyVotes,
  type ApprovalGroup,
  type Approver,
  type Tally,
} from '../../policy/approval/rule.ts';
import type { ApprovalRule } from '../../policy/documents/approval-policy.ts';

/**
 * What reviews are counted by: the documents as they are now, not as they were when somebody
 * approved.
 */
export type CountingFacts = {
  readonly rule: ApprovalRule;
  /** The groups of the rule at this moment. */
  readonly groups: readonly ApprovalGroup[];
  readonly people: People;
  /**
   * The reviewer as rules name them now; undefined for one who is nobody any more, as a key that
   * was disabled.
   */
  readonly approverNow: (review: Review) => Approver | undefined;
};

type Voice = {
  readonly review: Review;
  readonly approver: Approver;
  readonly groups: ReadonlySet<string>;
};

/**
 * The reviews of those who may approve at this moment, the last word of each person, never the
 * requester's own.
 */
function voicesOf(
  request: AccessRequest,
  { groups, people, approverNow }: CountingFacts,
): readonly Voice[] {
  const voices = request.reviews.toReversed().flatMap((review): Voice[] => {
    const approver = approverNow(review);
    if (approver === undefined || isOnePerson(people, review.reviewer, request.requester))
      return [];
    const may = groupsFor(groups, approver);
    return may.size === 0 ? [] : [{ review, approver, groups: may }];
  });
  const lasting = new Set(
    firstOfEachPerson(
      people,
      voices.map(({ review }) => review.reviewer),
    ),
  );
  return voices.filter(({ review }) => lasting.has(review.reviewer)).toReversed();
}

/** Counts the approvals of what has this digest. */
export function tally(request: AccessRequest, digest: string, facts: CountingFacts): Tally<Review> {
  const votes = voicesOf(request, facts)
    .filter(({ review }) => review.verdict === 'approve' && review.digest === digest)
    .map(({ review, approver, groups }) => ({ of: review, groups, isBot: approver.isBot }));
  return tallyVotes(facts.rule, facts.groups, votes);
}

/** Whether so many have denied it that it is denied. */
export function isDenied(request: AccessRequest, facts: CountingFacts): boolean {
  const denials = voicesOf(request, facts).filter(({ review }) => review.verdict === 'deny');
  return denials.length >= (facts.rule.denials ?? 1);
}

/** Whether somebody may approve a request at all: in a group of it, and not their own. */
export function mayReview(
  request: Pick<AccessRequest, 'requester'>,
  reviewer: Party,
  approver: Approver,
  { groups, people }: Pick<CountingFacts, 'groups' | 'people'>,
): boolean {
  return groupsFor(groups, approver).size > 0 && !isOnePerson(people, reviewer, request.requester);
}
