import { describe, expect, it } from 'vitest';
import {
  isDenied,
  mayReview,
  tally,
  type CountingFacts,
} from '../../src/actions/approvals/tally.ts';
import { toDigest } from '../../src/approvals/digest.ts';
import type { Party } from '../../src/approvals/request.ts';
import { createPeople } from '../../src/policy/approval/person.ts';
import { groupsOf, type Approver } from '../../src/policy/approval/rule.ts';
import { readApprovalPolicy } from '../../src/policy/documents/approval-policy.ts';
import { approvalPolicy } from '../support/approvals.ts';
import { party, pending, review, SHOWN } from './support.ts';

/** Who counts once, and who never, among identities of AWS, which the tests through HTTP have not. */
const ROLE = 'arn:aws:iam::111111111111:role/AWSReservedSSO_Admin_0123456789abcdef';
const THERE = 'arn:aws:iam::222222222222:role/AWSReservedSSO_Admin_fedcba9876543210';
const ANN_HERE = sso('ann', ROLE, 'sso/ann');
const ANN_THERE = sso('ann', THERE, '222222222222:sso/ann');
const BEN_HERE = sso('ben', ROLE, 'sso/ben');
const BEN_THERE = sso('ben', THERE, '222222222222:sso/ben');
const CI = bot('ci');
const NIGHTLY = bot('nightly');

function sso(name: string, principal: string, stored: string): Party {
  return party(name, { name: stored, principal, subject: `${principal}/${name}` });
}

function bot(name: string): Party {
  const principal = `arn:aws:iam::111111111111:role/${name}`;
  return party(name, { name: `role/${name}`, principal, subject: principal });
}

function factsOf(rule: object): CountingFacts {
  const policy = readApprovalPolicy(approvalPolicy(rule));
  const first = policy.ok ? policy.value.rules[0] : undefined;
  if (first === undefined) throw new Error(JSON.stringify(policy));
  function toApprover({ name, principal, subject }: Party): Approver {
    return { name, principal, isBot: subject === principal && principal.startsWith('arn:') };
  }
  return {
    rule: first,
    groups: groupsOf(first, 0),
    people: createPeople([]),
    approverNow: ({ reviewer }) => toApprover(reviewer),
  };
}

const PEOPLE = ['sso/ann', '222222222222:sso/ann', 'sso/ben', '222222222222:sso/ben'];
const TWO = factsOf({ require: [{ group: 'owners', from: PEOPLE, approvals: 2 }] });

function counted(facts: CountingFacts, requester: Party, reviewers: readonly Party[]) {
  const reviews = reviewers.map((one) => review(one));
  const { isMet, counted: votes } = tally(
    { ...pending({ requester }), reviews },
    toDigest(SHOWN),
    facts,
  );
  return [isMet, votes.length];
}

describe('one person of Identity Center in two accounts', () => {
  it('never approves what the other identity asked for', () => {
    const approver = { name: ANN_THERE.name, principal: ANN_THERE.principal, isBot: false };
    expect(mayReview({ requester: ANN_HERE }, ANN_THERE, approver, TWO)).toBe(false);
    expect(counted(TWO, ANN_HERE, [ANN_THERE, BEN_HERE])).toEqual([false, 1]);
    const said = review(ANN_THERE, { verdict: 'deny' });
    expect(isDenied({ ...pending({ requester: ANN_HERE }), reviews: [said] }, TWO)).toBe(false);
  });

  it('counts once', () => {
    expect(counted(TWO, party('cid'), [BEN_HERE, BEN_THERE])).toEqual([false, 1]);
    expect(counted(TWO, party('cid'), [BEN_HERE, ANN_THERE])).toEqual([true, 2]);
  });

  it('is not another of the same role', () => {
    expect(counted(TWO, party('cid'), [ANN_HERE, BEN_HERE])).toEqual([true, 2]);
  });
});

describe('bots', () => {
  const from = ['arn:aws:iam::111111111111:role/*'];
  const bots = { group: 'checks', from, approvals: 1, bot: true };
  const owners = { group: 'owners', from: PEOPLE, approvals: 1 };

  it('count only in a group that is marked for them', () => {
    const facts = factsOf({ require: [owners, bots] });
    expect(counted(facts, party('cid'), [CI])).toEqual([false, 1]);
    expect(counted(facts, party('cid'), [CI, BEN_HERE])).toEqual([true, 2]);
    const unmarked = factsOf({ approver_principals: [CI.principal] });
    expect(counted(unmarked, party('cid'), [CI])).toEqual([false, 0]);
  });

  it('alone never suffice, unless the rule says so', () => {
    const both = { require: [{ ...bots, approvals: 2 }] };
    expect(counted(factsOf(both), party('cid'), [CI, NIGHTLY])).toEqual([false, 2]);
    expect(counted(factsOf({ ...both, bots_suffice: true }), party('cid'), [CI, NIGHTLY])).toEqual([
      true,
      2,
    ]);
  });

  it('never approve what they asked for', () => {
    const facts = factsOf({ require: [bots], bots_suffice: true });
    expect(counted(facts, CI, [CI])).toEqual([false, 0]);
    expect(counted(facts, CI, [NIGHTLY])).toEqual([true, 1]);
  });
});
